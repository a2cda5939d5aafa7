"""The page of verified emissions is true: its example runs, its words are those of the code."""

import re
from typing import Any

from contracts.emissions import Registered, registered
from docs.console import blocks
from parts import REPOSITORY
from tanzheng.anchor.devchain import Anvil
from tanzheng.core.attestation import Act, Status
from tanzheng.core.hashing import sha256

PAGE = (REPOSITORY / "docs" / "verified-emissions.md").read_text()
CONTRACT = (REPOSITORY / "contracts" / "src" / "VerifiedEmissions.sol").read_text()


def test_the_example_reviews_a_report(anvil: Anvil) -> None:
    place = registered(anvil)
    place.play(Act.REPORT)
    names = run_example(place)
    assert names["wallet_shows"]["message"]["act"] == "reviewed"
    version = place.emissions.version_of("E1/U1", 2025, 1)
    assert version is not None
    assert version.status is Status.REVIEWED
    assert version.reviewer == place.parties.reviewer.address


def run_example(place: Registered) -> dict[str, Any]:
    """What the page's Python leaves behind, run with what a reader has at hand."""
    (code,) = ("\n".join(lines) for _, language, lines in blocks(PAGE) if language == "python")
    names: dict[str, Any] = {
        "rpc": place.chain.anvil.url,
        "contract": place.emissions.address,
        "reviewer": place.parties.reviewer,
        "payer": place.chain.sealer,
        "review_sha256": sha256(b"the review"),
    }
    exec(compile(code, "verified-emissions.md", "exec"), names)
    place.chain.mine(1)
    return names


def test_every_act_and_role_is_explained() -> None:
    assert [act for act in Act if f"`{act}`" not in PAGE] == []
    roles = re.findall(r"bytes32 public constant (\w+_ROLE)", CONTRACT)
    assert len(roles) == 5
    assert [role for role in roles if role not in PAGE] == []


def test_every_signed_field_is_explained() -> None:
    (fields,) = re.findall(r'"Attestation\((.*)\)"', CONTRACT)
    names = [field.split()[1] for field in fields.split(",")]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
