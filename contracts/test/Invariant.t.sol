// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointLog} from "../src/CheckpointLog.sol";
import {DamagedLog, Flaw} from "./DamagedLog.sol";
import {Log, Support} from "./Support.sol";

/// @dev Calls the log in random order, mostly nearly right, and keeps its own books.
contract Handler is Support {
    Log public immutable log;
    bytes32[] public heads; // what was accepted, in order
    uint48 public size;
    address public sealer = SEALER;
    uint256 public refused;

    constructor(Log log_) {
        log = log_;
    }

    /// @param shift 0 … 7: 1 is the right sequence, half of all calls use it
    function publish(uint8 shift, uint16 growth, bytes32 head, uint8 caller) external {
        uint48 last = uint48(heads.length);
        uint48 seq = shift % 8 < 4 ? last + 1 : last + shift % 8 - 4;
        uint48 grown = size + growth % 50;
        address sender = caller % 8 == 0 ? STRANGER : sealer;
        bool accepted = publishAs(sender, log, seq, grown, head);
        if (!accepted) {
            refused++;
            return;
        }
        require(sender == sealer && grown > size && head != 0, "accepted against a rule");
        require(seq == last + 1, "accepted out of order");
        heads.push(head);
        size = grown;
    }

    /// @dev Two accounts take turns; the one not in office is never let in.
    function rotate(bool toFirst) external {
        sealer = toFirst ? SEALER : address(0x5EA1E2);
        vm.prank(ADMIN);
        log.rotateSealer(sealer);
    }

    function count() external view returns (uint256) {
        return heads.length;
    }
}

contract CheckpointLogInvariant is Support {
    Log private log;
    Handler private handler;

    /// @dev FLAW (a number of {Flaw}) puts the damaged twin in the place of the contract. The
    ///      Python suite runs that and expects this contract to fail: a fuzzer that cannot
    ///      find a planted flaw has been disarmed.
    function setUp() public {
        Flaw flaw = Flaw(vm.envOr("FLAW", 0));
        log = flaw == Flaw.None
            ? Log(address(new CheckpointLog(LOG_ID, DELAY, ADMIN, SEALER)))
            : Log(address(new DamagedLog(flaw, SEALER)));
        handler = new Handler(log);
    }

    /// @dev forge asks for the contracts to call; without it the log itself would be called by
    ///      random accounts only, and every call would revert.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Every accepted head is still there, in its slot, and none beyond the last.
    function invariant_headsNeverChange() public view {
        uint256 count = handler.count();
        for (uint256 seq = 1; seq <= count; seq++) {
            require(log.headAt(seq) == handler.heads(seq - 1), "head changed");
            require(vm.load(address(log), slotOf(seq)) == handler.heads(seq - 1), "slot");
        }
        require(log.headAt(0) == 0 && log.headAt(count + 1) == 0, "head from nowhere");
    }

    function invariant_cursorIsTheLastAccepted() public view {
        (uint48 seq, uint48 size,) = log.latest();
        require(seq == handler.count() && size == handler.size(), "cursor");
        require(log.currentSealer() == handler.sealer(), "sealer");
    }

    /// @dev A run in which nothing was accepted has tested nothing, and must not pass.
    function afterInvariant() public view {
        require(handler.count() >= 3, "fewer than 3 accepted calls in a run");
        require(handler.refused() >= 1, "no refused call in a run");
    }
}
