"""The page says what the command says, for every vector, and asks nothing of the network."""

import json
from pathlib import Path
from typing import Any

import pytest

from fix_browser import Chromium
from tanzheng.verifier.page import assemble
from vectors import cases as make
from vectors import parts
from vectors.judge import judge
from vectors.make import FOLDER
from verifier.page import check_all, opened

PARTS = """
(told) => {
  const { fromHex, hex, equal } = module_bytes;
  const holds = (check) => { try { check(); return true; } catch (error) {
    if (error instanceof module_errors.TanzhengError) return false;
    throw error;
  } };
  const nodes = (list) => list.map(fromHex);
  const { verifyInclusion, verifyConsistency, leafHash } = module_merkle;
  const { evm } = told;
  const [state, address] = [evm.state_root, evm.address].map(fromHex);
  const root = module_evm.storageRoot(state, address, nodes(evm.account));
  const slot = ({ key, proof }) => {
    let value = null;
    holds(() => { value = hex(module_evm.slotValue(root, fromHex(key), nodes(proof))); });
    return value;
  };
  const header = module_evm.decodeHeader(fromHex(evm.header));
  return {
    digests: told.digests.map(({ data }) => ({ data,
      sha256: hex(module_sha256.sha256(fromHex(data))), sm3: hex(module_sm3.sm3(fromHex(data))),
      keccak256: hex(module_keccak.keccak256(fromHex(data))) })),
    cbor: told.cbor.map(({ data }) => holds(() => module_cbor.loads(fromHex(data)))),
    rlp: told.rlp.map(({ data }) => holds(() => module_rlp.decode(fromHex(data)))),
    json: told.json.map(({ data }) => holds(() => module_strict_json.loads(fromHex(data)))),
    inclusion: told.inclusion.map((row) => holds(() => verifyInclusion(
      leafHash(fromHex(row.leaf)), row.index, row.size, nodes(row.path), fromHex(row.root)))),
    consistency: told.consistency.map((row) => holds(() => verifyConsistency(
      row.first, row.second, nodes(row.path), fromHex(row.first_root), fromHex(row.second_root)))),
    evm: { hash: hex(header.hash), state_root: hex(header.stateRoot), storage_root: hex(root),
      slots: evm.slots.map(slot) },
  };
}
"""


@pytest.fixture
def page(chromium: Chromium, tmp_path: Path) -> Chromium:
    return opened(chromium, tmp_path)


@pytest.mark.parametrize("name", sorted(make.FILES))
def test_the_page_says_what_the_vectors_say(page: Chromium, name: str) -> None:
    told = json.loads((FOLDER / f"{name}.json").read_text())["cases"]
    for case, answer in zip(told, check_all(page, told), strict=True):
        expected = {key: case[key] for key in ("refused", "points") if key in case}
        assert {key: answer[key] for key in expected} == expected, case["name"]
        assert len(expected) == 1


def test_what_holds_is_told_in_the_same_words(page: Chromium) -> None:
    told = json.loads((FOLDER / "receipts.json").read_text())["cases"]
    found = make.receipts()
    for case, answer in zip(found, check_all(page, told), strict=True):
        expected = judge(case.given)
        for name, verdict in expected["points"].items():
            if verdict != "failed":
                assert answer["details"][name] == expected["details"][name], case.name


def test_the_parts_say_what_their_vectors_say(page: Chromium) -> None:
    told = parts.told()
    found: dict[str, Any] = page.evaluate(PARTS, told)
    assert found.pop("digests") == told["digests"]
    evm = found.pop("evm")
    assert evm.pop("slots") == [slot["value"] for slot in told["evm"]["slots"]]
    assert evm == {key: told["evm"][key] for key in evm}
    for part, holds in found.items():
        wrong = [row for row, held in zip(told[part], holds, strict=True) if row["holds"] != held]
        assert not wrong, part


def test_the_page_is_one_file_that_asks_for_nothing(page: Chromium, tmp_path: Path) -> None:
    assert [Path(url).name for url in page.requests] == ["verify.html"]
    html = assemble().decode()
    assert "default-src 'none'" in html
    assert "unsafe" not in html.partition("<style>")[0]
    assert assemble().decode() == html


def test_its_policy_lets_nothing_out(page: Chromium) -> None:
    asked = "() => fetch('data:,x').then(() => 'sent', () => 'refused')"
    assert page.evaluate(asked) == "refused"
    added = """() => new Promise((done) => {
      const script = document.createElement('script');
      document.addEventListener('securitypolicyviolation', () => done('refused'), { once: true });
      script.textContent = 'done()';
      document.head.append(script);
    })"""
    assert page.evaluate(added) == "refused"
