"""The journal: replay, tampering, heads."""

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.evidence.evidence_months import MARCH, act, led_to, written
from tanzheng.analytics.evidence.entries import GENESIS, Entry, decode
from tanzheng.analytics.evidence.errors import JournalBroken, JournalTorn
from tanzheng.analytics.evidence.journal import Journal, check_head, read_journal
from tanzheng.analytics.evidence.months import MonthEvidence
from tanzheng.analytics.evidence.states import LOCKED, MOVES, Move, Role, State
from tanzheng.core import canonical_json
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject

SUBJECTS = [MARCH, replace(MARCH, unit="G2"), replace(MARCH, period="2025-04")]
STEPS = st.lists(
    st.tuples(st.sampled_from(SUBJECTS), st.sampled_from(Role), st.sampled_from(Move)), max_size=60
)

PLAUSIBLE = sorted({(role, move) for _, role, move in MOVES})
"""What the right roles do: these lives get far."""


@cache
def sampled() -> bytes:
    """A whole life of a month, Chinese words and a draw in it."""
    journal = led_to(State.RETURNED)
    led = [(Role.ENTERPRISE, Move.CORRECT), (Role.CITY, Move.REVIEW), (Role.PROVINCE, Move.REVIEW)]
    for role, move in [*led, (Role.NATION, Move.SAMPLE)]:
        journal.add(replace(act(journal, role, move), actor="王芳", note="核对无误"))
    return written(journal)


def hold(steps: Iterable[tuple[Subject, Role, Move]]) -> None:
    """Try the moves in turn: nothing is ever replaced, and the journal replays to the same."""
    journal = Journal("journal")
    for subject, role, move in steps:
        before = journal.month(subject)
        try:
            journal.add(act(journal, role, move, subject))
        except BadInput:
            assert journal.month(subject) == before
            continue
        after = journal.month(subject)
        assert after.versions[: len(before.versions)] == before.versions
        assert after.entries[:-1] == before.entries
        assert [v.number for v in after.versions] == [*range(1, len(after.versions) + 1)]
        if before.state in LOCKED:
            assert after.versions == before.versions
    again = read_journal(written(journal), "again")
    assert again.entries == journal.entries
    assert again.months() == journal.months()
    assert again.head == journal.head


@settings(max_examples=200)
@given(STEPS)
def test_no_sequence_of_moves_replaces_a_version_and_all_replay(
    steps: list[tuple[Subject, Role, Move]],
) -> None:
    hold(steps)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PLAUSIBLE), min_size=40, max_size=80))
def test_long_lives_replay(steps: list[tuple[Role, Move]]) -> None:
    hold((MARCH, role, move) for role, move in steps)


def test_every_single_byte_counts() -> None:
    raw = sampled()
    for at in range(len(raw)):
        for flip in (0x01, 0x20, 0x80):
            damaged = bytearray(raw)
            damaged[at] ^= flip
            with pytest.raises(JournalBroken, match="journal:"):
                read_journal(bytes(damaged), "journal")


def test_no_byte_is_lost_or_added_unseen() -> None:
    raw = sampled()
    for at in range(len(raw)):
        for damaged in (raw[:at] + raw[at + 1 :], raw[:at] + b" " + raw[at:]):
            with pytest.raises(JournalBroken):
                read_journal(damaged, "journal")


@pytest.mark.parametrize("line", range(1, 6))
def test_the_first_line_that_breaks_is_named(line: int) -> None:
    lines = sampled().splitlines(keepends=True)
    for broken in (lines[: line - 1] + lines[line:], [*lines[:line], *lines[line - 1 :]]):
        wrong = line if len(broken) < len(lines) else line + 1
        with pytest.raises(JournalBroken) as found:
            read_journal(b"".join(broken), "j.jsonl")
        assert str(found.value).startswith(f"j.jsonl:{wrong}: expected seq {wrong} with prev ")
        assert ", got " in str(found.value)


def resealed(raw: bytes, line: int, **change: object) -> bytes:
    """The journal as a forger makes it: a line changed, and all digests from there on made anew."""
    rows = [json.loads(text) for text in raw.splitlines()]
    rows[line - 1] |= change
    prev, lines = GENESIS.hex(), []
    for row in rows:
        content = {k: v for k, v in row.items() if k != "digest"} | {"prev": prev}
        prev = sha256(canonical_json.dumps(content)).hex()
        lines.append(canonical_json.dumps(content | {"digest": prev}) + b"\n")
    return b"".join(lines)


