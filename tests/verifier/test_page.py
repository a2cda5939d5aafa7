"""The page says what the command says, for every vector, and asks nothing of the network."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fix_browser import Chromium
from tanzheng.verifier.page import assemble
from vectors import cases_statements, cases_timestamps, parts, stamps, world
from vectors.judge import judge
from vectors.make import FILES, FOLDER
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


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_page_says_what_the_vectors_say(page: Chromium, name: str) -> None:
    told = json.loads((FOLDER / f"{name}.json").read_text())["cases"]
    for case, answer in zip(told, check_all(page, told), strict=True):
        expected = {k: case[k] for k in ("refused", "points", "exit_code") if k in case}
        assert {key: answer[key] for key in expected} == expected, case["name"]
        assert len(expected) == 2


@pytest.mark.parametrize("name", sorted(FILES))
def test_what_holds_is_told_in_the_same_words(page: Chromium, name: str) -> None:
    told = json.loads((FOLDER / f"{name}.json").read_text())["cases"]
    for case, answer in zip(FILES[name](), check_all(page, told), strict=True):
        expected = judge(case.given)
        for key, verdict in expected.get("points", {}).items():
            if verdict != "failed":
                assert answer["details"][key] == expected["details"][key], case.name


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


# ------------------------------------------------------------------ as a person uses it


@pytest.fixture
def handed(tmp_path: Path) -> Path:
    """A folder as a stranger gets it."""
    operator = world.small()
    (tmp_path / "receipt.cbor").write_bytes(operator.receipt())
    (tmp_path / "TRUST.json").write_bytes(operator.trust().encode())
    for name, data in world.package().items():
        path = tmp_path / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def give(page: Chromium, folder: Path, *names: str) -> dict[str, str]:
    """Choose files, and read what the page then says: banner, and word by point."""

    def steps(shown: Any) -> dict[str, str]:
        shown.set_input_files("#any", [str(folder / name) for name in names])
        shown.wait_for_selector("body[aria-busy=false] #banner:not(:empty)", timeout=30_000)
        cards = shown.query_selector_all(".point")
        words = {c.get_attribute("data-point"): c.get_attribute("class") for c in cards}
        return {"banner": shown.inner_text("#banner"), **words}

    return page.do(steps)


def test_files_are_told_by_their_content(page: Chromium, handed: Path) -> None:
    (handed / "receipt.cbor").rename(handed / "a.bin")
    (handed / "TRUST.json").rename(handed / "b.bin")
    said = give(page, handed, "b.bin", "a.bin")
    assert said.pop("banner").startswith("核验通过")
    assert said.pop("consistent") == "point not-asked"
    assert set(said.values()) == {"point ok"}
    assert len(said) == 6


def test_a_package_s_folder_is_hashed_again(page: Chromium, handed: Path) -> None:
    folder = str(handed / "package")
    page.do(lambda shown: shown.set_input_files("input[aria-label*='package folder']", folder))
    assert give(page, handed, "receipt.cbor", "TRUST.json")["body"] == "point ok"
    (handed / "package/bagit.txt").write_bytes(b"changed")
    page.do(lambda shown: shown.reload())
    page.do(lambda shown: shown.set_input_files("input[aria-label*='package folder']", folder))
    said = give(page, handed, "receipt.cbor", "TRUST.json")
    assert (said["body"], said["banner"][:5]) == ("point failed", "核验未通过")


def test_a_review_says_what_it_says_and_its_key_event_is_told_by_its_content(
    page: Chromium, tmp_path: Path
) -> None:
    rotated = cases_statements.rotated()
    (tmp_path / "a.cbor").write_bytes(rotated.receipt)
    (tmp_path / "b.cbor").write_bytes(rotated.key_events[0])
    (tmp_path / "TRUST.json").write_bytes(rotated.trust)
    said = give(page, tmp_path, "a.cbor", "TRUST.json")
    assert (said["signer"], "keys" in said) == ("point failed", False)
    page.do(lambda shown: shown.set_input_files("#any", str(tmp_path / "b.cbor")))
    page.do(lambda shown: shown.wait_for_selector("[data-point=keys].ok"))
    facts = page.do(lambda shown: shown.inner_text("#facts"))
    assert "审核意见 review" in facts
    assert "wrong_meter, wrong_value" in facts
    assert page.do(lambda shown: shown.inner_text("#banner")).startswith("核验通过")


def test_a_document_is_chosen_and_hashed(page: Chromium, tmp_path: Path) -> None:
    given = cases_statements.with_letter()
    (tmp_path / "receipt.cbor").write_bytes(given.receipt)
    (tmp_path / "TRUST.json").write_bytes(given.trust)
    (tmp_path / "letter.pdf").write_bytes(cases_statements.LETTER)
    letter = str(tmp_path / "letter.pdf")
    page.do(lambda shown: shown.set_input_files("input[aria-label*='documents']", letter))
    assert give(page, tmp_path, "receipt.cbor", "TRUST.json")["documents"] == "point ok"


def test_a_broken_time_stamp_has_an_answer_of_its_own(page: Chromium, tmp_path: Path) -> None:
    given = cases_timestamps.stamped(stamps.token("stranger")).given
    (tmp_path / "receipt.cbor").write_bytes(given.receipt)
    (tmp_path / "TRUST.json").write_bytes(given.trust)
    said = give(page, tmp_path, "receipt.cbor", "TRUST.json")
    assert said["rfc3161"] == "point failed"
    assert said["banner"].startswith("凭证成立，附加证明不成立")


def test_what_is_no_receipt_is_refused_and_its_text_is_no_html(
    page: Chromium, handed: Path
) -> None:
    (handed / "receipt.cbor").write_bytes(b"\xa1\x63<b>\x01")
    said = give(page, handed, "receipt.cbor", "TRUST.json")
    assert said.keys() == {"banner"}
    assert said["banner"].startswith("文件不可用")
    assert "<b>" in said["banner"]


@pytest.mark.parametrize(
    "lost",
    [
        "crypto.subtle.importKey = async () => { throw new DOMException('', 'NotSupported'); }",
        "crypto.subtle.verify = async () => true",
        "crypto.subtle.verify = async () => false",
        "Object.defineProperty(crypto, 'subtle', { value: undefined })",
        "Math.cbrt = () => 1.5",
    ],
)
def test_a_browser_that_cannot_gives_no_answer(page: Chromium, handed: Path, lost: str) -> None:
    said = page.do(lambda shown: _without(shown, lost, handed))
    assert said.startswith("此浏览器无法核验")


def _without(shown: Any, lost: str, folder: Path) -> str:
    """The banner of the page in a browser that lacks something."""
    context = shown.context.browser.new_context()
    try:
        context.add_init_script(lost)
        other = context.new_page()
        other.goto(shown.url)
        other.set_input_files("#any", [str(folder / n) for n in ("receipt.cbor", "TRUST.json")])
        other.wait_for_selector("#facts", state="attached")
        other.wait_for_function("document.getElementById('banner').textContent !== ''")
        return str(other.inner_text("#banner"))
    finally:
        context.close()


def test_the_keyboard_reaches_everything_and_print_leaves_the_answer(
    page: Chromium, handed: Path
) -> None:
    give(page, handed, "receipt.cbor", "TRUST.json")

    def steps(shown: Any) -> tuple[list[str], bool, bool]:
        reached = []
        for _ in range(12):
            shown.keyboard.press("Tab")
            name = "document.activeElement.id || document.activeElement.ariaLabel || ''"
            reached.append(shown.evaluate(name))
        shown.emulate_media(media="print")
        answer, drop = shown.is_visible("#banner"), shown.is_visible("#drop")
        shown.emulate_media(media="screen")
        return reached, answer, drop

    reached, answer, drop = page.do(steps)
    assert "any" in reached
    assert any("remove receipt" in name for name in reached)
    assert any("consistency proof" in name for name in reached)
    assert (answer, drop) == (True, False)


def test_the_command_writes_the_page_once(tmp_path: Path) -> None:
    out = tmp_path / "verify.html"
    command = [str(Path(sys.executable).with_name("tanzheng")), "verify", "--page", str(out)]
    done = [subprocess.run(command, capture_output=True, check=False) for _ in range(2)]
    assert [each.returncode for each in done] == [0, 2]
    assert out.read_bytes() == assemble()
