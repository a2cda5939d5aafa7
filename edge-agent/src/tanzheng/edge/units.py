"""The systemd unit of this installation: its paths, its user, the serial ports it may open."""

import os
import pwd
import re
import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from tanzheng.edge.plan import Plan

TEMPLATE: Final = "systemd/tanzheng-edge.service"
PRIVILEGED_PORTS: Final = range(1, 1024)
_USB_CLASSES: Final = frozenset({"ttyUSB", "ttyACM"})


def unit_text(plan: Plan, config: Path) -> str:
    """The unit that runs `plan`, written in `config`. It runs as the owner of the private key,
    which nobody else may read."""
    template = (resources.files("tanzheng.edge") / TEMPLATE).read_text("utf-8")
    config = config.absolute()
    return Template(template).substitute(
        gateway=_plain(plan.gateway),
        user=_owner(Path(plan.key_path)),
        tanzheng=_argument(str(Path(sys.executable).with_name("tanzheng"))),
        config=_argument(str(config)),
        config_plain=_plain(str(config)),
        writable=" ".join(map(_quoted, _written(plan))),
        spool_plain=_plain(plan.spool_path),
        capabilities="CAP_NET_BIND_SERVICE" if _listens_low(plan) else "",
        devices=_devices(plan),
    )


def _owner(path: Path) -> str:
    number = path.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _devices(plan: Plan) -> str:
    """Whole classes of ports: an adapter that is plugged in again comes back as another node."""
    ports = [str(d.link["serial_port"]) for d in plan.devices if "serial_port" in d.link]
    if not ports:
        return "PrivateDevices=yes"
    allowed = "\n".join(f"DeviceAllow=char-{name} rw" for name in sorted(_classes(ports)))
    return f"SupplementaryGroups=dialout\nDevicePolicy=closed\n{allowed}"


def _classes(ports: Iterable[str]) -> set[str]:
    """Names of the drivers of serial ports, as in /proc/devices: ttyS, ttyUSB, ttyACM, ttyAMA."""
    found: set[str] = set()
    for port in ports:
        name = re.match(r"tty[A-Za-z]+", Path(os.path.realpath(port)).name)
        found |= {name[0]} if name else _USB_CLASSES
    return found


def _written(plan: Plan) -> list[str]:
    """Folders that the agent writes: the spool, and where links keep what they refuse."""
    kept = [
        str(device.link["quarantine"]) for device in plan.devices if "quarantine" in device.link
    ]
    return list(dict.fromkeys([plan.spool_path, *kept]))


def _listens_low(plan: Plan) -> bool:
    return any(
        device.link.get("mode") == "listen" and device.link.get("port") in PRIVILEGED_PORTS
        for device in plan.devices
    )


def _argument(text: str) -> str:
    """A word of a command line, where $ begins a variable."""
    return _quoted(text.replace("$", "$$"))


def _quoted(text: str) -> str:
    """A word of a unit file (systemd.syntax(7)): quoted, with its own signs doubled."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{_plain(escaped)}"'


def _plain(text: str) -> str:
    """On one line, whatever it holds."""
    return "".join(char if char.isprintable() else "?" for char in text)
