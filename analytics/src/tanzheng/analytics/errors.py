"""Why a month cannot be computed or closed, named for what the caller must do."""

from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError


class SeriesInvalid(BadInput):
    """Readings that are not one value per point and instant in order of time."""


class RoleMissing(BadInput):
    """The plant file gives no point for a role that the month close needs, or more than one."""


class CounterBoundaryMissing(BadInput):
    """No valid counter reading near a month's boundary: the month's total cannot be known."""


class PackInvalid(BadInput):
    """A standard pack or rule set that does not have the expected shape."""


class InputInvalid(BadInput):
    """Figures of an accounting document that contradict its standard or one another."""


class PackageExists(BadInput):
    """The place for an evidence package is taken: evidence is never overwritten."""


class NothingRecorded(BadInput):
    """The database holds no signed batch for the unit and month."""


class MonthArchived(TanzhengError):
    """Readings of the month lie in an archive, not in the database: restore them first."""

    def diagnostics(self) -> str:
        return (
            "`tanzheng ingest archive --restore DIR` brings them back; where the files are lost, "
            "`tanzheng ingest rebuild --archived` makes them from the signed batches. "
            "本月数据已归档，请先恢复。"
        )


class BacklogUnderWay(TanzhengError):
    """Batches of the month may still come: close it when the gateway has sent them."""

    def diagnostics(self) -> str:
        return (
            "After an outage a gateway sends its newest batches first, the backlog behind them. "
            "Close the month when the chain is whole; `select * from early_batch` shows what "
            "waits. 网关断线后先传最新数据，积压数据随后补传；请待补传完毕后再核算本月。"
        )


class DatabaseFault(TanzhengError):
    """The database could not be reached or asked: see its own message."""


class EvidenceMismatch(CheckFailed):
    """What was computed from the database does not follow from the package."""


class BooksMissing(BadInput):
    """A month that needs the plant's books was given none, or not all of them."""


class BooksUnneeded(BadInput):
    """Books for a unit whose month is metered throughout: they would not be looked at."""


class BooksForeign(BadInput):
    """Books of another enterprise, unit or capacity than the plant file's."""
