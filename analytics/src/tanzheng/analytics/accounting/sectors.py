"""The sectors that are known: one line each."""

from tanzheng.analytics.accounting import power
from tanzheng.analytics.accounting.sector import Sector

SECTORS: dict[str, Sector] = {item.name: item for item in (power.SECTOR,)}
