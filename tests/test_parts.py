"""The real parts behind the fixtures are real: each answers for itself."""

import json
import urllib.request

import psycopg
import pytest

from tanzheng.anchor.devchain import Anvil
from tanzheng.ingest.broker import Broker, takes_login


def test_database_is_fresh_and_of_the_server_it_says(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
        offered = connection.execute(
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone()
    assert tables == (0,)
    assert offered == (1 if "timescale" in request.node.name else 0,)


def test_broker_is_mosquitto_and_comes_back_on_its_port(broker: Broker) -> None:
    assert "mosquitto" in broker.kind
    password = broker.gateway_url("gw-1").split(":")[2].split("@")[0]
    broker.stop()
    broker.start()
    assert takes_login(broker.host, broker.port, "gw-1", password)


def test_chain_starts_at_block_zero(anvil: Anvil) -> None:
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    request = urllib.request.Request(
        anvil.url, json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["result"] == "0x0"
