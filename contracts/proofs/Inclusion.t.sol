// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InclusionProof} from "../src/libraries/InclusionProof.sol";
import {Proving} from "./Proving.sol";

contract InclusionCaller {
    function root(bytes32 node, uint256 index, uint256 size, bytes32[] calldata path) external pure returns (bytes32) {
        return InclusionProof.root(node, index, size, path);
    }
}

/// @dev Proved for all hashes, with SHA-256 as a function that nothing is known of, and for every
///      tree of up to 8 leaves.
contract InclusionProofs is Proving {
    uint256 private constant LEAVES_MAX = 8;

    InclusionCaller private caller;

    function setUp() public {
        caller = new InclusionCaller();
    }

    /// @dev The path of every leaf leads to the root, both by definition.
    function check_everyPathLeadsToTheRoot(bytes32[8] memory hashes) public view {
        for (uint256 size = 1; size <= LEAVES_MAX; size++) {
            for (uint256 index = 0; index < size; index++) {
                bytes32[] memory path = _path(hashes, index, size);
                assert(caller.root(hashes[index], index, size, path) == _root(hashes, 0, size));
            }
        }
    }

    /// @dev A path of another length is no path: whatever its nodes are, and for no size up to 8.
    function check_aPathHasOneLength(bytes32[8] memory hashes, uint8 index, uint8 size, uint8 length) public view {
        vm.assume(size <= LEAVES_MAX && length <= 4);
        bytes32[] memory path = _some(hashes, length);
        try caller.root(hashes[7], index, size, path) {
            assert(index < size && length == _path(hashes, index, size).length);
        } catch {
            assert(index >= size || length != _path(hashes, index, size).length);
        }
    }

    /// @dev Any path of `length` nodes. A case for each, for the prover copies no unknown length.
    function _some(bytes32[8] memory hashes, uint256 length) private pure returns (bytes32[] memory path) {
        for (uint256 k = 0; k <= 4; k++) {
            if (length != k) continue;
            path = new bytes32[](k);
            for (uint256 i = 0; i < k; i++) {
                path[i] = hashes[i];
            }
            return path;
        }
    }

    /// @dev MTH of RFC 9162 §2.1.1 over hashes[from:to].
    function _root(bytes32[8] memory hashes, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return hashes[from];
        uint256 middle = from + _split(to - from);
        return sha256(abi.encodePacked(bytes1(0x01), _root(hashes, from, middle), _root(hashes, middle, to)));
    }

    /// @dev PATH of RFC 9162 §2.1.3.1.
    function _path(bytes32[8] memory hashes, uint256 index, uint256 size) private pure returns (bytes32[] memory) {
        bytes32[] memory downwards = new bytes32[](4);
        (uint256 from, uint256 to, uint256 count) = (0, size, 0);
        while (to - from > 1) {
            uint256 middle = from + _split(to - from);
            if (index < middle) (downwards[count++], to) = (_root(hashes, middle, to), middle);
            else (downwards[count++], from) = (_root(hashes, from, middle), middle);
        }
        bytes32[] memory nodes = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            nodes[i] = downwards[count - 1 - i];
        }
        return nodes;
    }

    function _split(uint256 count) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < count) k *= 2;
    }
}
