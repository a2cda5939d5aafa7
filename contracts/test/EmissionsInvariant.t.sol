// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VerifiedEmissions} from "../src/VerifiedEmissions.sol";
import {Evidence} from "./Evidence.sol";
import {EmissionsSupport} from "./EmissionsSupport.sol";

/// @dev Random acts by random parties on one figure, mostly nearly right, with books of its own.
///      Two accounts hold two roles each, so that only the rule of distinct signers stops them.
contract EmissionsHandler is EmissionsSupport {
    VerifiedEmissions.Version[] private _books; // index 0 is version 1
    uint16 public acts;
    uint256 public refused;
    uint256 public confirmations;

    constructor() {
        _prepare();
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(REVIEWER));
        _grant(emissions, emissions.VERIFIER_ROLE(), vm.addr(REPORTER));
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(DISPUTER));
    }

    /// @dev The act that comes next in half of all calls, by its own party in most.
    function act(uint8 which, uint8 party, uint8 slip, uint64 tonnes) external {
        VerifiedEmissions.Act chosen = which % 2 == 0 ? _next() : VerifiedEmissions.Act(which / 2 % 7);
        uint256 key = party % 4 == 0 ? REPORTER + party / 4 % 6 : _keyOf(chosen);
        VerifiedEmissions.Attestation memory a = _made(chosen, tonnes);
        if (slip % 16 == 0) a.sequence += 1;
        if (slip % 16 == 1 && a.sequence > 0) a.sequence -= 1;
        if (slip % 16 == 2) a.tonnes ^= 1;
        bool allowed = _allowed(a, key);
        (bool accepted,) = _try(key, a);
        require(accepted == allowed, accepted ? "accepted against a rule" : "refused without a rule");
        if (accepted) _note(a, vm.addr(key));
        else refused++;
    }

    function count() external view returns (uint32) {
        return uint32(_books.length);
    }

    function bookOf(uint32 version) external view returns (VerifiedEmissions.Version memory) {
        return _books[version - 1];
    }

    function contractOf() external view returns (VerifiedEmissions) {
        return emissions;
    }

    // -------------------------------------------------------------- the model

    function _made(VerifiedEmissions.Act chosen, uint64 tonnes)
        private
        view
        returns (VerifiedEmissions.Attestation memory a)
    {
        uint32 last = uint32(_books.length);
        uint32 version = _isReport(chosen) || last == 0 ? last + 1 : last;
        // Statements of the small log, in turn.
        a = _attestation(chosen, (version - 1) % LEAVES + 1, acts);
        a.version = version;
        a.tonnes = _isReport(chosen) || last == 0 ? tonnes : _books[last - 1].tonnes;
    }

    function _next() private view returns (VerifiedEmissions.Act) {
        if (_books.length == 0) return VerifiedEmissions.Act.Report;
        VerifiedEmissions.Status status = _books[_books.length - 1].status;
        if (status == VerifiedEmissions.Status.Disputed) {
            return acts % 3 == 0 ? VerifiedEmissions.Act.Correct : VerifiedEmissions.Act.Uphold;
        }
        return VerifiedEmissions.Act(uint8(status)); // Reported is followed by Review, …
    }

    function _allowed(VerifiedEmissions.Attestation memory a, uint256 key) private view returns (bool) {
        if (a.sequence != acts) return false;
        if (_books.length == 0) return a.act == VerifiedEmissions.Act.Report && key == REPORTER;
        VerifiedEmissions.Version memory last = _books[_books.length - 1];
        bool disputed = last.status == VerifiedEmissions.Status.Disputed;
        if (a.act == VerifiedEmissions.Act.Correct) return disputed && key == REPORTER;
        if (a.act == VerifiedEmissions.Act.Report || a.tonnes != last.tonnes) return false;
        if (a.act == VerifiedEmissions.Act.Dispute) {
            bool early = last.status != VerifiedEmissions.Status.Confirmed;
            return !disputed && (key == DISPUTER || (early && key == REPORTER));
        }
        bool confirms = key == CONFIRMER || key == REVIEWER || key == DISPUTER;
        address signer = vm.addr(key);
        if (a.act == VerifiedEmissions.Act.Uphold) return disputed && confirms && signer != last.disputer;
        if (uint8(a.act) != uint8(last.status)) return false;
        if (a.act == VerifiedEmissions.Act.Review) return key == REVIEWER;
        if (a.act == VerifiedEmissions.Act.Verify) return key == VERIFIER; // the reporter never again
        return confirms && signer != last.reviewer;
    }

    function _note(VerifiedEmissions.Attestation memory a, address signer) private {
        acts++;
        if (_isReport(a.act)) return _noteVersion(a, signer);
        VerifiedEmissions.Version storage last = _books[_books.length - 1];
        last.sequence = acts;
        if (a.act == VerifiedEmissions.Act.Dispute) {
            (last.disputedFrom, last.disputer) = (last.status, signer);
            last.status = VerifiedEmissions.Status.Disputed;
        } else if (a.act == VerifiedEmissions.Act.Uphold) {
            last.status = last.disputedFrom;
        } else {
            if (a.act == VerifiedEmissions.Act.Review) last.reviewer = signer;
            if (a.act == VerifiedEmissions.Act.Verify) last.verifier = signer;
            if (a.act == VerifiedEmissions.Act.Confirm) (last.confirmer, confirmations) = (signer, confirmations + 1);
            last.status = VerifiedEmissions.Status(uint8(a.act) + 1);
        }
    }

    function _noteVersion(VerifiedEmissions.Attestation memory a, address signer) private {
        if (_books.length > 0) _books[_books.length - 1].status = VerifiedEmissions.Status.Corrected;
        VerifiedEmissions.Version memory made;
        (made.statement, made.reporter, made.tonnes) = (a.statement, signer, a.tonnes);
        (made.status, made.sequence) = (VerifiedEmissions.Status.Reported, acts);
        _books.push(made);
    }

    /// @dev The leaf of a version beyond the fifth is one of the five again.
    function _proof(uint32 version) internal view override returns (VerifiedEmissions.Proof memory) {
        return super._proof((version - 1) % LEAVES + 1);
    }
}

