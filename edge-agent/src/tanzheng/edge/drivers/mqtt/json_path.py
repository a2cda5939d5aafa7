"""Where a JSON document has a value: `values.P`, `a[0].b`, `devices[?id=m1].p`. Pure.

Steps are names parted by dots, `[2]` the third element (`[-1]` the last), `["a.b"]` a name with
any characters, `[?key=text]` the first element of a list of objects whose `key` shows as `text`.
A leading `$.` is allowed.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from tanzheng.core.errors import BadInput

STEPS_MAX: Final = 32
_STEP: Final = re.compile(
    r"""\.?(?:
        \[\s*(?P<index>-?[0-9]{1,6})\s*\]
      | \[\s*(?P<quoted>"[^"]*"|'[^']*')\s*\]
      | \[\?\s*\(?\s*(?:@\.)?(?P<key>[^=\]\s]+)\s*={1,2}\s*
        (?P<text>"[^"]*"|'[^']*'|[^\]"'()]*?)\s*\)?\s*\]
      | (?P<name>[^.\[\]]+)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Match:
    """The first object of a list whose `key` shows as `text`."""

    key: str
    text: str


Step = str | int | Match


class Absent:
    """The type of `ABSENT`: a path that leads nowhere, which is not null."""


ABSENT: Final = Absent()


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of `path`; `BadInput` where it is none. The empty path is the whole document."""
    rest = path.removeprefix("$").removeprefix(".")
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        match = _STEP.match(rest, at)
        if match is None or len(steps) == STEPS_MAX:
            raise BadInput(f"expected a JSON path such as values.P, got {path!r}")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def look_up(document: Any, steps: tuple[Step, ...]) -> Any:
    """What `document` has there, or `ABSENT`."""
    found = document
    for step in steps:
        if isinstance(step, str):
            found = found.get(step, ABSENT) if isinstance(found, dict) else ABSENT
        elif not isinstance(found, list):
            return ABSENT
        elif isinstance(step, int):
            found = found[step] if -len(found) <= step < len(found) else ABSENT
        else:
            found = next((item for item in found if _matches(item, step)), ABSENT)
        if found is ABSENT:
            return ABSENT
    return found


def _matches(item: Any, step: Match) -> bool:
    return isinstance(item, dict) and step.key in item and str(item[step.key]) == step.text


def _step(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return int(match["index"])
    if match["quoted"] is not None:
        return match["quoted"][1:-1]
    if match["key"] is not None:
        return Match(match["key"].strip("\"'"), _unquoted(match["text"]))
    return match["name"]


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] in ("'", '"') and len(text) > 1 else text
