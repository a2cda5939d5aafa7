"""Statements that others signed, taken into a log on a real chain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from anchor.packages import OPERATOR, observed, package, written
from core.statements.samples import KEYS, MIGRATION, POLICY, REVIEW, SAMPLES, signers
from tanzheng.anchor.chain_file import ChainFile
from tanzheng.anchor.commands import app
from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.node import Node
from tanzheng.core.errors import SignatureInvalid
from tanzheng.core.points import Verdict
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statements.common import LogName
from tanzheng.core.statements.policy import Accepted, NotAllowed, RegistrationPolicy
from tanzheng.core.statements.roles import Role

if TYPE_CHECKING:
    from tanzheng.anchor.devchain import Anvil
    from tanzheng.core.keys import SigningKey
    from tanzheng.core.statements.envelope import Envelope


def run(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    if result.exception is not None:
        raise result.exception
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.fixture
def log(anvil: Anvil, tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    run("deploy", "--dev", "--rpc", anvil.url, "--dir", folder)
    (tmp_path / "operator.pem").write_bytes(OPERATOR.to_pem())
    return folder


def register(
    log: Path, stated: Envelope, key: SigningKey, named: SigningKey | None = None
) -> dict[str, Any]:
    """Hand a statement in; `named`: whose public key goes with it, the signer's by default."""
    desk = log.parent
    (desk / "signed.cose").write_bytes(stated.sign(key).raw)
    (desk / "signer.pub.pem").write_bytes((named or key).public.to_pem())
    return run(
        *("register", "--dir", log, "--statement", desk / "signed.cose"),
        *("--signer-key", desk / "signer.pub.pem", "--operator-key", desk / "operator.pem"),
        *("--out", desk / "receipt.cbor"),
    )


def seal(log: Path, period: str = "2018-07") -> dict[str, Any]:
    desk = log.parent
    bag = written(package(period), desk / period)
    return run(
        *("seal", "--dir", log, "--package", bag, "--out", desk / "month.cbor"),
        *("--operator-key", desk / "operator.pem"),
    )


def verdicts(log: Path, anvil: Anvil) -> set[str]:
    found = decode((log.parent / "receipt.cbor").read_bytes())
    trust = replace(observed(Node(anvil.url), ChainFile.read(log)), signers=signers())
    return {point.key for point in check_receipt(found, trust) if point.verdict is Verdict.FAILED}


def here(log: Path) -> LogName:
    chain = ChainFile.read(log)
    return LogName(chain.chain_id, chain.contract, chain.log_id)


def first(name: str) -> Envelope:
    return replace(SAMPLES[name], seq=1, prev=None)


@pytest.mark.parametrize(
    "name",
    ["annual report", "review, province", "verification", "re-check", "key revoked"],
)
def test_registered_beside_a_month(log: Path, anvil: Anvil, name: str) -> None:
    seal(log)
    stated = first(name)
    told = register(
        log, stated, OPERATOR if stated.signer is Role.OPERATOR else KEYS[stated.signer]
    )
    assert (told["subject"], told["log_size"]) == (str(stated.subject), 2)
    assert verdicts(log, anvil) == set()


def test_registered_twice_is_there_once(log: Path, anvil: Anvil) -> None:
    city = KEYS[Role.CITY]
    told = register(log, REVIEW, city)
    again = register(log, REVIEW, city)
    assert (told["leaf_index"], again["leaf_index"], again["log_size"]) == (0, 0, 1)
    second = replace(REVIEW, seq=2, prev=REVIEW.sign(city).digest)
    assert register(log, second, city)["log_size"] == 2
    with pytest.raises(AnchorInput, match="expected statement 3"):
        register(log, REVIEW, city)


def test_of_another_key_than_named(log: Path) -> None:
    with pytest.raises(SignatureInvalid):
        register(log, REVIEW, KEYS[Role.CITY], named=KEYS[Role.PROVINCE])
    assert run("status", "--dir", log)["leaves"] == 0


