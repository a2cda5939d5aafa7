"""CBOR as a tree that can be spelled in any way, right or wrong; strings that hold CBOR, too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

BYTES, TEXT, ARRAY, MAP, TAG, OTHER = 2, 3, 4, 5, 6, 7
Path = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """An item: `argument` of a number or tag, `content` of a string, `parts` inside.

    The parts of a map are key, value, key, value …; the one part of a byte string is the CBOR in
    it. `content` of `OTHER` is the item's bytes as they are, whatever they are.
    """

    major: int
    argument: int = 0
    content: bytes = b""
    parts: tuple["Node", ...] = ()

    def encode(self) -> bytes:
        """Return the bytes, each length by its shortest spelling."""
        if self.major == OTHER:
            return self.content
        return head(self.major, self.count) + self.body()

    def body(self) -> bytes:
        """Return what stands behind the head."""
        return b"".join(part.encode() for part in self.parts) or self.content

    @property
    def count(self) -> int:
        """The argument of the head."""
        if self.major in {BYTES, TEXT}:
            return len(self.body())
        if self.major == ARRAY:
            return len(self.parts)
        return len(self.parts) // 2 if self.major == MAP else self.argument


def raw(data: bytes) -> Node:
    """An item that is spelled by hand."""
    return Node(OTHER, content=data)


def head(major: int, argument: int, width: int = 0) -> bytes:
    """Return the head of an item, in `width` bytes of argument or the fewest."""
    if not width and argument < 24:
        return bytes([major << 5 | argument])
    fits = next(n for n in (1, 2, 4, 8) if n >= width and argument < 1 << 8 * n)
    return bytes([major << 5 | 24 + fits.bit_length() - 1]) + argument.to_bytes(fits, "big")


def parse(data: bytes) -> Node:
    """Return the tree of one good item."""
    node, end = _parse(data, 0)
    assert end == len(data)
    assert node.encode() == data
    return node


def _parse(data: bytes, at: int) -> tuple[Node, int]:
    first = data[at]
    major, code, at = first >> 5, first & 31, at + 1
    width = 0 if code < 24 else 1 << (code - 24)
    argument = int.from_bytes(data[at : at + width], "big") if width else code
    at += width
    if major in {BYTES, TEXT}:
        content = data[at : at + argument]
        return _string(major, content), at + argument
    if major == OTHER:
        return raw(data[at - 1 - width : at]), at
    inside = {ARRAY: argument, MAP: 2 * argument, TAG: 1}.get(major, 0)
    parts = []
    for _ in range(inside):
        part, at = _parse(data, at)
        parts.append(part)
    return Node(major, argument, parts=tuple(parts)), at


def _string(major: int, content: bytes) -> Node:
    """A string, opened where it holds a list, a map or a tagged item and nothing else."""
    if major == BYTES and content and content[0] >> 5 in {ARRAY, MAP, TAG}:
        try:
            node, end = _parse(content, 0)
            if end == len(content) and node.encode() == content:
                return Node(major, parts=(node,))
        except (IndexError, OverflowError):
            pass
    return Node(major, content=content)


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every item of the tree with its path."""
    yield path, node
    for i, part in enumerate(node.parts):
        yield from walk(part, (*path, i))


def at(node: Node, path: Path) -> Node | None:
    """The item at `path`, None where there is none."""
    for i in path:
        if i >= len(node.parts):
            return None
        node = node.parts[i]
    return node


def replaced(node: Node, path: Path, other: Node) -> Node:
    """The tree with `other` at `path`."""
    if not path:
        return other
    return with_part(node, path[0], replaced(node.parts[path[0]], path[1:], other))


def with_part(node: Node, index: int, part: Node) -> Node:
    """The item with another part at `index`."""
    return with_parts(node, [*node.parts[:index], part, *node.parts[index + 1 :]])


def with_parts(node: Node, parts: Sequence[Node]) -> Node:
    """The item with other parts."""
    return replace(node, parts=tuple(parts))
