"""Which packets of a split upload have come. Pure: the time is an argument (monotonic seconds).

Each packet carries whole factors and the DataTime, and with an answer bit its 9014 is awaited
before the next is sent. So the values of a packet are taken as it comes; what is kept here is
only which numbers came, for (MN, CN, DataTime, PNUM), to tell what never did.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from tanzheng.edge.drivers.hj212.codec import Frame

OPEN_MAX: Final = 256
AGE_S_MAX: Final = 300.0
PACKETS_MAX: Final = 999

_Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Missing:
    """Packets of an upload that did not come in time."""

    mn: str
    cn: str
    data_time: str
    total: int
    numbers: tuple[int, ...]


class Packets:
    """Split uploads that are not complete: at most `OPEN_MAX`, none older than `AGE_S_MAX`."""

    def __init__(self) -> None:
        self._open: OrderedDict[_Key, tuple[float, set[int]]] = OrderedDict()
        self._done: OrderedDict[_Key, None] = OrderedDict()
        """Complete ones, so that a packet sent again does not open them anew."""

    def __len__(self) -> int:
        return len(self._open)

    def add(self, frame: Frame, now_s: float) -> None:
        """Note a packet; the last one missing closes its upload."""
        if frame.packet is None or frame.packet[0] > PACKETS_MAX:
            return
        total, number = frame.packet
        key = frame.mn or "", frame.cn or "", frame.data_time or "", total
        if key in self._done:
            return
        _, numbers = self._open.setdefault(key, (now_s, set()))
        numbers.add(number)
        if len(numbers) == total:
            del self._open[key]
            self._close(key)

    def _close(self, key: _Key) -> None:
        self._done[key] = None
        if len(self._done) > OPEN_MAX:
            self._done.popitem(last=False)

    def overdue(self, now_s: float) -> list[Missing]:
        """Uploads given up, oldest first: too old, or pushed out by newer ones."""
        missing = []
        while self._open:
            key, (since_s, numbers) = next(iter(self._open.items()))
            if now_s - since_s < AGE_S_MAX and len(self._open) <= OPEN_MAX:
                break
            del self._open[key]
            self._close(key)
            lost = tuple(sorted(set(range(1, key[3] + 1)) - numbers))
            missing.append(Missing(*key, lost))
        return missing
