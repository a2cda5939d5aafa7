"""Any bytes from an RS-485 pair: frames, values, or named errors, and nothing else.

python tests/fuzz/fuzz_dlt645.py        (needs atheris)
"""

import contextlib
import importlib
import json
import sys

from tanzheng.edge.drivers.dlt645.codec import (
    Damage,
    Frame,
    Parser,
    ReadAddress,
    ReadData,
    ReadFollowing,
    answer,
    reads_only,
)
from tanzheng.edge.drivers.dlt645.errors import Dlt645Error
from tanzheng.edge.drivers.dlt645.report import read_frame, read_line
from tanzheng.edge.drivers.dlt645.values import decode_values
from tanzheng.hardware.dlt645.identifiers import identifier

HELD_MAX = 212
CONTROLS = {0x11, 0x12, 0x13}


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that atheris users know
    """First byte: how the rest is cut; the rest came from the wires."""
    cut, stream = (data[0] % 7 + 1 if data else 1), data[1:]
    whole = Parser()
    expected = [*whole.feed(stream), *whole.finish()]
    pieces, found = Parser(), list[Frame | Damage]()
    for at in range(0, len(stream), cut):
        found += pieces.feed(stream[at : at + cut])
        assert pieces.held <= HELD_MAX
    found += pieces.finish()
    assert found == expected, "however it is cut"
    assert pieces.noise == whole.noise
    assert pieces.held == 0
    for item in expected:
        _frame(item.frame if isinstance(item, Damage) else item)
    for text in (stream.hex(), stream.decode("utf-8", "replace")):
        if (report := read_line(text)) is not None:
            for record in report.records:
                json.dumps(record.to_json())
    with contextlib.suppress(Dlt645Error):
        frame = reads_only(stream).lstrip(b"\xfe")
        assert frame[8] in CONTROLS


def _frame(frame: Frame) -> None:
    read_frame(frame)
    di = frame.di or "00010000"
    for request in (
        ReadAddress(),
        ReadData(frame.address, di),
        ReadFollowing(frame.address, di, 1),
    ):
        with contextlib.suppress(Dlt645Error):
            data = answer(frame, request)
            if (meaning := identifier(di)) is not None:
                for value in decode_values(meaning, data):
                    assert value.number is None or value.number.is_finite()


def main() -> None:
    """Until stopped."""
    atheris = importlib.import_module("atheris")  # brought by tools/fuzz alone
    atheris.instrument_all()  # without it the fuzzer is blind
    atheris.Setup(sys.argv, TestOneInput)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
