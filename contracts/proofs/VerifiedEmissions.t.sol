// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VerifiedEmissions} from "../src/VerifiedEmissions.sol";
import {Proving} from "./Proving.sol";

/// @dev Proved for every state of the contract (all slots are arbitrary: versions, roles, counts),
///      every signer and every attestation of one subject and year.
contract VerifiedEmissionsProofs is Proving {
    string private constant SUBJECT = "E1/U1";
    uint16 private constant YEAR = 2025;

    VerifiedEmissions private emissions;

    /// @dev An attestation but for its subject and year, with a signature.
    struct Given {
        uint8 act;
        uint32 version;
        uint16 sequence;
        uint64 tonnes;
        bytes32 statement;
        bytes32 document;
        uint64 deadline;
        bytes32 r;
        bytes32 s;
    }

    function setUp() public {
        emissions = new VerifiedEmissions(2 days, ADMIN);
        svm.enableSymbolicStorage(address(emissions));
    }

    /// @dev What {attest} lets through is the next act, by its party, on the figure as it stands.
    function check_attestFollowsTheRules(Given memory given) public {
        VerifiedEmissions.Version memory prior = emissions.versionOf(SUBJECT, YEAR, given.version);
        uint32 count = emissions.versionCount(SUBJECT, YEAR);
        (bool accepted, address signer) = _attest(given);
        VerifiedEmissions.Version memory found = emissions.versionOf(SUBJECT, YEAR, given.version);
        assert(emissions.versionCount(SUBJECT, YEAR) == count);
        if (!accepted) {
            assert(found.status == prior.status && found.sequence == prior.sequence);
            return;
        }
        assert(given.version == count && given.sequence == prior.sequence && given.document != 0);
        assert(given.tonnes == prior.tonnes && given.statement == prior.statement);
        assert(block.timestamp <= given.deadline && found.sequence == given.sequence + 1);
        assert(found.tonnes == prior.tonnes && found.statement == prior.statement);
        assert(found.reporter == prior.reporter);
        _checkMove(prior, found, VerifiedEmissions.Act(given.act), signer);
    }

    /// @dev An act on one version leaves every other version of every year as it was.
    function check_attestTouchesNoOtherVersion(Given memory given, uint16 year, uint32 version) public {
        vm.assume(year != YEAR || version != given.version);
        VerifiedEmissions.Version memory prior = emissions.versionOf(SUBJECT, year, version);
        _attest(given);
        VerifiedEmissions.Version memory found = emissions.versionOf(SUBJECT, year, version);
        assert(found.statement == prior.statement && found.tonnes == prior.tonnes);
        assert(found.status == prior.status && found.sequence == prior.sequence);
        assert(found.confirmer == prior.confirmer && found.disputer == prior.disputer);
    }

    function _attest(Given memory given) private returns (bool accepted, address signer) {
        vm.assume(given.act < 7);
        VerifiedEmissions.Attestation memory a = VerifiedEmissions.Attestation(
            VerifiedEmissions.Act(given.act),
            SUBJECT,
            YEAR,
            given.version,
            given.sequence,
            given.tonnes,
            given.statement,
            given.document,
            given.deadline
        );
        signer = ecrecover(emissions.digest(a), 27, given.r, given.s);
        bytes memory signature = abi.encodePacked(given.r, given.s, uint8(27));
        (accepted,) = address(emissions).call(abi.encodeCall(emissions.attest, (a, signature)));
    }

    function _checkMove(
        VerifiedEmissions.Version memory prior,
        VerifiedEmissions.Version memory found,
        VerifiedEmissions.Act act,
        address signer
    ) private view {
        if (act == VerifiedEmissions.Act.Dispute) {
            assert(prior.status >= VerifiedEmissions.Status.Reported);
            assert(prior.status <= VerifiedEmissions.Status.Confirmed);
            assert(found.status == VerifiedEmissions.Status.Disputed && found.disputer == signer);
            assert(found.disputedFrom == prior.status);
            bytes32 own = emissions.reporterRole(keccak256(bytes(SUBJECT)));
            bool early = prior.status != VerifiedEmissions.Status.Confirmed;
            assert(emissions.hasRole(emissions.DISPUTER_ROLE(), signer) || (early && emissions.hasRole(own, signer)));
            return;
        }
        assert(signer != prior.reporter);
        if (act == VerifiedEmissions.Act.Uphold) {
            assert(prior.status == VerifiedEmissions.Status.Disputed && found.status == prior.disputedFrom);
            assert(signer != prior.disputer && emissions.hasRole(emissions.CONFIRMER_ROLE(), signer));
            return;
        }
        assert(act >= VerifiedEmissions.Act.Review && act <= VerifiedEmissions.Act.Confirm);
        assert(uint8(prior.status) == uint8(act) && uint8(found.status) == uint8(act) + 1);
        if (act == VerifiedEmissions.Act.Review) {
            assert(found.reviewer == signer && emissions.hasRole(emissions.REVIEWER_ROLE(), signer));
            return;
        }
        assert(signer != prior.reviewer && found.reviewer == prior.reviewer);
        if (act == VerifiedEmissions.Act.Verify) {
            assert(found.verifier == signer && emissions.hasRole(emissions.VERIFIER_ROLE(), signer));
        } else {
            assert(found.confirmer == signer && emissions.hasRole(emissions.CONFIRMER_ROLE(), signer));
            assert(signer != prior.verifier && found.verifier == prior.verifier);
        }
    }
}
