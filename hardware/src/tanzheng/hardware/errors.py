"""Errors of the hardware package."""

from tanzheng.core.errors import BadInput, TanzhengError


class ProfileError(BadInput):
    """A device profile that cannot be used: mend its YAML file."""


class ValueOutOfRange(BadInput):
    """A value that the register of a point cannot hold."""


class SimulatorError(TanzhengError):
    """The simulated plant cannot start or go on."""
