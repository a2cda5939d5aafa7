"""DER as far as mutants need it: the elements inside one, and one around bytes."""


def parts_of_der(data: bytes) -> list[bytes]:
    """The elements in a good one, whole; none where it holds no others."""
    if not data[0] & 0x20:
        return []
    at, end = _body(data, 0)
    parts = []
    while at < end:
        after = _body(data, at)[1]
        parts.append(data[at:after])
        at = after
    return parts


def element(tag: int, body: bytes) -> bytes:
    """An element, its length by its shortest spelling."""
    size = len(body)
    octets = b"" if size < 0x80 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets) if octets else size]) + octets + body


def _body(data: bytes, at: int) -> tuple[int, int]:
    """Where the body of the element at `at` begins and ends."""
    first, start = data[at + 1], at + 2
    if first < 0x80:
        return start, start + first
    start += first - 0x80
    return start, start + int.from_bytes(data[at + 2 : start], "big")
