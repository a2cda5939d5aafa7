"""Parts of a graph that months of all kinds are made of."""

from collections.abc import Iterator

from tanzheng.analytics.accounting.tree import Node as Figure
from tanzheng.analytics.lineage.graph import Kind, Node
from tanzheng.core.fields import field

Edge = tuple[str, str]
Part = Iterator[Node | Edge]


def constant(parameter: str, name: str, shown: tuple[str, str], figure: Figure) -> Part:
    """The constant `name` of the standard pack, and that `parameter` rests on it."""
    own, source = f"constant:{name}", figure.source
    facts = {} if source is None else {
        "document": source.document, "section": source.section, "confidence": source.confidence,
    }  # fmt: skip
    yield Node(own, Kind.CONSTANT, *shown, f"{figure.value:f}", figure.unit, facts)
    yield parameter, own
    yield own, "document:standard"


def default(parameter: str, name: str, figure: Figure) -> Part:
    """The constant that stands in for the figure `name` of the dictionary."""
    entry = field(name)
    shown = f"default: {entry.en}", f"缺省值：{entry.zh}"
    yield from constant(parameter, figure.of or figure.name, shown, figure)


def document(name: str, title: str, en: str, zh: str, digest: bytes) -> Node:
    """A file by its SHA-256."""
    shown = f"{en} {title}", f"{zh} {title}"
    return Node(f"document:{name}", Kind.DOCUMENT, *shown, facts={"sha256": digest.hex()})
