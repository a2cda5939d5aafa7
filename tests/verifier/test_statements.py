"""`tanzheng statement` and the verification of what it made, as a person and a machine do it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.statements.samples import KEYS, MONTH, NEW, REVIEW, REVOCATION, SAMPLES, signers
from core.statements.schemas import schema_path
from evidence import OPERATOR, Operator
from tanzheng.cli.main import app
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.statements.common import Reference
from tanzheng.core.statements.confirmed import ConfirmedEmissions
from tanzheng.core.statements.description import documents, from_description, to_description
from tanzheng.core.statements.envelope import BlockReference, Envelope
from tanzheng.core.statements.key_event import KeyEvent
from tanzheng.core.statements.kinds import NAMES, open_signed
from tanzheng.core.statements.review import Review
from tanzheng.core.statements.roles import Role

BLOCK = BlockReference(1, b"\x01" * 32)
LETTER = b"dear enterprise"
DESCRIPTION = f"""\
issuer = "city-bureau"
subject = "E1/CT1/2018-07/review.city.month"
level = "city"
outcome = "returned"
reasons = ["wrong_meter", "wrong_value"]
document_sha256 = "{sha256(LETTER).hex()}"
of = {{ subject = "E1/CT1/2018-07/month", digest = "{"31" * 32}" }}
"""
ROTATION = """\
issuer = "city-bureau"
subject = "city-bureau/keys/city/key-event"
role = "city"
act = "rotate"
"""


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return f"{result.exit_code}\n{result.output}"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A city's folder: description, keys, trust file."""
    trust = Operator().trust(signers=signers())
    (tmp_path / "TRUST.json").write_bytes(trust.encode())
    (tmp_path / "city.pem").write_bytes(KEYS[Role.CITY].to_pem())
    (tmp_path / "new.pem").write_bytes(NEW.to_pem())
    (tmp_path / "review.toml").write_text(DESCRIPTION)
    (tmp_path / "letter.txt").write_bytes(LETTER)
    return tmp_path


def make(desk: Path, kind: str, file: str, out: str, *options: object) -> str:
    return run(
        *("statement", "make", kind, desk / file, "--key", desk / "city.pem"),
        *("--trust", desk / "TRUST.json", "--out", desk / out, *options),
    )


# ------------------------------------------------------------------ descriptions


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.startswith("month")])
def test_what_is_shown_describes_the_same_statement(name: str) -> None:
    stated = replace(SAMPLES[name], seq=1, prev=None)
    shown = json.loads(json.dumps(to_description(stated)))
    for key in ("seq", "prev", "not_before", "supersedes"):
        del shown[key]
    described = {key: value for key, value in shown.items() if value is not None}
    assert from_description(type(stated), described, None, BLOCK, "here") == stated


def described(**changes: Any) -> dict[str, Any]:
    shown = to_description(REVIEW)
    placed = ("seq", "prev", "not_before", "supersedes")
    found = {key: value for key, value in shown.items() if key not in placed} | changes
    return {key: value for key, value in found.items() if value is not ...}


CORRECTION = {"reason": "wrong_value", "approver": "Li Na 李娜"}


def test_a_correction_follows_and_supersedes() -> None:
    first = REVIEW.sign(KEYS[Role.CITY])
    second = from_description(Review, described(supersedes=CORRECTION), first, BLOCK, "here")
    assert (second.seq, second.prev) == (2, first.digest)
    assert second.supersedes is not None
    assert (second.supersedes.digest, second.supersedes.reason) == (first.digest, "wrong_value")


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ...},
        {"subject": ...},
        {"reasons": ...},
        {"level": "nation"},
        {"seq": 3},
        {"note": ""},
        {"document_sha256": "AB" * 32},
        {"of": {"subject": str(MONTH)}},
        {"supersedes": CORRECTION},
        {"reasons": "wrong_meter"},
    ],
)
def test_a_description_that_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"here|statement"):
        from_description(Review, described(**changes), None, BLOCK, "here")


def test_the_statement_before_is_of_the_same_subject() -> None:
    other = replace(
        REVIEW,
        subject=Subject("E1", "CT2", "2018-07", "review.city.month"),
        of=replace(REVIEW.of, subject=Subject("E1", "CT2", "2018-07", "month")),
    )
    with pytest.raises(BadInput, match="expected a statement before it on E1/CT1"):
        from_description(Review, described(), other.sign(OPERATOR), BLOCK, "here")


