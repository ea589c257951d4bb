"""
What looks at names, as a configuration says.  It takes its time to import, and is for
the first look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..acme.client import userAgent
from ..config.model import OwnZones, Records
from ..upstream.nameservers import NameServers, ResolvConf
from .knock import Knock
from .look import Look
from .names import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Acme, Config
    from .look import Lender

__all__ = ["lookFor"]

#: For each round of questions, in seconds: there is no time for more.
_TIMEOUTS = (1, 2)


def lookFor(reactor: Any, config: Config, lender: Lender | None, *, isForeign: bool = False) -> Look:
    """
    Make it.

    @param reactor: Makes connections and tells the time.
    @param config: Where authorities come to, and whom to ask about names.
    @param lender: Lets the data path answer; L{None}: it cannot be asked to.
    @param isForeign: Whether records for dns-01 are put somewhere by others, who do
        not say where.
    """
    acme = config.acme
    zones: tuple[str, ...] = ()
    if isinstance(acme.dns, OwnZones):
        zones = acme.dns.zones
    elif isinstance(acme.dns, Records) and acme.dns.zone is not None:
        zones = (acme.dns.zone,)
    return Look(
        reactor,
        Names(reactor, _servers(acme)),
        Knock(reactor, f"{userAgent()} (preflight)"),
        lender,
        ports=(acme.preflight.httpPort, acme.preflight.tlsPort),
        forwarded=(
            acme.preflight.httpPort != acme.httpPort,
            acme.preflight.tlsPort != acme.tlsPort,
        ),
        zones=zones,
        isAnswering=isinstance(acme.dns, OwnZones) and lender is not None,
        isProving=not isForeign,
    )


def _servers(acme: Acme) -> Callable[[], NameServers]:
    chosen = acme.preflight.resolvers
    if not chosen and isinstance(acme.dns, Records):
        chosen = acme.dns.resolvers
    if chosen:
        settings = NameServers(tuple((each.host, each.port) for each in chosen), timeouts=_TIMEOUTS)
        return lambda: settings
    file = ResolvConf()

    def read() -> NameServers:
        return NameServers(file.read().servers, timeouts=_TIMEOUTS)

    return read
