// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The cheat codes that halmos knows of Foundry's, and its own for symbolic values.
interface Vm {
    function prank(address sender) external;
    function assume(bool condition) external pure;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function store(address target, bytes32 slot, bytes32 value) external;
}

interface Svm {
    function createCalldata(string memory contractName) external pure returns (bytes memory);
    function enableSymbolicStorage(address target) external;
}

abstract contract Proving {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Svm internal constant svm = Svm(0xF3993A62377BCd56AE39D773740A5390411E8BC9);

    address internal constant ADMIN = address(0xA0);
    address internal constant SEALER = address(0x5E);
    bytes32 internal constant LOG_ID = keccak256("log of the proofs");
}