@pytest.mark.parametrize(("name", "unit"), [("co2_t", "t"), ("net_generation_mwh", "kWh")])
def test_quantities_are_of_the_dictionary(name: str, unit: str) -> None:
    shown = to_description(SAMPLES["verification"])
    quantities = [{"name": name, "value": "1", "unit": unit}]
    kept = {key: shown[key] for key in shown if key not in ("seq", "prev", "not_before")}
    kept |= {"quantities": quantities, "supersedes": None}
    with pytest.raises(BadInput, match=f"{name} in {unit}: expected"):
        from_description(NAMES["verification"], kept, None, BLOCK, "here")


# ------------------------------------------------------------------ the command


def test_made_shown_and_followed(desk: Path) -> None:
    assert make(desk, "review", "review.toml", "1.cose").startswith("0\n")
    first = open_signed((desk / "1.cose").read_bytes())
    assert first.of(Review).reasons == ("wrong_meter", "wrong_value")
    first.verify(KEYS[Role.CITY].public)
    (desk / "again.json").write_text(json.dumps(described(supersedes=CORRECTION)))
    make(desk, "review", "again.json", "2.cose", "--previous", desk / "1.cose")
    shown = json.loads(run("statement", "show", desk / "2.cose", "--json").partition("\n")[2])
    assert (shown["seq"], shown["prev"]) == (2, first.digest.hex())
    assert (shown["type"], shown["algorithm"]) == ("tanzheng.review", "EDDSA")
    person = run("statement", "show", desk / "2.cose")
    assert "review · 审核意见" in person
    assert "reasons 原因" in person


def test_nobody_types_a_digest(desk: Path) -> None:
    """References, documents and the key that goes come from files."""
    (desk / "month.cose").write_bytes(SAMPLES["month"].sign(OPERATOR).raw)
    lines = DESCRIPTION.splitlines()
    kept = [line for line in lines if not line.startswith(("of", "document_sha256"))]
    (desk / "short.toml").write_text("\n".join(kept))
    options = ("--reference", f"of={desk}/month.cose")
    more = ("--document", f"document_sha256={desk}/letter.txt")
    make(desk, "review", "short.toml", "1.cose", *options, *more)
    review = open_signed((desk / "1.cose").read_bytes()).of(Review)
    assert review.of == Reference(MONTH, SAMPLES["month"].sign(OPERATOR).digest)
    assert review.document_sha256 == sha256(LETTER)
    with pytest.raises(BadInput, match="expected FIELD=FILE"):
        make(desk, "review", "short.toml", "2.cose", "--reference", "of")


def test_references_are_sorted(desk: Path) -> None:
    shown = to_description(SAMPLES["confirmed emissions"])
    kept = {key: shown[key] for key in ("issuer", "subject", "emissions_t", "units")}
    (desk / "confirmed.json").write_text(json.dumps(kept))
    basis = [SAMPLES[name].sign(OPERATOR) for name in ("verification", "annual report")]
    options: list[str] = []
    for i, signed in enumerate(basis):
        (desk / f"{i}.cose").write_bytes(signed.raw)
        options += ["--reference", f"basis={desk}/{i}.cose"]
    make(desk, "confirmed-emissions", "confirmed.json", "c.cose", *options)
    stated = open_signed((desk / "c.cose").read_bytes()).of(ConfirmedEmissions)
    assert [each.digest for each in stated.basis] == [basis[1].digest, basis[0].digest]


def test_nothing_is_overwritten(desk: Path) -> None:
    make(desk, "review", "review.toml", "1.cose")
    with pytest.raises(BadInput, match="expected a free place"):
        make(desk, "review", "review.toml", "1.cose")


def test_a_new_key_shows_that_it_is_held(desk: Path) -> None:
    (desk / "rotate.toml").write_text(ROTATION)
    (desk / "city.pub.pem").write_bytes(KEYS[Role.CITY].public.to_pem())
    keys = ("--new-key", desk / "new.pem", "--old-key", desk / "city.pub.pem")
    make(desk, "key-event", "rotate.toml", "k.cose", *keys)
    event = open_signed((desk / "k.cose").read_bytes()).of(KeyEvent)
    assert event.key == NEW.public
    assert event.kid == KEYS[Role.CITY].public.kid
    event.check_possession()


