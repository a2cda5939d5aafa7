"""From the contract's events to items: which, in which order, each once, whatever happens."""

from __future__ import annotations

import pytest

from anchor.packages import OPERATOR
from feed.world import YEAR, World
from tanzheng.core.attestation import Act, Status
from tanzheng.core.feed import FeedStatus, SignedItem, open_line
from tanzheng.feed.errors import ChainChanged, FeedBusy, OutboxDamaged


def items(lines: list[bytes]) -> list[SignedItem]:
    return [open_line(line) for line in lines]


def told(lines: list[bytes]) -> list[tuple[str, int, str, int]]:
    return [
        (i.item.subject, i.item.figure_version, i.item.status.value, i.item.tonnes)
        for i in items(lines)
    ]


def test_a_confirmed_figure_is_one_item_with_all_its_proofs(world: World) -> None:
    world.confirm("U1", "1234567.40")
    (signed,) = items(world.collect())
    signed.verify(OPERATOR.public)
    item = signed.item
    assert (item.seq, item.prev, item.status) == (1, None, FeedStatus.CONFIRMED)
    assert (item.subject, item.year, item.tonnes) == ("E1/U1", YEAR, 1_234_567)
    assert [act.act for act in item.acts] == [Act.REPORT, Act.REVIEW, Act.VERIFY, Act.CONFIRM]
    parties = world.parties
    for act in item.acts:
        assert act.signature == world.emissions.sign(parties.of(act.act), item.attestation(act))
    assert {f.name: (f.value, f.unit) for f in item.disclosure.figures} == {
        "co2_calculated_t": ("1234567.40", "t"),
        "net_generation_mwh": ("1000", "MWh"),
    }
    assert item.proof is not None
    header, stored = item.proof.stored(item.contract, item.subject, item.year, 1)
    assert (header.hash, stored.figure.status) == (item.event.block_hash, Status.CONFIRMED)
    assert stored.figure.tonnes == 1_234_567
    assert [s.hex() for s in stored.signers] == [
        parties.of(act.act).address[2:].lower() for act in item.acts
    ]


def test_life_of_a_figure_as_items(world: World) -> None:
    world.confirm("U1", "100")
    world.report("U2", "50")
    for act in (Act.DISPUTE, Act.UPHOLD, Act.DISPUTE):
        world.act("U1", act)
    world.act("U2", Act.DISPUTE)  # never confirmed: a registry has not heard of it
    world.confirm("U1", "90")
    world.confirm("U2", "40")
    lines = world.collect()
    assert told(lines) == [
        ("E1/U1", 1, "confirmed", 100),
        ("E1/U1", 1, "disputed", 100),
        ("E1/U1", 1, "confirmed", 100),
        ("E1/U1", 1, "disputed", 100),
        ("E1/U1", 1, "withdrawn", 100),
        ("E1/U1", 2, "corrected", 90),
        ("E1/U2", 2, "confirmed", 40),
    ]
    signed = items(lines)
    assert [each.item.prev for each in signed] == [None, *(each.digest for each in signed[:-1])]
    assert all(each.item.proof is not None for each in signed)


def test_a_second_run_adds_nothing(world: World) -> None:
    world.confirm("U1", "100")
    lines = world.collect()
    assert world.collect() == lines
    world.act("U1", Act.DISPUTE)
    assert world.collect()[:1] == lines
    assert len(world.lines()) == 2


def test_only_final_events_count(world: World) -> None:
    world.confirm("U1", "100")
    assert world.collect(confirmations=3) == []
    world.node.rpc("anvil_mine", "0x2")
    assert world.collect(confirmations=3) == []
    world.node.rpc("anvil_mine", "0x1")
    assert told(world.collect(confirmations=3)) == [("E1/U1", 1, "confirmed", 100)]


def test_a_reorganisation_above_finality_changes_nothing(world: World) -> None:
    world.confirm("U1", "100")
    world.node.rpc("anvil_mine", "0x3")
    box = world.outbox()
    collector = world.collector(box, confirmations=3)
    assert collector.advance() == 1
    world.act("U1", Act.DISPUTE)
    world.node.rpc("anvil_reorg", 1, [])  # the dispute is gone before it was final
    world.node.rpc("anvil_mine", "0x5")
    collector.advance()
    assert told(world.lines()) == [("E1/U1", 1, "confirmed", 100)]


def test_a_reorganisation_below_finality_is_named_and_nothing_is_taken_back(world: World) -> None:
    world.confirm("U1", "100")
    before = world.collect()
    box = world.outbox()
    running = world.collector(box)
    running.advance()
    world.node.rpc("anvil_reorg", 1, [])
    world.node.rpc("anvil_mine", "0x2")
    assert world.state() == {}
    with pytest.raises(ChainChanged, match="E1/U1 2025"):
        running.advance()
    with pytest.raises(ChainChanged):
        world.collect()
    assert world.lines() == before


def test_a_missing_receipt_holds_back_its_own_figure_only(world: World) -> None:
    world.report("U1", "100", on_shelf=False)
    for act in (Act.REVIEW, Act.VERIFY, Act.CONFIRM):
        world.act("U1", act)
    world.confirm("U2", "7")
    box = world.outbox()
    collector = world.collector(box)
    assert collector.advance() == 1
    assert collector.waiting == ["E1/U1 2025"]
    (name,) = {path.stem for path in world.folder.glob("U1-*.cbor")}
    world.put_on_shelf(name)
    assert collector.advance() == 1
    assert collector.waiting == []
    assert [entry[0] for entry in told(world.lines())] == ["E1/U2", "E1/U1"]
    assert len(world.collect()) == 2


def test_a_file_on_the_shelf_that_is_neither_is_named(world: World) -> None:
    (world.folder / "shelf" / "bad.cbor").write_bytes(b"no receipt")
    box = world.outbox()
    collector = world.collector(box)
    collector.advance()
    assert "bad.cbor" in collector.problems


def test_a_half_written_line_is_cut_and_written_again(world: World) -> None:
    world.confirm("U1", "100")
    (line,) = world.collect()
    path = world.folder / "feed" / "items.ndjson"
    path.write_bytes(line[: len(line) // 2])
    assert world.collect() == [line]


def test_an_outbox_that_was_changed_is_not_gone_on_with(world: World) -> None:
    world.confirm("U1", "100")
    world.confirm("U2", "100")
    lines = world.collect()
    path = world.folder / "feed" / "items.ndjson"
    path.write_bytes(b"\n".join([lines[1], lines[0], b""]))
    with pytest.raises(OutboxDamaged):
        world.outbox()


def test_one_collector_at_a_time(world: World) -> None:
    with world.outbox().lock(), pytest.raises(FeedBusy):
        world.collect()


def test_a_wrapper_hides_the_signature_and_the_proof_still_stands(world: World) -> None:
    """An act handed in through another contract: the event is there, the call data is not."""
    world.confirm("U1", "100")
    box = world.outbox()
    collector = world.collector(box)
    collector._source.node.call_data = lambda *_: b""  # type: ignore[method-assign]
    collector.advance()
    (signed,) = items(world.lines())
    assert [act.signature for act in signed.item.acts] == [None] * 4
    assert signed.item.proof is not None
