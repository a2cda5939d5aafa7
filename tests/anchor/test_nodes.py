"""Several nodes of one chain: one may be dead, none may tell something else about what is final."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anchor.packages import OPERATOR, package, written
from anchor.rpc_proxy import Answer, Change, Proxy, proxied
from tanzheng.anchor import service
from tanzheng.anchor.contract import CheckpointLog
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.errors import AnchorInput, ChainUnavailable, NodesDisagree, NotFinal
from tanzheng.anchor.node import Node
from tanzheng.anchor.nodes import Nodes
from tanzheng.anchor.publication import Finality, State
from tanzheng.anchor.publisher_file import NAME
from tanzheng.anchor.service import AnchorFolder

if TYPE_CHECKING:
    from tanzheng.anchor.sealing import Sealed

NOBODY = "http://127.0.0.1:1"
OTHER_HASH = "0x" + "ab" * 32


class Bench:
    """A log whose publisher asks several nodes."""

    def __init__(self, anvil: Anvil, folder: Path) -> None:
        self.folder = folder / "log"
        self.out = folder / "receipt.cbor"
        self.key = folder / "operator.pem"
        self.key.write_bytes(OPERATOR.to_pem())
        self.bag = written(package(), folder / "bag")
        self.chain = service.deploy_development_log(anvil.url, self.folder)

    def seal(self, *nodes: str) -> Sealed:
        (self.folder / NAME).write_text(f"nodes = {json.dumps(nodes)}\n")
        self.opened = AnchorFolder(self.folder, request_s_max=1.0)
        return self.opened.seal(self.bag, self.key, self.out, None, lambda _: None)

    def published(self, anvil: Anvil) -> int:
        contract = f"0x{self.chain.contract.hex()}"
        return CheckpointLog(Node(anvil.url), contract).latest().seq


@pytest.fixture
def bench(anvil: Anvil, tmp_path: Path) -> Bench:
    return Bench(anvil, tmp_path)


def changed(method: str, value: Any) -> Change:
    """Answers to `method` that say `value`."""
    return lambda asked, _, answer: {**answer, "result": value} if asked == method else answer


def test_two_that_agree(anvil: Anvil, bench: Bench) -> None:
    with proxied(anvil.url) as other:
        sealed = bench.seal(anvil.url, other.url)
        assert sealed.publication.state is State.FINAL
        assert {"eth_chainId", "eth_getBlockByNumber", "eth_call"} <= set(other.asked)
        assert "eth_sendRawTransaction" not in other.asked


@pytest.mark.parametrize("dead_first", [True, False])
def test_one_dead_node_is_tolerated_and_named(anvil: Anvil, bench: Bench, dead_first: bool) -> None:
    nodes = (NOBODY, anvil.url) if dead_first else (anvil.url, NOBODY)
    assert bench.seal(*nodes).publication.state is State.FINAL
    states = bench.opened.node_states()
    assert (states[anvil.url], "ConnectionError" in states[NOBODY]) == ("", True)


def test_two_dead_nodes_are_too_many(anvil: Anvil, bench: Bench) -> None:
    with pytest.raises(ChainUnavailable):
        bench.seal(anvil.url, NOBODY, "http://127.0.0.1:2")
    assert bench.published(anvil) == 0


def test_the_only_one_is_dead(bench: Bench) -> None:
    with pytest.raises(ChainUnavailable):
        Nodes([NOBODY]).survey(bench.chain.chain_id, Finality(0))


def test_another_chain_id(anvil: Anvil, bench: Bench) -> None:
    with (
        proxied(anvil.url, changed("eth_chainId", "0x1")) as other,
        pytest.raises(NodesDisagree, match="one chain id, got 31337 from") as caught,
    ):
        bench.seal(anvil.url, other.url)
    assert caught.value.exit_code == 3
    assert bench.published(anvil) == 0


def test_all_of_another_chain(anvil: Anvil, bench: Bench) -> None:
    with (
        proxied(anvil.url, changed("eth_chainId", "0x1")) as other,
        pytest.raises(AnchorInput, match="expected chain 31337"),
    ):
        bench.seal(other.url, other.url)


def rehashed(number: int) -> Change:
    """Block `number` has another hash there."""

    def change(method: str, parameters: list[Any], answer: Answer) -> Answer:
        block = answer.get("result")
        if method == "eth_getBlockByNumber" and block and int(block["number"], 16) == number:
            return {**answer, "result": {**block, "hash": OTHER_HASH}}
        return answer

    return change


def test_another_hash_of_a_final_block(anvil: Anvil, bench: Bench) -> None:
    """The deployment's block: nothing is published."""
    with (
        proxied(anvil.url, rehashed(1)) as other,
        pytest.raises(NodesDisagree, match="final block 1: expected one hash"),
    ):
        bench.seal(anvil.url, other.url)
    assert bench.published(anvil) == 0


