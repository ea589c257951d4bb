"""
How many client connections the limit of open files has room for.

A connection takes a descriptor, and another one towards its target.  Who accepts
until there is none left answers everybody with 502, and cannot even log it: what
is one too many is better refused at the door, and some descriptors are left for
logs, certificates and orders.
"""

from __future__ import annotations

import resource

__all__ = ["allowDescriptors", "room"]

# For everything that is not a connection, those that the start opened included.
_RESERVE = 64
# Kernels allow so many by default (fs.nr_open); asking for more would fail.
_MOST = 1048576


def room() -> int:
    """
    @return: How many client connections there can be at a time; at least one.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        soft = _MOST
    return max(1, (soft - _RESERVE) // 2)


def allowDescriptors() -> None:
    """
    Use what the process may have: its limit of open files becomes the highest
    that it can set by itself.  The usual limit, 1024, is there for programs
    that call select(2).

    For who owns the process; a limit that cannot be changed stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        # As good as it was.
        return
