// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointLog} from "../src/CheckpointLog.sol";
import {Proving} from "./Proving.sol";

/// @dev Proved by halmos for every value of the arguments and every state of the cursor.
contract CheckpointLogProofs is Proving {
    CheckpointLog private log;

    function setUp() public {
        log = new CheckpointLog(LOG_ID, 2 days, ADMIN, SEALER);
    }

    /// @dev A publication goes through if and only if all rules hold, and does nothing else.
    function check_publishFollowsTheRules(
        address caller,
        uint48 seq,
        uint48 size,
        bytes32 head,
        uint48 lastSeq,
        uint48 lastSize,
        uint256 other
    ) public {
        _setCursor(lastSeq, lastSize);
        bytes32 before = log.headAt(other);
        vm.prank(caller);
        (bool accepted,) = address(log).call(abi.encodeCall(log.publish, (seq, size, head)));
        bool next = lastSeq < type(uint48).max && seq == lastSeq + 1;
        assert(accepted == (caller == SEALER && next && size > lastSize && head != 0));
        (uint48 nowSeq, uint48 nowSize,) = log.latest();
        assert(nowSeq == (accepted ? seq : lastSeq) && nowSize == (accepted ? size : lastSize));
        assert(log.currentSealer() == SEALER);
        assert(!accepted || log.headAt(seq) == head);
        assert((accepted && other == seq) || log.headAt(other) == before);
    }

    /// @dev No call whatsoever changes a head that was published, nor makes one beyond the next.
    function check_noCallChangesAHead(address caller, uint48 lastSeq, uint48 lastSize, uint256 other, bytes32 head)
        public
    {
        _setCursor(lastSeq, lastSize);
        vm.assume(other <= lastSeq);
        vm.store(address(log), _slotOf(other), head);
        bytes memory data = svm.createCalldata("CheckpointLog");
        vm.prank(caller);
        (bool accepted,) = address(log).call(data);
        accepted; // whatever it was
        assert(log.headAt(other) == head);
    }

    /// @dev The sequence never falls, and no call but a publication moves it.
    function check_noCallTurnsTheCursorBack(address caller, uint48 lastSeq, uint48 lastSize) public {
        _setCursor(lastSeq, lastSize);
        bytes memory data = svm.createCalldata("CheckpointLog");
        vm.prank(caller);
        (bool accepted,) = address(log).call(data);
        accepted;
        (uint48 seq, uint48 size,) = log.latest();
        bool stays = seq == lastSeq && size == lastSize;
        assert(stays || (caller == SEALER && seq == lastSeq + 1 && size > lastSize));
    }

    /// @dev Only the admin makes another account the sealer.
    function check_onlyTheAdminRotates(address caller) public {
        bytes memory data = svm.createCalldata("CheckpointLog");
        vm.prank(caller);
        (bool accepted,) = address(log).call(data);
        accepted;
        assert(log.currentSealer() == SEALER || caller == ADMIN);
        assert(log.currentSealer() != address(0));
    }

    /// @dev There is always an admin: no handover to nobody is ever under way, whatever is called,
    ///      so that none can end. (By induction: a new contract has no handover under way.)
    function check_thereIsAlwaysAnAdmin(address caller, address pending, uint48 schedule) public {
        vm.assume(pending != address(0) || schedule == 0);
        uint256 word = uint256(uint160(pending)) | (uint256(schedule) << 160) | (uint256(2 days) << 208);
        vm.store(address(log), bytes32(uint256(1)), bytes32(word));
        bytes memory data = svm.createCalldata("CheckpointLog");
        vm.prank(caller);
        (bool accepted,) = address(log).call(data);
        accepted;
        assert(log.defaultAdmin() != address(0));
        (pending, schedule) = log.pendingDefaultAdmin();
        assert(pending != address(0) || schedule == 0);
    }

    function _setCursor(uint48 seq, uint48 size) private {
        uint256 word = uint256(uint160(SEALER)) | (uint256(seq) << 160) | (uint256(size) << 208);
        vm.store(address(log), bytes32(uint256(4)), bytes32(word));
    }

    function _slotOf(uint256 seq) private pure returns (bytes32) {
        return keccak256(abi.encode(seq, uint256(3)));
    }
}
