"""DER (X.690 §10), strict: one spelling of a length, tags of one byte, nothing left over.

What time stamps and certificates are made of. Elements are taken one after another, by the tag that
must stand there; every error is an `EncodingError` naming `where`.
"""

from dataclasses import dataclass

from tanzheng.core.errors import EncodingError

BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
GENERALIZED_TIME, SEQUENCE, SET = 0x18, 0x30, 0x31
LENGTH_OCTETS_MAX = 3


def context(number: int) -> int:
    """Return the tag [number] of an element that holds others."""
    return 0xA0 | number


@dataclass
class Reader:
    """The elements in `data` from `at` on."""

    data: bytes
    where: str
    at: int = 0

    @property
    def tag(self) -> int | None:
        """The tag of the next element, None at the end."""
        return self.data[self.at] if self.at < len(self.data) else None

    def whole(self, tag: int | None = None) -> bytes:
        """Take the next element, tag and length included; it has `tag` where one is given."""
        start, body = self.at, self._head(tag)
        self.at = body.stop
        return self.data[start : body.stop]

    def take(self, tag: int) -> bytes:
        """Take what is in the next element."""
        body = self._head(tag)
        self.at = body.stop
        return self.data[body]

    def inside(self, tag: int) -> "Reader":
        """Take the next element, to read what is in it."""
        return Reader(self.take(tag), self.where)

    def integer(self) -> int:
        """Take an INTEGER, in its shortest spelling."""
        body = self.take(INTEGER)
        value = int.from_bytes(body, "big", signed=True)
        if len(body) != (value if value >= 0 else ~value).bit_length() // 8 + 1:
            raise self.error("a number in its shortest spelling")
        return value

    def end(self) -> None:
        """Return where nothing is left."""
        if self.tag is not None:
            raise self.error("the end")

    def error(self, expected: str) -> EncodingError:
        """Say what was expected here."""
        return EncodingError(f"{self.where}: expected {expected} at byte {self.at}")

    def _head(self, tag: int | None) -> slice:
        """Where the body of the next element lies."""
        found = self.tag
        if found is None or found & 0x1F == 0x1F or (tag is not None and found != tag):
            raise self.error("an element" if tag is None else f"an element of tag {tag:#04x}")
        first, start = self._octet(self.at + 1), self.at + 2
        if first < 0x80:
            length = first
        else:
            start += (count := first - 0x80)
            length = int.from_bytes(self.data[start - count : start], "big")
            shortest = 1 if length < 0x100 else 2 if length < 0x10000 else 3
            if length < 0x80 or not 0 < count <= LENGTH_OCTETS_MAX or count != shortest:
                raise self.error("a length in its shortest spelling")
        if start + length > len(self.data):
            raise self.error("an element that ends")
        return slice(start, start + length)

    def _octet(self, at: int) -> int:
        if at >= len(self.data):
            raise self.error("a length")
        return self.data[at]


def element(tag: int, *parts: bytes) -> bytes:
    """Return an element around `parts`."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def integer(value: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
