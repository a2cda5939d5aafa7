"""A simulated meter, and the pair of wires that several of them hang on. Pure: bytes in, out."""

from dataclasses import dataclass, field
from decimal import Decimal

from tanzheng.hardware.dlt645.codec import (
    READ,
    READ_ADDRESS,
    READ_FOLLOWING,
    WAKE,
    Request,
    encode_number,
    reply,
)
from tanzheng.hardware.dlt645.identifiers import STAMP_BYTES, identifier

WILDCARD = 0xAA
NO_SUCH_DATA = 0x02
FRAME_DATA_MAX = 194
"""Data bytes of one reply beside identifier and sequence number."""

Values = Decimal | str | None
"""A number, text of hex digits as it is meant (high byte first), or nothing."""


@dataclass(slots=True)
class Faults:
    """What goes wrong: each is a plain switch that a test sets."""

    silent: bool = False
    delay_s: float = 0.0
    answers_as: str | None = None
    """An address that is not the meter's own."""
    damage_next: int = 0
    """So many replies have a wrong byte."""
    refuses: bool = False
    wrong_di: bool = False


@dataclass(slots=True)
class Meter:
    """A meter with the address `address` (12 digits) and values by data identifier.

    A block is asked for by its own identifier and must be in `values` as a tuple. `served` counts
    the replies. Replies longer than `data_max` bytes are cut: "more frames follow".
    """

    address: str
    values: dict[str, Values | tuple[Values, ...]] = field(default_factory=dict)
    wake_bytes: int = 4
    data_max: int = FRAME_DATA_MAX
    faults: Faults = field(default_factory=Faults)
    served: int = 0
    demand_stamp: bytes = bytes(STAMP_BYTES)

    def answer(self, request: Request) -> bytes:
        """The reply's bytes, none where the meter is not meant or stays silent."""
        if self.faults.silent or not self._meant(request.address):
            return b""
        data = self._answer(request)
        if not data:
            return b""
        self.served += 1
        if self.faults.damage_next:
            self.faults.damage_next -= 1
            data = data[:-2] + bytes([data[-2] ^ 0x01]) + data[-1:]
        return bytes([WAKE]) * self.wake_bytes + data

    def _meant(self, address: str) -> bool:
        wanted, own = bytes.fromhex(address), bytes.fromhex(self.address)
        return all(byte in (WILDCARD, mine) for byte, mine in zip(wanted, own, strict=True))

    def _answer(self, request: Request) -> bytes:
        name = self.faults.answers_as or self.address
        if request.function == READ_ADDRESS and not request.data:
            return reply(name, READ_ADDRESS, bytes.fromhex(name)[::-1])
        di = request.data[3::-1].hex().upper()
        if request.function == READ and len(request.data) == 4:
            return self._read(name, di, 0)
        if request.function == READ_FOLLOWING and len(request.data) == 5 and request.data[4]:
            return self._read(name, di, request.data[4])
        return b""  # a meter is silent about what it does not know

    def _read(self, name: str, di: str, number: int) -> bytes:
        function = READ_FOLLOWING if number else READ
        held = None if self.faults.refuses else self._encoded(di)
        if held is None or number * self.data_max > len(held):
            return reply(name, function, bytes([NO_SUCH_DATA]), refused=True)
        part = held[number * self.data_max : (number + 1) * self.data_max]
        more = len(held) > (number + 1) * self.data_max
        if self.faults.wrong_di:
            di = f"{int(di, 16) ^ 0x100:08X}"
        tail = bytes([number]) if number else b""
        return reply(name, function, bytes.fromhex(di)[::-1] + part + tail, more=more)

    def _encoded(self, di: str) -> bytes | None:
        if di not in self.values:
            return None
        held = self.values[di]
        items = held if isinstance(held, tuple) else (held,)
        return b"".join(self._one(di, item) for item in items)

    def _one(self, di: str, item: Values) -> bytes:
        if isinstance(item, str):
            return bytes.fromhex(item)[::-1]
        meaning = identifier(di)
        assert meaning is not None
        return encode_number(meaning.form, item, self.demand_stamp)
