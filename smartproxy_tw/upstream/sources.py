"""
Whom to ask for a name, and in which order: hosts(5), DNS, and the system's own
resolver for whatever those two do not know.

A reactor whose resolver is not the usual one has been given it on purpose: that
one alone is asked then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .hosts import HostsFile
from .lookup import DNS, preferred
from .nameservers import ResolvConf
from .outcome import Found
from .system import USUAL_SECONDS, System

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .outcome import Outcome

__all__ = ["OneSource", "Source", "Sources", "usualSource"]


class Source(Protocol):
    """
    Somebody who knows names.
    """

    def ask(self, host: str, then: Callable[[Outcome, bool], None]) -> None:
        """
        @param host: ASCII, without a trailing dot; something that can be a
            name.
        @param then: Called with an outcome, and whether it is the last one;
            possibly before this returns.
        """


class OneSource:
    """
    The reactor's resolver alone.
    """

    def __init__(self, system: System) -> None:
        self._system = system

    def ask(self, host: str, then: Callable[[Outcome, bool], None]) -> None:
        """
        See L{Source}.
        """
        self._system.ask(host, lambda outcome: then(outcome, True))


class Sources:
    """
    Hosts file, DNS, system.
    """

    def __init__(self, hosts: HostsFile, dns: DNS, system: System) -> None:
        self._hosts = hosts
        self._dns = dns
        self._system = system
        # What each name was found by: DNS need not be doubted, or not be asked.
        self._byDNS: set[str] = set()
        self._bySystem: set[str] = set()

    def ask(self, host: str, then: Callable[[Outcome, bool], None]) -> None:
        """
        See L{Source}.
        """
        addresses = self._hosts.find(host)
        if addresses:
            then(Found(preferred(addresses), USUAL_SECONDS), True)
        elif host in self._bySystem or not self._dns.canAsk():
            self._system.ask(host, lambda outcome: self._bySystemTold(host, outcome, outcome, then))
        else:
            self._dns.ask(host, lambda outcome, isLast: self._byDNSTold(host, outcome, isLast, then))

    def _byDNSTold(
        self, host: str, outcome: Outcome, isLast: bool, then: Callable[[Outcome, bool], None]
    ) -> None:
        if isinstance(outcome, Found):
            self._byDNS.add(host)
        if isinstance(outcome, Found) or host in self._byDNS:
            then(outcome, isLast)
        else:
            self._system.ask(host, lambda last: self._bySystemTold(host, outcome, last, then))

    def _bySystemTold(
        self, host: str, first: Outcome, last: Outcome, then: Callable[[Outcome, bool], None]
    ) -> None:
        if isinstance(last, Found):
            self._bySystem.add(host)
            then(last, True)
        else:
            self._bySystem.discard(host)
            then(first, True)


def usualSource(reactor: Any) -> Source:
    """
    @param reactor: Whose names are wanted.
    @return: Whom to ask for them.
    """
    system = System(reactor)
    try:
        from twisted.internet._resolver import GAIResolver
    except ImportError:
        return OneSource(system)
    if not isinstance(getattr(reactor, "nameResolver", None), GAIResolver):
        return OneSource(system)
    return Sources(HostsFile(), DNS(reactor, ResolvConf().read), system)
