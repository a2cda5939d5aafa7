"""DL/T 645-2007 meters behind a serial port or an RS-485 server: one line, many meters."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Line, Placed, Round, Surroundings
from tanzheng.edge.drivers.dlt645.meter import MeterReader, Results
from tanzheng.edge.drivers.dlt645.reads import DataRead
from tanzheng.edge.drivers.dlt645.settings import PortSettings
from tanzheng.edge.drivers.dlt645.wire import Wire

DRIVER_FAULT = "driver_fault"


def make_lines(devices: Sequence[Placed], around: Surroundings) -> list[Line]:
    """One line for each port or RS-485 server; `BadInput` where its meters do not agree."""
    ports: dict[str, list[Placed]] = defaultdict(list)
    for device in devices:
        ports[PortSettings.of(device.link).name].append(device)
    return [_line(name, placed, around) for name, placed in ports.items()]


def _line(name: str, placed: list[Placed], around: Surroundings) -> Line:
    settings = {PortSettings.of(device.link) for device in placed}
    if len(settings) > 1:
        raise BadInput(f"expected the same speed, parity and stop bits of all meters, at {name}")
    addresses = [device.link["address"] for device in placed]
    for address in addresses:
        if addresses.count(address) > 1:
            raise BadInput(f"expected each address once, got {address} twice, at {name}")
    wire = Wire(settings.pop())
    return Dlt645Line(wire, [MeterReader(device, around, wire) for device in placed])


class Dlt645Line:
    """A `Line`. In a round each meter is asked in turn; one that was well and falls silent is asked
    once more when all others are done, so that a disturbed request costs no reading and a dead
    meter delays nobody by more than one time-out."""

    def __init__(self, wire: Wire, meters: Sequence[MeterReader]) -> None:
        self._wire, self._meters = wire, meters
        self._task: asyncio.Task[Round] | None = None

    @property
    def name(self) -> str:
        """The port, or host and port."""
        return self._wire.settings.name

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """The points of this slot: slow ones only now and then."""
        return tuple(
            index for meter in self._meters for index in meter.indices(meter.due_reads(slot_ms))
        )

    def start(self, slot_ms: int, finished: Callable[[Round], None]) -> None:
        """Read all meters that are due."""

        def done(task: asyncio.Task[Round]) -> None:
            self._task = None
            if task.cancelled():
                return
            if (fault := task.exception()) is not None:  # a mistake of ours: show it, go on
                context = {"message": f"{self.name}: round failed", "exception": fault}
                task.get_loop().call_exception_handler(context)
                results = Results()
                results.miss(self.due(slot_ms), DRIVER_FAULT)
                finished(Round((), results.misses))
                return
            finished(task.result())

        self._results, self._finished = Results(), finished
        self._task = asyncio.get_running_loop().create_task(self._round(slot_ms))
        self._task.add_done_callback(done)

    def status(self) -> Mapping[str, Any]:
        """Per meter: is it answering, why not, rounds that went well and failed.

        `passed_over`: whole frames that were no answer; `unasked_bytes`: came while nobody asked.
        """
        return {
            "passed_over": self._wire.passed_over,
            "unasked_bytes": self._wire.unasked_bytes,
            "devices": {
                meter.id: {
                    "answering": meter.reason is None and meter.successes > 0,
                    "reason": meter.reason,
                    "successes": meter.successes,
                    "failures": meter.failures,
                }
                for meter in self._meters
            },
        }

    def close(self) -> None:
        """Let the port go; a round under way ends with what was read so far."""
        self._wire.close()
        if self._task is not None:
            self._task.cancel()
            self._finished(Round(self._results.takes))

    async def _round(self, slot_ms: int) -> Round:
        results = self._results
        again: list[tuple[MeterReader, list[DataRead]]] = []
        for meter in self._meters:
            if reads := meter.due_reads(slot_ms):
                was_well = meter.backoff.failures == 0
                left = await self._ask(meter, reads, results)
                if left and was_well:
                    again.append((meter, left))
                else:
                    self._give_up(meter, left, results)
        for meter, reads in again:
            self._give_up(meter, await self._ask(meter, reads, results), results)
        return Round(results.takes, results.misses)

    async def _ask(
        self, meter: MeterReader, reads: list[DataRead], results: Results
    ) -> list[DataRead]:
        """What could not be asked, or was not answered."""
        if (refusal := self._wire.refusal) is not None:
            meter.reason = refusal
            return reads
        if not meter.ready:
            return reads
        return await meter.read(reads, results)

    def _give_up(self, meter: MeterReader, reads: list[DataRead], results: Results) -> None:
        results.miss(meter.indices(reads), meter.reason or "comms_timeout")
