"""A batch's place in its chain: in order, early, twice, forked. The pure part of exactly once."""

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.boxes import Box, enrolled, message
from tanzheng.core.batch import ChainHead, SignedBatch
from tanzheng.core.keys import SigningKey
from tanzheng.core.wire import unpack
from tanzheng.ingest import chain as module
from tanzheng.ingest.chain import Accept, Chain, Duplicate, Early, Link, decide, joined
from tanzheng.ingest.decide import Checked, Reason, Refused, examine

KEY = SigningKey.from_seed(bytes([7]) * 32)


def checked(signed: SignedBatch) -> Checked:
    found = examine(message(signed), enrolled(Box(key=KEY)))
    assert isinstance(found, Checked)
    return found


def after(signed: SignedBatch, *early: SignedBatch) -> Chain:
    """The chain whose head is `signed`, with `early` batches ahead of it."""
    chain = Chain(signed.head)
    for item in (signed, *early):
        link = Link(item.digest, item.batch.prev)
        chain.links[item.batch.epoch, item.batch.seq] = link
    return chain


def reason(chain: Chain, signed: SignedBatch) -> Reason:
    verdict = decide(chain, checked(signed))
    assert isinstance(verdict, Refused)
    return verdict.reason


def test_the_next_is_accepted_and_one_further_on_is_early() -> None:
    first, second, third = Box(key=KEY).chain(3, slots=1)
    assert isinstance(decide(Chain(), checked(first)), Accept)
    assert isinstance(decide(after(first), checked(second)), Accept)
    assert isinstance(decide(after(first), checked(third)), Early)
    assert isinstance(decide(after(first, third), checked(third)), Duplicate)
    assert isinstance(decide(after(first, third), checked(second)), Accept)


def test_nothing_is_early_before_the_first_batch_or_in_an_epoch_not_opened() -> None:
    box = Box(key=KEY)
    first, second = box.chain(2, slots=1)
    assert reason(Chain(), second) is Reason.SKIPPED
    opened = box.next(slots=1, epoch=2, seq=1)
    assert reason(after(second), box.next(slots=1)) is Reason.SKIPPED
    assert isinstance(decide(after(second), checked(opened)), Accept)
    assert reason(after(first), opened) is Reason.CHAIN


