"""Offers on the three kinds of chain, stuck transactions, and transactions from outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.chain import Deployed, deployed
from anchor.rpc_proxy import Answer, proxied
from tanzheng.anchor.calls import next_nonce, send
from tanzheng.anchor.contract import CheckpointLog
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.errors import FeeAboveLimit, NotFinal
from tanzheng.anchor.fees import Fee, FeePolicy, Market, offer, replacement
from tanzheng.anchor.node import Node
from tanzheng.anchor.publication import Finality, Publication, Publisher, State

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE, TWO = b"\x01" * 32, b"\x02" * 32
AT_ONCE = Finality(confirmations=0)
IMPATIENT = FeePolicy(bump_after_s=0.2)
GWEI = 10**9

prices = st.integers(0, 10**15)
markets = st.builds(Market, st.none() | prices, prices)
limits = st.builds(FeePolicy, st.none() | prices, st.none() | prices)


# ------------------------------------------------------------------ pure


def test_offer_by_the_base_fee() -> None:
    market = Market(base_fee_wei=10 * GWEI, gas_price_wei=12 * GWEI)
    assert offer(market, FeePolicy()) == Fee(22 * GWEI, 2 * GWEI)
    assert offer(market, FeePolicy(priority_fee_wei=GWEI)) == Fee(21 * GWEI, GWEI)


def test_offer_without_base_fee() -> None:
    fee = offer(Market(None, 5 * GWEI), FeePolicy())
    assert fee == Fee(5 * GWEI, None)
    assert fee.fields() == {"gasPrice": 5 * GWEI}


def test_nothing_is_charged() -> None:
    fee = offer(Market(0, 0), FeePolicy())
    assert fee.fields() == {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0}
    assert replacement(fee, Market(0, 0), FeePolicy()) == fee


def test_the_limit_may_take_the_headroom_not_the_next_block() -> None:
    market = Market(10 * GWEI, 12 * GWEI)
    assert offer(market, FeePolicy(fee_wei_max=12 * GWEI)) == Fee(12 * GWEI, 2 * GWEI)
    with pytest.raises(FeeAboveLimit, match=f"at most {12 * GWEI - 1} "):
        offer(market, FeePolicy(fee_wei_max=12 * GWEI - 1))


@given(markets, limits)
def test_an_offer_keeps_to_the_limit_and_pays_the_next_block(
    market: Market, policy: FeePolicy
) -> None:
    try:
        fee = offer(market, policy)
    except FeeAboveLimit:
        return
    assert policy.fee_wei_max is None or fee.wei <= policy.fee_wei_max
    assert fee.wei >= (market.base_fee_wei or 0) + (fee.priority_wei or 0)


@given(markets, markets, st.integers(0, 10**15))
def test_a_replacement_is_taken_by_every_node(before: Market, now: Market, priority: int) -> None:
    """A tenth more of both, as geth, Besu, Nethermind and Erigon ask for."""
    if (before.base_fee_wei is None) != (now.base_fee_wei is None):
        return
    policy = FeePolicy(priority_fee_wei=priority)
    old = offer(before, policy)
    new = replacement(old, now, policy)
    assert 10 * new.wei >= 11 * old.wei
    if old.priority_wei is not None:
        assert new.priority_wei is not None
        assert 10 * new.priority_wei >= 11 * old.priority_wei


# ------------------------------------------------------------------ on chains


@pytest.fixture
def special(request: pytest.FixtureRequest) -> Iterator[Deployed]:
    with Anvil(options=request.param) as anvil:
        yield deployed(anvil)


FREE = ["--base-fee", "0", "--gas-price", "0"]


@pytest.mark.parametrize("special", [[], FREE], indirect=True)
def test_chains_with_a_base_fee(special: Deployed, tmp_path: Path) -> None:
    record = Publisher(special.contract, special.sealer, AT_ONCE, tmp_path).publish(1, 5, ONE, 5)
    assert kind(special, record) == 2
    assert special.contract.head_at(1) == ONE


def kind(chain: Deployed, record: Publication) -> int:
    sent: Any = chain.rpc("eth_getTransactionByHash", "0x" + record.transaction)
    return int(sent["type"], 16)


def test_a_chain_without_base_fee(chain: Deployed, tmp_path: Path) -> None:
    """Its blocks have no such field. (anvil's chains without one cannot run the contract.)"""

    def change(method: str, _: list[Any], answer: Answer) -> Answer:
        if method == "eth_getBlockByNumber" and answer.get("result"):
            answer["result"].pop("baseFeePerGas")
        return answer

    with proxied(chain.anvil.url, change) as old:
        contract = CheckpointLog(Node(old.url), chain.contract.address)
        record = Publisher(contract, chain.sealer, AT_ONCE, tmp_path).publish(1, 5, ONE, 5)
    assert (kind(chain, record), record.priority_fee_wei) == (0, None)
    assert chain.contract.head_at(1) == ONE


@pytest.mark.parametrize("special", [FREE], indirect=True)
def test_a_free_chain_needs_no_money(special: Deployed, tmp_path: Path) -> None:
    """Besu asks for nothing there; anvil suggests a tip all the same."""
    special.rpc("anvil_setBalance", special.sealer.address, "0x0")
    record = publisher(special, tmp_path, FeePolicy(priority_fee_wei=0)).publish(1, 5, ONE, 5)
    assert (record.fee_wei, record.priority_fee_wei) == (0, 0)


def publisher(chain: Deployed, folder: Path, policy: FeePolicy) -> Publisher:
    return Publisher(chain.contract, chain.sealer, AT_ONCE, folder, fees=policy)


def stuck(chain: Deployed, folder: Path) -> Publication:
    """A publication that was sent, and is in no block."""
    chain.rpc("evm_setAutomine", False)
    record = None
    while record is None or record.state is not State.SENT:
        with pytest.raises(NotFinal):
            publisher(chain, folder, FeePolicy()).publish(1, 5, ONE, 0.1)
        record = Publication.read(folder, 1)
    return record


def test_a_stuck_transaction_is_outbid(chain: Deployed, tmp_path: Path) -> None:
    first = stuck(chain, tmp_path)
    second: Publication | None = first
    while second is None or second.transaction == first.transaction:
        with pytest.raises(NotFinal):
            publisher(chain, tmp_path, IMPATIENT).publish(1, 5, ONE, 0.5)
        second = Publication.read(tmp_path, 1)
    assert first.fee_wei is not None
    assert second.fee_wei is not None
    assert (second.nonce, second.fee_wei > first.fee_wei) == (first.nonce, True)
    assert not chain.rpc("eth_getTransactionByHash", "0x" + first.transaction)
    chain.mine(1)
    final = publisher(chain, tmp_path, FeePolicy()).publish(1, 5, ONE, 5)
    mined: Any = chain.rpc("eth_getTransactionByHash", "0x" + final.transaction)
    assert int(mined["nonce"], 16) == first.nonce  # whichever bid was the last to be sent
    assert final.transaction != first.transaction
    assert next_nonce(chain.node, chain.sealer.address) == 2  # the deployment and this one


def test_the_first_is_mined_while_it_is_outbid(chain: Deployed, tmp_path: Path) -> None:
    """The replacement is on disk, the chain took what it replaces."""
    first = stuck(chain, tmp_path)
    made = publisher(chain, tmp_path, FeePolicy())
    made._fees = replace(IMPATIENT, bump_after_s=0)
    second = made._keep(made._outbid(first) or first)
    assert (second.state, second.replaces) == (State.PREPARED, first.transaction)
    chain.mine(1)
    final = publisher(chain, tmp_path, FeePolicy()).publish(1, 5, ONE, 5)
    assert (final.state, final.transaction) == (State.FINAL, first.transaction)
    assert next_nonce(chain.node, chain.sealer.address) == 2


def test_a_replacement_that_is_refused_leaves_the_first(chain: Deployed, tmp_path: Path) -> None:
    first = stuck(chain, tmp_path)
    assert first.nonce is not None
    assert first.fee_wei is not None
    made = publisher(chain, tmp_path, FeePolicy())
    lower = Fee(first.fee_wei - 1, first.priority_fee_wei)
    refused = replace(made._signed(1, 5, ONE, lower, first.nonce), replaces=first.transaction)
    made._keep(refused)
    chain.rpc("evm_setAutomine", True)
    chain.mine(1)
    assert made.publish(1, 5, ONE, 5).transaction == first.transaction


def test_no_more_than_the_limit(chain: Deployed, tmp_path: Path) -> None:
    first = stuck(chain, tmp_path)
    policy = FeePolicy(fee_wei_max=first.fee_wei, bump_after_s=0.1)
    with pytest.raises(FeeAboveLimit):
        publisher(chain, tmp_path, policy).publish(1, 5, ONE, 2)
    chain.mine(1)
    assert publisher(chain, tmp_path, policy).publish(1, 5, ONE, 5).state is State.FINAL


def outside(chain: Deployed, nonce: int, fee_wei: int) -> None:
    """The same account sends money from another program."""
    signed = chain.sealer.sign_transaction(
        {
            "to": chain.owner.address,
            "value": 1,
            "gas": 21_000,
            "nonce": nonce,
            "chainId": chain.anvil.chain_id,
            "maxPriorityFeePerGas": fee_wei,
            "maxFeePerGas": fee_wei,
        }
    )
    send(chain.node, bytes(signed.raw_transaction))


def test_a_transaction_from_outside_waits_before_ours(chain: Deployed, tmp_path: Path) -> None:
    chain.rpc("evm_setAutomine", False)
    outside(chain, nonce=1, fee_wei=5 * GWEI)
    record = stuck(chain, tmp_path)
    assert record.nonce == 2
    chain.mine(1)
    assert publisher(chain, tmp_path, FeePolicy()).publish(1, 5, ONE, 5).state is State.FINAL


def test_a_transaction_from_outside_takes_our_nonce(chain: Deployed, tmp_path: Path) -> None:
    record = stuck(chain, tmp_path)
    assert (record.nonce, record.fee_wei is not None) == (1, True)
    outside(chain, nonce=1, fee_wei=10 * (record.fee_wei or 0))
    chain.mine(1)
    assert chain.contract.head_at(1) is None
    chain.rpc("evm_setAutomine", True)
    final = publisher(chain, tmp_path, FeePolicy()).publish(1, 5, ONE, 5)
    assert (final.state, final.nonce) == (State.FINAL, 2)
