"""The observer against a real chain, and against a node that lies."""

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from anchor.chain import LOG_ID, Deployed, deployed
from evidence import GATEWAY, OPERATOR
from tanzheng.anchor.devchain import Anvil
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import Algorithm, SigningKey
from tanzheng.core.trust import Trust
from tanzheng.verifier.errors import NodeFault, NodeLied
from tanzheng.verifier.observer import (
    Anchors,
    Node,
    Observer,
    read_anchors,
    read_signers,
    read_witnesses,
    run,
)
from verifier.month import PLANT, PLANT_RAW


@pytest.fixture
def chain(anvil: Anvil) -> Deployed:
    return deployed(anvil)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "plant.toml").write_bytes(PLANT_RAW)
    (tmp_path / "gateway.pem").write_bytes(GATEWAY.public.to_pem())
    (tmp_path / "operator.pem").write_bytes(OPERATOR.public.to_pem())
    return tmp_path


def anchors(chain: Deployed, keys: Path, log_id: bytes = LOG_ID) -> Anchors:
    return read_anchors(
        chain.contract.address,
        log_id.hex(),
        keys / "plant.toml",
        [keys / "gateway.pem"],
        [keys / "operator.pem"],
    )


def head(seq: int) -> bytes:
    return bytes([seq]) * 32


def test_every_advance_is_recorded_with_its_real_hash(chain: Deployed, keys: Path) -> None:
    observer = Observer(Node(chain.anvil.url), anchors(chain, keys), confirmations=0)
    assert observer.advance()  # the deployment
    mined = [chain.publish(seq, seq, head(seq)) for seq in (1, 2, 3)]
    chain.mine(5)
    assert observer.advance()
    assert not observer.advance()
    trust = Trust.decode(observer.trust().encode())
    assert trust.chain_id == chain.anvil.chain_id
    assert [block.number for block in trust.blocks][-3:] == [
        record.block_number for record in mined
    ]
    for block in trust.blocks:
        assert chain.node.block(block.number)["hash"] == f"0x{block.hash.hex()}"
    assert trust.gateway("gw1") == GATEWAY.public
    trust.plant(PLANT.enterprise, PLANT.sha256)


def test_a_block_counts_after_its_confirmations(chain: Deployed, keys: Path) -> None:
    chain.mine(3)
    observer = Observer(Node(chain.anvil.url), anchors(chain, keys), confirmations=2)
    assert observer.advance()
    chain.publish(1, 1, head(1))
    assert not observer.advance()
    chain.mine(2)
    assert observer.advance()


def test_a_contract_of_another_log(chain: Deployed, keys: Path) -> None:
    observer = Observer(Node(chain.anvil.url), anchors(chain, keys, bytes(32)), confirmations=0)
    with pytest.raises(BadInput, match="log-id"):
        observer.advance()


def test_no_node(keys: Path, chain: Deployed) -> None:
    wanted = anchors(chain, keys)
    with pytest.raises(NodeFault):
        run(
            "http://127.0.0.1:9", wanted, keys / "TRUST.json", confirmations=0, once=True, say=print
        )
    with pytest.raises(BadInput, match="http"):
        Node("file:///etc/passwd")


