"""Drivers: one folder a protocol, the same things inside."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Line, Placed, Surroundings

PROTOCOLS: Final[Mapping[str, str]] = {
    "modbus_tcp": "modbus",
    "modbus_rtu": "modbus",
    "modbus_rtu_over_tcp": "modbus",
    "hj212": "hj212",
    "dlt645": "dlt645",
    "mqtt": "mqtt",
}
"""Protocol of a link → the folder of its driver."""
SENDING: Final = ("hj212", "mqtt")
"""Those whose devices send by themselves."""


def make_lines(devices: Sequence[Placed], around: Surroundings) -> list[Line]:
    """The lines behind which `devices` are; only the drivers they need are loaded.

    `BadInput` where a device cannot be read as it is described. Nothing is connected yet.
    """
    folders: dict[str, list[Placed]] = {}
    for device in devices:
        protocol = device.link.get("protocol")
        folder = PROTOCOLS.get(str(protocol))
        if folder is None:
            known = ", ".join(PROTOCOLS)
            raise BadInput(f"{device.id}: expected a protocol of {known}, got {protocol!r}")
        folders.setdefault(folder, []).append(device)
    lines: list[Line] = []
    for folder, members in folders.items():
        driver = import_module(f"{__name__}.{folder}.driver")
        lines += driver.make_lines(members, around)
    return lines
