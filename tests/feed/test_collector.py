"""From the contract's events to items: which, in which order, each once, whatever happens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from anchor.packages import OPERATOR
from feed.world import SIGNED_MS, YEAR, World
from tanzheng.core import receipt
from tanzheng.core.attestation import Act, Status
from tanzheng.core.feed import FeedStatus, SignedItem, open_line
from tanzheng.core.ids import Subject
from tanzheng.core.statements.common import Quantity, Reference
from tanzheng.core.statements.confirmed import ConfirmedEmissions, UnitEmissions
from tanzheng.feed.collector import Collector, Source
from tanzheng.feed.errors import (
    ChainChanged,
    FeedBusy,
    FeedInput,
    NodeUnavailable,
    OutboxDamaged,
)
from tanzheng.feed.outbox import Outbox
from tanzheng.feed.rpc import Finality, Node
from tanzheng.feed.shelf import Shelf


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
    output = (Quantity("net_generation_mwh", "1000", "MWh"),)
    assert item.units == (UnitEmissions("U1", 1_234_567, output),)
    stated = receipt.decode(item.receipt).statement
    assert stated.digest == item.confirmation.document
    assert stated.of(ConfirmedEmissions).units == item.units
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


def test_the_node_may_say_what_is_final(world: World) -> None:
    world.confirm("U1", "100")
    source = replace(world.source(), finality=Finality.parse("finalized"))
    box = world.outbox()
    collector = Collector(source, box, Shelf(world.folder / "shelf"), OPERATOR, lambda: SIGNED_MS)
    final = source.node.newest_final(source.finality)
    event = world.emissions.attested()[-1]
    assert collector.advance() == int(final >= event.block_number)
    world.node.rpc("anvil_mine", hex(event.block_number + 80))
    collector.advance()
    assert told(world.lines()) == [("E1/U1", 1, "confirmed", 100)]
    for wrong in ("latest", "-1", "1e3", ""):
        with pytest.raises(FeedInput, match="finality"):
            Finality.parse(wrong)


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
    world.report("U1", "100")
    world.state_confirmed("U1", on_shelf=False)
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


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"emissions_t": 99, "units": (UnitEmissions("U1", 99, ()),)}, "tonnes: expected 99"),
        (
            {"basis": (Reference(Subject("E1", "U1", "2025", "annual-report"), bytes(32)),)},
            "expected one that rests on",
        ),
    ],
)
def test_a_statement_that_says_something_else_is_never_given_out(
    world: World, changes: dict[str, Any], expected: str
) -> None:
    world.report("U1", "100")
    world.state_confirmed("U1", **changes)
    world.is_stated = lambda figure: True  # type: ignore[method-assign]
    for act in (Act.REVIEW, Act.VERIFY, Act.CONFIRM):
        world.act("U1", act)
    box = world.outbox()
    collector = world.collector(box)
    assert collector.advance() == 0
    [waiting] = collector.waiting
    assert waiting.startswith("E1/U1 2025: ")
    assert expected in waiting


def test_a_file_on_the_shelf_that_is_no_such_receipt_is_named(world: World) -> None:
    world.report("U1", "100")
    (world.folder / "shelf" / "bad.cbor").write_bytes(b"no receipt")
    world.put_on_shelf("year-U1")
    box = world.outbox()
    collector = world.collector(box)
    collector.advance()
    assert "expected tanzheng.confirmed_emissions" in collector.problems["year-U1.cbor"]
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


# ------------------------------------------------------------------ a node that answers oddly


class OddNode:
    """Answers every call with `result`, or with `body` as it is."""

    def __init__(self) -> None:
        self.body, self.results = b"", dict[str, object]()
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known = {"jsonrpc": "2.0", "id": 1, "result": odd.results.get(asked["method"])}
                body = odd.body or json.dumps(known).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: int | str = 0, size: int | str = 0) -> None:
                """Not on the test's screen."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()


@pytest.fixture
def odd_node() -> Iterator[OddNode]:
    made = OddNode()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.mark.parametrize(
    "body",
    [
        *(b" ", b"x", b"[]", b"5", b"{}", b'{"error":{"code":1}}', b'{"result":null}'),
        *(b'{"result":5}', b'{"result":"0xzz"}', b'{"result":[]}', b'{"result":{}}'),
        *(b'{"result":"0x5"}', b'{"result":[5]}', b"\xff\xfe"),
    ],
)
def test_any_answer_of_a_node_is_an_error_with_a_name(
    odd_node: OddNode, tmp_path: Path, body: bytes
) -> None:
    odd_node.body = body
    node = Node(f"http://127.0.0.1:{odd_node.server.server_address[1]}")
    for finality in (Finality(0), Finality(0, "finalized")):
        source = Source(node, bytes(20), 31337, 0, finality)
        collector = Collector(
            source, Outbox(tmp_path), Shelf(tmp_path), OPERATOR, lambda: SIGNED_MS
        )
        if body == b'{"result":null}' and finality.tag:
            assert collector.advance() == 0  # nothing is final yet
            continue
        with pytest.raises(NodeUnavailable):
            collector.advance()
    node.close()


@pytest.mark.parametrize(
    "logs", [5, [5], [{}], [{"topics": [], "data": "0x"}], [{"topics": ["0x00"] * 4, "data": 7}]]
)
def test_odd_logs_are_an_error_with_a_name(odd_node: OddNode, world: World, logs: object) -> None:
    block = world.node.rpc("eth_getBlockByNumber", "0x0", False)
    odd_node.results = {
        "eth_blockNumber": "0x0", "eth_getBlockByNumber": block, "eth_getLogs": logs
    }  # fmt: skip
    node = Node(f"http://127.0.0.1:{odd_node.server.server_address[1]}")
    source = Source(node, bytes(20), 31337, 0, Finality(0))
    collector = Collector(source, world.outbox(), Shelf(world.folder), OPERATOR, lambda: SIGNED_MS)
    with pytest.raises(NodeUnavailable):
        collector.advance()
    node.close()
