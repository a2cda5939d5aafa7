"""Whose signature counts in a log: the trust file, and the key events that lie in the log itself.

What a statement demands is for `statements.keyring` to say. Here are its events found in the
log's files: all of them before the first statement is judged, because "compromised since T"
reaches back. Only they are kept in memory.
"""

from collections.abc import Callable, Iterator

from tanzheng.core import cbor
from tanzheng.core.checkpoint import SignedCheckpoint
from tanzheng.core.errors import BadInput
from tanzheng.core.log_files import LogFiles
from tanzheng.core.statements.key_event import KeyEvent
from tanzheng.core.statements.keyring import Keyring, Logged
from tanzheng.core.statements.kinds import open_signed
from tanzheng.core.statements.roles import Role
from tanzheng.core.tiles import TILE_WIDTH, bundle_path, tile_path
from tanzheng.core.trust import Trust, Untrusted

_MARK = KeyEvent.TYPE.encode()
"""Stands in the bytes of every key event: the payload is deterministic CBOR, never in pieces."""


class LogSigners:
    """`trust` with the key events among the first `size` statements of a log.

    `time_of`: when the log says that a leaf was there (ms), None where no checkpoint covers it.
    """

    def __init__(
        self, trust: Trust, files: LogFiles, size: int, time_of: Callable[[int], int | None]
    ) -> None:
        self._trust = trust
        self._keyring = Keyring(trust, _key_events(files, size, time_of))
        self._ignored = {logged.index: why for logged, why in self._keyring.ignored}

    def check_checkpoint(self, signed: SignedCheckpoint) -> None:
        """Return where a checkpoint is of the trusted log and by its operator; else `Untrusted`,
        `KeyGone`, `SignatureInvalid`.
        """
        self._trust.check_which_log(signed)
        point = signed.checkpoint
        holder = ""  # an operator's keys have none: see `Keyring`
        signed.verify(
            self._keyring.key(Role.OPERATOR, holder, signed.kid, point.size - 1, point.t_ms)
        )

    def check_statement(self, logged: Logged) -> None:
        """Return where a statement is by a key that has the role it demands, at its time.

        `Untrusted`, `KeyGone`, `SignatureInvalid`; a key event must count, too.
        """
        self._keyring.check(logged)
        if (why := self._ignored.get(logged.index)) is not None:
            raise Untrusted(f"key event that does not count: {why}")


def _key_events(
    files: LogFiles, size: int, time_of: Callable[[int], int | None]
) -> Iterator[Logged]:
    """What cannot be read is passed over: the audit names it."""
    for start in range(0, size, TILE_WIDTH):
        number = start // TILE_WIDTH
        data = files.read(bundle_path(number))
        if data is None and files.read(tile_path("sha256", 0, number)) is None:
            return  # whatever size is claimed, here the log ends
        if data is None or _MARK not in data:
            continue
        for index, raw in enumerate(cbor.complete(data, min(TILE_WIDTH, size - start)), start):
            t_ms = time_of(index)
            if _MARK in raw and t_ms is not None and (event := _opened(index, t_ms, raw)):
                yield event


def _opened(index: int, t_ms: int, raw: bytes) -> Logged | None:
    try:
        return Logged(index, t_ms, open_signed(raw))
    except BadInput:
        return None
