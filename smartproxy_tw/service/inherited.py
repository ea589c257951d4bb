"""
Listening sockets that this process was begun with, as systemd's socket activation
hands them over (C{sd_listen_fds(3)}): from descriptor 3 on, as many as
C{LISTEN_FDS} says, for the process that C{LISTEN_PID} names.

They stay the service manager's too.  So they are never shut down, only closed;
what has been used is kept, in case that a port is let go and wanted again; and what
is of no use is closed and told, since whoever connects there will wait for nobody.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from twisted.logger import Logger

from ..facts import Address

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
    @ivar isManaged: Whether a service manager has it too.
    """

    name: str
    socket: socket.socket | None
    isManaged: bool = True


class Inherited:
    """
    All that was handed over.
    """

    def __init__(self, handed: Iterable[Handed] = ()) -> None:
        """
        @param handed: They are this object's to close.
        """
        self._open: dict[Address, Handed] = {}
        self._useless: list[tuple[Handed, str]] = []
        self._used: set[Address] = set()
        self._unused: set[Address] = set()
        for each in handed:
            address, why = _judged(each)
            if address is None:
                self._useless.append((each, why))
            elif address in self._open:
                self._useless.append((each, "another one was handed over for the same address"))
            else:
                self._open[address] = each

    @property
    def addresses(self) -> Mapping[Address, bool]:
        """
        Where they listen, and whether they are on C{::} and take IPv4 too.
        """
        return {address: _isDual(address, each.socket) for address, each in self._open.items()}

    def isManaged(self, address: Address) -> bool:
        """
        Whether a service manager has the socket of an address too.
        """
        found = self._open.get(address)
        return found is not None and found.isManaged

    def release(self) -> None:
        """
        What is nobody's but ours is in the hands of those who use it: let go of it.
        """
        for address in [address for address, each in self._open.items() if not each.isManaged]:
            given = self._open.pop(address).socket
            if given is not None:
                given.close()

    def use(self, address: Address) -> socket.socket | None:
        """
        Look for the socket of an address.

        @return: Non-blocking; it stays ours, whoever uses it takes a duplicate.
            L{None}: there is none.
        """
        found = self._open.get(address)
        if found is None or found.socket is None:
            return None
        self._used.add(address)
        found.socket.setblocking(False)
        return found.socket

    def dismiss(self) -> None:
        """
        Close what nobody has used, and tell of it.
        """
        for address in self._open.keys() - self._used:
            self._unused.add(address)
            self._useless.append((self._open.pop(address), "nothing is to be served there"))
        useless, self._useless = self._useless, []
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
        for each in (*self._open.values(), *(each for each, _ in self._useless)):
            if each.socket is not None:
                each.socket.close()
        self._open, self._useless = {}, []


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
    return Inherited(_handed((_name(names, index), FIRST + index, True) for index in range(number)))


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
            yield Handed(name, socket.socket(fileno=descriptor), isManaged)
        except OSError:
            os.close(descriptor)
            yield Handed(name, None, isManaged)


def _judged(handed: Handed) -> tuple[Address | None, str]:
    sock = handed.socket
    if sock is None:
        return None, "it is no socket"
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
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
