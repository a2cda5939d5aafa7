"""`tanzheng key`: made once, never overwritten, private from the first byte."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tanzheng.cli.key import app
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import Algorithm, SigningKey, VerifyKey


@pytest.mark.parametrize("option", [(), ("--es256",)])
def test_a_new_key_signs_and_is_shown(tmp_path: Path, option: tuple[str, ...]) -> None:
    private, public = tmp_path / "gateway.pem", tmp_path / "gateway.pub.pem"
    made = CliRunner().invoke(app, ["new", str(private), *option], catch_exceptions=False)
    key, other = SigningKey.from_pem(private.read_bytes()), VerifyKey.from_pem(public.read_bytes())
    other.verify(key.sign(b"x"), b"x")
    assert private.stat().st_mode & 0o777 == 0o600
    assert other.algorithm is (Algorithm.ES256 if option else Algorithm.EDDSA)
    shown = CliRunner().invoke(app, ["show", str(public)], catch_exceptions=False)
    assert other.kid.hex() in made.output
    assert shown.output == f"kid {other.kid.hex()}\nkey {other.raw.hex()}\n"


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    private = tmp_path / "gateway.pem"
    private.write_text("mine")
    with pytest.raises(BadInput, match=r"gateway\.pem: expected a new file, got File exists"):
        CliRunner().invoke(app, ["new", str(private)], catch_exceptions=False)
    assert private.read_text() == "mine"


@pytest.mark.parametrize("content", [None, b"garbage"])
def test_what_is_no_public_key_is_named(tmp_path: Path, content: bytes | None) -> None:
    public = tmp_path / "x.pub.pem"
    if content is not None:
        public.write_bytes(content)
    with pytest.raises(BadInput, match=r"x\.pub\.pem: expected a"):
        CliRunner().invoke(app, ["show", str(public)], catch_exceptions=False)
