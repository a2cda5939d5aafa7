"""Time stamps by a real authority, made once and kept as bytes: `python -m vectors.stamps` anew.

Each is of the core of the log of one leaf (`world.small`); keys are thrown away.
"""

import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from authority import Authority
from tanzheng.core import receipt
from tanzheng.core.trust import TimestampAuthority
from vectors import world

FOLDER = Path(__file__).parent / "stamps"
AUTHORITIES: dict[str, dict[str, Any]] = {
    "rsa": {},
    "p256": {"curve": ec.SECP256R1()},
    "p384": {"curve": ec.SECP384R1(), "digest": "sha384"},
    "k256": {"curve": ec.SECP256K1()},
    "sha1-ess": {"ess": "sha1"},
    "stranger": {},
    "expired": {"first_day": -2, "last_day": -1},
    "not-yet": {"first_day": 1},
}


@cache
def core() -> bytes:
    """What is stamped."""
    return receipt.decode(world.small().receipt()).core


@cache
def token(name: str) -> bytes:
    """A token by the name of its authority, or one of `rsa` with something about it."""
    return (FOLDER / f"{name}.token").read_bytes()


@cache
def authority(name: str = "rsa") -> TimestampAuthority:
    """An authority as a trust file names it."""
    return TimestampAuthority(name, (FOLDER / f"{name}.certificate").read_bytes())


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in AUTHORITIES.items():
            made = Authority(Path(folder) / name, **settings)
            found = {name: made.stamp(core(), certificates=False)}
            if name == "rsa":
                found["rsa-with-certificate"] = made.stamp(core())
                found["rsa-of-other-bytes"] = made.stamp(core() + b"x", certificates=False)
                found["rsa-by-sha512"] = made.stamp(core(), "sha512", certificates=False)
            (FOLDER / f"{name}.certificate").write_bytes(made.trusted.certificate)
            for each, data in found.items():
                (FOLDER / f"{each}.token").write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
