"""What is wrong with a book: every cell at once, where it stands, in English and Chinese."""

from collections.abc import Sequence
from dataclasses import dataclass

from tanzheng.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Flaw:
    """One place that must be mended; `where` names file, sheet and cell."""

    where: str
    en: str
    zh: str

    def __str__(self) -> str:
        return f"{self.where}: {self.en} · {self.zh}"

    def to_json(self) -> dict[str, str]:
        """The flaw as a map of text."""
        return {"where": self.where, "en": self.en, "zh": self.zh}


class CellWrong(BadInput):
    """A cell that does not hold what its column asks for; the reader adds where it stands."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"{en} · {zh}")
        self.en = en
        self.zh = zh


class BookInvalid(BadInput):
    """A book with flaws: nothing of it is imported."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        self.flaws = tuple(flaws)
        places = "1 place" if len(flaws) == 1 else f"{len(flaws)} places"
        head = f"nothing is imported: {places} must be mended · 未导入：{len(flaws)} 处须更正"
        super().__init__("\n".join([head, *(f"  {flaw}" for flaw in flaws)]))

    def diagnostics(self) -> str:
        return (
            "Mend the cells and import again; nothing is repaired in silence. "
            "更正后重新导入；系统不会代为修改任何数据。"
        )


class PlanInvalid(BadInput):
    """A filed monitoring plan (DQCP) that cannot be followed: its message names the field."""


class RecordInvalid(BadInput):
    """A record of the month's folder that has the wrong form: its message names the field."""


class AttachmentWrong(BadInput):
    """An attachment that is missing, not listed, or no longer the file that was listed."""
