"""
Listening sockets that this process was begun with, as systemd's socket activation
hands them over (C{sd_listen_fds(3)}): from descriptor 3 on, as many as
C{LISTEN_FDS} says, for the process that C{LISTEN_PID} names.

Those of socket units stay the service manager's too.  So they are never shut down,
only closed; what has been used is kept, in case that a port is let go and wanted again;
and what is of no use is closed and told, since whoever connects there will wait for
nobody.

Others are the proxy's own: what the process before had left with the service manager
(L{smartproxy_tw.service.deposit}), or hands over itself.  These do not say where a port
is to be served, and go without a word when nothing wants them.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from ipaddress import ip_address

from twisted.logger import Logger

from ..facts import Address
from ..values import dataclass
from .deposit import isOurs, nameOf

__all__ = ["FIRST", "Handed", "Inherited", "handed", "inherit"]

#: The first descriptor that is handed over, SD_LISTEN_FDS_START.
FIRST = 3

_NUMBER = re.compile("[0-9]{1,9}")

_log = Logger()


@dataclass(frozen=True, slots=True)
class Handed:
    """
    One socket, or what was handed over in place of one.

    @ivar name: What the unit calls it, or where it is in the order.
    @ivar socket: L{None}: it is none.
    @ivar isManaged: Whether it is the service manager's, and not the proxy's own.
    @ivar isLeft: Whether the process that had it is gone.
    """

    name: str
    socket: socket.socket | None
    isManaged: bool = True
    isLeft: bool = False


class Inherited:
    """
    All that was handed over.
    """

    def __init__(self, handed: Iterable[Handed] = ()) -> None:
        """
        @param handed: They are this object's to close.
        """
        self._open: dict[Address, Handed] = {}
        self._datagrams: dict[Address, Handed] = {}
        self._useless: list[tuple[Handed, str]] = []
        self._used: set[Address] = set()
        self._usedDatagrams: set[Address] = set()
        self._unused: set[Address] = set()
        for each in handed:
            address, why = _judged(each)
            if address is None:
                self._useless.append((each, why))
                continue
            place = self._datagrams if _isUDP(each) else self._open
            if address in place:
                self._useless.append((each, "another one was handed over for the same address"))
            else:
                place[address] = each

    @property
    def addresses(self) -> Mapping[Address, bool]:
        """
        Where they listen, and whether they are on C{::} and take IPv4 too.
        """
        return {address: _isDual(address, each.socket) for address, each in self._open.items()}

    @property
    def said(self) -> tuple[Address, ...]:
        """
        Those of them that say where a port is to be served.
        """
        return tuple(address for address, each in self._open.items() if each.isManaged)

    @property
    def left(self) -> tuple[str, ...]:
        """
        The names of what the process before had left with the service manager.
        """
        return tuple(each.name for each in self._every if each.isLeft)

    @property
    def _every(self) -> tuple[Handed, ...]:
        useless = (each for each, _ in self._useless)
        return (*self._open.values(), *self._datagrams.values(), *useless)

    def isManaged(self, address: Address) -> bool:
        """
        Whether the socket of an address is a service manager's.
        """
        found = self._open.get(address)
        return found is not None and found.isManaged

    def release(self) -> None:
        """
        What is nobody's but ours is in the hands of those who use it: let go of it.
        """
        for place, used in ((self._open, self._used), (self._datagrams, self._usedDatagrams)):
            for address in [each for each in used if each in place and not place[each].isManaged]:
                given = place.pop(address).socket
                if given is not None:
                    given.close()

    def use(self, address: Address, *, isUDP: bool = False) -> socket.socket | None:
        """
        Look for the socket of an address.

        @param isUDP: Whether it is for datagrams.
        @return: Non-blocking; it stays ours, whoever uses it takes a duplicate.
            L{None}: there is none.
        """
        found = (self._datagrams if isUDP else self._open).get(address)
        if found is None or found.socket is None:
            return None
        (self._usedDatagrams if isUDP else self._used).add(address)
        found.socket.setblocking(False)
        return found.socket

    def dismiss(self, kept: Collection[str] = ()) -> tuple[str, ...]:
        """
        Close what nobody has used, and tell of it.

        @param kept: What somebody will use later, by its name as of
            L{nameOf<smartproxy_tw.service.deposit.nameOf>}.
        @return: By which names the service manager may have it, where it was the
            proxy's own.
        """
        for place, used in ((self._open, self._used), (self._datagrams, self._usedDatagrams)):
            for address in place.keys() - used:
                if nameOf(address, isUDP=place is self._datagrams) not in kept:
                    self._dismiss(address, place.pop(address))
        useless, self._useless = self._useless, []
        names = tuple(_storedAs(each) for each, _ in useless if not each.isManaged)
        for each, why in useless:
            if each.isManaged:
                _log.warn(
                    "The socket {what} was handed over and is closed here: {why}. Who connects to it gets no"
                    " answer; take it out of the socket unit, or correct the configuration",
                    event="socket-unused",
                    what=_described(each),
                    why=why,
                )
            if each.socket is not None:
                each.socket.close()
        return tuple(filter(None, names))

    def _dismiss(self, address: Address, found: Handed) -> None:
        if found.isManaged:
            self._unused.add(address)
        elif found.isLeft and found.socket is not None:
            # It would be in the way of what is bound instead for as long as others have it.
            with suppress(OSError):
                found.socket.shutdown(socket.SHUT_RDWR)
        self._useless.append((found, "nothing is to be served there"))

    def unusedOn(self, number: int) -> Address | None:
        """
        Where a socket was dismissed that whoever handed it over still has.

        @param number: A port that cannot be bound.
        """
        return next((address for address in self._unused if address.port == number), None)

    def close(self) -> None:
        """
        Close everything.
        """
        for each in self._every:
            if each.socket is not None:
                each.socket.close()
        self._open, self._datagrams, self._useless = {}, {}, []


def inherit(environ: MutableMapping[str, str], pid: int) -> Inherited:
    """
    Take what was handed over to this process.  To be called once, before anything
    else is opened or begun.

    @param environ: Of the process.  What it says of the sockets is taken out, so that
        no other program believes that they are for it.
    @param pid: Of the process.
    """
    told = [environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")]
    environ.pop("LISTEN_PIDFDID", None)
    if told[0] != str(pid) or not _NUMBER.fullmatch(told[1]):
        return Inherited()
    number, names = int(told[1]), told[2].split(":") if told[2] else []
    # One after the other: what is said may be a thousand times as many as there are.
    called = ((_name(names, index), FIRST + index) for index in range(number))
    return Inherited(_handed((name, descriptor, not isOurs(name)) for name, descriptor in called))


def handed(names: Iterable[str], first: int, managed: Iterable[bool]) -> list[Handed]:
    """
    Take descriptors that follow one another.

    @param names: As in L{Handed}.
    @param first: The first of them.
    @param managed: As in L{Handed}.
    """
    given = zip(names, managed, strict=False)
    return list(_handed((name, first + index, isManaged) for index, (name, isManaged) in enumerate(given)))


def _name(names: list[str], index: int) -> str:
    return names[index] if index < len(names) else f"number {index + 1}"


def _handed(given: Iterable[tuple[str, int, bool]]) -> Iterator[Handed]:
    for name, descriptor, isManaged in given:
        try:
            os.set_inheritable(descriptor, False)
        except OSError:
            # There are no more, whatever was said.
            return
        try:
            yield Handed(name, socket.socket(fileno=descriptor), isManaged, isOurs(name))
        except OSError:
            os.close(descriptor)
            yield Handed(name, None, isManaged, isOurs(name))


def _storedAs(handed: Handed) -> str:
    if handed.isLeft or handed.socket is None:
        return handed.name if handed.isLeft else ""
    with suppress(OSError, ValueError):
        return nameOf(_addressOf(handed.socket), isUDP=_isUDP(handed))
    return ""


def _isUDP(handed: Handed) -> bool:
    return handed.socket is not None and handed.socket.type == socket.SOCK_DGRAM


def _judged(handed: Handed) -> tuple[Address | None, str]:
    sock = handed.socket
    if sock is None:
        return None, "it is no socket"
    isInternet = sock.family in (socket.AF_INET, socket.AF_INET6)
    if isInternet and sock.type == socket.SOCK_DGRAM and not handed.isManaged:
        return _addressOf(sock), ""
    if not isInternet or sock.type != socket.SOCK_STREAM:
        return None, "it is not for TCP"
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return None, "it does not listen (is it Accept=yes?)"
    return _addressOf(sock), ""


def _addressOf(sock: socket.socket) -> Address:
    host, port = sock.getsockname()[:2]
    return Address(str(ip_address(host)), port)


def _isDual(address: Address, sock: socket.socket | None) -> bool:
    if sock is None or address.host != "::":
        return False
    return not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _described(handed: Handed) -> str:
    sock = handed.socket
    where = ""
    with suppress(OSError, ValueError):
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            where = f" on {_addressOf(sock)}"
        elif sock is not None and sock.family == socket.AF_UNIX:
            where = f" on {os.fsdecode(sock.getsockname())}"
    return f"{handed.name!r}{where}"
