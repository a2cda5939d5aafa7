"""DER as it is read and written, held against the peer library asn1crypto."""

import pytest
from asn1crypto import cms, core, tsp  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.errors import EncodingError, TanzhengError
from tanzheng.verifier import der, stamping
from tanzheng.verifier.der import Reader
from tanzheng.verifier.timestamp_token import read_token
from vectors import stamps


@given(st.integers(min_value=0, max_value=1 << 200))
def test_an_integer_is_written_as_the_peer_writes_it_and_read_back(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()
    assert Reader(core.Integer(-value).dump(), "x").integer() == -value


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_a_length_is_written_as_the_peer_writes_it_and_read_back(size: int) -> None:
    data = der.element(der.OCTETS, bytes(size))
    assert data == core.OctetString(bytes(size)).dump()
    reader = Reader(data, "x")
    assert len(reader.take(der.OCTETS)) == size
    reader.end()


FLAWED = (
    ": 02: 0281: 028101: 02810101: 0200: 02020001: 0202ff80: 028000: 02840000000100: 1f0100: 020201"
)


@pytest.mark.parametrize("spelled", FLAWED.split(": "))
def test_what_is_not_the_shortest_spelling_is_refused(spelled: str) -> None:
    with pytest.raises(EncodingError, match="x: expected"):
        Reader(bytes.fromhex(spelled), "x").integer()


@pytest.mark.parametrize("name", stamps.AUTHORITIES)
def test_a_token_is_read_as_the_peer_reads_it(name: str) -> None:
    ours, content = read_token(stamps.token(name)), cms.ContentInfo.load(stamps.token(name))
    signed = content["content"]
    info = signed["encap_content_info"]["content"].parsed
    assert ours.imprint[1] == info["message_imprint"]["hashed_message"].native
    assert ours.t_ms == info["gen_time"].native.timestamp() * 1000
    assert ours.nonce == info["nonce"].native
    [signer] = signed["signer_infos"]
    assert ours.signer == signer["sid"].chosen.dump()
    assert ours.signature == signer["signature"].native
    assert ours.signed == signer["signed_attrs"].untag().dump()


def test_a_request_is_read_as_the_peer_reads_it() -> None:
    found = tsp.TimeStampReq.load(stamping.request(stamps.core(), 1 << 63), strict=True)
    assert found.native["nonce"] == 1 << 63
    assert found.native["cert_req"] is True
    assert found.dump(force=True) == stamping.request(stamps.core(), 1 << 63)


@given(st.binary(max_size=200))
def test_garbage_is_a_token_or_a_named_error(data: bytes) -> None:
    with pytest.raises(TanzhengError):
        read_token(data)
    with pytest.raises(TanzhengError):
        read_token(stamping.token_of(data))
