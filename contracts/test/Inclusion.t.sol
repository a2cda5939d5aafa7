// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointLog} from "../src/CheckpointLog.sol";
import {CheckpointBytes} from "../src/libraries/CheckpointBytes.sol";
import {InclusionProof} from "../src/libraries/InclusionProof.sol";
import {Evidence, Point} from "./Evidence.sol";
import {Support} from "./Support.sol";

/// @dev One proof as it is handed to the contract.
struct Given {
    uint48 seq;
    bytes checkpoint;
    bytes leaf;
    uint256 index;
    bytes32[] path;
}

/// @dev Good proofs are accepted, and each one's damaged twins are refused by name.
contract InclusionTest is Support {
    CheckpointLog private log;
    uint48 private last;

    function setUp() public {
        log = new CheckpointLog(LOG_ID, DELAY, ADMIN, SEALER);
    }

    function test_everyLeafOfEverySmallLog() public {
        for (uint48 size = 1; size <= 20; size++) {
            bytes memory checkpoint = _publish(_point(size));
            for (uint256 index = 0; index < size; index++) {
                _accepted(Given(last, checkpoint, Evidence.leaf(index), index, Evidence.path(index, size)));
            }
        }
    }

    function testFuzz_aLeafOfALargerLog(uint16 size, uint16 index) public {
        (size, index) = _bounded(size, index);
        _accepted(_given(size, index));
    }

    function testFuzz_sizesOfEveryWidth(uint48 size) public {
        if (size == 0) size = 1;
        Point memory point = _point(size);
        bytes memory checkpoint = _publish(point);
        // A path of the wrong length: the size was read, and is the one written.
        Given memory given = Given(last, checkpoint, "", size, new bytes32[](0));
        _refused(given, abi.encodeWithSelector(InclusionProof.InclusionProofIndexBeyondSize.selector, size, size));
    }

    // -------------------------------------------------------------- damaged twins

    function testFuzz_otherLeaf(uint16 size, uint16 index, uint256 bit) public {
        (size, index) = _bounded(size, index);
        Given memory given = _given(size, index);
        bit %= 8 * given.leaf.length;
        given.leaf[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _notIncluded(given);
    }

    function testFuzz_otherNode(uint16 size, uint16 index, uint256 bit) public {
        (size, index) = _bounded(size, index);
        Given memory given = _given(size, index);
        if (given.path.length == 0) return;
        bit %= 256 * given.path.length;
        given.path[bit / 256] ^= bytes32(1 << (bit % 256));
        _notIncluded(given);
    }

    /// @dev At another place the path is too long, too short, or leads elsewhere.
    function testFuzz_otherIndex(uint16 size, uint16 index, uint256 other) public {
        (size, index) = _bounded(size, index);
        Given memory given = _given(size, index);
        given.index = other % 2 == 0 ? other : other % size;
        if (given.index == index) return;
        _refusedSomehow(given);
    }

    function testFuzz_pathTooShort(uint16 size, uint16 index) public {
        (size, index) = _bounded(size, index);
        Given memory given = _given(size, index);
        if (given.path.length == 0) return;
        bytes32[] memory shorter = new bytes32[](given.path.length - 1);
        for (uint256 i = 0; i < shorter.length; i++) {
            shorter[i] = given.path[i];
        }
        given.path = shorter;
        _refused(given, _lengthError(index, size, shorter.length));
    }

    function testFuzz_pathTooLong(uint16 size, uint16 index, bytes32 node) public {
        (size, index) = _bounded(size, index);
        Given memory given = _given(size, index);
        bytes32[] memory longer = new bytes32[](given.path.length + 1);
        for (uint256 i = 0; i < given.path.length; i++) {
            longer[i] = given.path[i];
        }
        longer[given.path.length] = node;
        given.path = longer;
        _refused(given, _lengthError(index, size, longer.length));
    }

    function test_twoNodesSwapped() public {
        Given memory given = _given(13, 6);
        (given.path[1], given.path[2]) = (given.path[2], given.path[1]);
        _notIncluded(given);
    }

    /// @dev An inner node is no leaf: the prefixes differ, and so does the length of the path.
    function test_innerNodeAsLeaf() public {
        bytes memory checkpoint = _publish(_point(2));
        bytes memory inner = abi.encodePacked(Evidence.root(0, 1), Evidence.root(1, 2));
        _refused(Given(last, checkpoint, inner, 0, new bytes32[](0)), _lengthError(0, 2, 0));
    }

    /// @dev Flipping any bit of the checkpoint loses the head. There is no bare root to forge.
    function testFuzz_otherCheckpointBytes(uint256 bit) public {
        Given memory given = _given(9, 4);
        bit %= 8 * given.checkpoint.length;
        given.checkpoint[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _refused(given, _otherCheckpoint(given.seq));
    }

    function test_checkpointOfAnotherSequence() public {
        Given memory given = _given(9, 4);
        _publish(_point(10));
        given.seq = last;
        _refused(given, _otherCheckpoint(last));
        given.seq = last + 1; // never published
        _refused(given, _otherCheckpoint(last + 1));
    }

    /// @dev The sealer published the bytes of a checkpoint that is not this log's next one.
    function test_foreignCheckpoints() public {
        Point memory point = _point(3);
        point.chainId = 1;
        _foreign(point);
        point = _point(4);
        point.log = STRANGER;
        _foreign(point);
        point = _point(5);
        point.logId = bytes32(0);
        _foreign(point);
        point = _point(6);
        point.seq -= 1;
        _foreign(point);
    }

    /// @dev The same chain under a new number (a fork) does not inherit the checkpoints.
    function test_checkpointOnAForkedChain() public {
        Given memory given = _given(9, 4);
        vm.chainId(2 ** 40);
        _refused(given, abi.encodeWithSelector(CheckpointLog.CheckpointLogForeignCheckpoint.selector, given.seq));
    }

    // -------------------------------------------------------------- malformed checkpoints

    function test_trailingByte() public {
        bytes memory good = Evidence.checkpoint(_point(1));
        _malformed(bytes.concat(good, hex"00"), good.length);
    }

    function testFuzz_cutAnywhere(uint256 length) public {
        bytes memory good = Evidence.checkpoint(_point(300));
        _malformedSomewhere(_slice(good, 0, length % good.length));
    }

    /// @dev Whatever replaces a head byte of the envelope or of the payload is refused.
    function testFuzz_otherStructure(uint256 which, uint8 value) public {
        bytes memory good = Evidence.checkpoint(_point(300));
        uint256 start = good.length - 66 - Evidence.payload(_point(300)).length;
        uint256[9] memory heads = [0, 1, 2, start - 3, start - 2, start, start + 1, good.length - 66, start + 5];
        uint256 place = heads[which % 9];
        if (uint8(good[place]) == value) return;
        good[place] = bytes1(value);
        _malformedSomewhere(good);
    }

    /// @dev Two writings of one number would be two checkpoints that say the same.
    function test_integersAreInTheirShortestForm() public {
        _malformedSeq(hex"1801");
        _malformedSeq(hex"1817");
        _malformedSeq(hex"190018");
        _malformedSeq(hex"1900ff");
        _malformedSeq(hex"1a0000ffff");
        _malformedSeq(hex"1b00000000ffffffff");
        _malformedSeq(hex"1c");
        _malformedSeq(hex"20");
        _malformedSeq(hex"1b0020000000000000"); // 2^53
    }

    /// @dev A length in a longer form than it needs, of the header and of the payload.
    function test_lengthsAreInTheirShortestForm() public {
        bytes memory payload = Evidence.payload(_point(300));
        bytes memory head = Evidence.bytesHead(payload.length);
        _malformedSomewhere(_envelope(hex"5801a1", abi.encodePacked(head, payload)));
        _malformedSomewhere(_envelope(hex"590001a1", abi.encodePacked(head, payload)));
        bytes memory longer = abi.encodePacked(hex"5900", uint8(payload.length), payload);
        _malformedSomewhere(_envelope(hex"41a1", longer));
    }

    /// @dev The payload ends where the array in it does.
    function test_byteAfterTheArray() public {
        bytes memory payload = bytes.concat(Evidence.payload(_point(300)), hex"00");
        bytes memory head = Evidence.bytesHead(payload.length);
        _malformedSomewhere(_envelope(hex"41a1", abi.encodePacked(head, payload)));
    }

    function _malformedSeq(bytes memory written) private {
        Point memory point = _point(300);
        point.seq = 5;
        bytes memory good = Evidence.payload(point);
        uint256 place = 2 + 22 + Evidence.integer(point.chainId).length + 21 + 34;
        require(good[place] == 0x05, "place");
        bytes memory other = bytes.concat(_slice(good, 0, place), written, _slice(good, place + 1, good.length));
        _malformedSomewhere(_envelope(hex"41a1", abi.encodePacked(Evidence.bytesHead(other.length), other)));
    }

    /// @dev A COSE_Sign1 of a protected header and a payload, each with its head.
    function _envelope(bytes memory header, bytes memory payload) private pure returns (bytes memory) {
        return abi.encodePacked(hex"d284", header, hex"a0", payload, hex"5840", new bytes(64));
    }

    // -------------------------------------------------------------- support

    function _bounded(uint16 size, uint16 index) private pure returns (uint16, uint16) {
        size = size % 100 + 1;
        return (size, index % size);
    }

    function _point(uint48 size) private view returns (Point memory) {
        (uint64 seq, address self) = (last + 1, address(log));
        bytes32 root = size <= 1024 ? Evidence.root(0, size) : bytes32("some root");
        return Point(uint64(block.chainid), self, LOG_ID, seq, size, root);
    }

    function _publish(Point memory point) private returns (bytes memory checkpoint) {
        checkpoint = Evidence.checkpoint(point);
        _publishBytes(checkpoint, uint48(point.size));
    }

    function _publishBytes(bytes memory checkpoint, uint48 size) private {
        (, uint48 before,) = log.latest();
        bytes32 head = sha256(checkpoint); // before the prank: a precompile is a call too
        vm.prank(SEALER);
        log.publish(++last, size > before ? size : before + 1, head);
    }

    function _given(uint16 size, uint16 index) private returns (Given memory) {
        bytes memory checkpoint = _publish(_point(size));
        return Given(last, checkpoint, Evidence.leaf(index), index, Evidence.path(index, size));
    }

    function _accepted(Given memory given) private view {
        log.verifyInclusion(given.seq, given.checkpoint, given.leaf, given.index, given.path);
    }

    function _refused(Given memory given, bytes memory reason) private {
        vm.expectRevert(reason);
        _accepted(given);
    }

    function _refusedSomehow(Given memory given) private view returns (bytes4) {
        try log.verifyInclusion(given.seq, given.checkpoint, given.leaf, given.index, given.path) {
            revert("accepted");
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    function _notIncluded(Given memory given) private view {
        require(_refusedSomehow(given) == CheckpointLog.CheckpointLogNotIncluded.selector, "reason");
    }

    function _foreign(Point memory point) private {
        bytes memory checkpoint = _publish(point);
        Given memory given = Given(last, checkpoint, Evidence.leaf(0), 0, Evidence.path(0, point.size));
        _refused(given, abi.encodeWithSelector(CheckpointLog.CheckpointLogForeignCheckpoint.selector, last));
    }

    /// @dev Published by the sealer all the same: the bytes hash to the head.
    function _malformedSomewhere(bytes memory checkpoint) private {
        _publishBytes(checkpoint, 0);
        bytes4 reason = _refusedSomehow(Given(last, checkpoint, "", 0, new bytes32[](0)));
        require(reason == CheckpointBytes.CheckpointBytesMalformed.selector, "reason");
    }

    function _malformed(bytes memory checkpoint, uint256 offset) private {
        _publishBytes(checkpoint, 0);
        _refused(
            Given(last, checkpoint, "", 0, new bytes32[](0)),
            abi.encodeWithSelector(CheckpointBytes.CheckpointBytesMalformed.selector, offset)
        );
    }

    function _otherCheckpoint(uint48 seq) private view returns (bytes memory) {
        return abi.encodeWithSelector(CheckpointLog.CheckpointLogOtherCheckpoint.selector, seq, log.headAt(seq));
    }

    function _lengthError(uint256 index, uint256 size, uint256 given) private pure returns (bytes memory) {
        return abi.encodeWithSelector(InclusionProof.InclusionProofPathLength.selector, index, size, given);
    }

    function _slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = from; i < to; i++) {
            part[i - from] = data[i];
        }
    }
}
