"""A device's link as this driver uses it. Pure; the schema has checked types and ranges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.hj212_text import Hj212Shape
from tanzheng.edge.drivers.mqtt.json_path import parse_path
from tanzheng.edge.drivers.mqtt.json_payload import JsonShape
from tanzheng.edge.drivers.mqtt.timestamps import parse_offset
from tanzheng.hardware.points import Ratio

_URL_FORM: Final = "url: expected mqtt[s]://[USER:PASSWORD@]HOST[:PORT], got another form"
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
STALE_AFTER: Final = 3
KEEPALIVE_S: Final = 15
CHINA: Final = "+08:00"
DATA: Final = "2011"


@dataclass(frozen=True, slots=True)
class BrokerAt:
    """A session at a broker. TLS with the system's authorities where `ca` is None."""

    host: str
    port: int
    tls: bool
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @classmethod
    def of(cls, link: Mapping[str, Any]) -> Self:
        """From a link; `BadInput` where its url is none. Passwords are never shown."""
        try:
            url = urlsplit(link["url"])
            host, port = url.hostname, url.port
        except ValueError:
            raise BadInput(_URL_FORM) from None
        if not host or url.scheme not in PORTS:
            raise BadInput(_URL_FORM)
        username, password = (
            unquote(part) if part else None for part in (url.username, url.password)
        )
        files = (link.get(name) for name in ("ca", "cert", "key"))
        tls = url.scheme == "mqtts"
        return cls(
            host, port or PORTS[url.scheme], tls, link["client_id"], username, password, *files
        )

    @property
    def name(self) -> str:
        """For people: `mqtt 192.0.2.7:1883 tanzheng-source`."""
        return f"mqtt {self.host}:{self.port} {self.client_id}"


@dataclass(frozen=True, slots=True)
class DeviceLink:
    """What one device's link says of its messages. `name` stands for `{device}` in topics."""

    name: str
    form: str
    topic: str
    shape: JsonShape
    hj212: Hj212Shape
    neuron: tuple[str | None, str | None]
    stale_after: int
    rebirth: bool
    keepalive_s: int
    ratios: dict[Ratio, Fraction]

    @classmethod
    def of(cls, device_id: str, link: Mapping[str, Any]) -> Self:
        """From a link; `BadInput` names the setting that is wrong."""
        offset_minutes = parse_offset(link.get("utc_offset", CHINA))
        return cls(
            name=link.get("device", device_id),
            form=link["format"],
            topic=link.get("topic", ""),
            shape=_shape(link, offset_minutes),
            hj212=Hj212Shape(link.get("data", DATA), link.get("mn"), offset_minutes),
            neuron=(link.get("neuron_node"), link.get("neuron_group")),
            stale_after=link.get("stale_after", STALE_AFTER),
            rebirth=link.get("rebirth", False),
            keepalive_s=link.get("keepalive_s", KEEPALIVE_S),
            ratios=_ratios(link),
        )


def _shape(link: Mapping[str, Any], offset_minutes: int) -> JsonShape:
    time, quality, records = (
        parse_path(link[key]) if key in link else None
        for key in ("timestamp_path", "quality_path", "records_path")
    )
    qualities = {text: Quality[name.upper()] for text, name in link.get("quality_map", {}).items()}
    return JsonShape(
        time, link.get("timestamp_format", "unix_ms"), offset_minutes, quality, qualities, records
    )


def _ratios(link: Mapping[str, Any]) -> dict[Ratio, Fraction]:
    names: tuple[Ratio, ...] = ("ct", "pt")
    return {name: Fraction(link[name]) for name in names if name in link}
