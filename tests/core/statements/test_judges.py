"""Every kind, signed by both algorithms, opened by libraries that know nothing of us."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.statements.samples import NEW, SAMPLES
from evidence import OPERATOR
from parts import REPOSITORY, missing
from tanzheng.core.keys import SigningKey

LOCK = REPOSITORY / "requirements/judges.txt"
ENVIRONMENT = REPOSITORY / ".parts/judges"
JUDGE = Path(__file__).with_name("judge.py")
KEYS = {"EdDSA": OPERATOR, "ES256": NEW}


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the judges' environment, made anew where its lock file changed."""
    stamp, digest = ENVIRONMENT / "requirements.sha256", hashlib.sha256(LOCK.read_bytes())
    program = ENVIRONMENT / "bin/python"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return program
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=False)
    filled = made.returncode == 0 and subprocess.run(
        [program, *install, "--require-hashes", "-r", LOCK], capture_output=True, check=False
    )
    if not filled or filled.returncode:
        missing("an environment of requirements/judges.txt")
    stamp.write_text(digest.hexdigest())
    return program


def judge(python: Path, messages: list[tuple[bytes, SigningKey]]) -> list[list[Any]]:
    """What the libraries say of each message, under the public key that is named."""
    given = [{"raw": raw.hex(), "pem": key.public.to_pem().decode()} for raw, key in messages]
    done = subprocess.run(
        [python, "-I", JUDGE], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[list[Any]] = json.loads(done.stdout)
    return answers


def test_every_kind_opens_with_both_algorithms(python: Path) -> None:
    signed = [(stated, key) for stated in SAMPLES.values() for key in KEYS.values()]
    answers = judge(python, [(stated.sign(key).raw, key) for stated, key in signed])
    for (stated, key), answer in zip(signed, answers, strict=True):
        expected = {
            "algorithm": key.public.algorithm,
            "kid": key.public.kid.hex(),
            "issuer": stated.issuer,
            "subject": str(stated.subject),
            "payload": stated.encode().hex(),
            "type": stated.TYPE,
        }
        assert answer == [expected, expected]


@pytest.mark.parametrize("name", KEYS)
def test_what_is_forged_is_refused_by_all(python: Path, name: str) -> None:
    key = KEYS[name]
    raw = SAMPLES["verification"].sign(key).raw
    places = [raw.index(b"verification"), raw.index(b"verifier-1"), len(raw) - 1]
    forged = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in places]
    other = SigningKey.generate(key.public.algorithm)
    answers = judge(python, [*((each, key) for each in forged), (raw, other)])
    assert answers == [[None, None]] * 4
