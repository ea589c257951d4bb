"""
The ports: bound all or none, handed to the data path, given back.

These are the first two of the four links that a certificate waits for.  B{Bound}:
every C{listen} has answered; when one refuses, the others are closed and the
answer is one exception whose text is all that an operator needs.  B{Adopted}:
the data path accepts on every one of them.  In between a port is bound in the
kernel and nobody accepts on it: connections wait, none is refused.

A socket that was handed over takes the place of one that would be bound.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, execute, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorSocket, IReactorTCP
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from .addresses import addressesFor, everywhere
from .deposit import Deposit, nameOf
from .errors import ListenError
from .gathering import gathered
from .holder import holderOf
from .inherited import Inherited

if TYPE_CHECKING:
    from ..facts import Address
    from ..interfaces import IPlane

__all__ = ["BACKLOG", "Listen", "Listeners", "Take", "listenBy", "takeBy"]

#: How many connections the kernel keeps until we accept them.  Twisted's 50
#: loses bursts; the kernel cuts what is above C{net.core.somaxconn}.
BACKLOG = 4096

#: How a port comes to be bound: called with an interface, a port and a factory
#: that refuses; the Deferred fires with the port or fails.
Listen = Callable[[str, int, ServerFactory], "Deferred[IListeningPort]"]

#: How a socket that listens already becomes a port: called with it, which stays the
#: caller's, and with a factory that refuses.
Take = Callable[[socket.socket, ServerFactory], "Deferred[IListeningPort]"]


class _Refusing(ServerFactory):
    """
    For the moment in which nobody has adopted the port.
    """

    noisy = False

    def logPrefix(self) -> str:
        """
        What Twisted calls us where it logs that a port is bound.
        """
        return "smartproxy"

    def buildProtocol(self, addr: object) -> None:
        """
        Take nothing: the reactor closes the connection.
        """
        return None


def listenBy(reactor: IReactorTCP) -> Listen:
    """
    Bind with a reactor, as its server endpoints do: the answer is there at
    once, which the phase before the change of user needs.

    @param reactor: Whose ports they become.
    """

    def listen(interface: str, number: int, factory: ServerFactory) -> Deferred[IListeningPort]:
        return execute(reactor.listenTCP, number, factory, backlog=BACKLOG, interface=interface)

    return listen


def takeBy(reactor: IReactorSocket) -> Take:
    """
    Take sockets over with a reactor, with the queue that we want for our own.

    @param reactor: Whose ports they become.
    """

    def take(sock: socket.socket, factory: ServerFactory) -> Deferred[IListeningPort]:
        # Listening once more changes nothing but the length of the queue; listen(2).
        sock.listen(BACKLOG)
        return execute(reactor.adoptStreamPort, sock.fileno(), sock.family, factory)

    return take


class _Bound:
    """
    One port, from the moment that it is asked for.
    """

    _log = Logger()

    def __init__(self, address: Address, inherited: socket.socket | None = None) -> None:
        self.address = address
        self._inherited = inherited
        self.port: Any = None  # IListeningPort and IReadDescriptor both
        self.refusal: BaseException | None = None
        self.isOffered = False
        self.isAdopted = False
        self._unwanted = False

    def open(self, listen: Listen, take: Take | None) -> Deferred[None]:
        """
        Bind it, or take it over.

        @return: Cancelling it stops nothing but the waiting.
        """
        outcome: Deferred[None] = Deferred()
        host, number = self.address.host, self.address.port
        if self._inherited is not None and take is not None:
            opening = maybeDeferred(take, self._inherited, _Refusing())
        else:
            opening = maybeDeferred(listen, host, number, _Refusing())
        opening.addCallback(self._opened).addErrback(self._refused)
        opening.addCallback(
            lambda _: outcome.errback(self.refusal) if self.refusal else outcome.callback(None)
        )
        return outcome

    def abandon(self) -> Deferred[None] | None:
        """
        It is not needed: close it, now or as soon as it is there.
        """
        self._unwanted = True
        return self._close() if self.port is not None else None

    def _opened(self, port: Any) -> None:
        # At once: the kernel may complete handshakes from now on, but nobody
        # is to accept before the data path does.
        port.stopReading()
        self.port = port
        if self._unwanted:
            self._close()

    def _refused(self, failure: Failure) -> None:
        self.refusal = failure.value

    def _close(self) -> Deferred[None]:
        return maybeDeferred(self.port.stopListening).addErrback(
            lambda failure: self._log.failure(
                "{address} could not be closed", failure=failure, address=self.address
            )
        )


class Listeners:
    """
    All the ports of one proxy.

    @ivar refusal: Why a L{bind} is about to fail, known as soon as a port was
        refused, while the others are still being closed; L{None} otherwise.
    """

    _log = Logger()

    def __init__(
        self,
        listen: Listen,
        bind: Iterable[str] = (),
        *,
        everything: Callable[[], tuple[str, ...]] = everywhere,
        holder: Callable[[int], str | None] = holderOf,
        inherited: Inherited | None = None,
        take: Take | None = None,
        deposit: Deposit | None = None,
        beside: Collection[str] = (),
    ) -> None:
        """
        @param listen: Binds one port, see L{listenBy}.
        @param bind: On which addresses; empty for all of them.
        @param everything: What to bind on for all addresses.
        @param holder: Tells who has a port.
        @param inherited: Sockets that listen already.  Which of them are of no use is
            settled with the first L{bind}.
        @param take: Takes one of them over, see L{takeBy}; without it none is.
        @param deposit: Where sockets that we have bound are left for the next process.
        @param beside: Which of the sockets that listen already others will take, by their
            names.
        """
        self._listen = listen
        self._bind = tuple(bind)
        self._everything = everything
        self._holder = holder
        self._inherited = inherited if inherited is not None and take is not None else Inherited()
        self._take = take
        self._deposit = deposit
        self._beside = beside
        self._bound: list[_Bound] = []
        self._plane: IPlane | None = None
        self.refusal: ListenError | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """
        What is bound now.
        """
        return tuple(each.address for each in self._bound)

    @property
    def adopted(self) -> frozenset[Address]:
        """
        What of it the data path accepts on.
        """
        return frozenset(each.address for each in self._bound if each.isAdopted)

    def bind(self, ports: Iterable[int]) -> Deferred[None]:
        """
        Bind ports on every address, and take over what was handed over for them.
        Those that are bound already are left alone.

        @param ports: Their numbers.
        @return: Fires when all of them are bound.  Fails with L{ListenError}
            when one is refused, after those that this call bound were closed.
        """
        self.refusal = None
        present = set(self.addresses)
        everything, handed, said = self._everything(), self._inherited.addresses, self._inherited.said
        wanted = [
            _Bound(address, self._inherited.use(address))
            for number in sorted(set(ports))
            for address in addressesFor(number, self._bind, everything, handed, said)
            if address not in present
        ]
        for name in self._inherited.dismiss(self._beside):
            if self._deposit is not None:
                self._deposit.remove(name)
        return Deferred.fromCoroutine(self._bindAll(wanted))

    def adopt(self, plane: IPlane) -> Deferred[None]:
        """
        Have the data path accept on every port that is bound.

        @param plane: The data path; it has started.
        @return: Fires when all of it accepts on all of them.
        """
        self._plane = plane
        return Deferred.fromCoroutine(self._adoptAll(plane))

    def bequest(self) -> tuple[tuple[socket.socket, bool], ...]:
        """
        The sockets, for a process that is to listen on them too, each with whether a
        service manager has it.  From now on they are closed for this process alone.
        """
        bound = [each for each in self._bound if each.port is not None]
        for each in bound:
            # Twisted would shut it down, for whoever has it, but for one that it has adopted.
            each.port._shouldShutdown = False
        return tuple((each.port.socket, self._inherited.isManaged(each.address)) for each in bound)

    def retain(self, ports: Iterable[int]) -> Deferred[None]:
        """
        Accept on these ports only, and close the others.

        @param ports: The numbers of those that stay.
        @return: As of L{stop}.
        """
        kept = set(ports)
        gone = [each for each in self._bound if each.address.port not in kept]
        self._bound = [each for each in self._bound if each.address.port in kept]
        return Deferred.fromCoroutine(self._stopAll(gone, isForGood=True))

    def stop(self) -> Deferred[None]:
        """
        Accept no more and close every port.  What was left with the service manager stays
        there: whoever comes next is handed it.

        @return: Fires when they are closed.  Never fails: what goes wrong is
            logged.
        """
        bound, self._bound = self._bound, []
        return Deferred.fromCoroutine(self._stopAll(bound))

    async def _bindAll(self, wanted: Sequence[_Bound]) -> None:
        try:
            await gathered(each.open(self._listen, self._take) for each in wanted)
        except BaseException:
            # One refused, or whoever asked for this lost interest.
            self.refusal = self._refusalOf(tuple(each for each in wanted if each.refusal is not None))
            await DeferredList([d for each in wanted if (d := each.abandon()) is not None])
            if self.refusal is not None:
                raise self.refusal from None
            raise
        self._bound += wanted
        self._inherited.release()

    async def _adoptAll(self, plane: IPlane) -> None:
        fresh = [each for each in self._bound if not each.isOffered]
        for each in fresh:
            # Whatever comes of it: part of the data path may accept there.
            each.isOffered = True
        await gathered(maybeDeferred(plane.adopt, each.port, each.address.port) for each in fresh)
        for each in fresh:
            each.isAdopted = True
            if self._deposit is not None and not self._inherited.isManaged(each.address):
                each.port._shouldShutdown = False
                self._deposit.add(nameOf(each.address), each.port.socket)

    async def _stopAll(self, bound: Sequence[_Bound], *, isForGood: bool = False) -> None:
        for each in reversed(bound):
            try:
                if self._plane is not None and each.isOffered:
                    await self._plane.release(each.port)
            except Exception:
                self._log.failure("{address} could not be released", address=each.address)
            if isForGood:
                self._withdraw(each)
            if (closing := each.abandon()) is not None:
                await closing

    def _withdraw(self, bound: _Bound) -> None:
        if self._deposit is not None and bound.isAdopted and not self._inherited.isManaged(bound.address):
            # At once refused, and not only when the service manager has closed its own too.
            with suppress(OSError):
                bound.port.socket.shutdown(socket.SHUT_RDWR)
            self._deposit.remove(nameOf(bound.address))

    def _refusalOf(self, refused: Sequence[_Bound]) -> ListenError | None:
        if not refused:
            return None
        # What has the same reason and the same remedy is told once.
        byReason: dict[str, list[str]] = {}
        for each in refused:
            byReason.setdefault(self._explain(each.address, each.refusal), []).append(str(each.address))
        return ListenError(
            "\n".join(f"Cannot listen on {', '.join(where)}: {why}" for why, where in byReason.items()),
            tuple(each.address for each in refused),
        )

    def _explain(self, address: Address, why: BaseException | None) -> str:
        reason: object = why.socketError if isinstance(why, CannotListenError) else why
        number = reason.errno if isinstance(reason, OSError) else None
        text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason)
        text = text.rstrip(".") or type(reason).__name__
        if number == errno.EADDRINUSE:
            if (unused := self._inherited.unusedOn(address.port)) is not None:
                return f"{text}: {_elsewhere(unused, address)}"
            holder = self._holder(address.port)
            return (
                f"{text}: {holder} has port {address.port}. Stop it, or choose another port."
                if holder
                else f"{text}. Stop what has port {address.port} (ss -ltnp tells), or choose another port."
            )
        if number in (errno.EACCES, errno.EPERM):
            return (
                f"{text}. A port below 1024 needs a privilege: start as root with twistd --uid,"
                " or give CAP_NET_BIND_SERVICE (AmbientCapabilities= in a systemd unit), or use authbind,"
                " or choose a port from 1024 up."
            )
        if number == errno.EADDRNOTAVAIL:
            return f"{text}. This machine has no address {address.host}: correct bind."
        return f"{text}. Correct that, or choose another address or port."


def _elsewhere(unused: Address, wanted: Address) -> str:
    if unused == wanted:
        return "its socket was handed over and closed, as nothing wanted it then. A restart uses it."
    return (
        f"a socket on {unused} was handed over instead."
        " Let the socket unit (ListenStream=, BindIPv6Only=) and bind say the same."
    )
