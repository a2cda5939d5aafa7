"""One device behind a Modbus TCP endpoint, read by its profile."""

import time
from collections.abc import Sequence

from tanzheng.edge.abc import Outcome
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.modbus_tcp.codec import DeviceException, ModbusError, ReadRequest
from tanzheng.edge.drivers.modbus_tcp.connection import Endpoint
from tanzheng.hardware.blocks import ReadBlock, decode_block, plan_blocks
from tanzheng.hardware.profile import Profile

NOT_AVAILABLE = "not_available"
SPLIT_ON = (2, 3)
"""Illegal data address, illegal data value: another cut of the same points may be answered."""


class ModbusDevice:
    """A `Driver`: the points `fields` of `profile`, near registers in one request.

    A device that does not answer costs one time-out; its further reads of the slot are not tried,
    and after two failures in a row it is probed at growing intervals. An exception spoils the
    points of its own request only; a request refused as a whole is halved until the failing point
    stands alone, and the finer cut is kept.
    """

    def __init__(
        self, device_id: str, endpoint: Endpoint, unit: int, profile: Profile, fields: Sequence[str]
    ) -> None:
        self._id = device_id
        self._endpoint, self._unit, self._profile = endpoint, unit, profile
        points = [profile.field_point(field) for field in fields]
        self._place = {point.id: index for index, point in enumerate(points)}
        self._blocks = list(plan_blocks(profile, points))
        self._backoff = Backoff()
        self._silent_reason = "comms_timeout"

    @property
    def device_id(self) -> str:
        """The identifier in the plant file."""
        return self._id

    async def read(self) -> Sequence[Outcome]:
        """One outcome for each of `fields`, from answers to requests made now."""
        if not self._backoff.ready(time.monotonic()):
            return [self._silent_reason] * len(self._place)
        outcomes: list[Outcome] = [NOT_AVAILABLE] * len(self._place)
        blocks = list(self._blocks)
        while blocks:
            block = blocks.pop(0)
            try:
                await self._read_block(block, outcomes)
            except DeviceException as error:
                self._note(block, error.reason, outcomes)
                if error.code in SPLIT_ON and len(block.points) > 1:
                    blocks[:0] = self._split(block)
            except ModbusError as error:
                for unread in (block, *blocks):
                    self._note(unread, error.reason, outcomes)
                self._fail(error.reason)
                return outcomes
        self._backoff.succeeded()
        return outcomes

    def close(self) -> None:
        """Drop the connection of the endpoint (shared with its other units)."""
        self._endpoint.close()

    async def _read_block(self, block: ReadBlock, outcomes: list[Outcome]) -> None:
        data = await self._endpoint.read(ReadRequest(self._unit, block.fc, block.addr, block.count))
        for point, value in zip(block.points, decode_block(block, data), strict=True):
            outcomes[self._place[point.id]] = NOT_AVAILABLE if value is None else float(value)

    def _note(self, block: ReadBlock, reason: str, outcomes: list[Outcome]) -> None:
        for point in block.points:
            outcomes[self._place[point.id]] = reason

    def _fail(self, reason: str) -> None:
        self._silent_reason = reason
        self._backoff.failed(time.monotonic())

    def _split(self, block: ReadBlock) -> list[ReadBlock]:
        """The two halves of `block`, which also take its place from now on."""
        middle = len(block.points) // 2
        halves = [
            part
            for points in (block.points[:middle], block.points[middle:])
            for part in plan_blocks(self._profile, points)
        ]
        at = self._blocks.index(block)
        self._blocks[at : at + 1] = halves
        return halves
