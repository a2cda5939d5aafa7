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


class PackageExists(BadInput):
    """The place for an evidence package is taken: evidence is never overwritten."""


class NothingRecorded(BadInput):
    """The database holds no signed batch for the unit and month."""


class DatabaseFault(TanzhengError):
    """The database could not be reached or asked: see its own message."""


class EvidenceMismatch(CheckFailed):
    """What was computed from the database does not follow from the signed batches."""
