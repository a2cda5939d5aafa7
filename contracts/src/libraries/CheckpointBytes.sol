// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title  Checkpoint bytes: reads the signed checkpoint of a log.
/// @notice A checkpoint is a COSE_Sign1 (RFC 9052 §4.2) whose payload is the deterministic CBOR
///         (RFC 8949 §4.2) of
///
///             ["tanzheng/checkpoint/v1", chain id, contract, log id, seq, size, root-sha256,
///              root-sm3, heads-root, previous, time]
///
/// @dev    Strict: one encoding of every value, nothing left over. A byte string that this reader
///         and the one of `tanzheng.core.checkpoint` both accept says the same to both; the
///         protected header and the signature (Ed25519, which no precompile checks) are taken as
///         they are. Who reads here has compared the hash of the bytes with a head that the
///         sealer published, or has nothing.
library CheckpointBytes {
    /// @dev What a contract needs of a checkpoint; the other parts are read and left.
    struct Checkpoint {
        uint64 chainId;
        address log;
        bytes32 logId;
        uint64 seq;
        uint64 size;
        bytes32 root;
    }

    /// @notice The bytes are no checkpoint; reading stopped at `offset`.
    error CheckpointBytesMalformed(uint256 offset);

    bytes2 private constant SIGN1_TAG_ARRAY_OF_4 = 0xd284;
    bytes1 private constant EMPTY_MAP = 0xa0;
    /// @dev Array of 11, then a text of 22 bytes.
    bytes2 private constant ARRAY_OF_11_TEXT_OF_22 = 0x8b76;
    bytes22 private constant TAG = "tanzheng/checkpoint/v1";
    bytes2 private constant BYTES_32 = 0x5820;
    bytes2 private constant BYTES_64 = 0x5840;
    bytes1 private constant BYTES_20 = 0x54;
    /// @dev The largest integer of the format, 2^53 - 1: exact in every language that reads it.
    uint64 private constant INTEGER_MAX = 2 ** 53 - 1;

    /// @notice What the signed checkpoint `data` says; {CheckpointBytesMalformed} if it is none.
    function read(bytes calldata data) internal pure returns (Checkpoint memory found) {
        uint256 offset = _expect(data, 0, SIGN1_TAG_ARRAY_OF_4, 2);
        uint256 length;
        (length, offset) = _bytesHead(data, offset);
        offset = _expect(data, offset + length, EMPTY_MAP, 1);
        (length, offset) = _bytesHead(data, offset);
        uint256 end = offset + length;
        offset = _fields(data, offset, found);
        if (offset != end) revert CheckpointBytesMalformed(offset);
        offset = _expect(data, offset, BYTES_64, 2) + 64;
        if (offset != data.length) revert CheckpointBytesMalformed(offset);
    }

    /// @dev Reads the payload into `found` and returns where it ended.
    function _fields(bytes calldata data, uint256 offset, Checkpoint memory found) private pure returns (uint256) {
        offset = _expect(data, offset, ARRAY_OF_11_TEXT_OF_22, 2);
        offset = _expect(data, offset, TAG, 22);
        (found.chainId, offset) = _integer(data, offset);
        offset = _expect(data, offset, BYTES_20, 1);
        found.log = address(bytes20(_take(data, offset, 20)));
        (found.logId, offset) = _digest(data, offset + 20);
        (found.seq, offset) = _integer(data, offset);
        (found.size, offset) = _integer(data, offset);
        (found.root, offset) = _digest(data, offset);
        for (uint256 i = 0; i < 3; i++) {
            (, offset) = _digest(data, offset); // root-sm3, heads-root, previous
        }
        (, offset) = _integer(data, offset); // time
        return offset;
    }

    /// @dev An unsigned integer in its shortest form (major type 0), and where it ended.
    function _integer(bytes calldata data, uint256 offset) private pure returns (uint64 value, uint256 end) {
        uint8 head = uint8(bytes1(_take(data, offset, 1)));
        if (head < 24) return (head, offset + 1);
        if (head > 27) revert CheckpointBytesMalformed(offset);
        uint256 width = 2 ** (head - 24); // 1, 2, 4 or 8 bytes
        value = uint64(uint256(_take(data, offset + 1, width)) >> (256 - 8 * width));
        // The widths below hold values up to 23, 2^8 - 1, 2^16 - 1, 2^32 - 1.
        uint256 least = width == 1 ? 24 : 2 ** (4 * width);
        if (value < least || value > INTEGER_MAX) revert CheckpointBytesMalformed(offset);
        end = offset + 1 + width;
    }

    /// @dev Length of a byte string of up to 65,535 bytes in its shortest form (major type 2).
    function _bytesHead(bytes calldata data, uint256 offset) private pure returns (uint256 length, uint256 end) {
        uint8 head = uint8(bytes1(_take(data, offset, 1)));
        if (head >= 0x40 && head < 0x58) return (head - 0x40, offset + 1);
        if (head != 0x58 && head != 0x59) revert CheckpointBytesMalformed(offset);
        uint256 width = head == 0x58 ? 1 : 2;
        length = uint256(_take(data, offset + 1, width)) >> (256 - 8 * width);
        if (length < (width == 1 ? 24 : 256)) revert CheckpointBytesMalformed(offset);
        end = offset + 1 + width;
    }

    function _digest(bytes calldata data, uint256 offset) private pure returns (bytes32 value, uint256 end) {
        offset = _expect(data, offset, BYTES_32, 2);
        return (_take(data, offset, 32), offset + 32);
    }

    /// @dev The place after `expected`, which fills `width` bytes.
    function _expect(bytes calldata data, uint256 offset, bytes32 expected, uint256 width)
        private
        pure
        returns (uint256)
    {
        if (_take(data, offset, width) != expected) revert CheckpointBytesMalformed(offset);
        return offset + width;
    }

    /// @dev `width` (1 … 32) bytes at `at`, on the left of a word; the rest of it is zero.
    function _take(bytes calldata data, uint256 offset, uint256 width) private pure returns (bytes32) {
        if (offset + width > data.length) revert CheckpointBytesMalformed(offset);
        return bytes32(data[offset:offset + width]);
    }
}
