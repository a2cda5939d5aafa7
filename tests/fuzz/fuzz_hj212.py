"""HJ 212: any bytes, cut anywhere, give frames with named deviations, and nothing grows.

The first byte says how the rest is cut, and whether comments are left out and a key is known.
"""

import json
import sys

from tanzheng.edge.drivers.hj212.codec import parse
from tanzheng.edge.drivers.hj212.commands import as_record
from tanzheng.edge.drivers.hj212.deviations import NAMES
from tanzheng.edge.drivers.hj212.splitter import FRAME_BYTES_MAX, Piece, Splitter

KEY = b"0" * 16


def TestOneInput(data: bytes) -> None:  # noqa: N802 (the name that fuzzers look for)
    """One input. An exception, or bytes that are decided in two ways, is a finding."""
    if not data:
        return
    choice, data = data[0], data[1:]
    comments, key = bool(choice & 1), KEY if choice & 2 else None
    whole = _split(data, comments, len(data) or 1)
    assert _split(data, comments, 1 + (choice >> 2)) == whole
    for piece in whole:
        frame = parse(piece, key)
        assert set(frame.deviations) <= NAMES.keys()
        json.dumps(as_record(frame), allow_nan=False)


def _split(data: bytes, comments: bool, size: int) -> list[Piece]:
    splitter, pieces = Splitter(comments), []
    for start in range(0, len(data), size):
        pieces += splitter.feed(data[start : start + size])
        assert splitter.pending <= FRAME_BYTES_MAX + 30 + size
    return pieces + splitter.flush()


if __name__ == "__main__":
    import importlib

    atheris = importlib.import_module("atheris")
    atheris.instrument_all()
    atheris.Setup(sys.argv, TestOneInput)
    atheris.Fuzz()
