"""Links: how a device is reached. Checked against the schema that its driver's folder brings.

An *endpoint* is what one owner holds: an address, a serial port, a listening port, a broker.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from tanzheng.edge.configuration.documents import Document, Problems, check_schema, own_schema
from tanzheng.edge.configuration.locate import Key
from tanzheng.edge.drivers import PROTOCOLS

FILE_KEYS: Final = frozenset({"ca", "cert", "key", "sm4_key_file"})
"""Settings that are paths, relative to the file that names them."""
PORTS: Final = {
    "modbus_tcp": 502, "modbus_rtu_over_tcp": 502, "mqtt": 1883, "mqtts": 8883,
}  # fmt: skip
SCHEMA_NAME: Final = "link.schema.json"
_DRIVERS: Final = "tanzheng.edge.drivers"


def checked_link(
    table: Mapping[str, Any], document: Document, key: Key, problems: Problems
) -> dict[str, Any]:
    """The link in `table`, which lies at `key`, its paths made absolute."""
    link = {name: value for name, value in table.items() if name not in ("id", "profile")}
    check_schema(link, link_schema(str(link["protocol"])), document, key, problems)
    for name in FILE_KEYS & link.keys():
        if not isinstance(link[name], str):
            continue  # the schema said so
        path = document.resolved(link[name])
        if not path.is_file():
            problems.add(document, (*key, name), f"expected a file, got none at {path}")
        link[name] = str(path)
    return link


@cache
def link_schema(protocol: str) -> Mapping[str, Any]:
    """The schema of links of `protocol`, from its driver's folder."""
    return own_schema(SCHEMA_NAME, f"{_DRIVERS}.{PROTOCOLS[protocol]}")


def driver_of(link: Mapping[str, Any]) -> Any:
    """The module of the link's driver: it has `make_lines`."""
    return import_module(f"{_DRIVERS}.{PROTOCOLS[link['protocol']]}.driver")


def endpoint(link: Mapping[str, Any]) -> str:
    """What one owner holds for this link: `192.0.2.1:502`, `/dev/ttyS1`, `listen :9212` …"""
    if "serial_port" in link:
        return str(link["serial_port"])
    if "url" in link:
        url = urlsplit(str(link["url"]))
        return f"{url.hostname}:{url.port or PORTS.get(url.scheme, 0)}"
    port = link.get("port", PORTS.get(link["protocol"]))
    address = f"{link.get('host', '')}:{port}"
    return f"listen {address}" if link.get("mode") == "listen" else address


def station(link: Mapping[str, Any]) -> str:
    """Which of the devices at the endpoint it is: unit id, meter address, MN or topic."""
    for name, label in (("unit_id", "unit "), ("address", ""), ("mn", "MN "), ("topic", "")):
        if name in link:
            return f"{label}{link[name]}"
    return ""


def serial_settings(link: Mapping[str, Any]) -> tuple[int, str, int] | None:
    """Baud, parity, stop bits of a link over a serial port, with the defaults of its protocol."""
    if "serial_port" not in link:
        return None
    baud, parity = (2400, "E") if link["protocol"] == "dlt645" else (9600, "N")
    return link.get("baud", baud), link.get("parity", parity), link.get("stop", 1)
