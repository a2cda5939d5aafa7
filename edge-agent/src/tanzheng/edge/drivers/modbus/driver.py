"""Modbus TCP, RTU and RTU over TCP: a line for each endpoint, its devices behind it."""

from collections.abc import Sequence

from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Line, Placed, Surroundings
from tanzheng.edge.drivers.modbus.device import Device
from tanzheng.edge.drivers.modbus.line import ModbusLine
from tanzheng.edge.drivers.modbus.opening import Opener
from tanzheng.edge.drivers.modbus.settings import Endpoint, endpoint_of
from tanzheng.edge.socket_pool import SocketPool


def make_lines(devices: Sequence[Placed], around: Surroundings) -> list[Line]:
    """A line for each host and port or serial port; nothing is opened yet.

    `BadInput` where devices want the same endpoint in different ways, or a setting is missing.
    """
    placed: dict[str, tuple[Endpoint, list[Placed]]] = {}
    for device in devices:
        endpoint = endpoint_of(device.link)
        known, behind = placed.setdefault(endpoint.name, (endpoint, []))
        if known != endpoint:
            raise BadInput(
                f"expected the line settings of device {behind[0].id}, got {endpoint}, "
                f"at device {device.id}"
            )
        behind.append(device)
    pool, lines = SocketPool(), list[Line]()
    for endpoint, behind in placed.values():
        opener = Opener(endpoint, pool)
        members = [Device(device, around, opener.by_silence) for device in behind]
        lines.append(ModbusLine(opener, members))
    return lines
