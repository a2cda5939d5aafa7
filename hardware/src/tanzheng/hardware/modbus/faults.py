"""What can go wrong between a device and its reader, to be switched on while a server runs."""

from dataclasses import dataclass, field
from random import Random

from tanzheng.hardware.modbus.codec import Framing, Request, exception_pdu, reply_to


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reads that touch one of the addresses `first` to `last` get exception `code`.

    `unit` and `fc` None: of any unit, with any function.
    """

    first: int
    last: int
    code: int = 2
    unit: int | None = None
    fc: int | None = None

    def meets(self, request: Request) -> bool:
        """True where `request` is to be refused."""
        if request.read is None or self.unit not in (None, request.unit):
            return False
        fc, addr, count = request.read
        return self.fc in (None, fc) and addr <= self.last and addr + count > self.first


@dataclass(slots=True)
class Faults:
    """The faults of one endpoint; each attribute may be changed at any time. Units are unit ids.

    `delays_s`: a unit's replies come so much later. `silent`: units that never reply.
    `silent_above`: reads of more registers than this get no reply (None: any is answered).
    `wrong_unit`: units whose replies bear the next unit id. `noise`: the share of replies with one
    bit turned over. `close_after`: a connection ends after so many replies (None: never).
    `connections_max`: more connections at once than this are closed as they come (None: any).
    `seed` decides which replies have noise.
    """

    delays_s: dict[int, float] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)
    silent_above: int | None = None
    wrong_unit: set[int] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    noise: float = 0.0
    close_after: int | None = None
    connections_max: int | None = None
    seed: int = 0
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """The same seed spoils the same replies again."""
        self._random = Random(self.seed)  # noqa: S311, noise and no secret

    def swallows(self, request: Request) -> bool:
        """True where nobody replies to `request`."""
        if request.unit in self.silent:
            return True
        read, most = request.read, self.silent_above
        return read is not None and most is not None and read[2] > most

    def spoil(self, framing: Framing, request: Request, pdu: bytes) -> bytes:
        """The reply frame to `request`, with what the faults do to it."""
        for refusal in self.refusals:
            if refusal.meets(request):
                pdu = exception_pdu(request, refusal.code)
        if request.unit in self.wrong_unit:
            request = Request((request.unit + 1) % 256, request.pdu, request.transaction)
        frame = bytearray(reply_to(framing, request, pdu))
        if self.noise and self._random.random() < self.noise:
            frame[self._random.randrange(len(frame))] ^= 1 << self._random.randrange(8)
        return bytes(frame)
