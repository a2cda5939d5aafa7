"""The month's evidence: what an operator answers for, one statement a unit and month."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from tanzheng.core import closed
from tanzheng.core.errors import EncodingError
from tanzheng.core.ids import identifier
from tanzheng.core.manifest import GatewayChain
from tanzheng.core.statements.common import Pack
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.forms import Count, Digest, Form, Text, many
from tanzheng.core.statements.roles import Role

GATEWAYS_MAX = 1024


def _gateway(value: object, where: str) -> GatewayChain:
    parts = closed.sequence(value, where, 6)
    if len(parts) != 6:
        raise EncodingError(f"{where}: expected 6 parts a gateway, got {len(parts)}")
    gw, head = identifier(parts[0], where), closed.octets(parts[5], 32, f"{where}.head")
    numbers = [closed.number(part, where, least=1) for part in parts[1:5]]
    return GatewayChain(gw, numbers[0], numbers[1], numbers[2], numbers[3], head)


def _gateway_parts(chain: GatewayChain) -> list[Any]:
    return [chain.gw, chain.first_epoch, chain.first_seq, chain.epoch, chain.last_seq, chain.head]


def _shown(parts: list[Any]) -> list[Any]:
    return [*parts[:5], parts[5].hex()]


GATEWAY = Form(_gateway, _gateway_parts, _shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Envelope):
    """A month's evidence package, stated.

    `manifest_sha256`, `manifest_sm3`: of data/manifest.json, which binds the whole package.
    `parameters_root`: of the salted tree. `gateways`: batch-chain heads, sorted by gateway.
    """

    TYPE: ClassVar[str] = "tanzheng.statement"
    SUBJECT_KIND: ClassVar[str] = "month"
    SIGNER: ClassVar[Role] = Role.OPERATOR

    start_ms: Count
    end_ms: Count
    manifest_sha256: Digest
    manifest_sm3: Digest
    parameters_root: Digest
    gateways: Annotated[tuple[GatewayChain, ...], many(GATEWAY, most=GATEWAYS_MAX)]
    standard: Pack
    rules: Pack
    software: Text
