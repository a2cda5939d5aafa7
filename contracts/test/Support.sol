// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The cheat codes these tests use, from the Foundry reference. forge-std has no package
///      in the registry the other tools come from, and a dozen functions do not justify a copy.
interface Vm {
    struct Emitted {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function prank(address sender) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function store(address target, bytes32 slot, bytes32 value) external;
    function expectRevert(bytes calldata data) external;
    function recordLogs() external;
    function envOr(string calldata name, uint256 otherwise) external view returns (uint256);
    function getRecordedLogs() external returns (Emitted[] memory);
    function warp(uint256 time) external;
    function chainId(uint256 id) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
}

/// @dev What a test needs of a checkpoint log; the good contract and its damaged twin have it.
interface Log {
    function publish(uint48 seq, uint48 size, bytes32 head) external;
    function rotateSealer(address account) external;
    function currentSealer() external view returns (address);
    function headAt(uint256 seq) external view returns (bytes32);
    function latest() external view returns (uint48 seq, uint48 size, bytes32 head);
}

abstract contract Support {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address internal constant ADMIN = address(0xA0);
    address internal constant SEALER = address(0x5E);
    address internal constant STRANGER = address(0xBAD);
    uint48 internal constant DELAY = 2 days;
    bytes32 internal constant LOG_ID = keccak256("log of the tests");

    /// @dev Slot of head `seq`, derived as the NatSpec of CheckpointLog says, by hand.
    function slotOf(uint256 seq) internal pure returns (bytes32) {
        return keccak256(abi.encode(seq, uint256(3)));
    }

    /// @dev True if the call went through.
    function publishAs(address sender, Log log, uint48 seq, uint48 size, bytes32 head) internal returns (bool) {
        vm.prank(sender);
        try log.publish(seq, size, head) {
            return true;
        } catch {
            return false;
        }
    }
}
