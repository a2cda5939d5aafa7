"""Results that explain themselves: figures with formula, inputs and the source of each constant."""

from dataclasses import dataclass, replace
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Source:
    """Where a constant or rule comes from.

    `confidence` is the tag of the domain notes: S1 quoted from the official text, S2 from an
    implementation, M nn% from memory (to be verified), D derived here, P our own proposal.
    `draft`: the document is not in force. `note` says what else is known, e.g. another value.
    """

    document: str
    section: str
    confidence: str
    draft: bool = False
    note: str = ""

    @property
    def unverified(self) -> bool:
        """True where nobody has yet held the value against a text in force."""
        return self.draft or self.confidence.startswith("M")

    def to_json(self) -> dict[str, object]:
        """The source as a map; `unverified`, `draft` and `note` only where there is something."""
        shown: dict[str, object] = {
            "document": self.document,
            "section": self.section,
            "confidence": self.confidence,
        }
        if self.unverified:
            shown["unverified"] = True
        if self.draft:
            shown["draft"] = True
        if self.note:
            shown["note"] = self.note
        return shown


@dataclass(frozen=True, slots=True)
class Node:
    """One figure: rounded `value`, `unit`, the formula behind it (empty for a leaf), inputs.

    `of` says whose figure it is where a tree holds several of one name: a fuel, a unit, a month.
    """

    name: str
    value: Decimal
    unit: str
    formula: str = ""
    inputs: tuple["Node", ...] = ()
    source: Source | None = None
    of: str = ""

    def named(self, name: str) -> "Node":
        """The figure in the part it plays in a formula; `of` keeps what it was called."""
        return replace(self, name=name, of=self.of or self.name)

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
        shown: dict[str, object] = {"name": self.name, "value": f"{self.value:f}"}
        shown["unit"] = self.unit
        if self.of:
            shown["of"] = self.of
        if self.formula:
            shown["formula"] = self.formula
        if self.inputs:
            shown["inputs"] = [node.to_json() for node in self.inputs]
        if self.source:
            shown["source"] = self.source.to_json()
        return shown
