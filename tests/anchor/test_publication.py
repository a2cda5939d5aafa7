"""A publication on a real chain: states, resend, second publisher, reorganisation, silence."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from anchor.chain import Deployed, funded
from tanzheng.anchor.calls import send
from tanzheng.anchor.errors import (
    AnchorInput,
    ChainUnavailable,
    ContractReverted,
    NotFinal,
    SequenceTaken,
)
from tanzheng.anchor.publication import MOVES, Finality, Publication, Publisher, State

ONE, TWO = b"\x01" * 32, b"\x02" * 32
AT_ONCE = Finality(confirmations=0)


def publisher(
    chain: Deployed, folder: Path, finality: Finality = AT_ONCE
) -> tuple[Publisher, list[State]]:
    states: list[State] = []
    made = Publisher(
        chain.contract, chain.sealer, finality, folder, lambda record: states.append(record.state)
    )
    return made, states


def test_goes_through_all_states(chain: Deployed, tmp_path: Path) -> None:
    made, states = publisher(chain, tmp_path)
    record = made.publish(1, 5, ONE, timeout_s=5)
    assert states == [State.PREPARED, State.SENT, State.MINED, State.FINAL]
    assert chain.contract.head_at(1) == ONE
    number, block_hash = record.mined
    assert chain.node.block_hash(number) == block_hash
    assert Publication.read(tmp_path, 1) == record


def test_final_is_not_published_again(chain: Deployed, tmp_path: Path) -> None:
    made, states = publisher(chain, tmp_path)
    record = made.publish(1, 5, ONE, timeout_s=5)
    states.clear()
    assert made.publish(1, 5, ONE, timeout_s=5) == record
    assert states == []


def test_other_head_for_a_record_under_way(chain: Deployed, tmp_path: Path) -> None:
    made, _ = publisher(chain, tmp_path)
    made.publish(1, 5, ONE, timeout_s=5)
    with pytest.raises(AnchorInput, match="another one"):
        made.publish(1, 5, TWO, timeout_s=5)


@pytest.mark.parametrize("stop_at", [State.PREPARED, State.SENT, State.MINED])
def test_killed_after_any_state(chain: Deployed, tmp_path: Path, stop_at: State) -> None:
    class Killed(Exception): ...

    def kill(record: Publication) -> None:
        if record.state is stop_at:
            raise Killed

    killed = Publisher(chain.contract, chain.sealer, AT_ONCE, tmp_path, kill)
    with pytest.raises(Killed):
        killed.publish(1, 5, ONE, timeout_s=5)
    made, _ = publisher(chain, tmp_path)
    assert made.publish(1, 5, ONE, timeout_s=5).state is State.FINAL
    assert chain.node.web3.eth.get_transaction_count(chain.sealer.address) == 2  # with deployment


def test_killed_between_sending_and_writing(chain: Deployed, tmp_path: Path) -> None:
    """The transaction is mined, the record on disk still says prepared: a resend."""
    made, _ = publisher(chain, tmp_path)
    record = made.publish(1, 5, ONE, timeout_s=5)
    made._keep(replace(record, state=State.PREPARED, block_number=None, block_hash=None))
    again = made.publish(1, 5, ONE, timeout_s=5)
    assert (again.state, again.transaction) == (State.FINAL, record.transaction)


def test_record_lost_after_publication(chain: Deployed, tmp_path: Path) -> None:
    made, _ = publisher(chain, tmp_path / "a")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    record = made.publish(1, 5, ONE, timeout_s=5)
    again, states = publisher(chain, tmp_path / "b")
    assert again.publish(1, 5, ONE, timeout_s=5).transaction == record.transaction
    assert states == [State.SENT, State.MINED, State.FINAL]


def test_second_log_on_one_contract(chain: Deployed, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    publisher(chain, tmp_path / "a")[0].publish(1, 5, ONE, timeout_s=5)
    with pytest.raises(SequenceTaken, match="got " + ONE.hex()):
        publisher(chain, tmp_path / "b")[0].publish(1, 5, TWO, timeout_s=5)


def test_second_publish_reverts_by_name(chain: Deployed) -> None:
    chain.publish(1, 5, ONE)
    with pytest.raises(ContractReverted) as caught:
        chain.contract.sign_publish(chain.sealer, 1, 6, TWO)
    assert caught.value.name == "CheckpointLogUnexpectedSeq"
    assert caught.value.arguments == (2, 1)


def test_size_that_does_not_grow(chain: Deployed, tmp_path: Path) -> None:
    made, _ = publisher(chain, tmp_path)
    made.publish(1, 5, ONE, timeout_s=5)
    with pytest.raises(ContractReverted, match=r"CheckpointLogSizeNotGrown\(5, 5\)"):
        made.publish(2, 5, TWO, timeout_s=5)


def test_stranger_is_named(chain: Deployed) -> None:
    stranger = funded(chain.node, 9)
    with pytest.raises(ContractReverted) as caught:
        chain.contract.sign_publish(stranger, 1, 5, ONE)
    assert caught.value.name == "CheckpointLogUnauthorizedSealer"
    assert str(caught.value.arguments[0]).lower() == stranger.address.lower()


def test_rotated_sealer_goes_on(chain: Deployed, tmp_path: Path) -> None:
    publisher(chain, tmp_path)[0].publish(1, 5, ONE, timeout_s=5)
    successor = funded(chain.node, 3)
    send(chain.node, chain.contract.rotate_sealer(chain.owner, successor.address).raw)
    with pytest.raises(ContractReverted, match="UnauthorizedSealer"):
        publisher(chain, tmp_path)[0].publish(2, 6, TWO, timeout_s=5)
    made = Publisher(chain.contract, successor, AT_ONCE, tmp_path)
    assert made.publish(2, 6, TWO, timeout_s=5).state is State.FINAL


# ------------------------------------------------------------------ finality and its faults


def test_waits_for_confirmations(chain: Deployed, tmp_path: Path) -> None:
    made, states = publisher(chain, tmp_path, Finality(confirmations=3))
    with pytest.raises(NotFinal, match="got mined"):
        made.publish(1, 5, ONE, timeout_s=0.3)
    chain.mine(3)
    assert made.publish(1, 5, ONE, timeout_s=5).state is State.FINAL
    assert states == [State.PREPARED, State.SENT, State.MINED, State.FINAL]


def test_waits_for_the_finalized_tag(chain: Deployed, tmp_path: Path) -> None:
    """anvil's `finalized` lags by two epochs of 32 blocks."""
    made, _ = publisher(chain, tmp_path, Finality(confirmations=0, tag="finalized"))
    with pytest.raises(NotFinal):
        made.publish(1, 5, ONE, timeout_s=0.3)
    chain.mine(70)
    assert made.publish(1, 5, ONE, timeout_s=5).state is State.FINAL


