"""Becomes another program, as another user, and dies with the process that started it.

Run as a file by `service.start_program`; it imports nothing of Tanzheng, because it may start as
root. Signal and user are set in this order because Linux clears the parent-death signal whenever
a process changes its user (prctl(2), PR_SET_PDEATHSIG).

    python -I launch.py PARENT_PID DEATH_SIGNAL UID GID PROGRAM ARGUMENT…

UID -1 keeps the user.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Never returns: either the program runs in this process, or the parent is already gone."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before the signal was armed
            os._exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    _parent, _signal, _uid, _gid = map(int, sys.argv[1:5])
    main(_parent, _signal, _uid, _gid, sys.argv[5:])
