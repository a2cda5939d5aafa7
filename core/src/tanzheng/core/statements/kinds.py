"""Every kind of statement there is, by its payload type."""

from collections.abc import Mapping

from tanzheng.core.statements.annual_report import AnnualReport
from tanzheng.core.statements.confirmed import ConfirmedEmissions
from tanzheng.core.statements.envelope import Envelope, Signed, read_signed
from tanzheng.core.statements.key_event import KeyEvent
from tanzheng.core.statements.migration import Migration
from tanzheng.core.statements.month import Statement
from tanzheng.core.statements.policy import RegistrationPolicy, TrustAnchors
from tanzheng.core.statements.review import Review
from tanzheng.core.statements.verification import Recheck, Verification

SignedStatement = Signed[Envelope]

_ALL: tuple[type[Envelope], ...] = (
    *(Statement, AnnualReport, Review, Verification, Recheck, ConfirmedEmissions),
    *(KeyEvent, RegistrationPolicy, TrustAnchors, Migration),
)
KINDS: Mapping[str, type[Envelope]] = {kind.TYPE: kind for kind in _ALL}
NAMES: Mapping[str, type[Envelope]] = {
    name.removeprefix("tanzheng.").replace("_", "-"): kind for name, kind in KINDS.items()
}
"""The kinds as people type them, and as their CDDL files are called."""

LABELS: Mapping[str, tuple[str, str]] = {
    "tanzheng.statement": ("month's evidence", "月度存证"),
    "tanzheng.annual_report": ("annual report", "年度排放报告"),
    "tanzheng.review": ("review", "审核意见"),
    "tanzheng.verification": ("verification statement", "核查声明"),
    "tanzheng.recheck": ("re-check", "复核声明"),
    "tanzheng.confirmed_emissions": ("confirmed emissions", "核定排放量"),
    "tanzheng.key_event": ("key event", "密钥事件"),
    "tanzheng.registration_policy": ("registration policy", "登记规则"),
    "tanzheng.trust_anchors": ("trust anchors", "信任锚"),
    "tanzheng.migration": ("migration", "日志迁移"),
}


def open_signed(raw: bytes) -> SignedStatement:
    """Read a signed statement of any kind: its form is checked, its signature not yet."""
    return read_signed(raw, KINDS)