def test_reorganisation_before_finality(chain: Deployed, tmp_path: Path) -> None:
    made, states = publisher(chain, tmp_path, Finality(confirmations=2))
    with pytest.raises(NotFinal):
        made.publish(1, 5, ONE, timeout_s=0.3)
    lost = Publication.read(tmp_path, 1)
    assert lost is not None
    chain.rpc("anvil_reorg", 1, [])
    assert chain.contract.head_at(1) is None
    with pytest.raises(NotFinal):  # in the new chain it is mined, not yet final
        made.publish(1, 5, ONE, timeout_s=0.5)
    chain.mine(2)
    record = made.publish(1, 5, ONE, timeout_s=5)
    assert record.mined != lost.mined
    assert chain.contract.head_at(1) == ONE
    assert states.count(State.SENT) == 3  # first, back from mined, sent again
    assert states[-2:] == [State.MINED, State.FINAL]


def test_chain_rolled_back_before_finality(chain: Deployed, tmp_path: Path) -> None:
    snapshot = chain.rpc("evm_snapshot")
    made, _ = publisher(chain, tmp_path, Finality(confirmations=2))
    with pytest.raises(NotFinal):
        made.publish(1, 5, ONE, timeout_s=0.3)
    chain.rpc("evm_revert", snapshot)
    with pytest.raises(NotFinal):
        made.publish(1, 5, ONE, timeout_s=0.5)
    chain.mine(2)
    assert made.publish(1, 5, ONE, timeout_s=5).state is State.FINAL


def test_frozen_node_is_an_error_not_a_hang(chain: Deployed, tmp_path: Path) -> None:
    made, _ = publisher(chain, tmp_path)
    chain.anvil.pause()
    started = time.monotonic()
    with pytest.raises(ChainUnavailable, match="within 2 s"):
        made.publish(1, 5, ONE, timeout_s=5)
    assert time.monotonic() - started < 2 * chain.node.timeout_s + 1
    chain.anvil.resume()
    assert made.publish(1, 5, ONE, timeout_s=5).state is State.FINAL


def test_node_gone(chain: Deployed, tmp_path: Path) -> None:
    made, _ = publisher(chain, tmp_path)
    chain.anvil.stop()
    with pytest.raises(ChainUnavailable):
        made.publish(1, 5, ONE, timeout_s=5)


def test_every_move_of_the_table_is_reachable() -> None:
    assert set(MOVES) == set(State)
    assert all(set(after) <= set(State) for after in MOVES.values())
