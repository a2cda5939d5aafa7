"""A fork suspends; only a signed re-enrolment lets a gateway go on, with the old key or another."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, put, second_box, write_files
from ingest.test_commands import tanzheng
from tanzheng.core.batch import GENESIS, ChainHead
from tanzheng.core.enrolment import (
    CONTENT_TYPE,
    Enrolment,
    EnrolmentBroken,
    SignedEnrolment,
    check_history,
    open_enrolment,
    sign_enrolment,
)
from tanzheng.core.errors import BadInput, EncodingError, SignatureInvalid
from tanzheng.core.keys import SigningKey
from tanzheng.ingest import enrolments
from tanzheng.ingest.audit import audit
from tanzheng.ingest.decide import Checked, Reason, examine
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.rebuild import rebuild
from tanzheng.ingest.writer import Writer

OPERATOR = SigningKey.from_seed(b"operator".ljust(32, b"."))
WHY = ("disk copied", "Li Lei")


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def database(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def known(box: Box) -> dict[str, Gateway]:
    return {
        gw: replace(gateway, operator=OPERATOR.public)
        for gw, gateway in enrolled(box, second_box()).items()
    }


@pytest.fixture
def writer(database: str, known: dict[str, Gateway]) -> Iterator[Writer]:
    with closing(Writer(database, known)) as made:
        yield made


def made(url: str, gateway: Gateway, key: SigningKey | None = None) -> SignedEnrolment:
    with psycopg.connect(url) as connection:
        new = key.public if key else None
        return enrolments.make(connection, gateway, OPERATOR, new, *WHY, 5)


def taken(url: str, gateway: Gateway, signed: SignedEnrolment) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        return enrolments.take(connection, gateway, signed)


def reopen(box: Box, head: ChainHead, key: SigningKey | None = None) -> None:
    """What `tanzheng edge re-enrol` does to a gateway's spool."""
    box.epoch, box.seq, box.prev = head.epoch + 1, 0, head.digest
    box.key = key or box.key


def forked(writer: Writer, box: Box) -> Box:
    """`box` with three stored batches, and another history of it from the second on."""
    first, second = box.next(), box.batch()
    twin = Box(key=box.key, seq=1, prev=first.digest, t_ms=box.t_ms)
    put(writer, [message(first), message(box.next()), message(box.next())])
    other = twin.next(slots=9)
    assert other.batch.seq == second.seq
    outcome = put(writer, [message(other)])
    assert outcome.refused == Counter({Reason.FORK: 1})
    return twin


def test_a_suspended_gateway_comes_back_by_its_document(
    database: str, writer: Writer, box: Box, known: dict[str, Gateway]
) -> None:
    twin = forked(writer, box)
    head = box.signed[-1].head
    refused = put(writer, [message(box.next())])
    assert refused.refused == Counter({Reason.SUSPENDED: 1})
    signed = made(database, known["gw1"])
    assert signed.enrolment.head == head
    assert taken(database, known["gw1"], signed)
    assert not taken(database, known["gw1"], signed)  # once more changes nothing
    # What either history goes on with is closed, and no second fork.
    late = put(writer, [message(twin.next()), message(box.signed[-1])])
    assert late.refused == Counter({Reason.CLOSED: 2})
    assert put(writer, [message(box.signed[0])]).duplicates == 1
    reopen(box, head)
    opened = box.chain(3)
    outcome = put(writer, [message(item) for item in opened])
    assert (outcome.accepted, outcome.heads) == (3, {"gw1": opened[-1].head})
    report = audit(database, known)
    assert report.difference is None
    assert report.heads["gw1"].epoch == 2


def test_early_batches_of_the_closed_epoch_are_set_aside(
    database: str, writer: Writer, box: Box, known: dict[str, Gateway]
) -> None:
    items = box.chain(6)
    put(writer, [message(items[0]), message(items[4]), message(items[5])])
    put(writer, [message(Box(key=box.key).next(slots=9))])  # a fork of the first
    signed = made(database, known["gw1"])
    taken(database, known["gw1"], signed)
    reopen(box, items[0].head)
    box.t_ms = items[5].batch.columns[0].t_ms[-1] + 60_000
    put(writer, [message(box.next())])
    assert audit(database, known).difference is None
    with psycopg.connect(database) as connection:
        kept = connection.execute(
            "SELECT count(*) FROM quarantine WHERE reason_code = 'epoch_closed'"
        ).fetchone()
    assert kept == (2,)


