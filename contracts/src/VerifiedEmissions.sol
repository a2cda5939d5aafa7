// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {CheckpointLog} from "./CheckpointLog.sol";
import {StandingAdmin} from "./StandingAdmin.sol";

/// @title  Verified emissions: what a registry may book, with everyone who stands for it.
/// @notice For each subject and year a figure in whole tonnes and the hash of the statement behind
///         it. Four parties sign for it one after the other: the enterprise reports, the city
///         reviews, a third party verifies, the province confirms. A figure in dispute is upheld,
///         or corrected by a new version that passes through the same hands; the old version stays
///         as it was.
/// @dev    Nobody sends transactions but whoever likes to pay for them: an act counts by the
///         EIP-712 signature on its {Attestation}. The signature is good for one act only: it
///         names chain and contract (EIP-712 domain), subject, year, version, the number of acts
///         before it, and a deadline. The wallet shows act, subject, year and tonnes in plain text.
///
///         A report must prove that its statement is a leaf of an anchored log (RFC 9162). What
///         the chain does not check: that the tonnes follow from the statement (a verifier
///         recomputes them off the chain before it signs), nor that `document` is in a log.
///
///         The storage of a version, for `eth_getProof`, with RECORDS_SLOT = 5:
///
///             keccak256(version ‖ 1 + keccak256(year ‖ keccak256(subject hash ‖ RECORDS_SLOT)))
///
///         each part a 32-byte word; six slots from there on, in the order of {Version}. The slot
///         of the inner hash holds the number of versions.
contract VerifiedEmissions is StandingAdmin, EIP712 {
    /// @notice What a version has come to. Only `Confirmed` may be booked.
    enum Status {
        None,
        Reported,
        Reviewed,
        Verified,
        Confirmed,
        Disputed,
        Corrected
    }

    /// @notice What a party does by its signature.
    enum Act {
        Report,
        Review,
        Verify,
        Confirm,
        Dispute,
        Uphold,
        Correct
    }

    /// @notice What a party signs. EIP-712 type: see {ATTESTATION_TYPE}.
    struct Attestation {
        Act act; // signed as text: "reported", "reviewed", …
        string subject; // ENTERPRISE/UNIT; its keccak256 is the key
        uint16 year;
        uint32 version; // from 1; a correction opens the next
        uint16 sequence; // acts on this subject and year before this one
        uint64 tonnes; // CO2 equivalent, whole tonnes
        bytes32 statement; // SHA-256 of the signed statement
        bytes32 document; // SHA-256 of what the party bases its act on; never zero
        uint64 deadline; // the signature is void after this time, seconds since 1970
    }

    /// @notice Where the statement of a report is in an anchored log.
    struct Proof {
        CheckpointLog log;
        uint48 seq;
        bytes checkpoint;
        bytes statement;
        uint256 index;
        bytes32[] path;
    }

    /// @notice One version of a figure, in six slots.
    struct Version {
        bytes32 statement;
        address reporter;
        uint64 tonnes;
        Status status;
        Status disputedFrom; // status to which {Act.Uphold} leads back
        uint16 sequence; // acts on this subject and year until now
        address reviewer;
        address verifier;
        address confirmer;
        address disputer; // of the last dispute
    }

    struct Record {
        uint32 count;
        mapping(uint256 version => Version) versions;
    }

    /// @notice The EIP-712 type of an {Attestation}.
    string public constant ATTESTATION_TYPE =
        "Attestation(string act,string subject,uint16 year,uint32 version,uint16 sequence,uint64 tonnes,bytes32 statement,bytes32 document,uint64 deadline)";
    bytes32 private constant ATTESTATION_TYPE_HASH = keccak256(bytes(ATTESTATION_TYPE));

    /// @notice City authority: reviews reports.
    bytes32 public constant REVIEWER_ROLE = keccak256("tanzheng.reviewer");
    /// @notice Third party: verifies reports.
    bytes32 public constant VERIFIER_ROLE = keccak256("tanzheng.verifier");
    /// @notice Provincial authority: confirms figures, decides disputes.
    bytes32 public constant CONFIRMER_ROLE = keccak256("tanzheng.confirmer");
    /// @notice Supervisor or fourth party: may dispute any figure. A reporter may dispute its own
    ///         until it is confirmed.
    bytes32 public constant DISPUTER_ROLE = keccak256("tanzheng.disputer");
    /// @notice A {CheckpointLog} whose checkpoints count.
    bytes32 public constant LOG_ROLE = keccak256("tanzheng.log");

    // The deprecated fall-back strings of EIP712 take two slots after those of the access rules.
    mapping(bytes32 subject => mapping(uint256 year => Record)) private _records;

    /// @notice `signer` did `act` on a version, which is now `status`. `sequence` counts the acts
    ///         on subject and year from 0 without a gap: a consumer that missed one knows it.
    event Attested(
        bytes32 indexed subjectHash,
        uint16 indexed year,
        Act indexed act,
        string subject,
        uint32 version,
        uint16 sequence,
        Status status,
        uint64 tonnes,
        bytes32 statement,
        bytes32 document,
        address signer
    );

    /// @notice The signature was good until `deadline` only.
    error VerifiedEmissionsExpired(uint64 deadline);

    /// @notice An act without a document to stand on.
    error VerifiedEmissionsNoDocument();

    /// @notice {attest} takes no report and no correction, {report} nothing else.
    error VerifiedEmissionsWrongAct(Act act);

    /// @notice `act` does not follow on `current`.
    error VerifiedEmissionsOutOfOrder(Status current, Act act);

    /// @notice The version in question is `expected`.
    error VerifiedEmissionsUnexpectedVersion(uint32 expected, uint32 given);

    /// @notice So many acts came before: a repeated or a skipped one.
    error VerifiedEmissionsUnexpectedSequence(uint16 expected, uint16 given);

    /// @notice The signer stands for another figure than the one reported.
    error VerifiedEmissionsOtherFigure(uint64 tonnes, bytes32 statement);

    /// @notice `signer` already acted on this version in another part.
    error VerifiedEmissionsSignerRepeated(address signer);

    /// @notice The statement proved is not the statement signed for.
    error VerifiedEmissionsOtherStatement(bytes32 expected, bytes32 given);

    /// @notice The figure of the last version is `status`: not to be booked.
    error VerifiedEmissionsNotConfirmed(Status status);

    /// @param delay seconds between the two steps of a handover of the admin
    /// @param admin account that grants and revokes the roles
    constructor(uint48 delay, address admin) StandingAdmin(delay, admin) EIP712("Tanzheng VerifiedEmissions", "1") {}

    // ------------------------------------------------------------------ acts

    /// @notice Reports the first version of a figure, or corrects a disputed one by the next.
    /// @param  a         what the reporter signed; its act is Report or Correct
    /// @param  signature 65 bytes (r, s, v) by an account with {reporterRole} of the subject
    /// @param  proof     that the statement is a leaf of a log with {LOG_ROLE}
    function report(Attestation calldata a, bytes calldata signature, Proof calldata proof) external {
        if (a.act != Act.Report && a.act != Act.Correct) revert VerifiedEmissionsWrongAct(a.act);
        bytes32 subjectHash = keccak256(bytes(a.subject));
        address signer = _signer(a, signature);
        _checkRole(reporterRole(subjectHash), signer);
        _checkAnchored(a.statement, proof);
        _open(_records[subjectHash][a.year], a, signer);
        _emitAttested(subjectHash, a, Status.Reported, signer);
    }

    /// @notice Reviews, verifies, confirms, disputes or upholds the last version of a figure.
    /// @param  a         what the party signed: the figure as reported, and its own document
    /// @param  signature 65 bytes (r, s, v) by an account with the role of the act
    function attest(Attestation calldata a, bytes calldata signature) external {
        bytes32 subjectHash = keccak256(bytes(a.subject));
        address signer = _signer(a, signature);
        Record storage record = _records[subjectHash][a.year];
        if (a.version != record.count) revert VerifiedEmissionsUnexpectedVersion(record.count, a.version);
        Version storage version = record.versions[a.version];
        if (a.sequence != version.sequence) {
            revert VerifiedEmissionsUnexpectedSequence(version.sequence, a.sequence);
        }
        if (a.tonnes != version.tonnes || a.statement != version.statement) {
            revert VerifiedEmissionsOtherFigure(version.tonnes, version.statement);
        }
        Status status = _apply(version, a.act, subjectHash, signer);
        version.status = status;
        version.sequence = a.sequence + 1;
        _emitAttested(subjectHash, a, status, signer);
    }

    // ------------------------------------------------------------------ reading

    /// @notice The figure to book, of the last version; reverts unless that is confirmed.
    /// @param  subject   ENTERPRISE/UNIT
    /// @param  year      year of the emissions
    /// @return tonnes    CO2 equivalent, whole tonnes
    /// @return statement SHA-256 of the signed statement behind them
    /// @return version   number of the version, from 1
    function confirmed(string calldata subject, uint16 year)
        external
        view
        returns (uint64 tonnes, bytes32 statement, uint32 version)
    {
        Record storage record = _records[keccak256(bytes(subject))][year];
        version = record.count;
        Version storage last = record.versions[version];
        if (last.status != Status.Confirmed) revert VerifiedEmissionsNotConfirmed(last.status);
        return (last.tonnes, last.statement, version);
    }

    /// @notice Number of versions of a figure, 0 where nothing was reported.
    /// @param  subject ENTERPRISE/UNIT
    /// @param  year    year of the emissions
    function versionCount(string calldata subject, uint16 year) external view returns (uint32) {
        return _records[keccak256(bytes(subject))][year].count;
    }

    /// @notice Version `version` (from 1) of a figure, all zero where there is none.
    /// @param  subject ENTERPRISE/UNIT
    /// @param  year    year of the emissions
    /// @param  version number of the version
    function versionOf(string calldata subject, uint16 year, uint32 version) external view returns (Version memory) {
        return _records[keccak256(bytes(subject))][year].versions[version];
    }

    /// @notice The role that may report for a subject and for no other.
    /// @param  subjectHash keccak256 of the subject's text
    function reporterRole(bytes32 subjectHash) public pure returns (bytes32) {
        return keccak256(abi.encode("tanzheng.reporter", subjectHash));
    }

    /// @notice The EIP-712 digest that the signature of `a` is over.
    /// @param  a what a party is about to sign
    function digest(Attestation calldata a) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    ATTESTATION_TYPE_HASH,
                    keccak256(bytes(_text(a.act))),
                    keccak256(bytes(a.subject)),
                    a.year,
                    a.version,
                    a.sequence,
                    a.tonnes,
                    a.statement,
                    a.document,
                    a.deadline
                )
            )
        );
    }

    // ------------------------------------------------------------------ rules

    /// @dev Opens the next version. A first report needs an empty record, a correction a dispute.
    function _open(Record storage record, Attestation calldata a, address signer) private {
        uint32 count = record.count;
        Version storage last = record.versions[count]; // empty where count is 0
        Status needed = a.act == Act.Report ? Status.None : Status.Disputed;
        if (last.status != needed) revert VerifiedEmissionsOutOfOrder(last.status, a.act);
        if (a.version != count + 1) revert VerifiedEmissionsUnexpectedVersion(count + 1, a.version);
        if (a.sequence != last.sequence) revert VerifiedEmissionsUnexpectedSequence(last.sequence, a.sequence);
        if (count > 0) last.status = Status.Corrected;
        record.count = a.version;
        Version storage version = record.versions[a.version];
        version.statement = a.statement;
        version.reporter = signer;
        version.tonnes = a.tonnes;
        version.status = Status.Reported;
        version.sequence = a.sequence + 1;
    }

    /// @dev Checks that `signer` may do `act` on `version` now, notes it, returns the new status.
    function _apply(Version storage version, Act act, bytes32 subjectHash, address signer) private returns (Status) {
        Status current = version.status;
        if (act == Act.Dispute) return _dispute(version, current, subjectHash, signer);
        if (act == Act.Uphold) return _uphold(version, current, signer);
        if (signer == version.reporter) revert VerifiedEmissionsSignerRepeated(signer);
        if (act == Act.Review) {
            _checkTurn(current, Status.Reported, act, REVIEWER_ROLE, signer);
            version.reviewer = signer;
            return Status.Reviewed;
        }
        if (signer == version.reviewer) revert VerifiedEmissionsSignerRepeated(signer);
        if (act == Act.Verify) {
            _checkTurn(current, Status.Reviewed, act, VERIFIER_ROLE, signer);
            version.verifier = signer;
            return Status.Verified;
        }
        if (act != Act.Confirm) revert VerifiedEmissionsWrongAct(act);
        if (signer == version.verifier) revert VerifiedEmissionsSignerRepeated(signer);
        _checkTurn(current, Status.Verified, act, CONFIRMER_ROLE, signer);
        version.confirmer = signer;
        return Status.Confirmed;
    }

    /// @dev Any live version can be disputed by a supervisor; by its enterprise until it is
    ///      confirmed, for else an objection at the right time would keep a figure from being booked.
    function _dispute(Version storage version, Status current, bytes32 subjectHash, address signer)
        private
        returns (Status)
    {
        if (current < Status.Reported || current > Status.Confirmed) {
            revert VerifiedEmissionsOutOfOrder(current, Act.Dispute);
        }
        bool own = current != Status.Confirmed && hasRole(reporterRole(subjectHash), signer);
        if (!own) _checkRole(DISPUTER_ROLE, signer);
        version.disputedFrom = current;
        version.disputer = signer;
        return Status.Disputed;
    }

    /// @dev The dispute has failed: back to where it began. Nobody decides on its own objection
    ///      or its own report.
    function _uphold(Version storage version, Status current, address signer) private view returns (Status) {
        if (signer == version.disputer || signer == version.reporter) {
            revert VerifiedEmissionsSignerRepeated(signer);
        }
        _checkTurn(current, Status.Disputed, Act.Uphold, CONFIRMER_ROLE, signer);
        return version.disputedFrom;
    }

    function _checkTurn(Status current, Status needed, Act act, bytes32 role, address signer) private view {
        if (current != needed) revert VerifiedEmissionsOutOfOrder(current, act);
        _checkRole(role, signer);
    }

    /// @dev Who signed `a`. Another digest or a damaged signature gives some address without a role.
    function _signer(Attestation calldata a, bytes calldata signature) private view returns (address) {
        // A deadline is days away, a validator moves the clock by seconds.
        // forge-lint: disable-next-item(block-timestamp)
        // slither-disable-next-line timestamp
        if (block.timestamp > a.deadline) revert VerifiedEmissionsExpired(a.deadline);
        if (a.document == 0) revert VerifiedEmissionsNoDocument();
        return ECDSA.recoverCalldata(digest(a), signature);
    }

    /// @dev The statement signed for is a leaf of a log that counts.
    function _checkAnchored(bytes32 statement, Proof calldata proof) private view {
        bytes32 given = sha256(proof.statement);
        if (given != statement) revert VerifiedEmissionsOtherStatement(statement, given);
        _checkRole(LOG_ROLE, address(proof.log));
        proof.log.verifyInclusion(proof.seq, proof.checkpoint, proof.statement, proof.index, proof.path);
    }

    function _emitAttested(bytes32 subjectHash, Attestation calldata a, Status status, address signer) private {
        emit Attested(
            subjectHash,
            a.year,
            a.act,
            a.subject,
            a.version,
            a.sequence,
            status,
            a.tonnes,
            a.statement,
            a.document,
            signer
        );
    }

    /// @dev What a wallet shows of an act.
    function _text(Act act) private pure returns (string memory) {
        if (act == Act.Report) return "reported";
        if (act == Act.Review) return "reviewed";
        if (act == Act.Verify) return "verified";
        if (act == Act.Confirm) return "confirmed";
        if (act == Act.Dispute) return "disputed";
        if (act == Act.Uphold) return "upheld";
        return "corrected";
    }
}
