"""The registration policy that is in force at each place of a log, for its audit."""

from tanzheng.core.statement import SignedStatement
from tanzheng.core.statements.common import LogName
from tanzheng.core.statements.policy import NotAllowed, RegistrationPolicy


class LogPolicy:
    """Takes the statements of the log `here` in their order; `in_force` after the last one."""

    def __init__(self, here: LogName | None) -> None:
        self._here = here
        self.in_force: RegistrationPolicy | None = None

    def take(self, signed: SignedStatement, counts: bool) -> None:
        """Return where the policy before it allows a statement; else `NotAllowed`.

        A policy that `counts` (its signer was the operator) is in force from here on.
        """
        if self.in_force is not None:
            self.in_force.check_allows(signed)
        stated = signed.statement
        if isinstance(stated, RegistrationPolicy) and counts:
            if stated.log != self._here:
                raise NotAllowed(f"{stated.subject}: expected a policy of {self._here}")
            self.in_force = stated
