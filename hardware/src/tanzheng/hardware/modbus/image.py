"""The registers of one simulated device, kept encoded: a read is a slice. Pure.

Values are encoded once when the plant's state moves on, not once a request.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

from tanzheng.core.quality import Quality
from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.profile import PointSpec, Profile, Ratio, RegisterAt, Validity
from tanzheng.hardware.registers import Raw, data_of, encode_value, no_value

_SIZE: Final = 0x10000
_ONE: Final = Fraction(1)


class RegisterImage:
    """What a device of `profile` answers. Points that nobody sets say "no value" for ever; status
    points say that all is well, transformer ratios are 1.

    `resolution` gives a counter's factor for points whose scale is held in a register
    (point id → one of the profile's factors; default 1, else the first one).
    Addresses that neither a point nor a bridge of the profile covers do not exist.
    """

    def __init__(self, profile: Profile, resolution: Mapping[str, Fraction] | None = None) -> None:
        self.registers_per_read_max = profile.registers_per_read_max
        self._profile = profile
        self._values: dict[int, bytearray] = {}
        self._defined: dict[int, bytearray] = {}
        self._scales: dict[RegisterAt, Fraction] = {}
        self._ratios: dict[Ratio, Fraction] = {}
        for at in _addresses(profile):
            if at.fc not in self._values:
                self._open(at)
        for point in profile.points:
            self._write(point.register, no_value(point))
        for name in profile.ratios:
            self.set_ratio(name, 1)
        for point in profile.points:
            self._set_scale(point, (resolution or {}).get(point.id))
        for at, raw in _all_is_well(profile):
            self.set_raw(at, raw)
        if profile.identity is not None:
            self.set_raw(profile.identity.point, profile.identity.equals or 1)

    def set(self, point: PointSpec, value: Fraction | float) -> None:
        """Show `value` (in the unit of `registers.decode_value`) in the registers of `point`."""
        ratio = _ONE
        if point.scale_register is not None:
            ratio = self._scales[point.scale_register.at]
        for name in point.times:
            ratio *= self._ratios.get(name, _ONE)
        data = encode_value(point, value, ratio)
        if point.register.bit is None:
            self._write(point.register, data)
        else:
            self.set_raw(point.register, any(data))

    def set_none(self, point: PointSpec) -> None:
        """Show that `point` has no value."""
        self._write(point.register, no_value(point))

    def set_raw(self, at: RegisterAt, raw: Raw | str) -> None:
        """Show `raw` at `at`: a status, an identity, a text. The bits beside a bit stay."""
        if at.bit is None:
            self._write(at, data_of(at, raw))
            return
        own = data_of(at, 1)
        before = self._values[at.fc][2 * at.addr : 2 * at.addr + 2]
        data = [
            byte | mask if raw else byte & ~mask for byte, mask in zip(before, own, strict=True)
        ]
        self._write(at, bytes(data))

    def set_ratio(self, name: Ratio, ratio: int) -> None:
        """Let the transformers have this ratio: values set from now on are secondary by it."""
        self._ratios[name] = Fraction(ratio)
        if name in self._profile.ratios:
            self.set_raw(self._profile.ratios[name], ratio)

    def registers(self, fc: int, addr: int, count: int) -> bytes | None:
        """2 × `count` bytes from `addr`; None where one of the registers does not exist."""
        defined = self._defined.get(fc)
        if defined is None or addr + count > _SIZE or 0 in defined[addr : addr + count]:
            return None
        return bytes(self._values[fc][2 * addr : 2 * (addr + count)])

    def bits(self, fc: int, addr: int, count: int) -> bytes | None:
        """⌈`count` / 8⌉ bytes, the first bit lowest; None where one of them does not exist."""
        defined = self._defined.get(fc)
        if defined is None or addr + count > _SIZE or 0 in defined[addr : addr + count]:
            return None
        bits = self._values[fc][addr : addr + count]
        packed = sum(bit << place for place, bit in enumerate(bits))
        return packed.to_bytes((count + 7) // 8, "little")

    def _open(self, at: RegisterAt) -> None:
        """Room for one function: a byte a bit, two bytes a register."""
        self._values[at.fc] = bytearray(_SIZE if at.by_bits else 2 * _SIZE)
        self._defined[at.fc] = bytearray(_SIZE)
        for first, last in () if at.by_bits else self._profile.bridges:
            self._defined[at.fc][first : last + 1] = b"\x01" * (last + 1 - first)

    def _write(self, at: RegisterAt, data: bytes) -> None:
        first = at.addr if at.by_bits else 2 * at.addr
        self._values[at.fc][first : first + len(data)] = data
        self._defined[at.fc][at.addr : at.end] = b"\x01" * at.words

    def _set_scale(self, point: PointSpec, wanted: Fraction | None) -> None:
        register = point.scale_register
        if register is None:
            return
        known = register.factors
        factor = wanted or (_ONE if _ONE in known.values() else next(iter(known.values())))
        for raw, each in known.items():
            if each == factor:
                self._scales[register.at] = factor
                self.set_raw(register.at, raw)
                return
        raise ProfileError(
            f"profile {self._profile.id}, point {point.id}: expected one of the factors of its "
            f"scale register, got {factor}"
        )


def _addresses(profile: Profile) -> Iterable[RegisterAt]:
    for point in profile.points:
        yield point.register
        if point.scale_register is not None:
            yield point.scale_register.at
    yield from profile.ratios.values()
    if profile.identity is not None:
        yield profile.identity.point


def _all_is_well(profile: Profile) -> Iterable[tuple[RegisterAt, int]]:
    """For each status point the smallest raw value that all who look at it call good."""
    judges: dict[str, list[Validity]] = {}
    for point in profile.points:
        for validity in point.validity:
            judges.setdefault(validity.point, []).append(validity)
    for name, asked in judges.items():
        for raw in range(_SIZE):
            if all(validity.quality(raw) is Quality.GOOD for validity in asked):
                yield profile.point(name).register, raw
                break
