"""
Which kind of certificate to ask an authority for, where it has several
(draft-ietf-acme-profiles).

What is configured is asked for, and of an authority that does not list it
nothing is asked: what it would give instead may be fit for something else.
Where nothing is configured, need decides: an IP address gets C{shortlived} of
who lists that, since Let's Encrypt gives it in no other, and everything else
what the authority gives by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from .errors import ProfileNotOffered

__all__ = ["choose", "isAddress"]

#: What Let's Encrypt calls certificates of less than seven days.
_SHORT = "shortlived"


def choose(directory: str, wanted: str | None, names: Sequence[str], offered: Sequence[str]) -> str | None:
    """
    Choose a profile for an order.

    @param directory: The URL of the authority's directory, for complaints.
    @param wanted: What is configured for it.
    @param names: What the certificate is to be for.
    @param offered: What its directory lists.
    @return: L{None} to ask for none in particular.
    @raise ProfileNotOffered: What is wanted is not offered.
    """
    if wanted is not None:
        if wanted not in offered:
            raise ProfileNotOffered(directory, wanted, offered)
        return wanted
    return _SHORT if _SHORT in offered and any(map(isAddress, names)) else None


def isAddress(name: str) -> bool:
    """
    Whether a name is an IP address (RFC 8738).
    """
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
