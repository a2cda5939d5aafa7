// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {
    IAccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/IAccessControlDefaultAdminRules.sol";
import {CheckpointLog} from "../src/CheckpointLog.sol";
import {StandingAdmin} from "../src/StandingAdmin.sol";
import {Log, Support, Vm} from "./Support.sol";

/// @dev Named calls, and fuzzed ones against a model of the rules.
contract CheckpointLogTest is Support {
    CheckpointLog private log;
    bytes32 private constant HEAD = keccak256("a checkpoint");

    function setUp() public {
        log = new CheckpointLog(LOG_ID, DELAY, ADMIN, SEALER);
    }

    function test_startsEmpty() public view {
        (uint48 seq, uint48 size, bytes32 head) = log.latest();
        require(seq == 0 && size == 0 && head == 0, "not empty");
        require(log.logId() == LOG_ID && log.owner() == ADMIN, "not as constructed");
        require(log.currentSealer() == SEALER, "sealer");
    }

    function test_strangerCannotPublish() public {
        vm.expectRevert(abi.encodeWithSelector(CheckpointLog.CheckpointLogUnauthorizedSealer.selector, STRANGER));
        vm.prank(STRANGER);
        log.publish(1, 1, HEAD);
    }

    function test_adminIsNoSealer() public {
        require(!publishAs(ADMIN, Log(address(log)), 1, 1, HEAD), "admin published");
    }

    function test_resendReverts() public {
        vm.prank(SEALER);
        log.publish(1, 1, HEAD);
        vm.expectRevert(abi.encodeWithSelector(CheckpointLog.CheckpointLogUnexpectedSeq.selector, 2, 1));
        vm.prank(SEALER);
        log.publish(1, 1, HEAD);
    }

    function test_sizeMustGrow() public {
        vm.prank(SEALER);
        log.publish(1, 7, HEAD);
        vm.expectRevert(abi.encodeWithSelector(CheckpointLog.CheckpointLogSizeNotGrown.selector, 7, 7));
        vm.prank(SEALER);
        log.publish(2, 7, HEAD);
    }

    function test_emptyHeadReverts() public {
        vm.expectRevert(abi.encodeWithSelector(CheckpointLog.CheckpointLogEmptyHead.selector));
        vm.prank(SEALER);
        log.publish(1, 1, 0);
    }

    function test_lastSequenceIsTheEnd() public {
        bytes32 cursorSlot = bytes32(uint256(4));
        uint256 cursor = uint256(uint160(SEALER)) | (uint256(type(uint48).max) << 160);
        vm.store(address(log), cursorSlot, bytes32(cursor));
        require(!publishAs(SEALER, Log(address(log)), 0, 1, HEAD), "sequence wrapped around");
    }

    function test_rotatedSealerTakesOver() public {
        vm.prank(ADMIN);
        log.rotateSealer(STRANGER);
        require(!publishAs(SEALER, Log(address(log)), 1, 1, HEAD), "old sealer published");
        require(publishAs(STRANGER, Log(address(log)), 1, 1, HEAD), "new sealer refused");
    }

    function test_rotationKeepsTheCursor() public {
        vm.prank(SEALER);
        log.publish(1, 9, HEAD);
        vm.prank(ADMIN);
        log.rotateSealer(STRANGER);
        (uint48 seq, uint48 size, bytes32 head) = log.latest();
        require(seq == 1 && size == 9 && head == HEAD, "cursor changed");
    }

    function test_onlyAdminRotates() public {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, SEALER, bytes32(0))
        );
        vm.prank(SEALER);
        log.rotateSealer(SEALER);
    }

    function test_rotationIsAnnounced() public {
        vm.recordLogs();
        vm.prank(ADMIN);
        log.rotateSealer(STRANGER);
        Vm.Emitted[] memory logs = vm.getRecordedLogs();
        require(logs.length == 1 && logs[0].topics[0] == CheckpointLog.SealerRotated.selector, "event");
        require(logs[0].topics[1] == bytes32(uint256(uint160(SEALER))), "previous");
        require(logs[0].topics[2] == bytes32(uint256(uint160(STRANGER))), "account");
    }

    function test_zeroSealerReverts() public {
        vm.expectRevert(abi.encodeWithSelector(CheckpointLog.CheckpointLogInvalidSealer.selector));
        vm.prank(ADMIN);
        log.rotateSealer(address(0));
    }

    function test_adminCannotLeave() public {
        vm.expectRevert(abi.encodeWithSelector(StandingAdmin.StandingAdminRequired.selector));
        vm.prank(ADMIN);
        log.beginDefaultAdminTransfer(address(0));
    }

    /// @dev Also not with a handover under way, at any time.
    function test_adminCannotRenounce() public {
        vm.prank(ADMIN);
        log.beginDefaultAdminTransfer(STRANGER);
        vm.warp(block.timestamp + DELAY + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminDelay.selector, block.timestamp - 1
            )
        );
        vm.prank(ADMIN);
        log.renounceRole(bytes32(0), ADMIN);
    }

    function test_adminMovesInTwoStepsAfterTheDelay() public {
        vm.prank(ADMIN);
        log.beginDefaultAdminTransfer(STRANGER);
        require(!_accepts(STRANGER), "moved before the delay");
        vm.warp(block.timestamp + DELAY + 1);
        require(log.owner() == ADMIN, "moved at the first step");
        require(!_accepts(SEALER), "taken by another");
        require(_accepts(STRANGER) && log.owner() == STRANGER, "not moved");
    }

    function test_handoverCanBeCancelled() public {
        vm.prank(ADMIN);
        log.beginDefaultAdminTransfer(STRANGER);
        vm.prank(ADMIN);
        log.cancelDefaultAdminTransfer();
        vm.warp(block.timestamp + DELAY + 1);
        require(!_accepts(STRANGER), "moved");
    }

    /// @dev A call goes through if and only if all four rules hold.
    function testFuzz_publishFollowsTheRules(uint48 size1, uint48 seq, uint48 size2, bytes32 head, bool asSealer)
        public
    {
        if (size1 == 0) size1 = 1;
        vm.prank(SEALER);
        log.publish(1, size1, HEAD);
        seq = seq % 4; // 0 … 3: a random 48-bit number would hardly ever be 2
        bool allowed = asSealer && seq == 2 && size2 > size1 && head != 0;
        address sender = asSealer ? SEALER : STRANGER;
        require(publishAs(sender, Log(address(log)), seq, size2, head) == allowed, "rule");
        require(log.headAt(1) == HEAD, "first head changed");
        require(log.headAt(2) == (allowed ? head : bytes32(0)), "second head");
    }

    /// @dev The proof of a head rests on this slot and no other.
    function testFuzz_headLiesInItsSlot(uint48 size, bytes32 head) public {
        if (size == 0 || head == 0) return;
        vm.prank(SEALER);
        log.publish(1, size, head);
        require(vm.load(address(log), slotOf(1)) == head, "slot");
    }

    function _accepts(address account) private returns (bool) {
        vm.prank(account);
        try log.acceptDefaultAdminTransfer() {
            return true;
        } catch {
            return false;
        }
    }
}
