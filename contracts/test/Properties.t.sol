// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointLog} from "../src/CheckpointLog.sol";
import {DamagedLog, Flaw} from "./DamagedLog.sol";
import {Log, Support, Vm} from "./Support.sol";

/// @dev The properties, run on the good contract and on a twin with each flaw: a property
///      that passes everything proves nothing.
contract PropertiesTest is Support {
    function test_goodContractHasNoViolation() public {
        CheckpointLog log = new CheckpointLog(LOG_ID, DELAY, ADMIN, SEALER);
        _expect(Log(address(log)), "");
    }

    function test_undamagedTwinHasNoViolation() public {
        _expectFlaw(Flaw.None, "");
    }

    function test_findsAnyoneSeals() public {
        _expectFlaw(Flaw.AnyoneSeals, "stranger published");
    }

    function test_findsSkippedSequence() public {
        _expectFlaw(Flaw.SkipsSequence, "sequence skipped");
    }

    function test_findsRepeatedSequence() public {
        _expectFlaw(Flaw.RepeatsSequence, "sequence repeated");
    }

    function test_findsSameSize() public {
        _expectFlaw(Flaw.AcceptsSameSize, "size kept");
    }

    function test_findsSmallerSize() public {
        _expectFlaw(Flaw.AcceptsSmallerSize, "size fell");
    }

    function test_findsEmptyHead() public {
        _expectFlaw(Flaw.AcceptsEmptyHead, "empty head");
    }

    function test_findsReusedSlot() public {
        _expectFlaw(Flaw.ReusesOneSlot, "head not in its own slot");
    }

    function test_findsBareSize() public {
        _expectFlaw(Flaw.StoresBareSize, "head not stored");
    }

    function test_findsOldHeadInEvent() public {
        _expectFlaw(Flaw.EventNamesOldHead, "event differs");
    }

    function _expectFlaw(Flaw flaw, string memory expected) private {
        _expect(Log(address(new DamagedLog(flaw, SEALER))), expected);
    }

    function _expect(Log log, string memory expected) private {
        string memory found = _violation(log);
        require(keccak256(bytes(found)) == keccak256(bytes(expected)), found);
    }

    /// @dev Name of the first property that does not hold, "" when all do.
    function _violation(Log log) private returns (string memory) {
        bytes32 one = keccak256("one");
        bytes32 two = keccak256("two");
        if (publishAs(STRANGER, log, 1, 5, one)) return "stranger published";
        if (publishAs(SEALER, log, 2, 5, one)) return "sequence skipped";
        if (publishAs(SEALER, log, 1, 5, 0)) return "empty head";
        vm.recordLogs();
        if (!publishAs(SEALER, log, 1, 5, one)) return "first refused";
        if (!_eventIs(1, 5, one)) return "event differs";
        if (log.headAt(1) != one) return "head not stored";
        if (publishAs(SEALER, log, 1, 6, two)) return "sequence repeated";
        if (publishAs(SEALER, log, 2, 5, two)) return "size kept";
        if (publishAs(SEALER, log, 2, 4, two)) return "size fell";
        if (!publishAs(SEALER, log, 2, 6, two)) return "second refused";
        if (vm.load(address(log), slotOf(1)) != one) return "head not in its own slot";
        if (vm.load(address(log), slotOf(2)) != two) return "head not in its own slot";
        return "";
    }

    function _eventIs(uint48 seq, uint48 size, bytes32 head) private returns (bool) {
        Vm.Emitted[] memory logs = vm.getRecordedLogs();
        return logs.length == 1 && logs[0].topics.length == 2
            && logs[0].topics[0] == CheckpointLog.CheckpointPublished.selector
            && logs[0].topics[1] == bytes32(uint256(seq))
            && keccak256(logs[0].data) == keccak256(abi.encode(size, head));
    }
}
