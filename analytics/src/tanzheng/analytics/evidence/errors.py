"""Why a move is refused or a journal is not believed, named for what the caller must do."""

from tanzheng.core.errors import BadInput, CheckFailed


class MoveIllegal(BadInput):
    """The table of moves has no such move for this role in this state."""


class ReasonNeeded(BadInput):
    """The move wants a reason code of the list, or words, and has none."""


class DepositBlocked(CheckFailed):
    """The month's rules block deposit: mend the month, close it again, check the new package."""

    def diagnostics(self) -> str:
        return (
            "`data/findings.json` of the package names each failed rule. "
            "存证包中的 data/findings.json 列出未通过的校验规则；请整改后重新核算。"
        )


class JournalBroken(CheckFailed):
    """The journal is not what was written: do not go on with it, compare with a copy."""

    def diagnostics(self) -> str:
        return (
            "Nothing is written to a journal that does not hold. Compare it with a copy up to this "
            "line. 日志校验未通过，不再写入；请与备份逐行比对。"
        )


class JournalTorn(JournalBroken):
    """The last line was never finished: a writer died in the middle."""

    def diagnostics(self) -> str:
        return (
            "That move was never confirmed to anybody. `tanzheng evidence fsck --quarantine` puts "
            "the rest aside into a file; then do the move again. "
            "最后一行未写完，该操作未生效；隔离残行后请重新操作。"
        )
