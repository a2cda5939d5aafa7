"""Of whose plants a signer may speak: a city authority of those of its city."""

from dataclasses import dataclass

from tanzheng.core import closed
from tanzheng.core.errors import EncodingError
from tanzheng.core.ids import identifier

ENTERPRISES_MAX = 100_000
STAR = "*"


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """Enterprises by their identifiers, or with a star at the end by how these begin."""

    enterprises: tuple[str, ...]

    def covers(self, enterprise: str) -> bool:
        """Say whether `enterprise` is one of them."""
        return any(
            enterprise.startswith(known.removesuffix(STAR))
            if known.endswith(STAR)
            else enterprise == known
            for known in self.enterprises
        )

    def __str__(self) -> str:
        shown = ", ".join(self.enterprises[:5])
        return shown if len(self.enterprises) <= 5 else f"{shown} …"

    @classmethod
    def read(cls, value: object, where: str) -> "Jurisdiction":
        """Read a list of enterprises, each once; `BadInput` names the wrong one."""
        enterprises = closed.sequence(value, where, ENTERPRISES_MAX)
        for each in enterprises:
            identifier(each.removesuffix(STAR) if isinstance(each, str) else each, where)
        if not enterprises or len(set(enterprises)) != len(enterprises):
            raise EncodingError(
                f"{where}: expected enterprises, each once, got {enterprises!r:.80}"
            )
        return cls(tuple(enterprises))
