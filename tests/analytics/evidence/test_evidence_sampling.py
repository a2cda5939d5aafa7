"""Who is drawn: anybody can draw again, nobody can choose, every month is as likely as another."""

import hashlib
import hmac
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from analytics.evidence.evidence_months import MARCH, RANDOMNESS, digest, led_to, who, written
from tanzheng.analytics.evidence import acts, sampling
from tanzheng.analytics.evidence.entries import randomness
from tanzheng.analytics.evidence.errors import MoveIllegal
from tanzheng.analytics.evidence.journal import Journal, read_journal
from tanzheng.analytics.evidence.states import Role, State
from tanzheng.core.errors import BadInput

POOL = [replace(MARCH, unit=f"G{number}") for number in range(20)]
NATION = who(Role.NATION, 99)


def by_hand(subjects: list[str], public: bytes, count: int) -> list[str]:
    """The draw as the page tells a stranger to do it, with nothing of ours."""
    listed = "".join(f"{subject}\n" for subject in sorted(subjects)).encode()
    key = public + hashlib.sha256(listed).digest()
    return sorted(subjects, key=lambda s: hmac.new(key, s.encode(), hashlib.sha256).digest())[
        :count
    ]


@pytest.fixture
def journal() -> Journal:
    """Nine accepted months of March, one of April, one that waits for the province."""
    found = Journal("journal")
    for subject in POOL[:9]:
        led_to(State.PROVINCE_REVIEWED, subject, found)
    led_to(State.PROVINCE_REVIEWED, replace(MARCH, period="2025-04"), found)
    led_to(State.CITY_REVIEWED, POOL[9], found)
    return found


def test_a_stranger_draws_the_same(journal: Journal) -> None:
    made = acts.sample(journal, "2025-03", RANDOMNESS, 3, NATION)
    expected = by_hand([str(subject) for subject in POOL[:9]], RANDOMNESS, 3)
    assert [str(act.subject) for act in made] == expected
    for act in made:
        journal.add(act)
    assert [str(m.subject) for m in journal.months() if m.state is State.SAMPLED] == sorted(
        expected
    )
    assert read_journal(written(journal), "copy").months() == journal.months()


def test_the_order_of_the_pool_does_not_matter() -> None:
    of = sampling.draw(POOL, "2025-03", RANDOMNESS, 5)
    assert sampling.drawn(POOL[::-1], of) == sampling.drawn(POOL, of)
    assert of == sampling.draw(POOL[::-1], "2025-03", RANDOMNESS, 5)


def test_more_are_the_same_and_some() -> None:
    few, many = (sampling.draw(POOL, "2025-03", RANDOMNESS, count) for count in (4, 9))
    assert sampling.drawn(POOL, many)[:4] == sampling.drawn(POOL, few)


def test_nobody_is_picked_by_hand(journal: Journal) -> None:
    (made,) = acts.sample(journal, "2025-03", RANDOMNESS, 1, NATION)
    other = next(subject for subject in POOL[:9] if subject != made.subject)
    version = journal.month(other).version
    assert version is not None
    picked = replace(made, subject=other, manifest_sha256=version.manifest_sha256)
    with pytest.raises(BadInput, match="a month that was drawn"):
        journal.add(picked)
    assert made.draw is not None
    for wrong in ({"pool_sha256": digest("x")}, {"pool": 8}, {"period": "2025-04"}):
        with pytest.raises(BadInput, match="with digest"):
            journal.add(replace(made, draw=replace(made.draw, **wrong)))
    journal.add(made)


def test_a_draw_that_was_cut_off_is_finished_and_not_made_twice(journal: Journal) -> None:
    made = acts.sample(journal, "2025", RANDOMNESS, 4, NATION)
    for act in made[:2]:
        journal.add(act)
    rest = acts.sample(journal, "2025", RANDOMNESS, 4, NATION)
    assert rest == made[2:]
    for act in rest:
        journal.add(act)
    with pytest.raises(BadInput, match="a new draw"):
        acts.sample(journal, "2025", RANDOMNESS, 4, NATION)


def test_a_later_draw_does_not_hang_on_the_one_before(journal: Journal) -> None:
    again = RANDOMNESS[::-1]
    expected = [act.subject for act in acts.sample(journal, "2025", again, 5, NATION)]
    for act in acts.sample(journal, "2025", RANDOMNESS, 5, NATION):
        journal.add(act)
    assert [act.subject for act in acts.sample(journal, "2025", again, 5, NATION)] == expected


@pytest.mark.parametrize(("share", "count"), [("0.05", 1), ("0.1", 1), ("0.11", 2), ("1", 10)])
def test_a_share_is_rounded_up(journal: Journal, share: str, count: int) -> None:
    assert len(acts.sample(journal, "2025", RANDOMNESS, Decimal(share), NATION)) == count


@pytest.mark.parametrize(
    ("period", "how_many", "words"),
    [
        ("2025", 11, "1 to 10 of the accepted months of 2025, got 11"),
        ("2025", Decimal(0), "share above 0"),
        ("2025", Decimal("1.01"), "share above 0"),
        ("2024", 1, "accepted months of 2024 to draw from, got none"),
        ("2025-3", 1, "period YYYY or YYYY-MM"),
        ("202", 1, "period YYYY or YYYY-MM"),
    ],
)
def test_what_cannot_be_drawn_is_named(
    journal: Journal, period: str, how_many: int | Decimal, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        acts.sample(journal, period, RANDOMNESS, how_many, NATION)


def test_only_the_nation_draws(journal: Journal) -> None:
    with pytest.raises(MoveIllegal, match="got province sample"):
        acts.sample(journal, "2025", RANDOMNESS, 1, who(Role.PROVINCE, 99))


@pytest.mark.parametrize("text", ["", "00" * 15, "0" * 33, "AB" * 16, "00" * 65, "zz" * 16])
def test_randomness_is_16_to_64_bytes_in_hexadecimal(text: str) -> None:
    with pytest.raises(BadInput, match="--randomness"):
        randomness(text, "--randomness")
    assert randomness("ab" * 16, "--randomness") == b"\xab" * 16


def test_every_month_is_as_likely_as_another() -> None:
    """Chi-square over 2,000 draws of 5 from 20; 43.8 is its 0.1 % point at 19 degrees of freedom.

    Draws are without replacement, which makes the sum smaller (by 15/19), never larger.
    """
    counts: Counter[str] = Counter()
    draws, count = 2000, 5
    for number in range(draws):
        of = sampling.draw(POOL, "2025-03", digest(number), count)
        counts.update(str(subject) for subject in sampling.drawn(POOL, of))
    expected = draws * count / len(POOL)
    assert sum((counts[str(s)] - expected) ** 2 / expected for s in POOL) < 43.8
