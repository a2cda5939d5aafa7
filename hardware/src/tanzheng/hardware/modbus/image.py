"""The registers of one simulated device, kept encoded: a read is a slice. Pure.

Values are encoded once when the plant's state moves on, not once a request.
"""

from collections.abc import Mapping
from fractions import Fraction

from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.profile import PointSpec, Profile
from tanzheng.hardware.registers import encode_value, no_value

_SIZE = 0x10000
_ONE = Fraction(1)


class RegisterImage:
    """What a device of `profile` answers. Points that nobody sets say "no value" for ever.

    `resolution` gives a counter's factor for points whose scale is held in a register
    (point id → one of the profile's factors; default 1).
    Addresses that neither a point nor a bridge of the profile covers do not exist.
    """

    def __init__(self, profile: Profile, resolution: Mapping[str, Fraction] | None = None) -> None:
        self.registers_per_read_max = profile.registers_per_read_max
        self._profile = profile
        self._scales = dict(resolution or {})
        self._values: dict[int, bytearray] = {}
        self._defined: dict[int, bytearray] = {}
        for fc in {point.fc for point in profile.points}:
            self._values[fc] = bytearray(2 * _SIZE)
            self._defined[fc] = bytearray(_SIZE)
            for first, last in profile.bridges:
                self._defined[fc][first : last + 1] = b"\x01" * (last + 1 - first)
        for point in profile.points:
            self._write(point, no_value(point))
            self._write_scale(point)

    def set(self, point: PointSpec, value: Fraction | float) -> None:
        """Show `value` (in the unit of `registers.decode_value`) in the registers of `point`."""
        scale = self._scales.get(point.id, _ONE)
        self._write(point, encode_value(point, value, scale))

    def registers(self, fc: int, addr: int, count: int) -> bytes | None:
        """2 × `count` bytes from `addr`; None where one of the registers does not exist."""
        defined = self._defined.get(fc)
        if defined is None or addr + count > _SIZE or 0 in defined[addr : addr + count]:
            return None
        return bytes(self._values[fc][2 * addr : 2 * (addr + count)])

    def bits(self, fc: int, addr: int, count: int) -> bytes | None:
        """None: no profile has coils or discrete inputs yet."""
        return None

    def _write(self, point: PointSpec, data: bytes) -> None:
        self._values[point.fc][2 * point.addr : 2 * point.addr + len(data)] = data
        self._defined[point.fc][point.addr : point.addr + point.words] = b"\x01" * point.words

    def _write_scale(self, point: PointSpec) -> None:
        register = point.scale_register
        if register is None:
            return
        factor = self._scales.get(point.id, _ONE)
        for raw, known in register.factors.items():
            if known == factor:
                data = raw.to_bytes(2, "big", signed=raw < 0)
                self._values[point.fc][2 * register.addr : 2 * register.addr + 2] = data
                self._defined[point.fc][register.addr] = 1
                return
        raise ProfileError(
            f"profile {self._profile.id}, point {point.id}: expected one of the factors of its "
            f"scale register, got {factor}"
        )
