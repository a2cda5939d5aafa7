"""Results that explain themselves: figures with formula, inputs and the source of each constant."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Source:
    """Where a constant or rule comes from.

    `confidence` is the tag of the domain notes: S1 quoted from the official text, S2 from an
    implementation, M nn% from memory (to be verified), D derived here, P our own proposal.
    """

    document: str
    section: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Node:
    """One figure: rounded `value`, `unit`, the formula behind it (empty for a leaf), inputs."""

    name: str
    value: Decimal
    unit: str
    formula: str = ""
    inputs: tuple["Node", ...] = ()
    source: Source | None = None

    def find(self, name: str) -> "Node":
        """The first node called `name`, depth first; `KeyError` where there is none."""
        for node in self.walk():
            if node.name == name:
                return node
        raise KeyError(name)

    def walk(self) -> "list[Node]":
        """This node and all below it, depth first."""
        return [self, *(node for child in self.inputs for node in child.walk())]

    def to_json(self) -> dict[str, object]:
        """The tree as maps, lists and text: decimals are strings."""
        shown: dict[str, object] = {"name": self.name, "value": str(self.value), "unit": self.unit}
        if self.formula:
            shown["formula"] = self.formula
        if self.inputs:
            shown["inputs"] = [node.to_json() for node in self.inputs]
        if self.source:
            shown["source"] = {
                "document": self.source.document,
                "section": self.source.section,
                "confidence": self.source.confidence,
            }
        return shown