contract VerifiedEmissionsInvariant is EmissionsSupport {
    EmissionsHandler private handler;

    function setUp() public {
        handler = new EmissionsHandler();
        emissions = handler.contractOf();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Every version ever accepted, in every field: nothing is lost, nothing overwritten.
    function invariant_historyIsAsTheBooksSay() public view {
        uint32 count = handler.count();
        require(emissions.versionCount(SUBJECT, YEAR) == count, "count");
        for (uint32 version = 1; version <= count; version++) {
            VerifiedEmissions.Version memory stored = emissions.versionOf(SUBJECT, YEAR, version);
            require(keccak256(abi.encode(stored)) == keccak256(abi.encode(handler.bookOf(version))), "version");
            bool corrected = stored.status == VerifiedEmissions.Status.Corrected;
            require(corrected == (version < count), "one live version");
        }
        VerifiedEmissions.Version memory beyond = emissions.versionOf(SUBJECT, YEAR, count + 1);
        require(beyond.status == VerifiedEmissions.Status.None && beyond.statement == 0, "version from nowhere");
    }

    /// @dev What the registry may book has four signers, all different.
    function invariant_aConfirmedFigureHasFourSigners() public view {
        try emissions.confirmed(SUBJECT, YEAR) returns (uint64, bytes32, uint32 version) {
            VerifiedEmissions.Version memory v = emissions.versionOf(SUBJECT, YEAR, version);
            address[4] memory signers = [v.reporter, v.reviewer, v.verifier, v.confirmer];
            for (uint256 i = 0; i < 4; i++) {
                require(signers[i] != address(0), "signer missing");
                for (uint256 j = 0; j < i; j++) {
                    require(signers[i] != signers[j], "signer twice");
                }
            }
        } catch {
            require(_statusOf(handler.count()) != VerifiedEmissions.Status.Confirmed, "confirmed, not readable");
        }
    }

    /// @dev A run in which little was accepted has tested little, and must not pass.
    function afterInvariant() public view {
        require(handler.acts() >= 8, "fewer than 8 accepted acts in a run");
        require(handler.refused() >= 1, "no refused act in a run");
        require(handler.confirmations() >= 1, "no confirmation in a run");
    }
}