def test_another_hash_of_the_publication_s_block(anvil: Anvil, bench: Bench) -> None:
    """Published, and not called final, and no receipt."""
    with (
        proxied(anvil.url, rehashed(2)) as other,
        pytest.raises(NodesDisagree, match="final block 2 with hash"),
    ):
        bench.seal(anvil.url, other.url)
    assert bench.opened.backlog().checkpoints == ((1, "mined"),)
    assert not bench.out.exists()


def test_another_head_in_the_same_block(anvil: Anvil, bench: Bench) -> None:
    def change(method: str, parameters: list[Any], answer: Answer) -> Answer:
        result = answer.get("result")
        if method == "eth_call" and isinstance(result, str) and len(result) == 66:
            return {**answer, "result": OTHER_HASH}
        return answer

    sealed = bench.seal(anvil.url)
    assert sealed.publication.state is State.FINAL
    record = bench.folder / "publications/000001.json"
    record.write_text(record.read_text().replace('"final"', '"mined"'))
    with (
        proxied(anvil.url, change) as other,
        pytest.raises(NodesDisagree, match=f"on the chain, got {'ab' * 32}"),
    ):
        bench.seal(anvil.url, other.url)


def test_a_head_that_only_the_other_has(tmp_path: Path) -> None:
    """Two real chains of one past: somebody sealed on the second one."""
    state = ["--state", str(tmp_path / "state.json")]
    with Anvil(options=state) as anvil:
        bench = Bench(anvil, tmp_path)
        copy = shutil.copytree(bench.folder, tmp_path / "copy")
    load = ["--load-state", str(tmp_path / "state.json")]
    with Anvil(options=load) as first, Anvil(options=load) as second:
        AnchorFolder(copy, second.url).seal(
            written(package("2018-06"), tmp_path / "june"), bench.key, bench.out, None, print
        )
        with pytest.raises(NodesDisagree, match="expected nothing on the chain, as"):
            bench.seal(first.url, second.url)
        assert (bench.published(first), bench.published(second)) == (0, 1)


def test_the_other_is_behind(anvil: Anvil, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not have the block yet: nothing is called final, and nobody is accused."""
    monkeypatch.setattr(service, "FINAL_S_MAX", 0.5)

    def change(method: str, parameters: list[Any], answer: Answer) -> Answer:
        block = answer.get("result")
        if method == "eth_getBlockByNumber" and block and int(block["number"], 16) > 1:
            asked = parameters[0]
            return {**answer, "result": _block_1(anvil) if asked == "latest" else None}
        return answer

    with proxied(anvil.url, change) as other, pytest.raises(NotFinal, match="got mined"):
        bench.seal(anvil.url, other.url)
    assert bench.seal(anvil.url).publication.state is State.FINAL


def _block_1(anvil: Anvil) -> Any:
    return Node(anvil.url).rpc("eth_getBlockByNumber", "0x1", False)


def test_the_leading_node_dies_on_the_way(anvil: Anvil, bench: Bench) -> None:
    """The same command goes on with the next one."""

    def change(method: str, parameters: list[Any], answer: Answer) -> Answer:
        if method == "eth_sendRawTransaction":
            raise ConnectionAbortedError
        return answer

    with proxied(anvil.url, change) as first:
        leading: Proxy = first
        with pytest.raises(ChainUnavailable):
            bench.seal(leading.url, anvil.url)
    assert bench.published(anvil) == 1  # it was handed on before the node died
    assert bench.seal(first.url, anvil.url).publication.state is State.FINAL
    states = bench.opened.node_states()
    assert (states[anvil.url], "ConnectionError" in states[first.url]) == ("", True)


KEYED = "https://someone:hunter2@node.example/v3/0123456789abcdef?key=f00"


def test_a_provider_s_key_is_in_no_message() -> None:
    nodes = Nodes([KEYED, KEYED + "1", "http://127.0.0.1:8545"], timeout_s=0.2)
    assert list(nodes.states()) == [
        "https://node.example/… (1)",
        "https://node.example/… (2)",
        "http://127.0.0.1:8545",
    ]
    with pytest.raises(ChainUnavailable) as caught:
        nodes.survey(1, Finality(0))
    told = f"{caught.value} {nodes.states()}"
    assert not any(part in told for part in ("hunter2", "0123456789abcdef", "f00"))
