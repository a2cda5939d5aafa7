"""Enrolment: whose key may be a gateway's."""

from dataclasses import replace
from pathlib import Path

import pytest

from ingest.boxes import second_box, write_files
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import Algorithm, SigningKey
from tanzheng.ingest.enrolment import read_gateways


def test_a_gateway_s_key_is_ed25519(tmp_path: Path) -> None:
    box = second_box()
    assert read_gateways(write_files(tmp_path, box))["gw2"].key == box.key.public
    other = replace(box, key=SigningKey.generate(Algorithm.ES256))
    with pytest.raises(
        BadInput, match=r"gw2\.pub\.pem: expected an Ed25519 key of a gateway, got ES256"
    ):
        read_gateways(write_files(tmp_path, other))
