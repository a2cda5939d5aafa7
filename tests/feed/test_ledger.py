"""The books: each item once, whatever order and damage; the sum is what the contract says."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from anchor.packages import OPERATOR
from feed.story import SUM, Story, checker
from feed.world import YEAR
from tanzheng.core import receipt
from tanzheng.core.evm import decode_header
from tanzheng.core.keys import SigningKey
from tanzheng.feed.errors import FeedInput
from tanzheng.feed.ledger import Ledger, Outcome
from tanzheng.feed.posting import Account


def settled(books: Ledger) -> None:
    """All seven items are in the books once."""
    assert books.balances() == SUM
    assert books.balances(Account.DISPUTED) == {}
    assert books.balances(Account.PENDING) == {key: -tonnes for key, tonnes in SUM.items()}
    assert books.counts()["item"] == 7
    assert books.counts()["entry"] == 14
    assert books.counts()["held"] == 0
    books.audit()


def test_in_order(story: Story, books: Ledger) -> None:
    seen = []
    for line in story.lines:
        assert books.take(line) is Outcome.BOOKED
        seen.append((books.balances(), books.balances(Account.DISPUTED)))
    first, second = ("E1/U1", YEAR), ("E1/U2", YEAR)
    assert seen == [
        ({first: 100}, {}),
        ({}, {first: 100}),
        ({first: 100}, {}),
        ({first: 100, second: 40}, {}),
        ({second: 40}, {first: 100}),
        ({second: 40}, {}),
        ({first: 90, second: 40}, {}),
    ]
    assert books.problems() == []


def test_statuses_of_the_story(story: Story) -> None:
    assert [story.item(seq).status.value for seq in range(1, len(story.lines) + 1)] == [
        *("confirmed", "disputed", "confirmed", "confirmed", "disputed", "withdrawn", "corrected")
    ]


@pytest.mark.parametrize("seed", range(12))
def test_any_order_any_number_of_times(story: Story, books: Ledger, seed: int) -> None:
    rng = random.Random(seed)
    deliveries = [line for line in story.lines for _ in range(rng.randint(1, 3))]
    rng.shuffle(deliveries)
    for line in deliveries:
        assert books.take(line) is not Outcome.REFUSED
    settled(books)
    assert books.problems() == []
    assert {books.take(line) for line in story.lines} == {Outcome.REPEATED}


def test_a_gap_is_held_back(story: Story, books: Ledger) -> None:
    assert books.take(story.lines[0]) is Outcome.BOOKED
    for line in story.lines[2:]:
        assert books.take(line) is Outcome.HELD
    assert (books.seq, books.balances()) == (1, {("E1/U1", YEAR): 100})
    assert books.take(story.lines[1]) is Outcome.BOOKED
    settled(books)


@pytest.mark.parametrize("seed", range(6))
def test_forged_lines_among_good_ones(story: Story, books: Ledger, seed: int) -> None:
    rng = random.Random(seed)
    forged = []
    for line in story.lines:
        flipped = bytearray(line)
        flipped[rng.randrange(len(line))] ^= 1 << rng.randrange(7)
        forged.append(bytes(flipped))
    deliveries = [*forged, *story.lines]
    rng.shuffle(deliveries)
    outcomes = {line: books.take(line) for line in deliveries}
    assert {outcomes[line] for line in forged} == {Outcome.REFUSED}
    settled(books)
    assert books.counts()["refused"] == len(forged)
    assert books.problems() == [] or books.problems()[0].seq is None


def test_a_forged_line_is_a_problem_until_the_true_one_is_there(
    story: Story, books: Ledger
) -> None:
    books.take(story.lines[0].replace(b'"tonnes":100', b'"tonnes":101'))
    books.take(story.lines[0].replace(b'"tonnes":100', b'"tonnes":101'))
    (problem,) = books.problems()
    assert (problem.seq, problem.count) == (None, 2)
    books.take(story.lines[0])
    assert books.problems() == []
    assert books.counts()["refused"] == 1


def test_another_key_is_not_the_operator(story: Story, books: Ledger) -> None:
    thief = SigningKey.from_seed(b"thief".ljust(32, b"."))
    assert books.take(story.item(1).sign(thief).line) is Outcome.REFUSED
    assert "trusted" in books.problems()[0].reason


def test_two_items_of_one_sequence_stay_a_problem(story: Story, books: Ledger) -> None:
    """The operator signs two histories: the second is kept as evidence, the books stand."""
    for line in story.lines:
        books.take(line)
    other = replace(story.item(3), signed_ms=story.item(3).signed_ms + 1).sign(OPERATOR)
    assert books.take(other.line) is Outcome.REFUSED
    assert "two of this sequence" in books.problems()[0].reason
    settled(books)


def test_a_history_that_does_not_follow(story: Story, books: Ledger) -> None:
    books.take(story.lines[0])
    other = replace(story.item(2), prev=bytes(32)).sign(OPERATOR)
    assert books.take(other.line) is Outcome.REFUSED
    assert "digest of item 1" in books.problems()[0].reason
    assert books.seq == 1


# ------------------------------------------------------------------ quarantine


def test_a_quarantine_stops_its_own_figure_and_is_tried_again(story: Story, tmp_path: Path) -> None:
    """The observer has not seen the block of U1's receipt yet; later it has."""
    block = receipt.decode(story.item(1).receipt).evm.header
    seen = tuple(b for b in story.trust.blocks if b.hash != decode_header(block).hash)
    path = tmp_path / "ledger.sqlite"
    books = Ledger(path, checker(replace(story.trust, blocks=seen), story.authority))
    outcomes = [books.take(line) for line in story.lines]
    assert outcomes.count(Outcome.BOOKED) == 1
    assert books.balances() == {("E1/U2", YEAR): 40}
    assert len(books.problems()) == 6
    assert "follows on item 1" in books.problems()[1].reason
    assert books.retry() == 0
    books.close()
    books = Ledger(path, story.checker)
    assert books.retry() == 6
    settled(books)
    assert books.problems() == []
    books.close()


