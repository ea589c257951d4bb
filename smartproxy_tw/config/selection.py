"""
How a route chooses among its targets: by conditions of their own, or by asking
something of Python.

A L{Forward<smartproxy_tw.config.model.Forward>} has none of this by default: its targets
are all alike then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..values import dataclass
from .dotted import Callback, called

if TYPE_CHECKING:
    from .model import Conditions, Config, Forward, ProxyHeader
    from .plugin import Plugin

__all__ = ["Branch", "Dynamic", "homebound"]


@dataclass(frozen=True, slots=True)
class Dynamic:
    """
    Targets that are worked out for each request, or for each connection that is not
    HTTP.  What is called is given the L{RequestFacts<smartproxy_tw.facts.RequestFacts>}
    or L{ConnectionFacts<smartproxy_tw.facts.ConnectionFacts>}; what it may return is
    said by L{smartproxy_tw.actions.decision}.

    @ivar decide: Gives the targets; L{None} where C{host} and C{port} do.
    @ivar host: Gives a name, an address or a list of these; or what it would always give.
    @ivar port: Gives the port; or the one that it always is; L{None}: the one that the
        client connected to.
    @ivar proxyHeader: As of a L{Target<smartproxy_tw.config.model.Target>}; for those that
        say nothing of it themselves.
    @ivar protocol: Likewise.
    @ivar timeout: For how long an answer that comes later is waited for, in seconds.
    """

    decide: Callback | Plugin | None = None
    host: Callback | tuple[str, ...] = ()
    port: Callback | int | None = None
    proxyHeader: ProxyHeader | None = None
    protocol: Literal["http/1.1", "h2", "h2c", "auto"] = "http/1.1"
    timeout: float = 5.0

    def __str__(self) -> str:
        if self.decide is not None:
            return str(self.decide) if not callable(self.decide) else called(self.decide)
        host = ", ".join(self.host) if isinstance(self.host, tuple) else called(self.host)
        if self.port is None or isinstance(self.port, int):
            return f"{host}:{'preserve' if self.port is None else self.port}"
        return f"{host}, port by {called(self.port)}"


def homebound(config: Config) -> str | None:
    """
    Why a configuration can be used by this process only, or L{None} if it can be by others:
    what was handed in as a function cannot leave the process that it is in.
    """
    for route in config.routes:
        for group in getattr(route.action, "groups", ()):
            dynamic = group.dynamic
            for each in () if dynamic is None else (dynamic.decide, dynamic.host, dynamic.port):
                if callable(each):
                    return (
                        f"Route {route.name!r} has the function {called(each)}, which no worker can have: "
                        "give its name, Reference('module.name'), or have workers=1."
                    )
    return None


@dataclass(frozen=True, slots=True)
class Branch:
    """
    Some of the targets of a route, and when they are the ones.

    Of all branches whose conditions hold those with the highest priority are chosen, of
    these the ones that have conditions; what is left of several with the same
    conditions takes turns, each as often as it has targets.

    @ivar forward: The targets, and how they are spoken to; it has no branches.
    @ivar path: As of a L{Route<smartproxy_tw.config.model.Route>}.
    @ivar conditions: Likewise; L{None}: none.
    @ivar priority: Higher is asked first.
    @ivar headers: Fields that requests get on their way there, in place of those of the
        same names; checked by the loader.
    """

    forward: Forward
    path: str | None = None
    conditions: Conditions | None = None
    priority: int = 0
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def isDefault(self) -> bool:
        """
        Whether it has no conditions.
        """
        return self.path is None and self.conditions is None
