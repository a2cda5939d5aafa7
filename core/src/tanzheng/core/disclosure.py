"""A redacted package: some of a month's figures with salt and Merkle path, and nothing else.

The full package carries every salt; a disclosure carries only the disclosed leaves. Their paths
lead to the parameter root, which the statement names together with the digests of the manifest:
whoever has the statement knows that these figures are the sealed ones. The other figures stay
hidden behind their salts, and padding hides how many there are (see `parameter_tree`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tanzheng.core import canonical_json, closed, parameter_tree
from tanzheng.core.errors import BadInput, CheckFailed, EncodingError
from tanzheng.core.fields import field
from tanzheng.core.hashing import HASH_BYTES, sha256, sm3
from tanzheng.core.ids import Subject, identifier
from tanzheng.core.manifest import PARAMETERS_MAX, SALT_BYTES, Manifest
from tanzheng.core.merkle import PROOF_NODES_MAX, ProofInvalid
from tanzheng.core.statement import Statement

TYPE = "tanzheng/disclosure"
VERSION = 1
DISCLOSURE_BYTES_MAX = 4 << 20
_KEYS = (
    "type", "version", "subject", "manifest_sha256", "manifest_sm3", "parameters_root", "leaves",
    "figures",
)  # fmt: skip
_FIGURE_KEYS = ("index", "name", "value", "unit", "salt", "path")


class DisclosureForeign(CheckFailed):
    """A disclosure that is in itself in order, but not of what the statement speaks of."""


@dataclass(frozen=True, slots=True)
class DisclosedFigure:
    """One leaf: `value` is a decimal number as text; `path` leads from leaf `index` to the root."""

    index: int
    name: str
    value: str
    unit: str
    salt: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Disclosed figures, rising by index, and what they are part of. `leaves`: padding included."""

    subject: Subject
    manifest_sha256: bytes
    manifest_sm3: bytes
    parameters_root: bytes
    leaves: int
    figures: tuple[DisclosedFigure, ...]

    @classmethod
    def of(cls, manifest: bytes, names: Sequence[str]) -> "Disclosure":
        """Disclose `names` of the figures of a manifest (its raw bytes).

        `BadInput` for no name, one twice, or one that is no figure of it.
        """
        described = Manifest.decode(manifest)
        known = [item.name for item in described.parameters]
        if not names or len(set(names)) != len(names) or not set(names) <= set(known):
            raise BadInput(
                f"expected figures to disclose, each once, of {', '.join(known)}; "
                f"got {', '.join(names) or 'none'}"
            )
        tree = parameter_tree.tree(described)
        figures = (
            DisclosedFigure(i, p.name, p.value, p.unit, p.salt, tuple(tree.inclusion(i)))
            for i, p in enumerate(described.parameters)
            if p.name in names
        )
        digests = sha256(manifest), sm3(manifest), tree.root()
        return cls(described.subject, *digests, tree.size, tuple(figures))

    def check(self) -> None:
        """Return where each figure leads to the parameter root and has the unit of its name.

        Leaves hold no unit: a name has one, by the field dictionary. `ProofInvalid` names the
        figure that does not lead there, `DisclosureForeign` the one with another unit.
        """
        for each in self.figures:
            try:
                root = parameter_tree.disclosed_root(
                    each.salt, each.name, each.value, each.index, self.leaves, each.path
                )
            except ProofInvalid as error:
                raise ProofInvalid(f"{each.name}: {error}") from None
            if root != self.parameters_root:
                raise ProofInvalid(
                    f"{each.name}: expected to lead to the parameter root "
                    f"{self.parameters_root.hex()[:16]}…, got {root.hex()[:16]}…"
                )
            if (unit := field(each.name).unit) != each.unit:
                raise DisclosureForeign(f"{each.name}: expected the unit {unit}, got {each.unit}")

    def check_named_by(self, stated: Statement) -> None:
        """Return where a statement names this root, manifest and subject; `DisclosureForeign`."""
        pairs: dict[str, tuple[object, object]] = {
            "subject": (stated.subject, self.subject),
            "parameter root": (stated.parameters_root.hex(), self.parameters_root.hex()),
            "manifest sha-256": (stated.manifest_sha256.hex(), self.manifest_sha256.hex()),
            "manifest sm3": (stated.manifest_sm3.hex(), self.manifest_sm3.hex()),
        }
        for what, (expected, got) in pairs.items():
            if expected != got:
                raise DisclosureForeign(f"{what}: expected {expected} as stated, got {got}")

    def encode(self) -> bytes:
        """The RFC 8785 bytes."""
        return canonical_json.dumps(
            {
                "type": TYPE,
                "version": VERSION,
                "subject": str(self.subject),
                "manifest_sha256": self.manifest_sha256.hex(),
                "manifest_sm3": self.manifest_sm3.hex(),
                "parameters_root": self.parameters_root.hex(),
                "leaves": self.leaves,
                "figures": [_figure_to_json(each) for each in self.figures],
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Disclosure":
        """Read a disclosure: its form is checked, where its figures lead is not (`check`)."""
        where = "disclosure"
        source = closed.record(canonical_json.loads(data, where), _KEYS, where)
        if source["type"] != TYPE:
            raise EncodingError(f"{where}.type: expected {TYPE!r}, got {source['type']!r}")
        closed.version(source, VERSION, where)
        figures = tuple(map(_figure, closed.items(source, "figures", where, PARAMETERS_MAX)))
        indices = [each.index for each in figures]
        if not figures or any(a >= b for a, b in pairwise(indices)):
            raise EncodingError(f"{where}.figures: expected some, rising by index, got {indices}")
        if len({each.name for each in figures}) != len(figures):
            raise EncodingError(f"{where}.figures: expected each name once")
        digests = {
            key: closed.hexadecimal(source[key], HASH_BYTES, f"{where}.{key}")
            for key in ("manifest_sha256", "manifest_sm3", "parameters_root")
        }
        return cls(
            subject=Subject.parse(closed.text(source, "subject", where)),
            leaves=_leaves(closed.integer(source, "leaves", where, least=1), where),
            figures=figures,
            **digests,
        )


def _leaves(count: int, where: str) -> int:
    """A tree is filled up: of a leaf near its beginning, the path alone fits other counts, too."""
    if count > PARAMETERS_MAX or count % parameter_tree.LEAVES_STEP:
        raise EncodingError(
            f"{where}.leaves: expected a multiple of {parameter_tree.LEAVES_STEP} up to "
            f"{PARAMETERS_MAX}, got {count}"
        )
    return count


def _figure_to_json(figure: DisclosedFigure) -> dict[str, Any]:
    return {
        "index": figure.index,
        "name": figure.name,
        "value": figure.value,
        "unit": figure.unit,
        "salt": figure.salt.hex(),
        "path": [node.hex() for node in figure.path],
    }


def _figure(value: object) -> DisclosedFigure:
    where = "disclosure.figures"
    source = closed.record(value, _FIGURE_KEYS, where)
    return DisclosedFigure(
        closed.integer(source, "index", where),
        identifier(source["name"], f"{where}.name"),
        closed.decimal(source["value"], f"{where}.value"),
        closed.text(source, "unit", where),
        closed.hexadecimal(source["salt"], SALT_BYTES, f"{where}.salt"),
        tuple(
            closed.hexadecimal(node, HASH_BYTES, f"{where}.path")
            for node in closed.items(source, "path", where, PROOF_NODES_MAX)
        ),
    )
