"""
A worker: a data path in a process of its own, which does what the line says::

    python -m smartproxy_tw.control.worker NUMBER

It is begun by L{smartproxy_tw.control.processes} and is of no use by itself.  It
binds nothing, reads no configuration and no state directory, and knows nothing that
it was not told.  SIGTERM makes it leave in order.  Signals that a terminal or a
careless C{kill} sends to every process at once are the supervisor's to obey: it
ignores them.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .local import LocalPlane

__all__ = ["main", "newPlane"]

#: What is not for workers: an interrupt at the terminal, its end, the rotation of a log.
_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

#: So long after its time a worker whose supervisor is gone is ended by the kernel, in seconds.
_LATE = 5


def main() -> None:
    """
    Be a worker, until the line says otherwise.
    """
    for each in _IGNORED:
        signal.signal(each, signal.SIG_IGN)
    # Until it serves, as in the supervisor's own start.
    gc.disable()
    import faulthandler

    faulthandler.enable()
    _run()


def _run() -> None:
    import socket

    from twisted.internet import reactor as _reactor
    from twisted.internet.protocol import Factory
    from twisted.logger import globalLogBeginner

    from ..acme.clocks import steady
    from .duty import Duty
    from .events import Passing
    from .processes import EVENTS, LINE

    reactor: Any = _reactor
    steady(reactor)
    globalLogBeginner.beginLoggingTo([Passing(EVENTS)], redirectStandardIO=False, discardBuffer=True)
    plane = newPlane(reactor)
    plane.start()
    duty = Duty(plane, reactor, _exit, ready=_ready, ending=_limit)
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(duty.leave))
    with socket.socket(fileno=LINE) as line:
        line.setblocking(False)
        reactor.adoptStreamConnection(LINE, socket.AF_UNIX, Factory.forProtocol(lambda: duty))
    reactor.run(installSignalHandlers=False)


def newPlane(reactor: Any) -> LocalPlane:
    """
    The data path of a process that does nothing else, beside others like it.

    @param reactor: As L{LocalPlane} needs it.
    """
    from ..plane.poller import LINGER
    from .local import LocalPlane

    return LocalPlane(reactor, linger=LINGER, sharesPorts=True)


def _ready() -> None:
    gc.enable()
    gc.freeze()


def _limit(seconds: float) -> None:
    # Whatever becomes of the drain.
    signal.alarm(int(seconds) + _LATE)


def _exit() -> None:
    # All is written, and a thread that still resolves a name is not waited for.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