@contextmanager
def between(url: str, change: Callable[[str, Any], Any]) -> Iterator[str]:
    """A node that asks the one at `url` and changes its answers: change(method, result)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = urllib.request.Request(url, body, {"content-type": "application/json"})
            with urllib.request.urlopen(request) as answer:
                reply = json.load(answer)
            reply["result"] = change(json.loads(body)["method"], reply.get("result"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(reply).encode())

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def altered(method: str, **fields: object) -> Callable[[str, Any], Any]:
    return lambda called, result: {**result, **fields} if called == method else result


def logs(**fields: object) -> Callable[[str, Any], Any]:
    return lambda called, result: (
        [{**log, **fields} for log in result] if called == "eth_getLogs" else result
    )


LIES: dict[str, Callable[[str, Any], Any]] = {
    "another time": altered("eth_getBlockByNumber", timestamp="0x1"),
    "another state": altered("eth_getBlockByNumber", stateRoot="0x" + "11" * 32),
    "no state": altered("eth_getBlockByNumber", stateRoot=None),
    "a field of a fork not known": altered("eth_getBlockByNumber", requestsHash="0x"),
    "another number": logs(blockNumber="0x0"),
    "another hash": logs(blockHash="0x" + "22" * 32),
    "no hash": logs(blockHash=None),
    "a word for a number": logs(blockNumber="latest"),
    "text for logs": lambda called, result: "0x" if called == "eth_getLogs" else result,
    "text for a block": lambda called, result: "0x" if "ByNumber" in called else result,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_node_that_lies_is_named(chain: Deployed, keys: Path, lie: str) -> None:
    with between(chain.anvil.url, LIES[lie]) as url:
        observer = Observer(Node(url), anchors(chain, keys), confirmations=0)
        with pytest.raises(NodeLied):
            observer.advance()
        assert not observer.trust().blocks


def test_bad_arguments(chain: Deployed, keys: Path) -> None:
    address, plant = chain.contract.address, keys / "plant.toml"
    gateway, operator = [keys / "gateway.pem"], [keys / "operator.pem"]
    with pytest.raises(BadInput, match="--contract"):
        read_anchors("0x12", LOG_ID.hex(), plant, gateway, operator)
    with pytest.raises(BadInput, match="--log-id"):
        read_anchors(address, "zz", plant, gateway, operator)
    with pytest.raises(BadInput, match="gw1"):
        read_anchors(address, LOG_ID.hex(), plant, gateway * 2, operator)
    with pytest.raises(BadInput, match="PEM"):
        read_anchors(address, LOG_ID.hex(), plant, [plant], operator)


def test_the_command_follows_until_it_is_stopped(chain: Deployed, keys: Path) -> None:
    out = keys / "TRUST.json"
    arguments = ["--rpc", chain.anvil.url, "--contract", chain.contract.address]
    arguments += ["--log-id", LOG_ID.hex(), "--plant", str(keys / "plant.toml")]
    arguments += ["--gateway-key", str(keys / "gateway.pem")]
    arguments += ["--operator-key", str(keys / "operator.pem"), "--out", str(out)]
    main = "from tanzheng.cli.main import main; main()"
    command = [sys.executable, "-c", main, "trust", "observe", *arguments]
    with subprocess.Popen(command) as process:
        try:
            wait_for(out.exists)
            mined = chain.publish(1, 1, head(1))
            wait_for(lambda: Trust.decode(out.read_bytes()).blocks[-1].number == mined.block_number)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not list(keys.glob(".*partial"))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_witnesses_are_kept_in_the_trust_file(keys: Path) -> None:
    """A file written at every advance must not forget whom it asks for."""
    paths = []
    for name in ("institute", "academy"):
        paths.append(keys / f"{name}.pub.pem")
        key = SigningKey.from_seed(name.encode().ljust(32, b"."))
        paths[-1].write_bytes(key.public.to_pem())
    policy = read_witnesses(paths, 1)
    assert policy is not None
    assert [each.name for each in policy.witnesses] == ["institute", "academy"]
    gateway, operator = [keys / "gateway.pem"], [keys / "operator.pem"]
    contract, plant = f"0x{'12' * 20}", keys / "plant.toml"
    known = read_anchors(contract, LOG_ID.hex(), plant, gateway, operator, policy)
    assert Observer(Node("http://127.0.0.1:9"), known, 0).trust().witnesses == policy
    assert (policy.threshold, read_witnesses([], None)) == (1, None)
    assert read_witnesses(paths, None) == replace(policy, threshold=2)
    for threshold in (0, 3):
        with pytest.raises(BadInput, match="--witnesses"):
            read_witnesses(paths, threshold)


def test_signers_are_kept_in_the_trust_file(keys: Path) -> None:
    path = keys / "city-bureau.pub.pem"
    path.write_bytes(SigningKey.generate(Algorithm.ES256).public.to_pem())
    signers = read_signers([f"city={path}"])
    assert [(each.name, each.role) for each in signers] == [("city-bureau", "city")]
    gateway, operator = [keys / "gateway.pem"], [keys / "operator.pem"]
    contract, plant = f"0x{'12' * 20}", keys / "plant.toml"
    known = read_anchors(contract, LOG_ID.hex(), plant, gateway, operator, signers=signers)
    assert Observer(Node("http://127.0.0.1:9"), known, 0).trust().signers == signers
    [bound] = read_signers([f"city:E1,9137*={path}"])
    assert (bound.role, bound.key, str(bound.jurisdiction)) == ("city", signers[0].key, "E1, 9137*")
    for given in (f"city:={path}", f"city:E1,E1={path}", f"city:*={path}"):
        with pytest.raises(BadInput, match="--signer city:"):
            read_signers([given])
    for given in (f"operator={path}", f"mayor={path}", "city", "city="):
        with pytest.raises(BadInput, match="--signer: expected city"):
            read_signers([given])
