"""Identifiers of enterprises, units, gateways and devices, and the subject of a statement."""

import re
from dataclasses import dataclass

from tanzheng.core.errors import BadInput

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def identifier(value: object, what: str) -> str:
    """`value` as an identifier (1 to 63 of A–Z a–z 0–9 . _ -), else `BadInput` naming `what`."""
    if not isinstance(value, str) or IDENTIFIER.fullmatch(value) is None:
        raise BadInput(
            f"{what}: expected an identifier (letters, digits, '.', '_', '-'; at most 63), "
            f"got {value!r}"
        )
    return value


def pack_name(value: object, what: str) -> str:
    """`value` as the name of a pack or rule set: one identifier, or two with `/` between."""
    parts = value.split("/") if isinstance(value, str) else []
    if not 1 <= len(parts) <= 2 or any(IDENTIFIER.fullmatch(part) is None for part in parts):
        raise BadInput(f"{what}: expected NAME or STANDARD/VERSION, got {value!r}")
    return "/".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What a statement is about: `enterprise/unit/period/kind`.

    For example `US-ORIS-57028/CT1/2018-07/month`.
    """

    enterprise: str
    unit: str
    period: str
    kind: str

    def __post_init__(self) -> None:
        for name in ("enterprise", "unit", "period", "kind"):
            identifier(getattr(self, name), f"subject {name}")

    def __str__(self) -> str:
        return f"{self.enterprise}/{self.unit}/{self.period}/{self.kind}"

    @classmethod
    def parse(cls, text: object) -> "Subject":
        """The subject written as `text`; `BadInput` where it has not four parts."""
        parts = text.split("/") if isinstance(text, str) else []
        if len(parts) != 4:
            raise BadInput(f"subject: expected ENTERPRISE/UNIT/PERIOD/KIND, got {text!r}")
        return cls(*parts)
