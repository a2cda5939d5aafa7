"""Quality of a reading, one small code list for every protocol.

Sources: HJ 212-2017 table 8 (data marks), HJ 75-2017 (validity of CEMS hours).
"""

from enum import IntEnum
from types import MappingProxyType


class Quality(IntEnum):
    """What a value may be used for. The numbers are on the wire: never reuse one."""

    GOOD = 0
    UNCERTAIN_CLOCK = 1
    MANUAL = 2
    MAINTENANCE = 3
    CALIBRATION = 4
    FAULT = 5
    OVER_RANGE = 6
    COMMS = 7
    SUBSTITUTED = 8

    @property
    def valid(self) -> bool:
        """True where the value may enter a mean or a total."""
        return self in VALID


VALID = frozenset({Quality.GOOD, Quality.UNCERTAIN_CLOCK, Quality.MANUAL})

HJ212_FLAG = MappingProxyType(
    {
        "N": Quality.GOOD,
        "S": Quality.MANUAL,
        "M": Quality.MAINTENANCE,
        "C": Quality.CALIBRATION,
        "F": Quality.FAULT,
        "D": Quality.FAULT,
        "T": Quality.OVER_RANGE,
        "B": Quality.COMMS,
    }
)
"""Data marks of HJ 212-2017 table 8. F (instrument stopped) and D (fault): no usable value."""

LABELS = MappingProxyType(
    {
        Quality.GOOD: ("good", "正常"),
        Quality.UNCERTAIN_CLOCK: ("clock not synchronised", "时钟未同步"),
        Quality.MANUAL: ("manual value", "手工输入"),
        Quality.MAINTENANCE: ("maintenance", "维护"),
        Quality.CALIBRATION: ("calibration", "校准"),
        Quality.FAULT: ("instrument fault", "故障"),
        Quality.OVER_RANGE: ("above range", "超上限"),
        Quality.COMMS: ("communication fault", "通讯异常"),
        Quality.SUBSTITUTED: ("substituted", "替代值"),
    }
)
"""(English, Chinese) words for each code."""
