"""The tables of this folder's TOML files, each row with exactly the keys it must have."""

import tomllib
from importlib import resources
from typing import Any

from tanzheng.core import closed


def tables(file: str, name: str, keys: tuple[str, ...]) -> list[closed.Record]:
    """The rows `[[name]]` of a data file; `EncodingError` names the first that is out of shape."""
    raw = resources.files("tanzheng.analytics.evidence").joinpath(file).read_text("utf-8")
    top: Any = closed.record(tomllib.loads(raw), ("version", name), file)
    closed.version(top, 1, file)
    return [
        closed.record(row, keys, f"{file}: {name} {number}")
        for number, row in enumerate(top[name], 1)
    ]
