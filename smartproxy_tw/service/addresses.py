"""
Which addresses one port is bound on, so that the sockets do not get in one
another's way.

On Linux a socket on C{::} takes IPv4 too, unless C{net.ipv6.bindv6only} says
otherwise, and then C{0.0.0.0} beside it is "address already in use" by
ourselves.  So all addresses are one dual-stack socket, or C{0.0.0.0} where there
is no IPv6; and an address that another one covers already is left out.

Sockets that were handed over are there already, and nothing can be bound beside
them that collides.  Where the configuration leaves open on which addresses, those of a
service manager say it, for each port that has any.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_address

from ..facts import Address

__all__ = ["addressesFor", "everywhere", "interfacesFor"]

_ALL_4 = "0.0.0.0"
_ALL_6 = "::"


def everywhere(onlyV6: str = "/proc/sys/net/ipv6/bindv6only") -> tuple[str, ...]:
    """
    What to bind on for all addresses of this machine, by trying.

    @param onlyV6: The file that holds the kernel's switch.
    @return: C{("::",)} where that means IPv4 too, both where it does not,
        C{("0.0.0.0",)} where there is no IPv6.
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((_ALL_6, 0))
    except OSError:
        return (_ALL_4,)
    try:
        with open(onlyV6, encoding="ascii") as file:
            apart = file.read().strip() == "1"
    except OSError:
        apart = False
    return (_ALL_6, _ALL_4) if apart else (_ALL_6,)


def interfacesFor(bind: Iterable[str], everything: tuple[str, ...]) -> tuple[str, ...]:
    """
    What to bind each port on.

    @param bind: As L{Config.bind<smartproxy_tw.config.model.Config.bind>}.
    @param everything: What L{everywhere} answers here.
    @return: Addresses that do not collide and cover what was asked for.
    """
    wanted = tuple(dict.fromkeys(str(ip_address(each)) for each in bind))
    if not wanted or (_ALL_4 in wanted and _ALL_6 in wanted):
        return everything
    covered = set()
    if _ALL_4 in wanted or (_ALL_6 in wanted and _ALL_4 not in everything):
        covered |= {each for each in wanted if ":" not in each and each != _ALL_4}
    if _ALL_6 in wanted:
        covered |= {each for each in wanted if ":" in each and each != _ALL_6}
    return tuple(each for each in wanted if each not in covered)


def addressesFor(
    number: int,
    bind: Iterable[str],
    everything: tuple[str, ...],
    handed: Mapping[Address, bool],
    said: Collection[Address] | None = None,
) -> tuple[Address, ...]:
    """
    Where one port is served.

    @param number: The port.
    @param bind: As of L{interfacesFor}.
    @param everything: Likewise.
    @param handed: Where sockets listen already, and whether they are on C{::} and
        take IPv4 too.
    @param said: Those of them that say where a port is served; by default, all.
    @return: Those among C{handed} are there, the others are to be bound.
    """
    wanted = tuple(bind)
    already = tuple(address for address in (handed if said is None else said) if address.port == number)
    if already and not wanted:
        return already
    hosts = list(interfacesFor(wanted, everything))
    isWhole = _ALL_6 in hosts and _ALL_4 not in everything
    match handed.get(Address(_ALL_6, number)):
        case True if _ALL_6 in hosts:
            hosts = [host for host in hosts if ":" in host]
        case False if isWhole:
            # Elsewhere the kernel's own socket would have taken IPv4 too.
            hosts.append(_ALL_4)
    return tuple(Address(host, number) for host in hosts)
