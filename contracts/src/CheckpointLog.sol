// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StandingAdmin} from "./StandingAdmin.sol";
import {CheckpointBytes} from "./libraries/CheckpointBytes.sol";
import {InclusionProof} from "./libraries/InclusionProof.sol";

/// @title  Checkpoint log: one slot of storage for every checkpoint of one transparency log.
/// @notice The sealer stores `sha256(checkpoint)` under the next sequence number. A stored head
///         never changes again, and no sequence number is left out. Anyone can then have it
///         checked here that a statement is a leaf of the log.
/// @dev    Heads stay provable with `eth_getProof` when the event logs are long pruned
///         (EIP-4444). The slot of head `seq` (1, 2, 3, …) is
///
///             keccak256(abi.encode(uint256(seq), HEADS_SLOT)),   HEADS_SLOT = 3
///
///         that is keccak256 over 64 bytes: `seq` and 3, each as a 32-byte big-endian word
///         (Solidity's layout of a mapping). Slots 0 to 2 belong to the access rules, slot 4 packs
///         the sealer with the two counters, so that checking the sealer, comparing the sequence
///         and comparing the size take one cold read and one write together. That is why the
///         sealer is no role of the access rules: there is one at a time, a batch saves a cold read
///         (2,100 gas, EIP-2929), and no grant to a second account can be forgotten.
///
///         What the chain does not check: that `size` is the size written in the checkpoint.
///         Only the hash goes to the chain; a verifier, {verifyInclusion} too, takes size and root
///         from the checkpoint itself. The size here stops an operator that restarts from an old
///         copy of its log.
contract CheckpointLog is StandingAdmin {
    /// @dev One word: 160 + 48 + 48 bits. 2^48 - 1 leaves are one every microsecond for 8 years.
    struct Cursor {
        address sealer;
        uint48 seq;
        uint48 size;
    }

    /// @notice Which log this contract is the anchor of; also written in every checkpoint.
    bytes32 public immutable logId;

    mapping(uint256 seq => bytes32 head) private _heads; // slot 3
    Cursor private _cursor; // slot 4

    /// @notice Checkpoint `seq`, over a log of `size` leaves, has the SHA-256 `head`.
    event CheckpointPublished(uint48 indexed seq, uint48 size, bytes32 head);

    /// @notice `account` took over the sealing from `previous`.
    event SealerRotated(address indexed previous, address indexed account);

    /// @notice `account` is not the sealer.
    error CheckpointLogUnauthorizedSealer(address account);

    /// @notice The caller expected to publish `given`, the next free sequence is `expected`.
    error CheckpointLogUnexpectedSeq(uint48 expected, uint48 given);

    /// @notice A checkpoint must cover more leaves than the one before it.
    error CheckpointLogSizeNotGrown(uint48 current, uint48 given);

    /// @notice The zero hash reads like an empty slot and cannot be proved present.
    error CheckpointLogEmptyHead();

    /// @notice The zero address cannot seal.
    error CheckpointLogInvalidSealer();

    /// @notice The bytes given are not those of checkpoint `seq`; `head` is its hash, zero if it
    ///         was never published.
    error CheckpointLogOtherCheckpoint(uint48 seq, bytes32 head);

    /// @notice The checkpoint names another chain, contract, log or sequence than its own.
    error CheckpointLogForeignCheckpoint(uint48 seq);

    /// @notice The path leads to `found`, the checkpoint's root is `root`.
    error CheckpointLogNotIncluded(bytes32 root, bytes32 found);

    /// @param  id     identifier of the log, immutable
    /// @param  delay  seconds between the two steps of a handover of the admin
    /// @param  admin  account that may rotate the sealer
    /// @param  sealer account that publishes checkpoints
    constructor(bytes32 id, uint48 delay, address admin, address sealer) StandingAdmin(delay, admin) {
        logId = id;
        _rotateSealer(sealer);
    }

    /// @notice Stores the head of the next checkpoint.
    /// @dev    A resend is safe: the sequence is taken once, the second call reverts with
    ///         {CheckpointLogUnexpectedSeq}.
    /// @param  seq  sequence the caller believes to be next, one above {latest}
    /// @param  size leaves covered; above those of the checkpoint before
    /// @param  head SHA-256 of the signed checkpoint's bytes
    function publish(uint48 seq, uint48 size, bytes32 head) external {
        Cursor memory cursor = _cursor;
        if (msg.sender != cursor.sealer) revert CheckpointLogUnauthorizedSealer(msg.sender);
        if (seq != cursor.seq + 1) revert CheckpointLogUnexpectedSeq(cursor.seq + 1, seq);
        if (size <= cursor.size) revert CheckpointLogSizeNotGrown(cursor.size, size);
        if (head == 0) revert CheckpointLogEmptyHead();
        _cursor = Cursor(cursor.sealer, seq, size);
        _heads[seq] = head;
        emit CheckpointPublished(seq, size, head);
    }

    /// @notice Hands the sealing to another account, at once: a stolen key must not wait.
    /// @param  account the new sealer; not the zero address
    function rotateSealer(address account) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _rotateSealer(account);
    }

    /// @notice Returns if `leaf` is leaf `index` of the log at checkpoint `seq`, else reverts.
    /// @dev    Size and root come from the checkpoint's own bytes, which must hash to the head
    ///         that was published; nothing here is taken on the caller's word. RFC 9162 §2.1.3.2.
    /// @param  seq        sequence of the checkpoint
    /// @param  checkpoint the signed checkpoint, byte for byte
    /// @param  leaf       the signed statement, byte for byte
    /// @param  index      place of the leaf in the log, from 0
    /// @param  path       hashes beside the way up, leaf side first
    function verifyInclusion(
        uint48 seq,
        bytes calldata checkpoint,
        bytes calldata leaf,
        uint256 index,
        bytes32[] calldata path
    ) external view {
        if (sha256(checkpoint) != _heads[seq]) revert CheckpointLogOtherCheckpoint(seq, _heads[seq]);
        CheckpointBytes.Checkpoint memory point = CheckpointBytes.read(checkpoint);
        bool own = point.chainId == block.chainid && point.log == address(this) && point.logId == logId;
        if (!own || point.seq != seq) revert CheckpointLogForeignCheckpoint(seq);
        bytes32 found = InclusionProof.root(InclusionProof.leafHash(leaf), index, point.size, path);
        if (found != point.root) revert CheckpointLogNotIncluded(point.root, found);
    }

    /// @notice Head of checkpoint `seq`, zero if there is none.
    /// @param  seq sequence of the checkpoint, from 1
    function headAt(uint256 seq) external view returns (bytes32) {
        return _heads[seq];
    }

    /// @notice The last checkpoint; all zero before the first.
    /// @return seq  its sequence
    /// @return size leaves it covers, as the sealer said
    /// @return head SHA-256 of its bytes
    function latest() external view returns (uint48 seq, uint48 size, bytes32 head) {
        (seq, size) = (_cursor.seq, _cursor.size);
        head = _heads[seq];
    }

    /// @notice The account that may publish.
    function currentSealer() external view returns (address) {
        return _cursor.sealer;
    }

    function _rotateSealer(address account) private {
        if (account == address(0)) revert CheckpointLogInvalidSealer();
        address previous = _cursor.sealer;
        _cursor.sealer = account;
        emit SealerRotated(previous, account);
    }
}
