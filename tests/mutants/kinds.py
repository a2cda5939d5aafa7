"""What can be done to bytes: every change is one mutant, named by its kind.

`of_bytes` knows nothing of what the bytes mean; `of_cbor` takes one item at a time, however deep it
lies, and spells everything around it right again: lengths fit, only the item is wrong.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from random import Random

from mutants.node import (
    ARRAY,
    BYTES,
    MAP,
    TAG,
    TEXT,
    Node,
    at,
    head,
    parse,
    raw,
    replaced,
    walk,
    with_part,
    with_parts,
)

Mutant = tuple[str, bytes]
Change = tuple[str, Node]
INTEGERS = {0, 1}
REPLACEMENTS = [
    bytes.fromhex(text)
    for text in [
        "f6",
        "f7",
        "f5",
        "f4",
        "00",
        "01",
        "20",
        "40",
        "60",
        "80",
        "a0",
        "f97e00",
        "f93c00",
        "c100",
    ]
]
NUMBERS = (0, 1, 2, 1 << 32, (1 << 53) - 1, 1 << 53, (1 << 64) - 1)


def of_bytes(data: bytes, random: Random, bits: Sequence[int] = range(8)) -> Iterator[Mutant]:
    """Flips of `bits` of every byte, every cut, bytes taken away, put in, and random edits."""
    for i in range(len(data)):
        for bit in bits:
            yield "bit flipped", data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :]
        yield "cut", data[:i]
        yield "byte taken away", data[:i] + data[i + 1 :]
        yield "byte doubled", data[: i + 1] + data[i:]
        for byte in (0, 0x20):
            yield "byte put in", data[:i] + bytes([byte]) + data[i:]
    for byte in range(256):
        yield "extended", data + bytes([byte])
        yield "extended", data + random.randbytes(1 + byte)
    yield from _random(data, random, len(data))


def _random(data: bytes, random: Random, count: int) -> Iterator[Mutant]:
    for _ in range(count):
        a, b = sorted(random.choices(range(len(data) + 1), k=2))
        b = min(b, a + 40)
        piece = random.choice([b"", random.randbytes(b - a), data[a:b][::-1], bytes(b - a)])
        yield "stretch changed", data[:a] + piece + data[b:]
        to = random.randrange(len(data))
        yield "stretch copied", data[:to] + data[a:b] + data[to + b - a :]


def of_cbor(data: bytes) -> Iterator[Mutant]:
    """Every change of every item of a CBOR value, the items inside byte strings too."""
    root = parse(data)
    for path, node in walk(root):
        for kind, other in _changes(node):
            yield kind, replaced(root, path, other).encode()


def transplants(data: bytes, donors: Iterable[bytes]) -> Iterator[Mutant]:
    """Items in the place of what stands at the same path of another good value."""
    root = parse(data)
    for donor in map(parse, donors):
        for path, node in walk(root):
            other = at(donor, path)
            if path and other is not None and other != node:
                yield "part of another", replaced(root, path, other).encode()


def _changes(node: Node) -> Iterator[Change]:
    yield from _types(node)
    yield from _spellings(node)
    if node.major in INTEGERS:
        yield from _numbers(node)
    if node.major in {BYTES, TEXT}:
        yield from _strings(node)
    if node.major == ARRAY:
        yield from _lists(node)
    if node.major == MAP:
        yield from _maps(node)
    if node.major == TAG:
        for tag in (0, 2, 17, 19, 61, 98, 258):
            yield "another tag", replace(node, argument=tag)


def _types(node: Node) -> Iterator[Change]:
    for data in REPLACEMENTS:
        yield "another type", raw(data)
    yield "another type", Node(ARRAY, parts=(node,))
    yield "another type", Node(TAG, 18, parts=(node,))
    if node.major in INTEGERS:
        value = float(node.argument if node.major == 0 else -1 - node.argument)
        for letter, lead in (("e", 0xF9), ("f", 0xFA), ("d", 0xFB)):
            if abs(value) < 60_000 or letter != "e":
                yield "another type", raw(bytes([lead]) + struct.pack(f">{letter}", value))
        octets = node.argument.to_bytes(8, "big").lstrip(b"\x00")
        yield "another type", raw(bytes([0xC2 + node.major, 0x40 + len(octets)]) + octets)
        yield "another type", Node(TEXT, content=str(node.argument).encode())
    if node.major in {BYTES, TEXT}:
        yield "another type", raw(head(5 - node.major, node.count) + node.body())


def _spellings(node: Node) -> Iterator[Change]:
    if node.major > TAG:
        return
    for width in (1, 2, 4, 8):
        if width > len(head(node.major, node.count)) - 1:
            spelled = head(node.major, node.count, width) + node.body()
            yield "number longer than needed", raw(spelled)
    if BYTES <= node.major <= MAP:
        body = node.body()
        chunk = head(node.major, len(body)) if node.major <= TEXT else b""
        yield "indefinite length", raw(bytes([node.major << 5 | 31]) + chunk + body + b"\xff")
    for count in {node.count + 1, max(node.count - 1, 0)} - {node.count}:
        yield "length that does not fit", raw(head(node.major, count) + node.body())


def _numbers(node: Node) -> Iterator[Change]:
    near = {node.argument + d for d in range(-8, 9)} | {node.argument * 2, node.argument ^ 1}
    for number in sorted((near | {*NUMBERS}) - {node.argument}):
        if 0 <= number < 1 << 64:
            yield "another number", replace(node, argument=number)
    yield "another number", replace(node, major=1 - node.major)


def _strings(node: Node) -> Iterator[Change]:
    body = node.body()
    plain = Node(node.major)
    others = {
        body[:-1], body[1:], body + b"\x00", b"\x00" + body, body + body[-1:], b"", body[::-1],
        bytes(len(body)), body + body, body.swapcase(),
    }  # fmt: skip
    for other in sorted(others - {body}):
        yield "another string", replace(plain, content=other)


def _lists(node: Node) -> Iterator[Change]:
    parts = node.parts
    for i, part in enumerate(parts):
        yield "item dropped", with_parts(node, [*parts[:i], *parts[i + 1 :]])
        yield "item doubled", with_parts(node, [*parts[: i + 1], part, *parts[i + 1 :]])
    for i, j in combinations(range(len(parts)), 2):
        yield "items swapped", with_part(with_part(node, i, parts[j]), j, parts[i])
    for order in (parts[::-1], (*parts[1:], *parts[:1])):
        yield "items out of order", with_parts(node, order)
    for more in (raw(b"\xf6"), raw(b"\x00"), raw(b"\x40"), Node(BYTES, content=bytes(32))):
        yield "item more", with_parts(node, [*parts, more])


def _maps(node: Node) -> Iterator[Change]:
    pairs = [node.parts[i : i + 2] for i in range(0, len(node.parts), 2)]

    def of(changed: Iterable[Sequence[Node]]) -> Node:
        return with_parts(node, [part for pair in changed for part in pair])

    for i, (key, value) in enumerate(pairs):
        yield "key dropped", of([*pairs[:i], *pairs[i + 1 :]])
        yield "key doubled", of([*pairs[: i + 1], (key, value), *pairs[i + 1 :]])
        yield "key doubled", of([*pairs[: i + 1], (key, raw(b"\xf6")), *pairs[i + 1 :]])
        yield "key doubled", of([*pairs, (key, value)])
    for i, j in combinations(range(len(pairs)), 2):
        swapped = list(pairs)
        swapped[i], swapped[j] = (pairs[i][0], pairs[j][1]), (pairs[j][0], pairs[i][1])
        yield "fields swapped", of(swapped)
        swapped[i], swapped[j] = pairs[j], pairs[i]
        yield "keys out of order", of(swapped)
    yield from (("unknown key", of(more)) for more in _more(pairs))


def _more(pairs: Sequence[Sequence[Node]]) -> Iterator[list[Sequence[Node]]]:
    """The map with one key more, in its canonical place."""
    keys = [Node(TEXT, content=b"note"), Node(TEXT, content=b"z" * 40), Node(0, 0), Node(0, 1000)]
    keys += [Node(1, 99), Node(BYTES, content=b"k"), raw(b"\xf6"), raw(b"\xf5")]
    for key in keys:
        for value in (raw(b"\xf6"), raw(b"\x40")):
            more = [*pairs, (key, value)]
            yield sorted(more, key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
