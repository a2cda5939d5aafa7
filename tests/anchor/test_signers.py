"""Every place where the sealer's key may live signs the same transaction, and tells no secret."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.rpc_proxy import Answer, proxied
from parts import REPOSITORY, missing
from tanzheng.anchor import signers
from tanzheng.anchor.calls import send
from tanzheng.anchor.chain_file import ChainFile
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.errors import AnchorInput, SignerRefused
from tanzheng.anchor.keyfile import SECP256K1_ORDER
from tanzheng.anchor.node import Node
from tanzheng.anchor.publication import Finality, Publisher, State
from tanzheng.anchor.publisher_file import KINDS, NAME, PublisherFile
from tanzheng.anchor.signers import RpcSigner, Signer
from tanzheng.anchor.transaction import signature_of, with_signature
from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from anchor.chain import Deployed

KEY = (7).to_bytes(32, "big").hex()
ACCOUNT = Account.from_key(KEY)
ONE = b"\x01" * 32
CHAIN = ChainFile("http://a", 31337, bytes(20), bytes(32), 1, Finality(0), "sealer.key")
numbers = st.integers(0, (1 << 64) - 1)


def publisher_file(folder: Path, text: str) -> PublisherFile:
    (folder / NAME).write_text(text)
    return PublisherFile.read(folder, CHAIN)


# ------------------------------------------------------------------ the bytes


@settings(max_examples=40)  # a curve in pure Python takes its time
@given(
    st.fixed_dictionaries(
        {"nonce": numbers, "gas": numbers, "value": numbers, "chainId": st.integers(1, 1 << 50)}
    ),
    st.fixed_dictionaries({"gasPrice": numbers})
    | st.integers(0, 1 << 60).map(lambda fee: {"maxFeePerGas": fee, "maxPriorityFeePerGas": fee}),
    st.binary(max_size=200),
)
def test_bytes_are_those_of_eth_account(
    fields: dict[str, int], fee: dict[str, int], data: bytes
) -> None:
    """Our encoding against an independent one, both forms; a high s comes out low."""
    asked = {**fields, **fee, "to": "0x" + "11" * 20, "data": "0x" + data.hex()}
    expected = ACCOUNT.sign_transaction(asked)
    r, s = signature_of(bytes(expected.raw_transaction))
    asked["from"] = ACCOUNT.address
    for given_s in (s, SECP256K1_ORDER - s):
        made = with_signature(asked, r, given_s)
        assert made is not None
        assert made.raw_transaction == bytes(expected.raw_transaction)
        assert made.hash == bytes(expected.hash)
    assert with_signature({**asked, "nonce": fields["nonce"] + 1}, r, s) is None


# ------------------------------------------------------------------ key at hand


def publishes(chain: Deployed, signer: Signer, folder: Path) -> None:
    """The owner makes the signer's account the sealer, and it publishes."""
    chain.rpc("anvil_setBalance", signer.address, hex(10**20))
    send(chain.node, chain.contract.rotate_sealer(chain.owner, signer.address).raw)
    chain.mine(1)
    record = Publisher(chain.contract, signer, Finality(0), folder).publish(1, 5, ONE, 5)
    assert record.state is State.FINAL
    assert chain.contract.head_at(1) == ONE


def test_key_in_the_environment(
    chain: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(signers.KEY_VARIABLE, KEY)
    signer = publisher_file(tmp_path, '[signer]\nkind = "environment"\n').open_signer(tmp_path)
    assert signer.address == ACCOUNT.address
    publishes(chain, signer, tmp_path)


def test_encrypted_keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keystore = Account.encrypt(bytes.fromhex(KEY), "a passphrase", iterations=2)
    (tmp_path / "sealer.json").write_text(json.dumps(keystore))
    read = publisher_file(tmp_path, '[signer]\nkind = "keystore"\nfile = "sealer.json"\n')
    monkeypatch.setenv(signers.PASSPHRASE_VARIABLE, "a passphrase")
    assert read.open_signer(tmp_path).address == ACCOUNT.address
    monkeypatch.setenv(signers.PASSPHRASE_VARIABLE, "another one")
    with pytest.raises(AnchorInput, match="keystore") as caught:
        read.open_signer(tmp_path)
    assert "another one" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ('"environment"', signers.KEY_VARIABLE),
        ('"keystore"\nfile = "sealer.json"', signers.PASSPHRASE_VARIABLE),
    ],
)
def test_no_secret_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    (tmp_path / "sealer.json").write_text("{}")
    with pytest.raises(AnchorInput, match=variable):
        publisher_file(tmp_path, f"[signer]\nkind = {kind}\n").open_signer(tmp_path)


def test_a_key_that_is_none_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(signers.KEY_VARIABLE, KEY[:-1])
    with pytest.raises(AnchorInput) as caught:
        signers.from_environment()
    assert KEY[:-1] not in str(caught.value)


# ------------------------------------------------------------------ behind JSON-RPC


@pytest.fixture
def keeper() -> Iterator[tuple[Anvil, str]]:
    """A node that keeps an account's key and signs with it, and the account."""
    with Anvil(accounts=1) as anvil:
        yield anvil, Node(anvil.url).rpc("eth_accounts")[0]


def test_signer_behind_json_rpc(chain: Deployed, keeper: tuple[Anvil, str], tmp_path: Path) -> None:
    url, address = keeper[0].url, keeper[1]
    text = f'kind = "rpc"\nurl = "{url}"\naddress = "{address}"\nmethod = "eth_signTransaction"\n'
    publishes(chain, publisher_file(tmp_path, f"[signer]\n{text}").open_signer(tmp_path), tmp_path)


