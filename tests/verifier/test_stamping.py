"""A time stamp asked for, taken and put beside a receipt, by a real authority behind HTTP."""

import json
import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from authority import Authority
from tanzheng.core import receipt
from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError
from tanzheng.core.hashing import sha256
from tanzheng.core.receipt import with_attestations
from tanzheng.verifier import stamping
from tanzheng.verifier.attaching import attest
from tanzheng.verifier.inputs import read_inputs
from tanzheng.verifier.observer import read_authorities
from tanzheng.verifier.points import check
from tanzheng.verifier.receipt_commands import app
from tanzheng.verifier.report import exit_code
from tanzheng.verifier.stamping import StampRefused, StampUnavailable
from tanzheng.verifier.timestamp_token import SHA256, read_token
from vectors import stamps, world

SEALED = world.small()
CORE = stamps.core()
NONCE = 2**63 + 5
Answer = Callable[[bytes], tuple[int, str, bytes]]
Serve = Callable[..., str]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "one")


class Quiet(HTTPServer):
    """A server that does not print what a client's farewell did to it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers a request by a function of ours, over TLS too; its address."""
    servers: list[HTTPServer] = []

    def started(answer: Answer, tls: ssl.SSLContext | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, kind, body = answer(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *_: Any) -> None:  # noqa: A002
                """Say nothing."""

        servers.append(Quiet(("127.0.0.1", 0), Handler))
        if tls is not None:
            servers[-1].socket = tls.wrap_socket(servers[-1].socket, server_side=True)
        Thread(target=servers[-1].serve_forever, args=(0.01,)).start()
        return f"{'https' if tls else 'http'}://127.0.0.1:{servers[-1].server_port}/tsr"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def folder(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A receipt and two trust files, with the authority and without."""
    monkeypatch.chdir(tmp_path)
    Path("receipt.cbor").write_bytes(SEALED.receipt())
    Path("PLAIN.json").write_bytes(SEALED.trust().encode())
    trusted = SEALED.trust(timestamp_authorities=(authority.trusted,))
    Path("TRUST.json").write_bytes(trusted.encode())
    return tmp_path


def run(*arguments: str) -> dict[str, Any]:
    """What a command prints as JSON; the error that it ends with is raised."""
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_openssl_reads_the_request_and_its_stamp_ends_beside_the_core(
    folder: Path, authority: Authority
) -> None:
    told = run("stamp-request", "receipt.cbor", "--out", "request.tsq")
    assert told["core_sha256"] == sha256(CORE).hex()
    (folder / "reply.tsr").write_bytes(authority.reply(Path("request.tsq").read_bytes()))
    out = ["receipt.cbor", "--rfc3161", "reply.tsr", "--trust", "TRUST.json", "--out", "s.cbor"]
    assert run("attest", *out)["attestations"]["rfc3161"].startswith("stamps, 20")
    stamped = receipt.decode(Path("s.cbor").read_bytes())
    assert stamped.core == CORE
    given = read_inputs(Path("s.cbor"), None, Path("TRUST.json"), None, None)
    assert exit_code(check(given)) == 0


def test_two_requests_are_not_alike(folder: Path) -> None:
    for name in ("a", "b"):
        run("stamp-request", "receipt.cbor", "--out", name)
    a, b = (Path(name).read_bytes() for name in ("a", "b"))
    assert a != b
    with pytest.raises(BadInput, match="free place"):
        run("stamp-request", "receipt.cbor", "--out", "a")


def test_a_token_by_itself_is_taken_like_a_reply(folder: Path) -> None:
    Path("token").write_bytes(stamps.token("rsa"))
    told = run("attest", "receipt.cbor", "--rfc3161", "token", "--out", "s.cbor")
    assert "signature not checked" in told["attestations"]["rfc3161"]


def test_the_authority_is_asked_over_http(folder: Path, authority: Authority, serve: Serve) -> None:
    address = serve(lambda query: (200, stamping.REPLY, authority.reply(query)))
    told = run(
        "attest", "receipt.cbor", "--tsa", address, "--trust", "TRUST.json", "--out", "s.cbor"
    )
    assert told["attestations"]["rfc3161"].startswith("stamps, ")


FLAWS: dict[str, tuple[str, Callable[[bytes, Authority], tuple[int, str, bytes]]]] = {
    "status 503": ("status 503", lambda _, __: (503, "text/plain", b"later")),
    "a redirect": ("status 302", lambda _, __: (302, "text/plain", b"")),
    "a web page": ("got text/html", lambda q, a: (200, "text/html", a.reply(q))),
    "too much": ("at most", lambda _, __: (200, stamping.REPLY, bytes(200_000))),
    "no reply": ("rfc3161 reply", lambda _, __: (200, stamping.REPLY, b"hello")),
    "a stamp of another request": (
        "nonce", lambda _, a: (200, stamping.REPLY, a.reply(stamping.request(CORE, 7))),
    ),
    "of something else": (
        "expected a stamp of",
        lambda _, a: (200, stamping.REPLY, a.reply(stamping.request(b"x", NONCE))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("flaw", FLAWS)
def test_an_answer_that_is_none_is_named(authority: Authority, serve: Serve, flaw: str) -> None:
    said, answer = FLAWS[flaw]
    address = serve(lambda query: answer(query, authority))
    with pytest.raises(TanzhengError, match=said):
        attest(SEALED.receipt(), stamping.ask(address, CORE, NONCE), None, None)


def test_an_authority_that_does_not_answer_is_named(folder: Path, serve: Serve) -> None:
    for address, error in (("http://127.0.0.1:1/", StampUnavailable), ("ftp://x/", BadInput)):
        with pytest.raises(error):
            run("attest", "receipt.cbor", "--tsa", address, "--out", "s.cbor")


def test_a_server_whose_certificate_nobody_vouches_for_is_not_asked(
    authority: Authority, serve: Serve
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "cert.pem", authority.folder / "key.pem")
    address = serve(lambda query: (200, stamping.REPLY, authority.reply(query)), context)
    with pytest.raises(StampUnavailable, match="certificate verify failed"):
        stamping.ask(address, CORE, NONCE)


def test_an_authority_that_refuses_says_why(authority: Authority) -> None:
    unknown = stamping.request(CORE, NONCE).replace(SHA256, SHA256[:-1] + b"\x04")
    with pytest.raises(StampRefused, match="status 2"):
        stamping.token_of(authority.reply(unknown))


def test_a_nonce_comes_back(authority: Authority) -> None:
    token = stamping.token_of(authority.reply(stamping.request(CORE, NONCE)))
    assert read_token(token).nonce == NONCE
    assert read_token(stamps.token("rsa")).imprint[1] == sha256(CORE)


def test_what_is_not_of_this_core_or_not_of_an_authority_is_not_put_in(folder: Path) -> None:
    for name, code in (("rsa-of-other-bytes", CheckFailed), ("stranger", CheckFailed)):
        Path(name).write_bytes(stamps.token(name))
        with pytest.raises(code):
            run("attest", "receipt.cbor", "--rfc3161", name, "--trust", "TRUST.json", "--out", "s")
    with pytest.raises(BadInput, match="timestamp_authorities"):
        run(
            "attest", "receipt.cbor", "--rfc3161", "stranger", "--trust", "PLAIN.json", "--out", "s"
        )
    assert not Path("s").exists()


def test_nothing_is_replaced_in_silence(folder: Path) -> None:
    first, second = stamps.token("rsa"), stamps.token("stranger")
    Path("stamped.cbor").write_bytes(with_attestations(SEALED.receipt(), {"rfc3161": first}))
    Path("second").write_bytes(second)
    with pytest.raises(BadInput, match="--replace"):
        run("attest", "stamped.cbor", "--rfc3161", "second", "--out", "s.cbor")
    run("attest", "stamped.cbor", "--rfc3161", "second", "--replace", "--out", "s.cbor")
    found = receipt.decode(Path("s.cbor").read_bytes())
    assert found.attestations == {"rfc3161": second}


def test_an_opentimestamps_proof_is_put_beside_it(folder: Path) -> None:
    Path("p.ots").write_bytes(world.ots(sha256(CORE)))
    Path("other.ots").write_bytes(world.ots(bytes(32)))
    Path("token").write_bytes(stamps.token("rsa"))
    both = ["receipt.cbor", "--rfc3161", "token", "--opentimestamps", "p.ots", "--out", "s.cbor"]
    assert run("attest", *both)["attestations"].keys() == {"rfc3161", "opentimestamps"}
    with pytest.raises(CheckFailed):
        run("attest", "receipt.cbor", "--opentimestamps", "other.ots", "--out", "t.cbor")
    with pytest.raises(BadInput, match="expected --rfc3161"):
        run("attest", "receipt.cbor", "--out", "t.cbor")


def test_an_authority_is_read_from_its_certificate(tmp_path: Path, authority: Authority) -> None:
    pem, der = authority.folder / "cert.pem", tmp_path / "cert.der"
    der.write_bytes(authority.trusted.certificate)
    found = read_authorities([pem, der])
    assert [each.certificate for each in found] == [authority.trusted.certificate] * 2
    (tmp_path / "none.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(BadInput, match=r"none\.pem: expected a certificate"):
        read_authorities([tmp_path / "none.pem"])
