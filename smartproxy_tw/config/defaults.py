"""
The defaults that depend on where a configuration is read: the directory for what has
to survive a restart, and what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["adminSocket", "stateDir"]


def adminSocket(stateDir: str) -> str:
    """
    Where the proxy is spoken to when nobody said so.

    @param stateDir: Absolute path of its state directory.
    """
    return os.path.join(stateDir, "admin.sock")


def stateDir(environ: Mapping[str, str], uid: int | None = None) -> str:
    """
    Where state goes when nobody said so.

    @param environ: The environment.
    @param uid: Whose state; by default that of this process.
    @return: An absolute path: C{$STATE_DIRECTORY}, as systemd sets it
        (systemd.exec(5)), else C{/var/lib/smartproxy} for root, else that of the
        XDG base directory specification.
    @raise ValueError: The user has no home directory.
    """
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if os.path.isabs(given):
        return os.path.normpath(given)
    uid = os.getuid() if uid is None else uid
    if uid == 0:
        return "/var/lib/smartproxy"
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(_home(environ, uid), ".local", "state")
    return os.path.normpath(os.path.join(base, "smartproxy"))


def _home(environ: Mapping[str, str], uid: int) -> str:
    home = environ.get("HOME", "")
    if os.path.isabs(home):
        return home
    import pwd

    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        home = ""
    if not os.path.isabs(home):
        raise ValueError("there is no home directory to keep state in: say where with state_dir")
    return home
