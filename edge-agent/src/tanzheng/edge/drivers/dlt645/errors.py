"""What can be wrong with an answer of a meter. `reason` is what the gap record says."""

from tanzheng.core.errors import BadInput


class Dlt645Error(BadInput):
    """Base of all; `reason` is an identifier."""

    reason = "bad_reply"


class BadChecksum(Dlt645Error):
    """The frame was damaged on its way."""

    reason = "bad_checksum"


class BadEnd(Dlt645Error):
    """The byte that should be 16 is not: the length or the frame is damaged."""

    reason = "bad_frame"


class CutFrame(Dlt645Error):
    """The frame ends before its length is reached."""

    reason = "cut_frame"


class OldEdition(Dlt645Error):
    """A frame of DL/T 645-1997 (control codes 01, 81 …, two-byte identifiers): not supported."""

    reason = "dlt645_1997"

    def diagnostics(self) -> str:
        """What to do about it."""
        return (
            "The meter speaks DL/T 645-1997. Set it to the 2007 edition or read it by Modbus. "
            "该电表使用 1997 版规约：请改为 2007 版，或用 Modbus 读取。"
        )


class WrongReply(Dlt645Error):
    """A whole frame that answers something else: another meter, identifier or frame number."""


class WrongLength(Dlt645Error):
    """The data field is longer or shorter than its identifier says."""

    reason = "wrong_length"


class BadBcd(Dlt645Error):
    """A half byte above 9 where a digit should be, or digits that are no date."""

    reason = "bad_bcd"


class UnknownIdentifier(Dlt645Error):
    """An identifier the table does not have: the maker defines its form."""

    reason = "unknown_identifier"


class TooManyFrames(Dlt645Error):
    """A meter that announces more and more frames."""

    reason = "too_many_frames"


class WriteRefused(Dlt645Error):
    """Something other than a read was about to be sent. Never happens; here it stops."""

    reason = "write_refused"


ERROR_BITS = (
    (0x01, "other error", "其他错误"),
    (0x02, "no such data", "无请求数据"),
    (0x04, "wrong password or no authority", "密码错/未授权"),
    (0x08, "speed cannot be changed", "通信速率不能更改"),
    (0x10, "too many year zones", "年时区数超"),
    (0x20, "too many day tables", "日时段数超"),
    (0x40, "too many tariffs", "费率数超"),
)
"""Bits of the ERR byte, DL/T 645-2007 §7.1 table: bit, English, Chinese."""


def error_words(code: int) -> str:
    """The bits of an ERR byte in words."""
    found = [f"{english} {chinese}" for bit, english, chinese in ERROR_BITS if code & bit]
    return ", ".join(found) or "no reason 未说明"


class MeterRefused(Dlt645Error):
    """The meter answered with an error byte."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(f"expected data, got error {code:02X} ({error_words(code)}), at {where}")
        self.code = code
        self.reason = "no_such_data" if code & 0x02 else f"meter_error_{code:02x}"
