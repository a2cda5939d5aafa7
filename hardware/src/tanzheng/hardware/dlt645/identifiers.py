"""What the data identifiers of DL/T 645-2007 mean: quantity, unit, form of the value.

Source: DL/T 645-2007 appendix A, tables A.1 (energy), A.2 (demand), A.3 (variables), A.5
(parameters), A.6 (frozen values), with the filing of 2013 (04000306 and 04000307). The sign bits
follow the notes below tables A.1 to A.3: combined quantities, currents, powers, power factors and
temperature carry the sign in the highest bit of the highest byte; all others use it as a digit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Literal

Kind = Literal["number", "digits", "text", "bits", "date", "time", "stamp"]
"""BCD number; BCD digits that name something; ASCII; status bits; calendar forms."""

BLOCK = 0xFF
STAMP_BYTES = 5
"""YYMMDDhhmm behind each maximum demand."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one value lies in the data field. `size` is in bytes, without the stamp."""

    size: int
    decimals: int = 0
    signed: bool = False
    kind: Kind = "number"
    stamped: bool = False

    @property
    def span(self) -> int:
        """Bytes of one value with its stamp."""
        return self.size + (STAMP_BYTES if self.stamped else 0)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A data identifier: `unit` None where the value has none; a block has several values."""

    di: str
    name: str
    name_zh: str
    unit: str | None
    form: Form
    block: bool = False


_ENERGY, _DEMAND = Form(4, 2), Form(3, 4, stamped=True)
_POWER, _CURRENT = Form(3, 4, signed=True), Form(3, 3, signed=True)
_SHARE = Form(2, 2)

_TARIFFS, _DAYS = "00-3F FF", "00-0C FF"
_PHASES = "01-03 FF"

# DI2 of tables A.1 and A.2: name, Chinese name, unit of power, signed.
_DIRECTIONS: tuple[tuple[int, str, str, str, bool], ...] = (
    (0x00, "combined active", "组合有功", "kW", True),
    (0x01, "forward active", "正向有功", "kW", False),
    (0x02, "reverse active", "反向有功", "kW", False),
    (0x03, "combined reactive 1", "组合无功1", "kvar", True),
    (0x04, "combined reactive 2", "组合无功2", "kvar", True),
    (0x05, "reactive quadrant 1", "第一象限无功", "kvar", False),
    (0x06, "reactive quadrant 2", "第二象限无功", "kvar", False),
    (0x07, "reactive quadrant 3", "第三象限无功", "kvar", False),
    (0x08, "reactive quadrant 4", "第四象限无功", "kvar", False),
    (0x09, "forward apparent", "正向视在", "kVA", False),
    (0x0A, "reverse apparent", "反向视在", "kVA", False),
)
_PHASE_OFFSETS = ((0x14, "A"), (0x28, "B"), (0x3C, "C"))
"""Forward active of phase A is DI2 15 = 01 + 14, and so on up to reverse apparent."""

# Pattern of DI3 DI2 DI1 DI0, name, Chinese name, unit, form; a block where DI1 or DI0 is FF.
_ROWS: tuple[tuple[str, str, str, str | None, Form], ...] = (
    (f"02|01|{_PHASES}|00", "voltage", "电压", "V", Form(2, 1)),
    (f"02|02|{_PHASES}|00", "current", "电流", "A", _CURRENT),
    ("02|03|00-03 FF|00", "active power", "瞬时有功功率", "kW", _POWER),
    ("02|04|00-03 FF|00", "reactive power", "瞬时无功功率", "kvar", _POWER),
    ("02|05|00-03 FF|00", "apparent power", "瞬时视在功率", "kVA", _POWER),
    ("02|06|00-03 FF|00", "power factor", "功率因数", None, Form(2, 3, signed=True)),
    (f"02|07|{_PHASES}|00", "phase angle", "相角", "°", Form(2, 1)),
    (f"02|08|{_PHASES}|00", "voltage distortion", "电压波形失真度", "%", _SHARE),
    (f"02|09|{_PHASES}|00", "current distortion", "电流波形失真度", "%", _SHARE),
    ("02|0A|01-03|01-15 FF", "voltage harmonic", "电压谐波含量", "%", _SHARE),
    ("02|0B|01-03|01-15 FF", "current harmonic", "电流谐波含量", "%", _SHARE),
    ("02|80|00|01", "neutral current", "零线电流", "A", _CURRENT),
    ("02|80|00|02", "frequency", "电网频率", "Hz", Form(2, 2)),
    ("02|80|00|03", "mean active power of one minute", "一分钟有功总平均功率", "kW", _POWER),
    ("02|80|00|04", "present active demand", "当前有功需量", "kW", _POWER),
    ("02|80|00|05", "present reactive demand", "当前无功需量", "kvar", _POWER),
    ("02|80|00|06", "present apparent demand", "当前视在需量", "kVA", _POWER),
    ("02|80|00|07", "temperature in the meter", "表内温度", "°C", Form(2, 1, signed=True)),
    ("02|80|00|08", "clock battery voltage", "时钟电池电压", "V", Form(2, 2)),
    ("02|80|00|09", "reading battery voltage", "停电抄表电池电压", "V", Form(2, 2)),
    ("02|80|00|0A", "battery running time", "内部电池工作时间", "min", Form(4)),
    ("02|80|00|0B", "present step price", "当前阶梯电价", "CNY/kWh", Form(4, 4)),
    ("04|00|01|01", "date and weekday (0 = Sunday)", "日期及星期", None, Form(4, kind="date")),
    ("04|00|01|02", "time", "时间", None, Form(3, kind="time")),
    ("04|00|01|03", "demand period", "最大需量周期", "min", Form(1)),
    ("04|00|01|04", "demand slide", "滑差时间", "min", Form(1)),
    ("04|00|03|06", "current transformer ratio", "电流互感器变比", None, Form(3)),
    ("04|00|03|07", "voltage transformer ratio", "电压互感器变比", None, Form(3)),
    ("04|00|04|01", "communication address", "通信地址", None, Form(6, kind="digits")),
    ("04|00|04|02", "meter number", "表号", None, Form(6, kind="digits")),
    ("04|00|04|03", "asset code", "资产管理编码", None, Form(32, kind="text")),
    ("04|00|04|04", "rated voltage", "额定电压", None, Form(6, kind="text")),
    ("04|00|04|05", "rated current", "额定电流", None, Form(6, kind="text")),
    ("04|00|04|06", "maximum current", "最大电流", None, Form(6, kind="text")),
    ("04|00|04|07", "active accuracy class", "有功准确度等级", None, Form(4, kind="text")),
    ("04|00|04|08", "reactive accuracy class", "无功准确度等级", None, Form(4, kind="text")),
    ("04|00|04|09", "active pulse constant", "电表有功常数", "imp/kWh", Form(3)),
    ("04|00|04|0A", "reactive pulse constant", "电表无功常数", "imp/kvarh", Form(3)),
    ("04|00|04|0B", "meter model", "电表型号", None, Form(10, kind="text")),
    ("04|00|04|0C", "date of production", "生产日期", None, Form(10, kind="text")),
    ("04|00|04|0D", "protocol version", "协议版本号", None, Form(16, kind="text")),
    ("04|00|05|01-07 FF", "status word", "电表运行状态字", None, Form(2, kind="bits")),
    ("05|00 01 06|00|01-3E", "instant of freezing", "冻结时间", None, Form(5, kind="stamp")),
)


def _members(text: str) -> frozenset[int]:
    """ "01-03 FF" → {1, 2, 3, 255}."""
    found: set[int] = set()
    for item in text.split():
        low, _, high = item.partition("-")
        found.update(range(int(low, 16), int(high or low, 16) + 1))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Rule:
    places: tuple[frozenset[int], ...]
    meaning: Identifier

    def covers(self, di: bytes) -> bool:
        return all(byte in place for byte, place in zip(di, self.places, strict=True))


def _rule(
    pattern: str, name: str, name_zh: str, unit: str | None, form: Form, block: bool = False
) -> _Rule:
    places = tuple(_members(place) for place in pattern.split("|"))
    return _Rule(places, Identifier("", name, name_zh, unit, form, block))


def _by_direction() -> Iterator[_Rule]:
    for di2, name, name_zh, unit, signed in _DIRECTIONS:
        energy, demand = replace(_ENERGY, signed=signed), replace(_DEMAND, signed=signed)
        energies = f"00|{di2:02X}|{_TARIFFS}|{_DAYS}"
        yield _rule(energies, f"{name} energy", f"{name_zh}电能", unit + "h", energy)
        if di2 == 0:
            continue
        demands = f"01|{di2:02X}|{_TARIFFS}|{_DAYS}"
        yield _rule(demands, f"{name} maximum demand", f"{name_zh}最大需量", unit, demand)
        for offset, phase in _PHASE_OFFSETS:
            tail = f"{di2 + offset:02X}|00|{_DAYS}"
            words, words_zh = f"{name} phase {phase}", f"{phase}相{name_zh}"
            yield _rule(f"00|{tail}", f"{words} energy", f"{words_zh}电能", unit + "h", energy)
            yield _rule(
                f"01|{tail}", f"{words} maximum demand", f"{words_zh}最大需量", unit, demand
            )
        if di2 <= 0x08:
            frozen = f"05|00 01 06|{di2:02X}|01-3E"
            words, words_zh = f"frozen {name} energy", f"冻结{name_zh}电能"
            yield _rule(frozen, words, words_zh, unit + "h", energy, block=True)


def _by_group() -> dict[tuple[int, int], list[_Rule]]:
    """(DI3, DI2) → the rules that cover it."""
    groups: dict[tuple[int, int], list[_Rule]] = {}
    for rule in (*_by_direction(), *(_rule(*row) for row in _ROWS)):
        for group in product(rule.places[0], rule.places[1]):
            groups.setdefault(group, []).append(rule)
    return groups


_RULES = _by_group()


@lru_cache(maxsize=1024)
def identifier(di: str) -> Identifier | None:
    """The meaning of `di` (8 hex digits, upper case, DI3 first); None where the maker defines it.

    DI1 and DI0 both FF (all tariffs of all days) is more than one frame's worth and not known.
    """
    code = bytes.fromhex(di)
    if code[2] == code[3] == BLOCK:
        return None
    for rule in _RULES.get((code[0], code[1]), ()):
        if rule.covers(code):
            block = rule.meaning.block or BLOCK in (code[2], code[3])
            return replace(rule.meaning, di=di, name_zh=_detail(code, rule.meaning), block=block)
    return None


def _detail(code: bytes, meaning: Identifier) -> str:
    """The Chinese name with phase, tariff and settlement day."""
    di3, di2, di1, di0 = code
    name = meaning.name_zh
    if di3 == 0x02 and di2 <= 0x0B:
        phase = {0: "总", 1: "A相", 2: "B相", 3: "C相", BLOCK: ""}[di1]
        now = "瞬时" if name.startswith("瞬时") else ""
        name = now + phase + name.removeprefix(now)
    elif di3 in (0x00, 0x01) and di2 <= 0x0A:
        tariff = {0: "总", BLOCK: ""}.get(di1, f"费率{di1}")
        noun = "电能" if di3 == 0x00 else "最大需量"
        name = name.removesuffix(noun) + tariff + noun
    if di3 in (0x00, 0x01) and 0 < di0 < BLOCK:
        name = f"(上{di0}结算日){name}"
    return f"{name}数据块" if BLOCK in (di1, di0) else name
