"""The sectors that are known: one line each."""

from tanzheng.analytics.accounting import power
from tanzheng.analytics.accounting.industry import aluminium, cement, part75, steel
from tanzheng.analytics.accounting.sector import Sector

SECTORS: dict[str, Sector] = {
    item.name: item
    for item in (
        power.SECTOR,
        cement.SECTOR,
        aluminium.SECTOR,
        steel.SECTOR,
        part75.SECTOR,
    )
}
