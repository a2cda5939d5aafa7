"""The register of protections that can be switched off for the length of a test."""

from collections.abc import Callable

Cripple = Callable[[], None]
PROTECTIONS: dict[str, Cripple] = {}


def protection(name: str) -> Callable[[Cripple], Cripple]:
    """Register the decorated function as what switches `name` off."""

    def register(cripple: Cripple) -> Cripple:
        assert name not in PROTECTIONS, name
        PROTECTIONS[name] = cripple
        return cripple

    return register


def put(owner: object, name: str, value: object) -> None:
    """Replace what `owner` has under `name`; it must have it, or nothing would be switched off."""
    assert hasattr(owner, name), f"expected {name} in {owner}"
    setattr(owner, name, value)