def test_out_of_sequence(log: Path) -> None:
    with pytest.raises(AnchorInput, match="expected statement 1"):
        register(log, SAMPLES["key revoked"], KEYS[Role.CITY])


def test_what_speaks_of_a_log_speaks_of_this_one(log: Path) -> None:
    with pytest.raises(AnchorInput, match="expected a statement of"):
        register(log, POLICY, OPERATOR)
    assert register(log, replace(POLICY, log=here(log)), OPERATOR)["log_size"] == 1


def test_a_migration_comes_first(log: Path, anvil: Anvil) -> None:
    stated = replace(MIGRATION, new=here(log))
    assert register(log, stated, OPERATOR)["leaf_index"] == 0
    assert verdicts(log, anvil) == set()


def test_a_migration_into_a_log_that_has_begun(log: Path) -> None:
    seal(log)
    with pytest.raises(AnchorInput, match="expected it first in its log"):
        register(log, replace(MIGRATION, new=here(log)), OPERATOR)


# ------------------------------------------------------------------ the registration policy


def policy(log: Path, before: Envelope | None = None, **changes: Any) -> RegistrationPolicy:
    """A policy of this log that takes in month's evidence and reviews by the city."""
    accepts = (
        Accepted("tanzheng.review", (Role.CITY,)),
        Accepted("tanzheng.statement", (Role.OPERATOR,)),
    )
    plain = replace(POLICY, log=here(log), accepts=accepts)
    if before is not None:
        plain = replace(plain, seq=before.seq + 1, prev=before.sign(OPERATOR).digest)
    return replace(plain, **changes)


def test_what_the_policy_allows_is_taken_in(log: Path) -> None:
    register(log, policy(log), OPERATOR)
    assert register(log, REVIEW, KEYS[Role.CITY])["log_size"] == 2
    seal(log)
    assert run("status", "--dir", log)["leaves"] == 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"accepts": (Accepted("tanzheng.statement", (Role.OPERATOR,)),)}, "a type of"),
        ({"accepts": (Accepted("tanzheng.review", (Role.PROVINCE,)),)}, "a signer of"),
        (
            {"algorithms": (-7,)},
            "a COSE algorithm of [-7], got tanzheng.review by the role city, EDDSA",
        ),
        ({"statement_bytes_max": 100}, "bytes up to 100, got tanzheng.review"),
    ],
)
def test_what_the_policy_does_not_allow_is_refused(
    log: Path, changes: dict[str, Any], expected: str
) -> None:
    register(log, policy(log, **changes), OPERATOR)
    with pytest.raises(NotAllowed, match="policy 1 of operator/log/all/policy expects") as refused:
        register(log, REVIEW, KEYS[Role.CITY])
    assert expected in str(refused.value)
    assert run("status", "--dir", log)["leaves"] == 1


def test_a_package_that_the_policy_does_not_allow_is_not_sealed(log: Path) -> None:
    seal(log)
    register(log, policy(log, accepts=(Accepted("tanzheng.review", (Role.CITY,)),)), OPERATOR)
    with pytest.raises(NotAllowed, match=r"tanzheng\.statement by the role operator"):
        seal(log, "2018-08")
    assert run("status", "--dir", log)["leaves"] == 2
    assert seal(log)["leaf_index"] == 0  # what is in the log stays, and has its receipt


def test_the_newest_policy_counts_and_can_always_be_followed(log: Path) -> None:
    narrow = policy(log, accepts=(Accepted("tanzheng.review", (Role.PROVINCE,)),))
    register(log, narrow, OPERATOR)
    register(log, policy(log, narrow), OPERATOR)
    assert register(log, REVIEW, KEYS[Role.CITY])["log_size"] == 3


def test_a_policy_is_the_operator_s(log: Path) -> None:
    with pytest.raises(AnchorInput, match="signed by the operator's key"):
        register(log, policy(log), KEYS[Role.CITY])
    assert run("status", "--dir", log)["leaves"] == 0