def test_without_signatures_the_contract_s_storage_stands_for_them(
    story: Story, tmp_path: Path
) -> None:
    item = story.item(1)
    bare = replace(
        item, acts=tuple(replace(act, deadline=None, signature=None) for act in item.acts)
    )
    books = Ledger(tmp_path / "a.sqlite", story.checker)
    assert books.take(bare.sign(OPERATOR).line) is Outcome.BOOKED
    books.close()
    unseen = tuple(b for b in story.trust.blocks if b.hash != item.event.block_hash)
    other = checker(replace(story.trust, blocks=unseen), story.authority)
    books = Ledger(tmp_path / "b.sqlite", other)
    assert books.take(bare.sign(OPERATOR).line) is Outcome.QUARANTINED
    books.close()


def test_books_of_another_feed_are_refused(story: Story, books: Ledger, tmp_path: Path) -> None:
    other = checker(story.trust, {**story.authority, "contract": "0x" + "11" * 20})
    with pytest.raises(FeedInput, match="books of contract"):
        Ledger(tmp_path / "ledger.sqlite", other)
    elsewhere = Ledger(tmp_path / "other.sqlite", other)
    assert elsewhere.take(story.lines[0]) is Outcome.REFUSED
    elsewhere.close()


def test_the_audit_sees_changed_books(story: Story, books: Ledger, tmp_path: Path) -> None:
    for line in story.lines:
        books.take(line)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("UPDATE entry SET tonnes = 41 WHERE tonnes = 40")
    db.close()
    with pytest.raises(Exception, match="expected the entries"):
        books.audit()


# ------------------------------------------------------------------ killed


def killed_at(step: int, path: Path, story: Story) -> bool:
    """Take in all lines in a process that is killed before its `step`-th SQL statement."""
    if (child := os.fork()) == 0:
        left = step

        def count(_: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            books = Ledger(path, story.checker)
            books._db.set_trace_callback(count)
            for line in reversed(story.lines[1:]):
                books.take(line)
            books.take(story.lines[0])
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_killed_before_every_statement(story: Story, tmp_path: Path) -> None:
    """The same books go on after each kill: none booked twice, none lost."""
    path = tmp_path / "ledger.sqlite"
    kills = step = 0
    while True:
        step += 1
        if not killed_at(step, path, story):
            break
        kills += 1
        books = Ledger(path, story.checker)
        books.audit()
        books.close()
        if kills % 9 == 0:
            path.unlink()
            for left in tmp_path.glob("ledger.sqlite-*"):
                left.unlink()
    assert kills > 60
    books = Ledger(path, story.checker)
    settled(books)
    books.close()
