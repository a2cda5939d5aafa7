"""The lineage of packages as they lie on disk: one month's, or a year's of several months."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tanzheng.analytics.lineage.graph import Graph, Kind, Node
from tanzheng.core.bag import check_bag
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import field
from tanzheng.core.manifest import LINEAGE_PATH, Manifest, PackageInvalid

ANNUAL_FIGURE = "co2_calculated_t"
ADDITIVE_UNITS = ("t", "MWh", "GJ", "1e4Nm3", "h")
"""Of the reported figures those in these units are amounts of a month: a year is their sum."""
MONTHS_PER_YEAR = 12


@dataclass(frozen=True)
class Lineage:
    """A package's manifest and its graph; every byte of the bag was checked."""

    described: Manifest
    graph: Graph

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> "Lineage":
        """The lineage in a package (path → bytes); `PackageInvalid` where the bag is not whole."""
        described = check_bag(files)
        if LINEAGE_PATH not in files:
            raise PackageInvalid(f"package: expected {LINEAGE_PATH}, got no such file")
        return cls(described, Graph.decode(files[LINEAGE_PATH]))

    @property
    def root(self) -> str:
        """The node of the month."""
        return f"month:{self.described.subject.period}"

    def id_of(self, figure: str | None) -> str:
        """The node that `figure` means: a figure's name, a node's id, by default the month."""
        if figure is None:
            return self.root
        named = f"parameter:{figure}"
        return named if named in self.graph.nodes else self.graph.node(figure).id


def annual(months: Sequence[Lineage], figure: str = ANNUAL_FIGURE) -> tuple[Graph, str]:
    """The graph of a figure's year, and the id of its root.

    The months are of one enterprise and calendar year, each unit's month once; their nodes carry
    unit and month before their ids. `BadInput` where they do not add up to one year's figure.
    """
    enterprise, year = _one_year(months)
    entry = field(figure)
    if entry.unit not in ADDITIVE_UNITS:
        raise BadInput(f"{figure}: expected an amount that months add up to, got {entry.unit}")
    values = [_value(each, figure) for each in months]
    root = f"annual:{figure}:{year}"
    units = sorted({each.described.subject.unit for each in months})
    top = Node(
        root,
        Kind.ANNUAL,
        f"{entry.en}, {enterprise}, {year}",
        f"{entry.zh} {enterprise} {year} 年",
        str(sum(values, Decimal(0))),
        entry.unit,
        {
            "units": " ".join(units),
            "months": len(months),
            "months_missing": len(units) * MONTHS_PER_YEAR - len(months),
        },
    )
    nodes, edges = [top], list[tuple[str, str]]()
    for each in months:
        subject = each.described.subject
        prefix = f"{subject.unit}/{subject.period}/"
        wanted = {each.root: (f"parameter:{figure}",)}
        part = Graph(each.graph.nodes, {**each.graph.sources, **wanted}).reached([each.root])
        nodes += [replace(node, id=f"{prefix}{node.id}") for node in part.nodes.values()]
        edges += [(f"{prefix}{derived}", f"{prefix}{source}") for derived, source in part.edges()]
        edges.append((root, f"{prefix}{each.root}"))
    return Graph.of(nodes, edges), root


def _one_year(months: Sequence[Lineage]) -> tuple[str, int]:
    subjects = [each.described.subject for each in months]
    if len(set(subjects)) != len(subjects):
        raise BadInput(f"lineage: expected each month once, got {sorted(map(str, subjects))}")
    years = {(each.enterprise, Month.parse(each.period).year) for each in subjects}
    if len(years) != 1:
        raise BadInput(
            f"lineage: expected packages of one enterprise and year, got "
            f"{sorted(f'{enterprise} {year}' for enterprise, year in years)}"
        )
    return years.pop()


def _value(month: Lineage, figure: str) -> Decimal:
    values = month.described.values()
    if figure not in values:
        raise BadInput(
            f"{month.described.subject}: expected the figure {figure}, got {', '.join(values)}"
        )
    return Decimal(values[figure])