def test_a_line_with_a_digest_made_anew_breaks_the_link_behind_it() -> None:
    lines = sampled().splitlines(keepends=True)
    forged = resealed(sampled(), 2, actor="somebody else").splitlines(keepends=True)
    with pytest.raises(JournalBroken, match=r"journal:3: expected seq 3 with prev (\w{64}), got 3"):
        read_journal(b"".join([lines[0], forged[1], *lines[2:]]), "journal")


def test_a_forged_history_must_still_be_legal() -> None:
    raw = sampled()
    assert resealed(raw, 1) == raw
    for line, change in (
        (3, {"role": "nation"}),
        (3, {"reason": None}),
        (4, {"supersedes": None}),
        (4, {"version": 3}),
        (5, {"version": 1}),
        (7, {"at": "2025-04-01T00:00:00+08:00"}),
    ):
        with pytest.raises(JournalBroken, match=rf"journal:{line}: "):
            read_journal(resealed(raw, line, **change), "journal")


def test_a_forged_history_that_is_legal_is_found_by_the_head_kept_elsewhere() -> None:
    raw = sampled()
    kept = read_journal(raw, "journal").head
    forged = read_journal(resealed(raw, 2, actor="somebody else"), "journal")
    shorter = read_journal(b"".join(raw.splitlines(keepends=True)[:-1]), "journal")
    for journal in (forged, shorter):
        with pytest.raises(JournalBroken, match=f"expected the entry {kept.hex()}"):
            check_head(journal, kept)


def test_a_head_of_before_says_how_much_was_added() -> None:
    journal = read_journal(sampled(), "journal")
    assert check_head(journal, journal.head) == 0
    assert check_head(journal, journal.entries[2].digest) == len(journal.entries) - 3
    assert check_head(journal, GENESIS) == len(journal.entries)


def test_a_torn_line_is_named_with_its_place() -> None:
    raw = sampled()
    for cut in (1, 2, 100):
        with pytest.raises(JournalTorn, match=r"journal:7: expected a whole line, got \d+ bytes"):
            read_journal(raw[:-cut], "journal")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "format: expected 1, got 2"),
        (
            {"role": "mayor"},
            "role: expected one of enterprise, city, province, nation, got 'mayor'",
        ),
        ({"move": 7}, "move: expected one of"),
        ({"deposit": ""}, "deposit: expected one of"),
        ({"actor": " "}, "actor: expected some words"),
        ({"at": "2025-04-10T09:00:00Z"}, "at: expected YYYY"),
        ({"at": "2025-04-10T09:00:00"}, "at: expected YYYY"),
        ({"at": "2025-04-10T09:00:00.5+08:00"}, "at: expected YYYY"),
        ({"subject": "TEST-1/G1/2025-03/year"}, "the kind month, got year"),
        ({"subject": "TEST-1/G1/2025-13/month"}, "month of 1970"),
        ({"version": 0}, "version: expected an integer from 1"),
        ({"more": 1}, "unknown"),
        ({"note": "a\nb"}, "note: expected a line of text"),
        ({"draw": {"period": "2025"}}, "missing"),
    ],
)
def test_what_has_another_shape_is_refused(change: dict[str, object], words: str) -> None:
    (line,) = resealed(written(led_to(State.CHECKED)), 1, **change).splitlines()
    with pytest.raises(BadInput) as found:
        decode(line, "j:1")
    assert "j:1" in str(found.value) or "subject" in change
    assert words in str(found.value)


@given(st.binary(max_size=200))
def test_garbage_is_named(data: bytes) -> None:
    if data:
        with pytest.raises(JournalBroken, match="journal:1: "):
            read_journal(data, "journal")


def test_an_entry_is_checked_before_it_is_written() -> None:
    made = replace(led_to(State.CHECKED).entries[0].act, actor="two\nlines")
    with pytest.raises(BadInput, match="actor"):
        Entry(1, GENESIS, made).encode()


def test_an_unknown_month_is_a_draft() -> None:
    assert Journal("journal").month(MARCH) == MonthEvidence(MARCH)
    assert Journal("journal").head == GENESIS
