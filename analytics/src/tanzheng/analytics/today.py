"""The day that deadlines and ends of suppressions are counted from."""

from datetime import UTC, date, datetime

from tanzheng.core.calendar import CHINA
from tanzheng.core.errors import BadInput


def day(text: str | None, option: str = "--today") -> date:
    """The day that `option` gives, else that of the clock in plant time (China)."""
    if text is None:
        return CHINA.day(int(datetime.now(UTC).timestamp() * 1000))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option}: expected YYYY-MM-DD, got {text!r}") from None
