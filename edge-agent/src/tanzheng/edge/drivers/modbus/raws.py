"""Registers that other values need: status and scale for one round, transformer ratios for long."""

from typing import TYPE_CHECKING

from tanzheng.core.batch import Event
from tanzheng.edge.abc import Surroundings
from tanzheng.hardware.profile import Profile

if TYPE_CHECKING:
    from tanzheng.hardware.blocks import Memory


class Raws:
    """`memory` is what the decoders of one device share; `ratios` shows the last ratios read."""

    def __init__(self, device_id: str, profile: Profile, around: Surroundings) -> None:
        self._device_id, self._around = device_id, around
        self._names = {at: name for name, at in profile.ratios.items()}
        self.memory: Memory = {}
        self.ratios: dict[str, str] = {}

    def begin_round(self) -> None:
        """Status and scale registers hold for one round only."""
        for at in [at for at in self.memory if at not in self._names]:
            del self.memory[at]

    def end_round(self) -> None:
        """Note a ratio that is another than before."""
        for at, name in self._names.items():
            if at not in self.memory:
                continue
            after, before = str(self.memory[at]), self.ratios.get(name)
            self.ratios[name] = after
            if before not in (None, after):
                around = self._around
                detail = {"device": self._device_id, "ratio": name, "before": str(before)}
                around.note(Event(around.now_ms(), "ratio_changed", {**detail, "after": after}))
