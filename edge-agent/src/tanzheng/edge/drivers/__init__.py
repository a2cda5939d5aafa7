"""Drivers: one folder a protocol, the same things inside."""

from collections.abc import Mapping
from typing import Final

PROTOCOLS: Final[Mapping[str, str]] = {
    "modbus_tcp": "modbus",
    "modbus_rtu": "modbus",
    "modbus_rtu_over_tcp": "modbus",
    "hj212": "hj212",
    "dlt645": "dlt645",
    "mqtt": "mqtt",
}
"""Protocol of a link → the folder of its driver."""