@pytest.mark.parametrize(
    ("limit", "value"), [("EARLY_AHEAD_MAX", 1), ("EARLY_BATCHES_MAX", 1), ("EARLY_BYTES_MAX", 700)]
)
def test_how_far_ahead_and_how_many_is_bounded(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, third, fourth = Box(key=KEY).chain(4, slots=1)
    chain = after(first)
    early = decide(chain, checked(third))
    assert isinstance(early, Early)
    monkeypatch.setattr(module, limit, value)
    chain.take(early)
    verdict = decide(chain, checked(fourth))
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.SKIPPED
    assert f"at most {value}" in verdict.detail


def test_neighbours_that_do_not_fit_are_a_fork() -> None:
    box = Box(key=KEY)
    first, second, third, fourth = box.chain(4, slots=1)
    other = Box(key=KEY, seq=1, prev=first.digest, t_ms=1)  # a second history after `first`
    other_second, other_third = other.chain(2, slots=1)
    assert reason(after(first, third), other_second) is Reason.FORK
    assert reason(after(first, fourth), other_third) is Reason.FORK
    assert reason(after(second), other_second) is Reason.FORK
    assert reason(after(first, other_third), fourth) is Reason.FORK
    assert reason(after(first, third), other_third) is Reason.FORK


def test_a_new_epoch_leaves_the_early_ones_of_the_old_behind() -> None:
    box = Box(key=KEY)
    first, _, third = box.chain(3, slots=1)
    opened = Box(key=KEY, seq=0, epoch=2, prev=first.digest).next(slots=1)
    chain = after(first, third)
    verdict = decide(chain, checked(opened))
    assert isinstance(verdict, Accept)
    chain.take(verdict)
    assert chain.closed == [first.head]
    assert chain.head == opened.head
    late = decide(chain, checked(box.signed[1]))
    assert isinstance(late, Refused)
    assert late.reason is Reason.CLOSED


def test_joining_stops_at_a_hole_and_at_a_link_that_does_not_fit() -> None:
    items = Box(key=KEY).chain(5, slots=1)
    links = [(item.batch.seq, Link(item.digest, item.batch.prev)) for item in items]
    assert joined(items[0].head, links[1:]) == (items[4].head, None)
    assert joined(items[0].head, links[2:]) == (items[0].head, None)
    assert joined(items[0].head, [links[1], *links[3:]]) == (items[1].head, None)
    wrong = (3, Link(items[2].digest, bytes(32)))
    misfit = ChainHead(1, 3, items[2].digest)
    assert joined(items[0].head, [links[1], wrong]) == (items[1].head, misfit)


class Platform:
    """What a database holds; each group of batches is one transaction, done whole or not at all."""

    def __init__(self) -> None:
        self.stored: dict[tuple[int, int], Link] = {}
        self.raw: list[bytes] = []
        self.refused: list[Reason] = []
        self.head: ChainHead | None = None
        self.suspended = False

    def put(self, group: Iterable[SignedBatch], killed: bool) -> None:
        items = [checked(signed) for signed in group]
        chain = self._chain(items)
        taken: list[Accept | Early] = []
        refused: list[Reason] = []
        for item in items:
            verdict = decide(chain, item)
            if isinstance(verdict, Accept | Early):
                chain.take(verdict)
                taken.append(verdict)
            elif isinstance(verdict, Refused):
                refused.append(verdict.reason)
                chain.suspended |= verdict.reason is Reason.FORK
        if killed:
            return
        for each in taken:
            batch = each.checked.batch
            self.stored[batch.epoch, batch.seq] = Link(each.checked.digest, batch.prev)
            self.raw.append(unpack(each.checked.message.payload))
        self.refused += refused
        self.suspended = chain.suspended
        if chain.head is not None:
            following = sorted(
                (seq, link)
                for (epoch, seq), link in self.stored.items()
                if epoch == chain.head.epoch and seq > chain.head.seq
            )
            self.head, misfit = joined(chain.head, following)
            assert misfit is None

    def _chain(self, items: list[Checked]) -> Chain:
        near = {(item.batch.epoch, item.batch.seq + step) for item in items for step in (-1, 0, 1)}
        early = sum(place > (self.head.epoch, self.head.seq) for place in self.stored) \
            if self.head else 0  # fmt: skip
        links = {place: link for place, link in self.stored.items() if place in near}
        return Chain(self.head, self.suspended, links, early)


class GatewayAndPlatform(RuleBasedStateMachine):
    """Batches arrive in any order, lost, twice, forged by a copied key, in groups that may die."""

    def __init__(self) -> None:
        super().__init__()
        self.box, self.thief = Box(key=KEY), Box(key=KEY, t_ms=5)
        self.platform = Platform()
        self.acked = 0
        self.stolen = False

    @rule(count=st.integers(1, 6))
    def seal(self, count: int) -> None:
        self.box.chain(count, slots=1)
        if len(self.thief.signed) == 0 and len(self.box.signed) > 2:
            self.thief.seq, self.thief.prev = 2, self.box.signed[1].digest
            self.thief.chain(4, slots=1)

    @precondition(lambda self: self.box.signed)
    @rule(data=st.data(), killed=st.booleans())
    def arrive(self, data: st.DataObject, killed: bool) -> None:
        group = data.draw(st.lists(st.sampled_from(self.box.signed), max_size=6))
        self.platform.put(group, killed)

    @precondition(lambda self: self.thief.signed)
    @rule(data=st.data())
    def arrive_forged(self, data: st.DataObject) -> None:
        self.stolen = True
        self.platform.put([data.draw(st.sampled_from(self.thief.signed))], killed=False)

    @precondition(lambda self: not self.stolen)
    @rule()
    def drain(self) -> None:
        """Everything above the ack, newest first, then the backlog: all of it arrives."""
        above = self.box.signed[self.acked :]
        self.platform.put(above[-1:] + above, killed=False)
        head = self.platform.head
        assert (head.seq if head else 0) == len(self.box.signed)
        assert len(self.platform.raw) == len(self.box.signed)

    @invariant()
    def every_batch_is_stored_once(self) -> None:
        assert len(set(self.platform.raw)) == len(self.platform.raw) == len(self.platform.stored)

    @invariant()
    def the_head_is_gapless_and_never_goes_back(self) -> None:
        head = self.platform.head
        seq = head.seq if head else 0
        assert seq >= self.acked
        self.acked = seq
        prev = bytes(32)
        for each in range(1, seq + 1):
            link = self.platform.stored[1, each]
            assert link.prev == prev
            prev = link.digest
        assert head is None or head.digest == prev

    @invariant()
    def no_two_histories_side_by_side(self) -> None:
        for (epoch, seq), link in self.platform.stored.items():
            before = self.platform.stored.get((epoch, seq - 1))
            assert before is None or link.prev == before.digest

    @invariant()
    def only_a_thief_gets_a_gateway_suspended(self) -> None:
        assert not self.platform.suspended or self.stolen
        assert not {Reason.FORK, Reason.CHAIN} & set(self.platform.refused) or self.stolen


TestGatewayAndPlatform = GatewayAndPlatform.TestCase
TestGatewayAndPlatform.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
