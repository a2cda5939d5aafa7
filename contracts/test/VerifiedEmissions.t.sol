// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {CheckpointLog} from "../src/CheckpointLog.sol";
import {StandingAdmin} from "../src/StandingAdmin.sol";
import {VerifiedEmissions} from "../src/VerifiedEmissions.sol";
import {Evidence} from "./Evidence.sol";
import {EmissionsSupport} from "./EmissionsSupport.sol";
import {Vm} from "./Support.sol";

/// @dev What is booked, who may do what and when, and that no signature counts twice.
contract VerifiedEmissionsTest is EmissionsSupport {
    bytes4 private constant UNAUTHORIZED = IAccessControl.AccessControlUnauthorizedAccount.selector;

    function setUp() public {
        _prepare();
    }

    // -------------------------------------------------------------- the life of a figure

    function test_fourPartiesConfirmAFigure() public {
        _play(_wayTo(VerifiedEmissions.Status.Confirmed));
        (uint64 tonnes, bytes32 statement, uint32 version) = emissions.confirmed(SUBJECT, YEAR);
        require(tonnes == TONNES && statement == sha256(Evidence.leaf(0)) && version == 1, "figure");
        VerifiedEmissions.Version memory found = emissions.versionOf(SUBJECT, YEAR, 1);
        require(found.reporter == vm.addr(REPORTER) && found.reviewer == vm.addr(REVIEWER), "first two");
        require(found.verifier == vm.addr(VERIFIER) && found.confirmer == vm.addr(CONFIRMER), "last two");
        require(found.sequence == 4 && emissions.versionCount(SUBJECT, YEAR) == 1, "counts");
    }

    /// @dev The whole table: after each status, each act by its own party goes through or not.
    function test_everyActAfterEveryStatus() public {
        for (uint8 status = 0; status < 7; status++) {
            for (uint8 act = 0; act < 7; act++) {
                _checkMove(VerifiedEmissions.Status(status), VerifiedEmissions.Act(act));
            }
        }
    }

    function _checkMove(VerifiedEmissions.Status status, VerifiedEmissions.Act act) private {
        setUp();
        VerifiedEmissions.Act[] memory way = _wayTo(status);
        _play(way);
        uint32 count = emissions.versionCount(SUBJECT, YEAR);
        uint32 version = _isReport(act) || count == 0 ? count + 1 : count;
        (bool accepted, bytes4 reason) = _try(_keyOf(act), _attestation(act, version, uint16(way.length)));
        // After a correction its new version is the last one, and that is reported.
        VerifiedEmissions.Status last = count == 2 ? VerifiedEmissions.Status.Reported : status;
        require(accepted == _follows(last, act), "move");
        if (accepted) return;
        bool early = count == 0 && !_isReport(act);
        require(
            reason
                == (early
                        ? VerifiedEmissions.VerifiedEmissionsUnexpectedVersion.selector
                        : VerifiedEmissions.VerifiedEmissionsOutOfOrder.selector),
            "reason"
        );
    }

    function _follows(VerifiedEmissions.Status status, VerifiedEmissions.Act act) private pure returns (bool) {
        if (act == VerifiedEmissions.Act.Dispute) {
            return status >= VerifiedEmissions.Status.Reported && status <= VerifiedEmissions.Status.Confirmed;
        }
        if (act >= VerifiedEmissions.Act.Uphold) return status == VerifiedEmissions.Status.Disputed;
        return uint256(status) == uint256(act);
    }

    function test_onlyAConfirmedFigureIsBooked() public {
        for (uint8 status = 0; status < 6; status++) {
            setUp();
            _play(_wayTo(VerifiedEmissions.Status(status)));
            try emissions.confirmed(SUBJECT, YEAR) {
                require(status == uint8(VerifiedEmissions.Status.Confirmed), "booked");
            } catch (bytes memory reason) {
                bytes4 expected = VerifiedEmissions.VerifiedEmissionsNotConfirmed.selector;
                require(keccak256(reason) == keccak256(abi.encodeWithSelector(expected, uint256(status))), "reason");
            }
        }
    }

    function test_aCorrectionLeavesTheOldVersionAsItWas() public {
        _play(_wayTo(VerifiedEmissions.Status.Confirmed));
        VerifiedEmissions.Version memory before = emissions.versionOf(SUBJECT, YEAR, 1);
        _submit(DISPUTER, _attestation(VerifiedEmissions.Act.Dispute, 1, 4));
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Correct, 2, 5);
        a.tonnes = TONNES + 1;
        _submit(REPORTER, a);
        VerifiedEmissions.Version memory old = emissions.versionOf(SUBJECT, YEAR, 1);
        require(old.status == VerifiedEmissions.Status.Corrected, "status");
        require(old.tonnes == before.tonnes && old.statement == before.statement, "figure");
        require(old.reporter == before.reporter && old.confirmer == before.confirmer, "signers");
        require(_statusOf(2) == VerifiedEmissions.Status.Reported, "new version");
        require(emissions.versionOf(SUBJECT, YEAR, 2).reviewer == address(0), "reviewed already");
        require(emissions.versionOf(SUBJECT, YEAR, 2).tonnes == TONNES + 1, "new figure");
    }

    function test_aDisputeThatFailsLeadsBack() public {
        for (uint8 status = 1; status <= 4; status++) {
            setUp();
            VerifiedEmissions.Act[] memory way = _wayTo(VerifiedEmissions.Status(status));
            _play(way);
            _submit(DISPUTER, _attestation(VerifiedEmissions.Act.Dispute, 1, uint16(way.length)));
            require(_statusOf(1) == VerifiedEmissions.Status.Disputed, "disputed");
            _submit(CONFIRMER, _attestation(VerifiedEmissions.Act.Uphold, 1, uint16(way.length + 1)));
            require(uint8(_statusOf(1)) == status, "led elsewhere");
        }
    }

    // -------------------------------------------------------------- who

    /// @dev Every act by every party, at its time: only its own party is let in.
    function test_everyActByEveryParty() public {
        for (uint8 act = 0; act < 7; act++) {
            for (uint256 key = REPORTER; key <= NOBODY; key++) {
                _checkParty(VerifiedEmissions.Act(act), key);
            }
        }
    }

    function _checkParty(VerifiedEmissions.Act act, uint256 key) private {
        setUp();
        VerifiedEmissions.Status status = VerifiedEmissions.Status(uint8(act));
        if (act == VerifiedEmissions.Act.Uphold || act == VerifiedEmissions.Act.Correct) {
            status = VerifiedEmissions.Status.Disputed;
        }
        VerifiedEmissions.Act[] memory way = _wayTo(status);
        _play(way);
        uint32 version = act == VerifiedEmissions.Act.Correct ? 2 : 1;
        (bool accepted,) = _try(key, _attestation(act, version, uint16(way.length)));
        require(accepted == (key == _keyOf(act)), "party");
    }

    /// @dev An enterprise objects in time, not when the figure is about to be booked.
    function test_aReporterDisputesUntilTheFigureIsConfirmed() public {
        for (uint8 status = 1; status <= 4; status++) {
            setUp();
            _play(_wayTo(VerifiedEmissions.Status(status)));
            (bool accepted,) = _try(REPORTER, _attestation(VerifiedEmissions.Act.Dispute, 1, status));
            require(accepted == (status < 4), "time");
        }
    }

    function test_aReporterReportsForItsOwnSubjectOnly() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        a.subject = "E1/U2";
        _refused(REPORTER, a, UNAUTHORIZED);
    }

    function test_aRevokedRoleCountsNoMore() public {
        bytes32 role = emissions.reporterRole(keccak256(bytes(SUBJECT)));
        vm.prank(ADMIN);
        emissions.revokeRole(role, vm.addr(REPORTER));
        _refused(REPORTER, _attestation(VerifiedEmissions.Act.Report, 1, 0), UNAUTHORIZED);
    }

    /// @dev An account that was given every role still acts once.
    function test_everySignerIsAnother() public {
        address all = vm.addr(REPORTER);
        _grant(emissions, emissions.REVIEWER_ROLE(), all);
        _grant(emissions, emissions.VERIFIER_ROLE(), all);
        _grant(emissions, emissions.CONFIRMER_ROLE(), all);
        _checkRepeated(REPORTER, 1);
        _grant(emissions, emissions.VERIFIER_ROLE(), vm.addr(REVIEWER));
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(REVIEWER));
        _checkRepeated(REVIEWER, 2);
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(VERIFIER));
        _checkRepeated(VERIFIER, 3);
    }

    /// @dev Plays the acts up to number `own` of the signer, then none of the later ones is its.
    function _checkRepeated(uint256 key, uint8 own) private {
        VerifiedEmissions.Act act = VerifiedEmissions.Act(own - 1);
        _submit(_keyOf(act), _attestation(act, 1, own - 1));
        require(uint8(_statusOf(1)) == own, "own act");
        VerifiedEmissions.Attestation memory next = _attestation(VerifiedEmissions.Act(own), 1, own);
        _refused(key, next, VerifiedEmissions.VerifiedEmissionsSignerRepeated.selector);
    }

    function test_theReviewerCannotConfirm() public {
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(REVIEWER));
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(REPORTER));
        _play(_wayTo(VerifiedEmissions.Status.Verified));
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Confirm, 1, 3);
        _refused(REVIEWER, a, VerifiedEmissions.VerifiedEmissionsSignerRepeated.selector);
        _refused(REPORTER, a, VerifiedEmissions.VerifiedEmissionsSignerRepeated.selector);
    }

    function test_theReporterCannotVerify() public {
        _grant(emissions, emissions.VERIFIER_ROLE(), vm.addr(REPORTER));
        _play(_wayTo(VerifiedEmissions.Status.Reviewed));
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Verify, 1, 2);
        _refused(REPORTER, a, VerifiedEmissions.VerifiedEmissionsSignerRepeated.selector);
    }

    function test_nobodyDecidesOnItsOwnObjectionOrReport() public {
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(DISPUTER));
        _grant(emissions, emissions.CONFIRMER_ROLE(), vm.addr(REPORTER));
        _play(_wayTo(VerifiedEmissions.Status.Disputed));
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Uphold, 1, 2);
        _refused(DISPUTER, a, VerifiedEmissions.VerifiedEmissionsSignerRepeated.selector);
        _refused(REPORTER, a, VerifiedEmissions.VerifiedEmissionsSignerRepeated.selector);
        require(emissions.versionOf(SUBJECT, YEAR, 1).disputer == vm.addr(DISPUTER), "disputer");
    }

    function test_theAdminStays() public {
        vm.expectRevert(abi.encodeWithSelector(StandingAdmin.StandingAdminRequired.selector));
        vm.prank(ADMIN);
        emissions.beginDefaultAdminTransfer(address(0));
    }

    // -------------------------------------------------------------- signatures

    function testFuzz_digestIsEip712s(uint8 act, string calldata subject, bytes32 seed) public view {
        VerifiedEmissions.Attestation memory a = _any(act, subject, seed);
        require(emissions.digest(a) == _digest(emissions, a), "digest");
    }

    /// @dev Every field is under the signature: another value has another digest.
    function testFuzz_everyFieldIsSigned(uint8 act, string calldata subject, bytes32 seed, uint8 field) public view {
        VerifiedEmissions.Attestation memory a = _any(act, subject, seed);
        bytes32 before = emissions.digest(a);
        field %= 9;
        if (field == 0) a.act = VerifiedEmissions.Act((uint8(a.act) + 1) % 7);
        if (field == 1) a.subject = string.concat(a.subject, "x");
        if (field == 2) a.year ^= 1;
        if (field == 3) a.version ^= 1;
        if (field == 4) a.sequence ^= 1;
        if (field == 5) a.tonnes ^= 1;
        if (field == 6) a.statement ^= bytes32(uint256(1));
        if (field == 7) a.document ^= bytes32(uint256(1));
        if (field == 8) a.deadline ^= 1;
        require(emissions.digest(a) != before, "not signed");
    }

    function _any(uint8 act, string calldata subject, bytes32 seed)
        private
        pure
        returns (VerifiedEmissions.Attestation memory)
    {
        uint256 bits = uint256(keccak256(abi.encode(seed)));
        return VerifiedEmissions.Attestation(
            VerifiedEmissions.Act(act % 7),
            subject,
            uint16(bits),
            uint32(bits >> 16),
            uint16(bits >> 48),
            uint64(bits >> 64),
            seed,
            keccak256(abi.encode(bits)),
            uint64(bits >> 128)
        );
    }

    function testFuzz_anyFigure(uint64 tonnes, uint16 year, bytes32 document) public {
        if (document == 0) return;
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        (a.tonnes, a.year, a.document) = (tonnes, year, document);
        _submit(REPORTER, a);
        VerifiedEmissions.Version memory found = emissions.versionOf(SUBJECT, year, 1);
        require(found.tonnes == tonnes && found.statement == a.statement, "figure");
    }

    function testFuzz_aDamagedSignature(uint256 bit) public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        bytes memory signature = _signed(REPORTER, a);
        bit %= 8 * 65;
        signature[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        (bool accepted,) = _trySigned(a, signature);
        require(!accepted, "accepted");
    }

    /// @dev (r, n - s) is a signature of the same account; it must not be a second one.
    function test_theMirroredSignature() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(REPORTER, _digest(emissions, a));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes memory mirrored = abi.encodePacked(r, order - uint256(s), v == 27 ? uint8(28) : uint8(27));
        (, bytes4 reason) = _trySigned(a, mirrored);
        require(reason == ECDSA.ECDSAInvalidSignatureS.selector, "reason");
    }

    function test_aSignatureOfAnotherLength() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        bytes memory signature = _signed(REPORTER, a);
        (, bytes4 reason) = _trySigned(a, bytes.concat(signature, hex"00"));
        require(reason == ECDSA.ECDSAInvalidSignatureLength.selector, "longer");
        (, reason) = _trySigned(a, "");
        require(reason == ECDSA.ECDSAInvalidSignatureLength.selector, "none");
    }

    function test_deadline() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        vm.warp(a.deadline + 1);
        _refused(REPORTER, a, VerifiedEmissions.VerifiedEmissionsExpired.selector);
        vm.warp(a.deadline);
        _submit(REPORTER, a);
    }

    function test_noActWithoutADocument() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        a.document = 0;
        _refused(REPORTER, a, VerifiedEmissions.VerifiedEmissionsNoDocument.selector);
    }

    // -------------------------------------------------------------- replay

    function test_noSignatureCountsTwice() public {
        _play(_wayTo(VerifiedEmissions.Status.Confirmed));
        for (uint16 i = 0; i < 4; i++) {
            VerifiedEmissions.Act act = VerifiedEmissions.Act(i);
            (bool accepted,) = _try(_keyOf(act), _attestation(act, 1, i));
            require(!accepted, "replayed");
        }
    }

    /// @dev A dispute that failed cannot be opened again by its old signature, nor decided by an
    ///      old decision.
    function test_noReplayOfADispute() public {
        _play(_wayTo(VerifiedEmissions.Status.Disputed));
        _submit(CONFIRMER, _attestation(VerifiedEmissions.Act.Uphold, 1, 2));
        bytes4 reason = VerifiedEmissions.VerifiedEmissionsUnexpectedSequence.selector;
        _refused(DISPUTER, _attestation(VerifiedEmissions.Act.Dispute, 1, 1), reason);
        _submit(DISPUTER, _attestation(VerifiedEmissions.Act.Dispute, 1, 3));
        _refused(CONFIRMER, _attestation(VerifiedEmissions.Act.Uphold, 1, 2), reason);
        _refused(REPORTER, _attestation(VerifiedEmissions.Act.Correct, 2, 2), reason);
    }

    function test_noReplayInAnotherVersion() public {
        _play(_wayTo(VerifiedEmissions.Status.Corrected));
        bytes4 reason = VerifiedEmissions.VerifiedEmissionsUnexpectedVersion.selector;
        _refused(REVIEWER, _attestation(VerifiedEmissions.Act.Review, 1, 3), reason);
        _submit(DISPUTER, _attestation(VerifiedEmissions.Act.Dispute, 2, 3));
        _refused(REPORTER, _attestation(VerifiedEmissions.Act.Correct, 2, 4), reason);
        _refused(REPORTER, _attestation(VerifiedEmissions.Act.Correct, 4, 4), reason);
    }

    function test_noReplayAtAnotherContractOrChain() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        bytes memory signature = _signed(REPORTER, a);
        VerifiedEmissions first = emissions;
        emissions = _deployed(log);
        (bool accepted, bytes4 reason) = _trySigned(a, signature);
        require(!accepted && reason == UNAUTHORIZED, "other contract");
        emissions = first;
        vm.chainId(block.chainid + 1);
        (accepted, reason) = _trySigned(a, signature);
        require(!accepted && reason == UNAUTHORIZED, "other chain");
    }

    function test_reportAndAttestTakeTheirOwnActs() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Review, 1, 0);
        bytes4 wrong = VerifiedEmissions.VerifiedEmissionsWrongAct.selector;
        bytes memory call = abi.encodeCall(emissions.report, (a, _signed(REVIEWER, a), _proof(1)));
        (, bytes memory reason) = address(emissions).call(call);
        require(bytes4(reason) == wrong, "report");
        _play(_wayTo(VerifiedEmissions.Status.Reported));
        a = _attestation(VerifiedEmissions.Act.Correct, 1, 1);
        (, reason) = address(emissions).call(abi.encodeCall(emissions.attest, (a, _signed(NOBODY, a))));
        require(bytes4(reason) == wrong, "attest");
    }

    function test_aSignerStandsForTheFigureReported() public {
        _play(_wayTo(VerifiedEmissions.Status.Reported));
        bytes4 reason = VerifiedEmissions.VerifiedEmissionsOtherFigure.selector;
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Review, 1, 1);
        a.tonnes += 1;
        _refused(REVIEWER, a, reason);
        a = _attestation(VerifiedEmissions.Act.Review, 1, 1);
        a.statement = sha256(Evidence.leaf(1));
        _refused(REVIEWER, a, reason);
    }

    // -------------------------------------------------------------- the statement is anchored

    function test_aStatementThatIsNotTheOneSignedFor() public {
        VerifiedEmissions.Proof memory proof = _proof(2);
        _refusedProof(proof, VerifiedEmissions.VerifiedEmissionsOtherStatement.selector);
    }

    function test_aLogThatDoesNotCount() public {
        CheckpointLog own = new CheckpointLog(LOG_ID, DELAY, ADMIN, SEALER);
        VerifiedEmissions.Proof memory proof = _proof(1);
        (proof.checkpoint, proof.log) = (_anchor(own), own);
        own.verifyInclusion(1, proof.checkpoint, proof.statement, 0, proof.path);
        _refusedProof(proof, UNAUTHORIZED);
    }

    function test_aStatementThatIsNotInTheLog() public {
        VerifiedEmissions.Proof memory proof = _proof(1);
        proof.path[0] ^= bytes32(uint256(1));
        _refusedProof(proof, CheckpointLog.CheckpointLogNotIncluded.selector);
    }

    function _refusedProof(VerifiedEmissions.Proof memory proof, bytes4 expected) private {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        bytes memory call = abi.encodeCall(emissions.report, (a, _signed(REPORTER, a), proof));
        (bool accepted, bytes memory reason) = address(emissions).call(call);
        require(!accepted && bytes4(reason) == expected, "proof");
    }

    // -------------------------------------------------------------- events, storage

    function test_theEventTellsTheAct() public {
        VerifiedEmissions.Attestation memory a = _attestation(VerifiedEmissions.Act.Report, 1, 0);
        vm.recordLogs();
        _submit(REPORTER, a);
        Vm.Emitted[] memory logs = vm.getRecordedLogs();
        require(logs.length == 1 && logs[0].topics.length == 4, "one event");
        require(logs[0].topics[0] == VerifiedEmissions.Attested.selector, "event");
        require(logs[0].topics[1] == keccak256(bytes(SUBJECT)), "subject");
        require(logs[0].topics[2] == bytes32(uint256(YEAR)) && logs[0].topics[3] == 0, "year, act");
        bytes memory expected = abi.encode(
            SUBJECT,
            a.version,
            a.sequence,
            VerifiedEmissions.Status.Reported,
            a.tonnes,
            a.statement,
            a.document,
            vm.addr(REPORTER)
        );
        require(keccak256(logs[0].data) == keccak256(expected), "data");
    }

    /// @dev The slots as the NatSpec derives them, for a proof by `eth_getProof`.
    function test_aVersionLiesInItsSlots() public {
        _play(_wayTo(VerifiedEmissions.Status.Verified));
        bytes32 record =
            keccak256(abi.encode(uint256(YEAR), keccak256(abi.encode(keccak256(bytes(SUBJECT)), uint256(5)))));
        require(uint256(vm.load(address(emissions), record)) == 1, "count");
        uint256 first = uint256(keccak256(abi.encode(uint256(1), uint256(record) + 1)));
        require(_slot(first) == sha256(Evidence.leaf(0)), "statement");
        uint256 packed = uint256(uint160(vm.addr(REPORTER))) | (uint256(TONNES) << 160);
        packed |= (uint256(VerifiedEmissions.Status.Verified) << 224) | (uint256(3) << 240);
        require(uint256(_slot(first + 1)) == packed, "reporter, tonnes, status, sequence");
        require(uint256(_slot(first + 2)) == uint160(vm.addr(REVIEWER)), "reviewer");
        require(uint256(_slot(first + 3)) == uint160(vm.addr(VERIFIER)), "verifier");
    }

    function _slot(uint256 slot) private view returns (bytes32) {
        return vm.load(address(emissions), bytes32(slot));
    }
}
