"""`tanzheng key`: keys of gateways, platform and operator, and of all who sign statements.

Each owner makes its own key on its own machine and hands over the public half only.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from tanzheng.core.errors import BadInput
from tanzheng.core.keys import Algorithm, SigningKey, VerifyKey

app = typer.Typer(no_args_is_help=True, help="Make and show signing keys · 密钥")


@app.command()
def new(
    out: Annotated[Path, typer.Argument(help="Private key (PEM, mode 0600) · 私钥文件")],
    es256: Annotated[
        bool, typer.Option("--es256", help="P-256 instead of Ed25519 · 使用 P-256（ES256）")
    ] = False,
) -> None:
    """Make a key: the private half at OUT, the public half beside it (.pub.pem) · 生成密钥.

    A file that is there is never overwritten.
    """
    key = SigningKey.generate(Algorithm.ES256 if es256 else Algorithm.EDDSA)
    public = out.with_suffix(".pub.pem")
    _create(out, key.to_pem(), 0o600)
    _create(public, key.public.to_pem(), 0o644)
    typer.echo(f"{key.public.kid.hex()}  {out}  {public}")


@app.command()
def show(
    public: Annotated[Path, typer.Argument(help="Public key (PEM) · 公钥文件")],
) -> None:
    """Show a public key's id (kid) and its raw bytes in hex · 显示公钥."""
    try:
        pem = public.read_bytes()
    except OSError as error:
        raise BadInput(f"{public}: expected a readable file, got {error.strerror}") from error
    key = VerifyKey.from_pem(pem, str(public))
    typer.echo(f"kid {key.kid.hex()}\nkey {key.raw.hex()}")


def _create(path: Path, data: bytes, mode: int) -> None:
    """Write a new file that never exists with wider rights than `mode`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise BadInput(f"{path}: expected a new file, got {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
