"""The graph: nodes of a few kinds, edges "derived from", in one canonical form."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from tanzheng.core import canonical_json, closed
from tanzheng.core.errors import BadInput, EncodingError

VERSION = 1
NODES_MAX = 100_000
EDGES_MAX = 1_000_000
DEPTH_MAX = 64
_KEYS = ("id", "kind", "en", "zh", "value", "unit", "facts")


class Kind(StrEnum):
    """What a node is; the order is that of a figure's way down."""

    ANNUAL = "annual"
    MONTH = "month"
    RULE = "rule"
    FINDING = "finding"
    PARAMETER = "parameter"
    HOURS = "hours"
    READING = "reading"
    STEP = "step"
    RECORD = "record"
    CONSTANT = "constant"
    POINT = "point"
    BATCHES = "batches"
    DEVICE = "device"
    CERTIFICATE = "certificate"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `value` is a decimal number as text with `unit`, where it has one; `facts` is what
    else is known of it, whole numbers and text."""

    id: str
    kind: Kind
    en: str
    zh: str
    value: str | None = None
    unit: str | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The node as a map with exactly these keys."""
        return {
            "id": self.id,
            "kind": str(self.kind),
            "en": self.en,
            "zh": self.zh,
            "value": self.value,
            "unit": self.unit,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True)
class Graph:
    """Nodes by id, and for each node what it is derived from. No node leads back to itself."""

    nodes: Mapping[str, Node]
    sources: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, nodes: Iterable[Node], edges: Iterable[tuple[str, str]]) -> "Graph":
        """The graph of `nodes` and of `edges` (derived, from); `EncodingError` where an end is no
        node, two nodes of one id differ, or a node is derived from itself."""
        known: dict[str, Node] = {}
        for node in sorted(nodes, key=lambda each: (list(Kind).index(each.kind), each.id)):
            if known.setdefault(node.id, node) != node:
                raise EncodingError(f"lineage: expected one node {node.id}, got two that differ")
        listed: dict[str, set[str]] = {}
        for derived, source in edges:
            for end in (derived, source):
                if end not in known:
                    raise EncodingError(f"lineage: expected a node {end}, got none")
            listed.setdefault(derived, set()).add(source)
        place = {name: number for number, name in enumerate(known)}
        graph = cls(
            known,
            {
                name: tuple(sorted(listed[name], key=place.__getitem__))
                for name in known
                if name in listed
            },
        )
        graph._check_order()
        return graph

    def node(self, id: str) -> Node:  # noqa: A002 - it is the id of the file
        """The node `id`; `BadInput` with the nearest names where there is none."""
        if id not in self.nodes:
            parameters = [name for name in self.nodes if name.startswith("parameter:")]
            known = ", ".join(name.removeprefix("parameter:") for name in parameters)
            raise BadInput(f"lineage: expected a figure ({known}) or the id of a node, got {id!r}")
        return self.nodes[id]

    def below(self, id: str) -> tuple[Node, ...]:  # noqa: A002
        """What the node `id` is derived from, itself not included."""
        return tuple(self.nodes[name] for name in self.sources.get(id, ()))

    def reached(self, ids: Iterable[str]) -> "Graph":
        """The part of the graph that `ids` rest on, themselves included."""
        found: set[str] = set()
        left = list(ids)
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self.sources.get(name, ())
        return Graph(
            {name: node for name, node in self.nodes.items() if name in found},
            {name: below for name, below in self.sources.items() if name in found},
        )

    def edges(self) -> Iterator[tuple[str, str]]:
        """(derived, from) in the order of the nodes."""
        return ((name, source) for name, below in self.sources.items() for source in below)

    def to_json(self) -> dict[str, object]:
        """The graph as maps and lists."""
        return {
            "version": VERSION,
            "nodes": [node.to_json() for node in self.nodes.values()],
            "edges": [list(edge) for edge in self.edges()],
        }

    def encode(self) -> bytes:
        """The canonical bytes: of `data/lineage.json` in an evidence package."""
        return canonical_json.dumps(self.to_json())

    @classmethod
    def decode(cls, data: bytes) -> "Graph":
        """The graph whose canonical form is `data`; `EncodingError` for any other bytes."""
        where = "lineage"
        source = closed.record(
            canonical_json.loads(data, where), ("version", "nodes", "edges"), where
        )
        closed.version(source, VERSION, where)
        nodes = [_node(each) for each in closed.items(source, "nodes", where, NODES_MAX)]
        edges = [_edge(each) for each in closed.items(source, "edges", where, EDGES_MAX)]
        graph = cls.of(nodes, edges)
        if graph.encode() != data:
            raise EncodingError(f"{where}: expected nodes and edges in order, each once")
        return graph

    def _check_order(self) -> None:
        """Every edge leads on: following them comes to an end within `DEPTH_MAX` steps."""
        try:
            order = list(TopologicalSorter(self.sources).static_order())
        except CycleError as error:
            shown = " ← ".join(map(str, error.args[1]))[:200]
            raise EncodingError(f"lineage: expected no way round, got {shown}") from None
        depths: dict[str, int] = {}
        for name in order:
            depths[name] = 1 + max((depths[each] for each in self.sources.get(name, ())), default=0)
        if max(depths.values(), default=0) > DEPTH_MAX:
            raise EncodingError(f"lineage: expected ways of at most {DEPTH_MAX} steps, got longer")


def _node(value: object) -> Node:
    where = "lineage.nodes"
    source = closed.record(value, _KEYS, where)
    kind = closed.text(source, "kind", where)
    if kind not in set(Kind):
        raise EncodingError(f"{where}: expected a kind of {[*map(str, Kind)]}, got {kind!r}")
    number, unit = source["value"], source["unit"]
    return Node(
        closed.text(source, "id", where),
        Kind(kind),
        closed.text(source, "en", where),
        closed.text(source, "zh", where),
        None if number is None else closed.decimal(number, f"{where}.value"),
        None if unit is None else closed.text(source, "unit", where),
        {
            closed.typed(key, str, where): _fact(fact, f"{where}.{key}")
            for key, fact in closed.mapping(source["facts"], where).items()
        },
    )


def _fact(value: object, where: str) -> str | int:
    one = {"fact": value}
    return (
        closed.text(one, "fact", where)
        if isinstance(value, str)
        else closed.integer(one, "fact", where)
    )


def _edge(value: object) -> tuple[str, str]:
    ends = closed.sequence(value, "lineage.edges", 2)
    if len(ends) != 2:
        raise EncodingError(f"lineage.edges: expected [derived, from], got {len(ends)} parts")
    return closed.typed(ends[0], str, "lineage.edges"), closed.typed(ends[1], str, "lineage.edges")
