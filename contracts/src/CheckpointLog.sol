// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title  Checkpoint log: one slot of storage for every checkpoint of one transparency log.
/// @notice The sealer stores `sha256(checkpoint)` under the next sequence number. A stored head
///         never changes again, and no sequence number is left out.
/// @dev    Heads stay provable with `eth_getProof` when the event logs are long pruned
///         (EIP-4444). The slot of head `seq` (1, 2, 3, …) is
///
///             keccak256(abi.encode(uint256(seq), HEADS_SLOT)),   HEADS_SLOT = 3
///
///         that is keccak256 over 64 bytes: `seq` and 3, each as a 32-byte big-endian word
///         (Solidity's layout of a mapping). Slots 0 and 1 belong to Ownable2Step, slot 2 packs
///         the sealer with the two counters, so that checking the role, comparing the sequence
///         and comparing the size take one cold read and one write together.
///
///         What the chain does not check: that `size` is the size written in the checkpoint.
///         Only the hash goes to the chain; a verifier takes size and root from the checkpoint
///         itself. The size here stops an operator that restarts from an old copy of its log.
contract CheckpointLog is Ownable2Step {
    /// @dev One word: 160 + 48 + 48 bits. 2^48 - 1 leaves are one every microsecond for 8 years.
    struct Cursor {
        address sealer;
        uint48 seq;
        uint48 size;
    }

    /// @notice Which log this contract is the anchor of; also written in every checkpoint.
    bytes32 public immutable logId;

    Cursor private _cursor; // slot 2
    mapping(uint256 seq => bytes32 head) private _heads; // slot 3

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

    /// @notice Without an owner a lost or stolen sealer key could never be replaced.
    error CheckpointLogOwnerRequired();

    /// @param  id     identifier of the log, immutable
    /// @param  owner_ account that may rotate the sealer; hands itself over in two steps
    /// @param  sealer account that publishes checkpoints
    constructor(bytes32 id, address owner_, address sealer) Ownable(owner_) {
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

    /// @notice Hands the sealing to another account, at once.
    function rotateSealer(address account) external onlyOwner {
        _rotateSealer(account);
    }

    /// @notice Not available: see {CheckpointLogOwnerRequired}.
    function renounceOwnership() public view override onlyOwner {
        revert CheckpointLogOwnerRequired();
    }

    /// @notice Head of checkpoint `seq`, zero if there is none.
    function headAt(uint256 seq) external view returns (bytes32) {
        return _heads[seq];
    }

    /// @notice Sequence, size and head of the last checkpoint; all zero before the first.
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