@pytest.mark.parametrize(
    ("kind", "text", "options", "said"),
    [
        ("memo", DESCRIPTION, [], "kind: expected one of statement, annual-report"),
        ("statement", DESCRIPTION, [], "tanzheng anchor seal"),
        ("review", "issuer = ", [], "expected TOML"),
        ("review", DESCRIPTION, ["--new-key", "new.pem"], "expected a key event"),
        ("key-event", ROTATION, [], "key"),
    ],
)
def test_what_cannot_be_made(
    desk: Path, kind: str, text: str, options: list[str], said: str
) -> None:
    (desk / "x.toml").write_text(text)
    more = [desk / word if word.endswith(".pem") else word for word in options]
    with pytest.raises(BadInput, match=said):
        make(desk, kind, "x.toml", "x.cose", *more)
    assert not (desk / "x.cose").exists()


def test_a_trust_file_without_blocks_dates_nothing(desk: Path) -> None:
    (desk / "TRUST.json").write_bytes(Operator().trust(blocks=()).encode())
    with pytest.raises(BadInput, match="expected a block that was observed"):
        make(desk, "review", "review.toml", "1.cose")


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_ships(name: str) -> None:
    printed = run("statement", "schema", name)
    assert schema_path(NAMES[name].TYPE).read_text() in printed
    assert "signed<payload>" in printed


# ------------------------------------------------------------------ verified


def sealed(desk: Path, *statements: Envelope) -> list[Path]:
    """Receipts of statements by their signers, and the trust file beside them."""
    operator, paths = Operator(), list[Path]()
    for i, stated in enumerate(statements):
        operator.seal(stated.sign(KEYS[stated.signer]))
        paths.append(desk / f"receipt-{i}.cbor")
        paths[-1].write_bytes(operator.receipt())
    (desk / "TRUST.json").write_bytes(operator.trust(signers=signers()).encode())
    return paths


def verify(desk: Path, receipt: Path, *options: object) -> tuple[int, dict[str, str]]:
    said = run("verify", receipt, "--trust", desk / "TRUST.json", "--json", *options)
    code, _, text = said.partition("\n")
    points = {point["name"]: point["verdict"] for point in json.loads(text)["points"]}
    return int(code), points


def test_a_review_is_verified_without_a_package(desk: Path) -> None:
    stated = replace(REVIEW, document_sha256=sha256(LETTER))
    [receipt] = sealed(desk, stated)
    code, points = verify(desk, receipt, "--document", desk / "letter.txt")
    assert code == 0
    assert (points["signer"], points["documents"], points["figures"]) == ("ok", "ok", "not asked")
    code, points = verify(desk, receipt, "--document", desk / "review.toml")
    assert (code, points["documents"]) == (3, "failed")
    assert documents(stated) == {"document_sha256": sha256(LETTER)}


def test_a_package_belongs_to_a_month_and_to_nothing_else(desk: Path) -> None:
    [receipt] = sealed(desk, REVIEW)
    with pytest.raises(BadInput, match="--package: expected a month's statement with it"):
        verify(desk, receipt, "--package", desk)
    [receipt] = sealed(desk, SAMPLES["month"])
    assert verify(desk, receipt)[1]["figures"] == "not asked"


def test_a_key_event_that_is_known_counts(desk: Path) -> None:
    revoked = replace(REVOCATION, seq=1, prev=None, compromised_since_ms=0)
    receipt, event = sealed(desk, REVIEW, revoked)
    assert verify(desk, receipt)[0] == 0
    code, points = verify(desk, receipt, "--key-event", event)
    assert (code, points["keys"], points["signer"]) == (3, "ok", "failed")


def test_an_event_that_does_not_count_is_named(desk: Path) -> None:
    stranger = replace(REVOCATION, seq=1, prev=None, kid=KEYS[Role.PROVINCE].public.kid)
    receipt, event = sealed(desk, REVIEW, stranger)
    code, points = verify(desk, receipt, "--key-event", event)
    assert (code, points["keys"], points["signer"]) == (3, "failed", "ok")
