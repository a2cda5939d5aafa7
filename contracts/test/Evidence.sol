// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev What a checkpoint says; the parts that no contract reads are constants here.
struct Point {
    uint64 chainId;
    address log;
    bytes32 logId;
    uint64 seq;
    uint64 size;
    bytes32 root;
}

/// @dev A log of leaves and its checkpoints, written by the definitions of RFC 9162 §2.1.1 and
///      §2.1.3.1 and of RFC 8949, not by the algorithms under test.
library Evidence {
    /// @dev Leaf `i` of the test log: as long as a small statement, every one different.
    function leaf(uint256 i) internal pure returns (bytes memory) {
        return abi.encodePacked("statement", bytes32(i), keccak256(abi.encode(i)));
    }

    /// @dev MTH(D[from:to]).
    function root(uint256 from, uint256 to) internal pure returns (bytes32) {
        if (to - from == 1) return sha256(abi.encodePacked(bytes1(0x00), leaf(from)));
        uint256 middle = from + _split(to - from);
        return sha256(abi.encodePacked(bytes1(0x01), root(from, middle), root(middle, to)));
    }

    /// @dev PATH(index, D[0:size]), leaf side first.
    function path(uint256 index, uint256 size) internal pure returns (bytes32[] memory nodes) {
        bytes32[] memory downwards = new bytes32[](64);
        (uint256 from, uint256 to, uint256 count) = (0, size, 0);
        while (to - from > 1) {
            uint256 middle = from + _split(to - from);
            if (index < middle) (downwards[count++], to) = (root(middle, to), middle);
            else (downwards[count++], from) = (root(from, middle), middle);
        }
        nodes = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            nodes[i] = downwards[count - 1 - i];
        }
    }

    /// @dev The signed checkpoint; the signature is no concern of the chain.
    function checkpoint(Point memory point) internal pure returns (bytes memory) {
        bytes memory header = abi.encodePacked(
            hex"a301270378", uint8(42), "application/vnd.tanzheng.checkpoint+cbor", hex"0450", bytes16("key")
        );
        bytes memory text = payload(point);
        return abi.encodePacked(
            hex"d284", bytesHead(header.length), header, hex"a0", bytesHead(text.length), text, hex"5840", new bytes(64)
        );
    }

    function payload(Point memory point) internal pure returns (bytes memory) {
        bytes memory first =
            abi.encodePacked(hex"8b76", "tanzheng/checkpoint/v1", integer(point.chainId), hex"54", point.log);
        bytes memory second =
            abi.encodePacked(hex"5820", point.logId, integer(point.seq), integer(point.size), hex"5820", point.root);
        bytes memory rest = abi.encodePacked(
            hex"5820",
            keccak256("sm3"),
            hex"5820",
            keccak256("heads"),
            hex"5820",
            bytes32(0),
            integer(1_790_000_000_000)
        );
        return bytes.concat(first, second, rest);
    }

    /// @dev The shortest form of an integer.
    function integer(uint64 value) internal pure returns (bytes memory) {
        if (value < 24) return abi.encodePacked(uint8(value));
        if (value < 1 << 8) return abi.encodePacked(hex"18", uint8(value));
        if (value < 1 << 16) return abi.encodePacked(hex"19", uint16(value));
        if (value < 1 << 32) return abi.encodePacked(hex"1a", uint32(value));
        return abi.encodePacked(hex"1b", value);
    }

    function bytesHead(uint256 length) internal pure returns (bytes memory) {
        if (length < 24) return abi.encodePacked(uint8(0x40 + length));
        if (length < 256) return abi.encodePacked(hex"58", uint8(length));
        return abi.encodePacked(hex"59", uint16(length));
    }

    /// @dev The largest power of two smaller than `count`.
    function _split(uint256 count) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < count) k *= 2;
    }
}
