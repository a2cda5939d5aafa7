// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title  Inclusion proof: from a leaf of an RFC 9162 SHA-256 tree to its root.
/// @dev    Index and size decide which side every node of the path stands on and how long it must
///         be, so a proof for one place of one tree is none for any other. (A tree of sorted pairs
///         would prove neither.) The loop ends after at most 64 nodes: each halves the size.
library InclusionProof {
    /// @notice A tree of `size` leaves has no leaf `index`.
    error InclusionProofIndexBeyondSize(uint256 index, uint256 size);

    /// @notice Leaf `index` of `size` has a longer or a shorter path than `given` nodes.
    error InclusionProofPathLength(uint256 index, uint256 size, uint256 given);

    /// @notice SHA-256(0x00 ‖ leaf), RFC 9162 §2.1.1.
    function leafHash(bytes calldata leaf) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), leaf));
    }

    /// @notice The root to which the leaf of hash `node` leads, RFC 9162 §2.1.3.2.
    /// @param  node  hash of the leaf
    /// @param  index place of the leaf, from 0
    /// @param  size  leaves of the tree
    /// @param  path  hashes beside the way up, leaf side first
    function root(bytes32 node, uint256 index, uint256 size, bytes32[] calldata path) internal pure returns (bytes32) {
        if (index >= size) revert InclusionProofIndexBeyondSize(index, size);
        (uint256 fn, uint256 sn) = (index, size - 1);
        for (uint256 i = 0; i < path.length; i++) {
            if (sn == 0) revert InclusionProofPathLength(index, size, path.length);
            if (fn & 1 == 1 || fn == sn) {
                node = _parent(path[i], node);
                // A last node without a neighbour rises until it has one.
                while (fn & 1 == 0 && fn != 0) (fn, sn) = (fn >> 1, sn >> 1);
            } else {
                node = _parent(node, path[i]);
            }
            (fn, sn) = (fn >> 1, sn >> 1);
        }
        if (sn != 0) revert InclusionProofPathLength(index, size, path.length);
        return node;
    }

    /// @dev SHA-256(0x01 ‖ left ‖ right).
    function _parent(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
