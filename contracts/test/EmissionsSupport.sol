// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointLog} from "../src/CheckpointLog.sol";
import {VerifiedEmissions} from "../src/VerifiedEmissions.sol";
import {Evidence, Point} from "./Evidence.sol";
import {Support} from "./Support.sol";

/// @dev Contract, anchored statements and a key for every party. Version n stands on leaf n - 1.
abstract contract EmissionsSupport is Support {
    uint256 internal constant REPORTER = 0x1001;
    uint256 internal constant REVIEWER = 0x1002;
    uint256 internal constant VERIFIER = 0x1003;
    uint256 internal constant CONFIRMER = 0x1004;
    uint256 internal constant DISPUTER = 0x1005;
    uint256 internal constant NOBODY = 0x1006;

    string internal constant SUBJECT = "E1/U1";
    uint16 internal constant YEAR = 2025;
    uint64 internal constant TONNES = 1_234_567;
    bytes32 internal constant DOCUMENT = keccak256("a document");
    uint32 internal constant LEAVES = 5;

    CheckpointLog internal log;
    VerifiedEmissions internal emissions;
    bytes internal checkpoint;

    /// @dev Internal: a public one would be among the calls that a fuzzer makes of a handler.
    function _prepare() internal {
        vm.warp(1_790_000_000);
        log = new CheckpointLog(LOG_ID, DELAY, ADMIN, SEALER);
        checkpoint = _anchor(log);
        emissions = _deployed(log);
    }

    // -------------------------------------------------------------- making

    function _anchor(CheckpointLog target) internal returns (bytes memory made) {
        (bytes32 root, uint64 chain) = (Evidence.root(0, LEAVES), uint64(block.chainid));
        made = Evidence.checkpoint(Point(chain, address(target), target.logId(), 1, LEAVES, root));
        bytes32 head = sha256(made);
        vm.prank(SEALER);
        target.publish(1, LEAVES, head);
    }

    function _deployed(CheckpointLog accepted) internal returns (VerifiedEmissions made) {
        made = new VerifiedEmissions(DELAY, ADMIN);
        _grant(made, made.LOG_ROLE(), address(accepted));
        _grant(made, made.reporterRole(keccak256(bytes(SUBJECT))), vm.addr(REPORTER));
        _grant(made, made.REVIEWER_ROLE(), vm.addr(REVIEWER));
        _grant(made, made.VERIFIER_ROLE(), vm.addr(VERIFIER));
        _grant(made, made.CONFIRMER_ROLE(), vm.addr(CONFIRMER));
        _grant(made, made.DISPUTER_ROLE(), vm.addr(DISPUTER));
    }

    function _grant(VerifiedEmissions target, bytes32 role, address account) internal {
        vm.prank(ADMIN);
        target.grantRole(role, account);
    }

    function _attestation(VerifiedEmissions.Act act, uint32 version, uint16 sequence)
        internal
        view
        returns (VerifiedEmissions.Attestation memory)
    {
        bytes32 statement = sha256(Evidence.leaf(version - 1));
        uint64 deadline = uint64(block.timestamp + 1 days);
        return
            VerifiedEmissions.Attestation(act, SUBJECT, YEAR, version, sequence, TONNES, statement, DOCUMENT, deadline);
    }

    function _proof(uint32 version) internal view virtual returns (VerifiedEmissions.Proof memory) {
        uint256 index = version - 1;
        return VerifiedEmissions.Proof(log, 1, checkpoint, Evidence.leaf(index), index, Evidence.path(index, LEAVES));
    }

    /// @dev The digest by EIP-712's definition, written out.
    function _digest(VerifiedEmissions target, VerifiedEmissions.Attestation memory a) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Tanzheng VerifiedEmissions"),
                keccak256("1"),
                block.chainid,
                address(target)
            )
        );
        string[7] memory acts = ["reported", "reviewed", "verified", "confirmed", "disputed", "upheld", "corrected"];
        bytes memory first = abi.encode(
            keccak256(
                "Attestation(string act,string subject,uint16 year,uint32 version,uint16 sequence,uint64 tonnes,bytes32 statement,bytes32 document,uint64 deadline)"
            ),
            keccak256(bytes(acts[uint256(a.act)])),
            keccak256(bytes(a.subject))
        );
        bytes memory rest = abi.encode(a.year, a.version, a.sequence, a.tonnes, a.statement, a.document, a.deadline);
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(bytes.concat(first, rest))));
    }

    function _signed(uint256 key, VerifiedEmissions.Attestation memory a) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(emissions, a));
        return abi.encodePacked(r, s, v);
    }

    // -------------------------------------------------------------- doing

    function _isReport(VerifiedEmissions.Act act) internal pure returns (bool) {
        return act == VerifiedEmissions.Act.Report || act == VerifiedEmissions.Act.Correct;
    }

    /// @dev Hands `a` in, signed with `key`; reverts as the contract does.
    function _submit(uint256 key, VerifiedEmissions.Attestation memory a) internal {
        _submitSigned(a, _signed(key, a));
    }

    function _submitSigned(VerifiedEmissions.Attestation memory a, bytes memory signature) internal {
        if (_isReport(a.act)) emissions.report(a, signature, _proof(a.version));
        else emissions.attest(a, signature);
    }

    /// @dev True, or the selector of the refusal.
    function _try(uint256 key, VerifiedEmissions.Attestation memory a) internal returns (bool, bytes4) {
        return _trySigned(a, _signed(key, a));
    }

    function _trySigned(VerifiedEmissions.Attestation memory a, bytes memory signature)
        internal
        returns (bool, bytes4)
    {
        bytes memory call = _isReport(a.act)
            ? abi.encodeCall(emissions.report, (a, signature, _proof(a.version)))
            : abi.encodeCall(emissions.attest, (a, signature));
        (bool accepted, bytes memory reason) = address(emissions).call(call);
        return (accepted, bytes4(reason));
    }

    function _refused(uint256 key, VerifiedEmissions.Attestation memory a, bytes4 expected) internal {
        (bool accepted, bytes4 reason) = _try(key, a);
        require(!accepted, "accepted");
        require(reason == expected, "refused for another reason");
    }

    function _keyOf(VerifiedEmissions.Act act) internal pure returns (uint256) {
        return [REPORTER, REVIEWER, VERIFIER, CONFIRMER, DISPUTER, CONFIRMER, REPORTER][uint256(act)];
    }

    /// @dev Each act by its own party, one after the other; a correction opens the next version.
    function _play(VerifiedEmissions.Act[] memory acts) internal {
        uint32 version = 1;
        for (uint16 i = 0; i < acts.length; i++) {
            if (acts[i] == VerifiedEmissions.Act.Correct) version++;
            _submit(_keyOf(acts[i]), _attestation(acts[i], version, i));
        }
    }

    /// @dev Acts that lead a first version to `status`.
    function _wayTo(VerifiedEmissions.Status status) internal pure returns (VerifiedEmissions.Act[] memory acts) {
        uint256 count = uint256(status);
        if (status == VerifiedEmissions.Status.Disputed) count = 2;
        if (status == VerifiedEmissions.Status.Corrected) count = 3;
        acts = new VerifiedEmissions.Act[](count);
        for (uint256 i = 0; i < count; i++) {
            acts[i] = VerifiedEmissions.Act(i);
        }
        if (status >= VerifiedEmissions.Status.Disputed) acts[1] = VerifiedEmissions.Act.Dispute;
        if (status == VerifiedEmissions.Status.Corrected) acts[2] = VerifiedEmissions.Act.Correct;
    }

    function _statusOf(uint32 version) internal view returns (VerifiedEmissions.Status) {
        return emissions.versionOf(SUBJECT, YEAR, version).status;
    }
}
