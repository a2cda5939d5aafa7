"""The answer of a verification: named points, each with its own verdict, in two languages."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tanzheng.core.errors import TanzhengError


class Verdict(StrEnum):
    """What a check came to. NOT_ASKED: nothing was given to check against."""

    OK = "ok"
    FAILED = "failed"
    NOT_ASKED = "not asked"


LABELS: dict[str, tuple[str, str]] = {
    "included": ("included in the log", "已收录于日志"),
    "signer": ("signer valid at that time", "签名人当时有效"),
    "current": ("current version", "为当前版本"),
    "consistent": ("consistent with my last checkpoint", "与我上一检查点一致"),
    "not_before": ("not before", "不早于"),
    "not_after": ("not after", "不晚于"),
    "anchor": ("anchored on the chain, final", "已上链且最终确认"),
    "sealed": ("sealed by validators of the chain", "区块验证者签封足数"),
    "witnessed": ("cosigned by enough witnesses", "见证人会签足数"),
    "keys": ("key events counted", "密钥事件已计入"),
    "documents": ("documents re-hashed", "文件散列一致"),
    "rfc3161": ("RFC 3161 time stamp", "RFC 3161 时间戳"),
    "opentimestamps": ("OpenTimestamps proof", "OpenTimestamps 证明"),
    "second_chain": ("second chain", "第二链存证"),
    "body": ("package re-hashed", "证据包重新散列一致"),
    "plant": ("plant file trusted", "电厂描述文件可信"),
    "packs": ("standard and rules are mine", "标准包与规则集一致"),
    "batches": ("batches signed, chain gapless", "批次签名有效且链无缺口"),
    "coverage": ("every slot read or explained", "每一时点有读数或缺口记录"),
    "figures": ("figures recomputed", "数据重算一致"),
    "disclosed": ("figures lead to the root", "披露数据可验证至参数根"),
    "named": ("root named by the statement", "参数根与存证声明一致"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One point: `key` for machines, `en` and `zh` for people, `detail` says what was found."""

    key: str
    verdict: Verdict
    detail: str

    @property
    def en(self) -> str:
        """The label in English."""
        return LABELS[self.key][0]

    @property
    def zh(self) -> str:
        """The label in Chinese."""
        return LABELS[self.key][1]


class NotAskedError(Exception):
    """Raised by a check that was given nothing to check against; its text becomes the detail."""


def point(key: str, check: Callable[[], str]) -> Point:
    """Run `check`: what it returns, or the Tanzheng error it raises, becomes the detail."""
    try:
        return Point(key, Verdict.OK, check())
    except NotAskedError as reason:
        return Point(key, Verdict.NOT_ASKED, str(reason))
    except TanzhengError as error:
        return Point(key, Verdict.FAILED, str(error))


def instant(t_ms: int) -> str:
    """Return UTC milliseconds for a reader, e.g. `2018-08-05 09:00:00Z`."""
    try:
        return f"{datetime.fromtimestamp(t_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"
    except (OverflowError, ValueError, OSError):  # a hostile number is no date
        return f"{t_ms} ms"
