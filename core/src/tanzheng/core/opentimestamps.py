"""The structure of an OpenTimestamps proof: which digest it starts from, what it ends in.

A detached proof is magic, version, the digest of the file, and a tree of operations whose leaves
are attestations. Whether a Bitcoin block has the result is for a Bitcoin node to say: here only the
structure is read, to its last byte, and the digest held against what the proof stands beside.
Source: the format of python-opentimestamps (core/serialize.py, core/timestamp.py, core/op.py).
"""

from dataclasses import dataclass

from tanzheng.core.errors import CheckFailed, EncodingError

MAGIC = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94"
VERSION, SHA256 = 1, 0x08
DEPTH_MAX, ITEM_BYTES_MAX = 256, 4096
ATTESTATION, FORK = 0x00, 0xFF
UNARY = {0x02, 0x03, SHA256, 0x67, 0xF2, 0xF3}  # SHA-1, RIPEMD-160, SHA-256, Keccak, reverse, hex
BINARY = {0xF0, 0xF1}  # append, prepend
TAGS = {
    bytes.fromhex("83dfe30d2ef90c8e"): "pending",
    bytes.fromhex("0588960d73d71901"): "Bitcoin block",
    bytes.fromhex("06869a0d73d71b45"): "Litecoin block",
}


class ProofForeign(CheckFailed):
    """A proof in order, but of another digest."""


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise EncodingError(f"opentimestamps: expected {count} bytes at {self.at}, got the end")
        self.at += count
        return piece

    def number(self) -> int:
        """LEB128, the shortest spelling."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if (byte == 0 and shift) or value > ITEM_BYTES_MAX << 20:
            raise EncodingError(f"opentimestamps: expected a short number at {self.at}")
        return value

    def octets(self) -> bytes:
        length = self.number()
        if length > ITEM_BYTES_MAX:
            raise EncodingError(f"opentimestamps: expected at most {ITEM_BYTES_MAX} bytes")
        return self.take(length)


def check_structure(data: bytes, digest: bytes) -> str:
    """Return what a proof of `digest` (SHA-256) ends in; it is read, not checked.

    `EncodingError` where it is no such proof, `ProofForeign` where it is of another digest.
    """
    reader = _Reader(data)
    if reader.take(len(MAGIC)) != MAGIC or reader.number() != VERSION:
        raise EncodingError("opentimestamps: expected a detached proof of version 1")
    if reader.take(1)[0] != SHA256:
        raise EncodingError("opentimestamps: expected a proof of a SHA-256 digest")
    found = reader.take(len(digest))
    ends = _timestamp(reader, 0)
    if reader.at != len(data):
        raise EncodingError(f"opentimestamps: expected the end at {reader.at}, got more")
    if found != digest:
        raise ProofForeign(f"opentimestamps: expected a proof of {digest.hex()}, got {found.hex()}")
    return ", ".join(ends)


def _timestamp(reader: _Reader, depth: int) -> list[str]:
    """Read one node: branches behind fork marks, then the last one."""
    if depth > DEPTH_MAX:
        raise EncodingError(f"opentimestamps: expected at most {DEPTH_MAX} operations in a row")
    ends = []
    while (tag := reader.take(1)[0]) == FORK:
        ends += _branch(reader, reader.take(1)[0], depth)
    return ends + _branch(reader, tag, depth)


def _branch(reader: _Reader, tag: int, depth: int) -> list[str]:
    if tag == ATTESTATION:
        kind, payload = reader.take(8), reader.octets()
        name = TAGS.get(kind, "unknown")
        return [f"{name} {_Reader(payload).number()}" if name.endswith("block") else name]
    if tag in BINARY:
        reader.octets()
    elif tag not in UNARY:
        raise EncodingError(f"opentimestamps: expected an operation, got 0x{tag:02x}")
    return _timestamp(reader, depth + 1)
