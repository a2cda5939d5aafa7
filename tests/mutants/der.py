"""What can be done to the elements of a DER value; lengths around a change are made to fit."""

from collections.abc import Iterator

Mutant = tuple[str, bytes]
TAGS = (0x02, 0x04, 0x05, 0x06, 0x0C, 0x30, 0x31, 0xA0, 0xA1)
MORE = (b"\x05\x00", b"\x30\x00", b"\xa1\x00", b"\x02\x01\x00")
CONSTRUCTED = 0x20


def of_der(data: bytes) -> Iterator[Mutant]:
    """Every change of every element, however deep it lies."""
    tag, (start, end) = data[0], _body(data, 0)
    for number in sorted({*TAGS, tag ^ CONSTRUCTED, tag ^ 0x80} - {tag}):
        yield "another type", bytes([number]) + data[1:]
    body = data[start:end]
    if tag & CONSTRUCTED:
        for kind, other in _of_parts(_parts(body)):
            yield kind, _element(tag, other)
        return
    others = {body[:-1], body[1:], b"\x00" + body, body + b"\x00", body[::-1], b""}
    for other in sorted(others - {body}):
        yield "another string", _element(tag, other)


def _of_parts(parts: list[bytes]) -> Iterator[Mutant]:
    for i, part in enumerate(parts):
        before, after = b"".join(parts[:i]), b"".join(parts[i + 1 :])
        yield "item dropped", before + after
        yield "item doubled", before + part + part + after
        for more in MORE:
            yield "item more", before + part + more + after
        if i and parts[i - 1] != part:
            yield "items swapped", b"".join([*parts[: i - 1], part, parts[i - 1]]) + after
        for kind, other in of_der(part):
            yield kind, before + other + after


def _parts(body: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(body):
        end = _body(body, at)[1]
        parts.append(body[at:end])
        at = end
    return parts


def _body(data: bytes, at: int) -> tuple[int, int]:
    """Where the body of the element at `at` begins and ends."""
    first, start = data[at + 1], at + 2
    if first < 0x80:
        return start, start + first
    start += first - 0x80
    return start, start + int.from_bytes(data[at + 2 : start], "big")


def _element(tag: int, body: bytes) -> bytes:
    size = len(body)
    octets = b"" if size < 0x80 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets) if octets else size]) + octets + body
