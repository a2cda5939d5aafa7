"""Topic filters with the device in one of their levels: `shellies/{device}/emeter/0/power`. Pure.

`{device}` is subscribed as `+`, so that one subscription serves all devices that share a filter;
what stood in its place says which of them a message is of.
"""

from dataclasses import dataclass
from typing import Final, Self

from tanzheng.core.errors import BadInput

DEVICE: Final = "{device}"
TOPIC: Final = "{topic}"


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """A filter by levels; `place` is the level of `{device}`, -1 where there is none."""

    levels: tuple[str, ...]
    place: int = -1

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a setting; `BadInput` where MQTT 5.0 §4.7 would not have it."""
        levels = text.split("/")
        wild = [level for level in levels if ("+" in level or "#" in level) and len(level) > 1]
        place = [index for index, level in enumerate(levels) if DEVICE in level]
        broken = wild or "#" in levels[:-1] or len(place) > 1 or "\0" in text or not text
        if broken or (place and levels[place[0]] != DEVICE):
            raise BadInput(f"expected a topic filter such as a/+/{DEVICE}/b, got {text!r}")
        if not place:
            return cls(tuple(levels))
        levels[place[0]] = "+"
        return cls(tuple(levels), place[0])

    @property
    def text(self) -> str:
        """What is subscribed."""
        return "/".join(self.levels)

    @property
    def wild(self) -> bool:
        """True where it takes more than one topic."""
        return "+" in self.levels or self.levels[-1] == "#"

    def match(self, levels: list[str]) -> str | None:
        """The level in the device's place ("" where the filter names none); None: no match."""
        if levels[0].startswith("$") and self.levels[0] in ("+", "#"):
            return None
        for index, level in enumerate(self.levels):
            if level == "#":
                break
            if index >= len(levels) or level not in ("+", levels[index]):
                return None
        else:
            if len(levels) != len(self.levels):
                return None
        return levels[self.place] if self.place >= 0 else ""
