"""
What a function that chooses targets may return, and what that means.

For the whole of it: a L{Target<smartproxy_tw.config.model.Target>}; a text as in files
(C{"10.0.0.7:3000"}, C{"https://app:8443"}, C{"unix:/run/app.sock"}, C{"app:preserve"}); a
pair of host and port, of which L{None} is the port that the client connected to; or a list of
these, which take turns.  For a host: a name, an address, or a list of them.  For a port: a
number, L{None} or C{"preserve"}.

Everything else is a mistake of whoever wrote the function, told in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from ..config import names, targets
from ..config.dotted import isDotted
from ..config.model import Target

__all__ = ["Decision", "decided", "hostsAndPort"]

#: So many targets at most are one decision's.
_MOST = 256

_SHOWN = 60


class Decision(NamedTuple):
    """
    Where to.

    @ivar targets: At least one, none of them twice.
    @ivar isTLS: Whether they are C{https://}; L{None} where nothing was said of that.
    """

    targets: tuple[Target, ...]
    isTLS: bool | None = None


def decided(value: Any) -> Decision:
    """
    What the whole of a decision means.

    @raise ValueError: Nothing; the message is the end of a sentence.
    """
    several = [value] if isinstance(value, str | Target) or _isPair(value) else _list(value)
    places = [_place(each) for each in several]
    schemes = {None if place.scheme is None else place.scheme == "https" for place in places}
    if True in schemes and len(schemes) > 1:
        raise ValueError("returned targets with and without https://, which one request cannot have")
    found = dict.fromkeys(place.target for place in places)
    return Decision(tuple(found), True if True in schemes else False if False in schemes else None)


def hostsAndPort(hosts: Any, port: Any) -> Decision:
    """
    What a host and a port mean that were given apart.

    @raise ValueError: As for L{decided}.
    """
    number = _port(port)
    found = [_host(each) for each in ([hosts] if isinstance(hosts, str) else _list(hosts))]
    return Decision(tuple(Target(host, number) for host in dict.fromkeys(found)))


def _isPair(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and (value[1] is None or value[1] == "preserve" or type(value[1]) is int)
    )


def _list(value: Any) -> list[Any]:
    if not isinstance(value, Iterable) or isinstance(value, bytes | dict):
        raise ValueError(f"returned {_shown(value)}, which is no target")
    found: list[Any] = []
    for each in value:
        if len(found) == _MOST:
            raise ValueError(f"returned more than {_MOST} targets")
        found.append(each)
    if not found:
        raise ValueError("returned no target")
    return found


def _place(value: Any) -> targets.Place:
    if isinstance(value, Target):
        return targets.Place(_checked(value))
    if _isPair(value):
        return targets.Place(Target(_host(value[0]), _port(value[1])))
    if isinstance(value, str) and not isDotted(value):
        try:
            return targets.parse(value)
        except ValueError as why:
            raise ValueError(f"returned {_shown(value)}, which {why}") from None
    raise ValueError(f"returned {_shown(value)}, which is no target")


def _checked(target: Target) -> Target:
    if target.port == 0:
        try:
            return replace(targets.unix(target.host), proxyHeader=target.proxyHeader)
        except (ValueError, AttributeError, TypeError) as why:
            raise ValueError(f"returned {_shown(target)}, which {why}") from None
    return replace(target, host=_host(target.host), port=_port(target.port))


def _host(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"returned {_shown(value)}, which is no host")
    try:
        return names.host(value)
    except ValueError as why:
        raise ValueError(f"returned {_shown(value)}, which {why}") from None


def _port(value: Any) -> int | None:
    if value is None or value == "preserve":
        return None
    if type(value) is not int or not 0 < value < 65536:
        raise ValueError(f"returned {_shown(value)}, which is no port")
    return value


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"something of {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