def test_another_key_signs_from_then_on(
    database: str, writer: Writer, box: Box, known: dict[str, Gateway]
) -> None:
    """Old batches stay proved by the old key; a running writer learns the new one by itself."""
    old, new = box.key, SigningKey.generate()
    put(writer, [message(item) for item in box.chain(3)])
    head = box.signed[-1].head
    reopen(box, head, new)
    first = box.next()
    refused = put(writer, [message(first)])
    assert refused.refused == Counter({Reason.SIGNATURE: 1})
    taken(database, known["gw1"], made(database, known["gw1"], new))
    put(writer, [message(first)])  # still examined with what was known before
    outcome = put(writer, [message(first)])
    assert outcome.heads == {"gw1": first.head}
    stolen = Box(key=old, epoch=2, seq=1, prev=first.digest, t_ms=box.t_ms)
    assert put(writer, [message(stolen.next())]).refused == Counter({Reason.SIGNATURE: 1})
    assert put(writer, [message(box.signed[0])]).duplicates == 1
    for key in (old, new):  # the file may name any key of the history
        file = {"gw1": replace(known["gw1"], key=key.public)}
        assert audit(database, file).difference is None
        assert rebuild(database, file).holds
        Writer(database, file).close()
    with pytest.raises(BadInput, match="expected a key of its history"):
        audit(database, {"gw1": replace(known["gw1"], key=SigningKey.generate().public)})
    with pytest.raises(BadInput, match="expected enrolment_key"):
        audit(database, {"gw1": replace(known["gw1"], operator=None)})


def test_a_stolen_key_ends_at_once(
    database: str, writer: Writer, box: Box, known: dict[str, Gateway]
) -> None:
    """Examined before the re-enrolment, or by a writer that has not heard of it: refused."""
    put(writer, [message(item) for item in box.chain(2)])
    head = box.signed[-1].head
    thief = replace(box, epoch=2, seq=0, prev=head.digest, signed=[])
    waiting = examine(message(thief.next()), writer.gateways)
    assert isinstance(waiting, Checked)
    new = SigningKey.generate()
    taken(database, known["gw1"], made(database, known["gw1"], new))
    assert writer.write([waiting]).refused == Counter({Reason.SIGNATURE: 1})
    reopen(box, head, new)
    assert put(writer, [message(box.next())]).accepted == 1
    assert audit(database, known).difference is None


def test_three_keys_in_a_row(
    database: str, writer: Writer, box: Box, known: dict[str, Gateway]
) -> None:
    put(writer, [message(item) for item in box.chain(2)])
    for _ in range(2):
        key = SigningKey.generate()
        head = box.signed[-1].head
        mistaken = SigningKey.generate()  # a document that was wrong is overruled by the next
        taken(database, known["gw1"], made(database, known["gw1"], mistaken))
        taken(database, known["gw1"], made(database, known["gw1"], key))
        reopen(box, head, key)
        with closing(Writer(database, known)) as fresh:
            outcome = put(fresh, [message(box.next()), message(box.next())])
        assert outcome.accepted == 2
    assert audit(database, known).heads["gw1"] == box.signed[-1].head
    assert len(enrolments.listed(database, known)) == 4


def test_a_document_of_yesterday_is_stale(
    database: str, writer: Writer, box: Box, known: dict[str, Gateway]
) -> None:
    put(writer, [message(box.next())])
    signed = made(database, known["gw1"])
    put(writer, [message(box.next())])
    with pytest.raises(enrolments.EnrolmentStale, match=r"after epoch 1 seq 2, got .* seq 1"):
        taken(database, known["gw1"], signed)
    with pytest.raises(BadInput, match="expected one that has sent"):
        made(database, known["gw2"])


def test_the_table_only_grows_and_its_documents_are_checked(
    database: str, writer: Writer, box: Box, known: dict[str, Gateway]
) -> None:
    put(writer, [message(box.next())])
    new = SigningKey.generate()
    head = box.signed[-1].head
    taken(database, known["gw1"], made(database, known["gw1"], new))
    reopen(box, head, new)
    with closing(Writer(database, known)) as fresh:
        put(fresh, [message(box.next())])
    for statement in ("DELETE FROM enrolment", "UPDATE enrolment SET gw = 'gw2'",
                      "TRUNCATE enrolment"):  # fmt: skip
        with psycopg.connect(database) as connection, pytest.raises(psycopg.Error, match="grows"):
            connection.execute(statement.encode())
    # Somebody who may do everything, with a key of their own.
    stranger = sign_enrolment(
        Enrolment("gw1", GENESIS, known["gw1"].key, new.public, head, *WHY, 5), new
    )
    found = []
    for raw in (stranger.raw, b"garbage", None):
        with psycopg.connect(database) as connection:
            connection.execute("ALTER TABLE enrolment DISABLE TRIGGER USER")
            if raw is None:
                connection.execute("DELETE FROM enrolment")
            else:
                connection.execute("UPDATE enrolment SET raw = %s", (raw,))
        difference = audit(database, known).difference
        assert difference is not None
        assert difference.gw == "gw1"
        found.append(difference.kind)
    assert found == [
        "re-enrolment refused (SignatureInvalid)",
        "re-enrolment refused (EncodingError)",
        "signed batch refused (SignatureInvalid)",
    ]


