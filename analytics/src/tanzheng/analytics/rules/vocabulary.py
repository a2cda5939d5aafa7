"""The words of the rule language beyond arithmetic: what each takes and what it gives.

| word | meaning |
|---|---|
| `abs(x)`, `min(a, b…)`, `max(a, b…)` | as in arithmetic |
| `is_known(x)` | true where x has a value; the only word that never answers "not known" |
| `rounded(x, n)` | x with n decimals, half away from zero |
| `last_digit(x, n)` | the digit at decimal n of x, taken half away from zero |
| `rank(t, "a", "b"…)` | place of the text t in the list, from 1; not known outside it |
| `days(a, b)` | days from date a to date b |
| `previous(x)`, `earlier(x, n)` | x of the same unit (or point) one, n months before |
| `same_month_last_year(x)` | x twelve months before |
| `mean_before(x, n)` | mean of the known among the n months before; needs half of them |
| `spread_last(x, n)` | largest less smallest of this and the n - 1 months before, all known |
| `count_last(c, n)` | in how many of this and the n - 1 months before the condition c held |
| `units_sharing(t)`, `months_sharing(t)` | units, months of the whole table with this text |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "truth", "text", "date"]
Group = Literal["basic", "table", "series"]

MONTHS_MAX = 24
DECIMALS_MAX = 9
COUNT_MAX = {
    "rounded": DECIMALS_MAX,
    "last_digit": DECIMALS_MAX,
    "earlier": MONTHS_MAX,
    "mean_before": MONTHS_MAX,
    "spread_last": MONTHS_MAX,
    "count_last": MONTHS_MAX,
}


@dataclass(frozen=True, slots=True)
class Type:
    """What an expression gives; `unit` None: stated nowhere, so it agrees with every unit."""

    kind: Kind
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A function: kinds of its arguments ("any" of them, a "count" is a literal), its result.

    `more` arguments of the last kind may follow; `same` hands the first argument's type on.
    """

    takes: tuple[str, ...]
    gives: Type
    group: Group
    more: bool = False
    same: bool = False


NUMBER, TRUTH = Type("number"), Type("truth")

WORDS: Mapping[str, Word] = {
    "abs": Word(("number",), NUMBER, "basic", same=True),
    "min": Word(("number", "number"), NUMBER, "basic", more=True, same=True),
    "max": Word(("number", "number"), NUMBER, "basic", more=True, same=True),
    "is_known": Word(("any",), TRUTH, "table"),
    "rounded": Word(("number", "count"), NUMBER, "table", same=True),
    "last_digit": Word(("number", "count"), Type("number", "digit"), "table"),
    "rank": Word(("text", "literal", "literal"), Type("number", "rank"), "table", more=True),
    "days": Word(("date", "date"), Type("number", "d"), "table"),
    "units_sharing": Word(("text",), Type("number", "1"), "table"),
    "months_sharing": Word(("text",), Type("number", "1"), "table"),
    "previous": Word(("any",), NUMBER, "series", same=True),
    "earlier": Word(("any", "count"), NUMBER, "series", same=True),
    "same_month_last_year": Word(("any",), NUMBER, "series", same=True),
    "mean_before": Word(("number", "count"), NUMBER, "series", same=True),
    "spread_last": Word(("number", "count"), NUMBER, "series", same=True),
    "count_last": Word(("truth", "count"), Type("number", "1"), "series"),
}
MONTHS_BACK: Mapping[str, int] = {"previous": 1, "same_month_last_year": 12}
"""Words that are `earlier` with a fixed number of months."""
