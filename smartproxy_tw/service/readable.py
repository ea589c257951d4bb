"""
Whether this process can go on importing.

Much is imported late, by the user that the process changed to after it was
loaded.  Where that user cannot read the Python environment, one below C{/root}
for instance, everything would begin well, and the first order for a certificate
would fail, far from the reason.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import smartproxy_tw

from .errors import StartError

__all__ = ["requireReadable", "unreadable"]


def requireReadable(files: Iterable[str | None] = (os.__file__, smartproxy_tw.__file__)) -> None:
    """
    See that the environment can be read.

    @param files: One of each place that modules come from.
    @raise StartError: This user must not read one of them.
    """
    for path in files:
        try:
            if path is not None:
                os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except PermissionError as why:
            raise StartError(unreadable(f"{path} cannot be read")) from why
        except OSError:
            # Modules may come from elsewhere than from files, an archive for instance.
            continue


def unreadable(what: str) -> str:
    """
    @param what: What was noticed.
    @return: The whole message.
    """
    places = " and ".join(dict.fromkeys((sys.prefix, sys.base_prefix)))
    return (
        f"{what} by user {os.geteuid()}, who needs it from now on. If the process changed its user"
        f" (twistd --uid), let that one read the Python environment in {places},"
        " or make one outside of home directories, below /opt for instance."
    )
