"""What of an alert a seat may see: its own enterprises, and nothing of another's in the words."""

from dataclasses import replace

from tanzheng.analytics.anomalies.alert import Alert, Evidence, Twin
from tanzheng.analytics.seats import NATION, Place, Seat

HIDDEN = ("a unit of another jurisdiction", "其他辖区的机组")


def place(alert: Alert) -> Place:
    """Where the alert's enterprise stands; `BadInput` where its table gave no division code."""
    return Place(alert.enterprise, alert.division)


def seen_by(alert: Alert, seat: Seat) -> Alert:
    """The alert with the names of units outside the seat's jurisdiction taken out."""
    if seat == NATION:
        return alert
    return replace(alert, evidence=tuple(_seen(item, alert, seat) for item in alert.evidence))


def _seen(item: Evidence, alert: Alert, seat: Seat) -> Evidence:
    twin = item.twin
    if twin is None or twin.enterprise == alert.enterprise or _covers(seat, twin):
        return item
    en, zh = (
        text.replace(twin.label, hidden)
        for text, hidden in zip((item.en, item.zh), HIDDEN, strict=True)
    )
    return replace(item, en=en, zh=zh, twin=None)


def _covers(seat: Seat, twin: Twin) -> bool:
    return bool(twin.division) and seat.covers(Place(twin.enterprise, twin.division))