def as_clef(method: str, _: list[Any], answer: Answer) -> Answer:
    """Clef answers with an object."""
    return {**answer, "result": {"raw": answer["result"], "tx": {}}}


def test_signer_that_answers_with_an_object(
    chain: Deployed, keeper: tuple[Anvil, str], tmp_path: Path
) -> None:
    with proxied(keeper[0].url, as_clef) as clef:
        publishes(chain, RpcSigner(clef.url, keeper[1], "eth_signTransaction"), tmp_path)


def bad_answers() -> dict[str, Callable[[str], object]]:
    return {
        "nothing": lambda _: None,
        "no bytes": lambda _: "0x",
        "half of it": lambda raw: raw[: len(raw) // 4 * 2],
        "one bit more": lambda raw: raw[:20] + f"{int(raw[20:22], 16) ^ 1:02x}" + raw[22:],
        "another's": lambda _: signed_by_another(),
    }


def signed_by_another() -> str:
    transaction = {
        "to": "0x" + "11" * 20,
        "value": 10**18,
        "gas": 21_000,
        "nonce": 0,
        "data": "0x",
        "chainId": 31337,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 10**9,
    }
    return "0x" + bytes(ACCOUNT.sign_transaction(transaction).raw_transaction).hex()


@pytest.mark.parametrize("bad", bad_answers().values(), ids=bad_answers())
def test_an_answer_that_is_not_what_was_asked_for(
    chain: Deployed, keeper: tuple[Anvil, str], bad: Callable[[str], object]
) -> None:
    def change(method: str, _: list[Any], answer: Answer) -> Answer:
        return {**answer, "result": bad(answer["result"])}

    send(chain.node, chain.contract.rotate_sealer(chain.owner, keeper[1]).raw)
    chain.mine(1)
    chain.rpc("anvil_setBalance", keeper[1], hex(10**20))
    with proxied(keeper[0].url, change) as liar:
        signer = RpcSigner(liar.url, keeper[1], "eth_signTransaction")
        with pytest.raises(SignerRefused):
            chain.contract.sign_publish(signer, 1, 5, ONE)


# ------------------------------------------------------------------ on a token


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SoftHSM token with a secp256k1 key that was made on it; the path of the library."""
    found = [*Path("/usr/lib").glob("**/softhsm/libsofthsm2.so"), Path("none")][0]
    if shutil.which("softhsm2-util") is None or not found.exists():
        missing("softhsm2")
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    monkeypatch.setenv(signers.PIN_VARIABLE, "1234")
    made = ["softhsm2-util", "--init-token", "--free", "--label", "sealer"]
    made += ["--pin", "1234", "--so-pin", "5678"]
    subprocess.run(made, check=True, capture_output=True)
    return str(found)


def test_key_on_a_token(chain: Deployed, token: str, tmp_path: Path) -> None:
    """In a process of its own: the library reads its configuration once."""
    if (child := os.fork()) == 0:
        code = 1
        try:
            _token_publishes(chain, token, tmp_path)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert chain.contract.head_at(1) == ONE


def _token_publishes(chain: Deployed, token: str, folder: Path) -> None:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    opened = pkcs11.lib(token).get_token(token_label="sealer")
    with opened.open(rw=True, user_pin="1234") as session:
        curve = {
            pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256k1"),
        }
        domain = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
        domain.generate_keypair(store=True, label="publisher")
    text = f'[signer]\nkind = "pkcs11"\nmodule = "{token}"\ntoken = "sealer"\nlabel = "publisher"\n'
    signer = publisher_file(folder, text).open_signer(folder)
    publishes(chain, signer, folder)


def test_no_such_token(token: str, tmp_path: Path) -> None:
    text = f'[signer]\nkind = "pkcs11"\nmodule = "{token}.not"\ntoken = "x"\nlabel = "publisher"\n'
    with pytest.raises(AnchorInput, match="expected key 'publisher' on token 'x'"):
        publisher_file(tmp_path, text).open_signer(tmp_path)


# ------------------------------------------------------------------ the file

BAD_FILES = {
    "no TOML": "nodes = [",
    "unknown key": "node = 1",
    "no node": "nodes = []",
    "a node that is a number": "nodes = [1]",
    "unknown limit": "[fee]\nmax = 1",
    "a limit below zero": "[fee]\nfee_wei_max = -1",
    "unknown signer": '[signer]\nkind = "paper"',
    "a file without a name": '[signer]\nkind = "file"',
    "an address that is none": (
        '[signer]\nkind = "rpc"\nurl = "http://a"\naddress = "0x1"\nmethod = "eth_signTransaction"'
    ),
    "unknown method": (
        '[signer]\nkind = "rpc"\nurl = "http://a"\naddress = "0x1111111111111111111111111111111111'
        '111111"\nmethod = "eth_sign"'
    ),
    "a passphrase in the file": '[signer]\nkind = "keystore"\nfile = "a"\npassphrase = "b"',
}


@pytest.mark.parametrize("text", BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_out_of_shape(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=NAME):
        publisher_file(tmp_path, text)


def test_without_a_file_chain_json_says_it_all(tmp_path: Path) -> None:
    read = PublisherFile.read(tmp_path, CHAIN)
    assert read.nodes == ("http://a",)
    assert read.signer == {"kind": "file", "file": "sealer.key"}


def test_the_page_s_sample_is_a_right_one(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/anchoring.md").read_text()
    read = publisher_file(tmp_path, page.partition("```toml")[2].partition("```")[0])
    assert len(read.nodes) == 3
    assert (read.fees.fee_wei_max, read.fees.bump_after_s) == (60 * 10**9, 180)
    assert read.signer["kind"] == "keystore"
    assert all(f"`{kind}`" in page for kind in KINDS)
