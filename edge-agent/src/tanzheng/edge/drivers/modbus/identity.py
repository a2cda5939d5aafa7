"""Is this still the device that the plan means? Asked at the start and on each new connection."""

from tanzheng.core.batch import Event
from tanzheng.edge.abc import Surroundings
from tanzheng.edge.drivers.modbus.codec import ReadRequest
from tanzheng.edge.drivers.modbus.settings import Settings
from tanzheng.hardware.profile import Profile
from tanzheng.hardware.registers import text_of

MISMATCH = "identity_mismatch"


class Identifier:
    """Compares what a device says of itself with the profile, with the link, and with last time.

    `seen` is its last word. A change from one known identity to another is a `device_swapped`
    event, a wrong one an `identity_mismatch`, each noted once.
    """

    def __init__(
        self, profile: Profile, settings: Settings, device_id: str, around: Surroundings
    ) -> None:
        identity = profile.identity
        self._device_id, self._around = device_id, around
        self._at = None if identity is None else identity.point
        equals = None if identity is None or identity.equals is None else str(identity.equals)
        self._wanted = {text for text in (equals, settings.serial_number) if text is not None}
        self._refused: str | None = None
        self.seen = ""
        self.request: ReadRequest | None = None
        if self._at is not None:
            self.request = ReadRequest(settings.unit, self._at.fc, self._at.addr, self._at.words)

    @property
    def strict(self) -> bool:
        """True where a device that does not say who it is must not be booked."""
        return bool(self._wanted)

    def accept(self, data: bytes) -> bool:
        """True where the identity in `data`, the answer to `request`, is the right one."""
        assert self._at is not None
        text = text_of(self._at, data)
        if self._wanted - {text}:
            self.refuse(text)
            return False
        if self.seen and text != self.seen:
            self._note("device_swapped", {"before": self.seen, "after": text})
        elif self._refused is not None:
            self._note("identity_match", {"identity": text})
        self.seen, self._refused = text, None
        return True

    def refuse(self, got: str) -> None:
        """Note that `got` came where another identity was expected."""
        if got != self._refused:
            self._refused = got
            self._note(MISMATCH, {"expected": " ".join(sorted(self._wanted)), "got": got})

    def _note(self, kind: str, detail: dict[str, str]) -> None:
        around = self._around
        around.note(Event(around.now_ms(), kind, {"device": self._device_id, **detail}))