# ---------------------------------------------------------------- the document alone


def document(**changes: object) -> Enrolment:
    old, new = (SigningKey.from_seed(bytes([n]) * 32).public for n in (1, 2))
    head = ChainHead(3, 7, bytes([9]) * 32)
    reason, by = WHY
    return replace(Enrolment("gw1", GENESIS, old, new, head, reason, by, 5), **changes)  # type: ignore[arg-type]


def test_a_document_reads_back() -> None:
    signed = sign_enrolment(document(), OPERATOR)
    assert open_enrolment(signed.raw, OPERATOR.public).enrolment == document()
    assert signed.enrolment.opens_epoch == 4
    assert CONTENT_TYPE.encode() in signed.raw
    with pytest.raises(SignatureInvalid):
        open_enrolment(signed.raw, SigningKey.generate().public)
    for at in range(0, len(signed.raw), 7):
        flipped = bytearray(signed.raw)
        flipped[at] ^= 1
        with pytest.raises((EncodingError, SignatureInvalid, BadInput)):
            open_enrolment(bytes(flipped), OPERATOR.public)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": "  "}, "reason: expected a text"),
        ({"by": "a\nb"}, "by: expected a line of text"),
        ({"head": ChainHead(0, 1, bytes(32))}, "epoch: expected an integer from 1"),
        ({"previous": bytes(31)}, "previous: expected 32 bytes"),
        ({"gw": "no such/gw"}, "gw"),
    ],
)
def test_a_wrong_document_is_not_signed(changes: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        sign_enrolment(document(**changes), OPERATOR)


def test_a_history_is_a_chain() -> None:
    first = sign_enrolment(document(), OPERATOR)
    good = document(previous=first.digest, old_key=first.enrolment.new_key)
    check_history("gw1", [first, sign_enrolment(good, OPERATOR)])
    for wrong, said in (
        (replace(good, previous=GENESIS), "expected previous"),
        (replace(good, old_key=first.enrolment.old_key), "to be left"),
        (replace(good, head=ChainHead(2, 1, bytes(32))), "expected an epoch from 4, got 3"),
        (replace(good, gw="gw2"), "expected this gateway"),
    ):
        with pytest.raises(EnrolmentBroken, match=f"re-enrolment 2 of gateway gw1: {said}|{said}"):
            check_history("gw1", [first, sign_enrolment(wrong, OPERATOR)])


# ---------------------------------------------------------------- as a user calls it


def test_the_commands(database: str, box: Box, tmp_path: Path) -> None:
    path = write_files(tmp_path, box)
    new = SigningKey.generate()
    (tmp_path / "new.pub.pem").write_bytes(new.public.to_pem())
    (tmp_path / "operator.pem").write_bytes(OPERATOR.to_pem())
    (tmp_path / "operator.pub.pem").write_bytes(OPERATOR.public.to_pem())
    with closing(Writer(database, enrolled(box))) as writer:
        put(writer, [message(item) for item in box.chain(2)])
    words = ("--gateways", str(path))
    out = str(tmp_path / "gw1.enrolment")
    make = ("enrol", "make", *words, "--gw", "gw1", "--key", str(tmp_path / "operator.pem"),
            "--reason", "new box 换机", "--by", "Han", "--out", out,
            "--public-key", str(tmp_path / "new.pub.pem"))  # fmt: skip
    refused = tanzheng(*make, url=database)
    assert refused.returncode == 2
    assert "one in gateways.toml" in refused.stderr
    named = path.read_text().replace(
        "version = 1", 'version = 1\nenrolment_key = "operator.pub.pem"'
    )
    path.write_text(named)
    done = tanzheng(*make, url=database)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["opens_epoch"], told["after_seq"]) == (2, 2)
    assert told["new_kid"] == new.public.kid.hex()
    for said in ("goes on in epoch 2", "taken before"):
        took = tanzheng("enrol", "take", out, *words, url=database)
        assert took.returncode == 0, took.stderr
        assert said in took.stdout
    assert json.loads(tanzheng("enrol", "list", *words, "--json", url=database).stdout) == [told]
    shown = tanzheng("enrol", "list", *words, url=database).stdout
    assert "new box 换机" in shown
    (tmp_path / "other").write_bytes(b"no document")
    bad = tanzheng("enrol", "take", str(tmp_path / "other"), *words, url=database)
    assert bad.returncode == 2
