"""AUTHORITY.json: whose signature counts for what. A registry writes it by itself.

    {"version": 1, "chain_id": 31337, "contract": "0x…",
     "reporters": {"E1/U1": ["0x…"]}, "reviewers": ["0x…"], "verifiers": ["0x…"],
     "confirmers": ["0x…"], "disputers": ["0x…"]}

`contract` is the VerifiedEmissions of the jurisdiction; addresses are 0x and 40 lower-case digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tanzheng.core import closed, strict_json
from tanzheng.core.attestation import Act, Domain, check_subject
from tanzheng.core.errors import EncodingError

AUTHORITY_BYTES_MAX = 16 << 20
ACCOUNTS_MAX = 100_000
_ROLES = ("reviewers", "verifiers", "confirmers", "disputers")
_ROLE_OF = {
    Act.REVIEW: "reviewers",
    Act.VERIFY: "verifiers",
    Act.CONFIRM: "confirmers",
    Act.DISPUTE: "disputers",
    Act.UPHOLD: "confirmers",
}


@dataclass(frozen=True, slots=True)
class Authority:
    """The content of AUTHORITY.json; accounts are addresses of 20 bytes."""

    domain: Domain
    reporters: Mapping[str, frozenset[bytes]]
    roles: Mapping[str, frozenset[bytes]]

    def may(self, act: Act, subject: str, account: bytes) -> bool:
        """Say whether `account` may do `act` for `subject`."""
        if act in (Act.REPORT, Act.CORRECT):
            return account in self.reporters.get(subject, frozenset())
        return account in self.roles[_ROLE_OF[act]]

    @classmethod
    def decode(cls, data: bytes) -> Authority:
        """Read AUTHORITY.json; `EncodingError` names the first field out of shape."""
        where = "authority"
        value = strict_json.loads(data, where, AUTHORITY_BYTES_MAX)
        keys = ("version", "chain_id", "contract", "reporters", *_ROLES)
        source = closed.record(value, keys, where)
        closed.version(source, 1, where)
        reporters = closed.mapping(source["reporters"], f"{where}.reporters")
        for subject in reporters:
            check_subject(subject)
        chain_id = closed.integer(source, "chain_id", where, least=1)
        return cls(
            Domain(chain_id, _address(source["contract"], f"{where}.contract")),
            {
                subject: _accounts(found, f"{where}.reporters.{subject}")
                for subject, found in reporters.items()
            },
            {role: _accounts(source[role], f"{where}.{role}") for role in _ROLES},
        )


def _accounts(value: object, where: str) -> frozenset[bytes]:
    return frozenset(_address(item, where) for item in closed.sequence(value, where, ACCOUNTS_MAX))


def _address(value: object, where: str) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise EncodingError(f"{where}: expected 0x and 40 hexadecimal digits, got {value!r:.60}")
    return closed.hexadecimal(value[2:], 20, where)
