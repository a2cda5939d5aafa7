"""The dictionary of quantities: where a name, its unit and its reference state are set, once.

A name ends in its unit. Database columns, point names, parameters, reports and documents are
checked against this table. Sources: GB/T 3102 (quantities and units), HJ 75-2017 (stack gas,
standard state 273 K and 101.325 kPa), the guidelines of the standard packs (reported figures).
"""

from collections.abc import Mapping
from types import MappingProxyType

from tanzheng.core.errors import BadInput
from tanzheng.core.fields.entry import ACTUAL_STATE, NORMAL_STATE, Field, Kind
from tanzheng.core.fields.parameters import PARAMETERS
from tanzheng.core.fields.readings import DEVICE_ROWS, READINGS

__all__ = ["ACTUAL_STATE", "FIELDS", "NORMAL_STATE", "Field", "Kind", "field", "point_field"]

FIELDS: Mapping[str, Field] = MappingProxyType(
    {item.name: item for item in (*READINGS, *(Field(*row) for row in DEVICE_ROWS), *PARAMETERS)}
)


def field(name: str) -> Field:
    """The entry for `name`; `BadInput` where the dictionary has none."""
    try:
        return FIELDS[name]
    except KeyError:
        raise BadInput(f"expected a name of the field dictionary, got {name!r}") from None


def point_field(point: str) -> Field:
    """The field of a point name `device/field`."""
    device, _, name = point.partition("/")
    if not device or not name:
        raise BadInput(f"expected a point name DEVICE/FIELD, got {point!r}")
    return field(name)
