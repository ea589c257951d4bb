"""
A proxy with many routes that is told again and again to go by others, and how long that
keeps its reactor from everything else; to be run as a program::

    python -m tests.live.lagging ROUTES RELOADS DIRECTORY

It prints the longest turn of each reload, in milliseconds of CPU time, and how many of the
new certificates were there after it, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from smartproxy_tw.config.model import TLS, AccessLog, Acme, Auto, Config, Forward, Route, Target
from smartproxy_tw.facts import Credential
from smartproxy_tw.plane.poller import LINGER
from smartproxy_tw.service.tree import SmartProxy

from ..attack.turns import Turns
from ..ports import freePorts

reactor: Any = _reactor


def configuration(routes: int, generation: int, directory: str, ports: tuple[int, ...]) -> Config:
    """
    Other names, other targets and other certificates in each generation.
    """
    found = []
    for number in range(routes):
        name = f"n{number}-{generation}.example"
        action = Forward((Target("127.0.0.1", 1 + number),))
        tls = TLS("terminate", Auto((name,)))
        found.append(Route(f"r{number}", (ports[0],), action, "http", (name,), tls=tls))
    return Config(
        tuple(found),
        directory,
        bind=("127.0.0.1",),
        accessLog=AccessLog("off"),
        acme=Acme(httpPort=ports[1], tlsPort=ports[0]),
    )


async def measured(routes: int, reloads: int, directory: str) -> list[tuple[float, int]]:
    """
    Do it.
    """
    ports = freePorts(2)
    generations = [configuration(routes, each, directory, ports) for each in range(reloads + 1)]

    def obtain(*_: object, **__: object) -> Deferred[Credential]:
        # An authority that takes its time.
        return Deferred()

    proxy = SmartProxy(generations[0], reactor, obtain=obtain, linger=LINGER)
    proxy.startService()
    await proxy.whenReady()
    turns = Turns(reactor)
    turns.start()
    found = []
    for config in generations[1:]:
        await deferLater(reactor, 0.2)
        turns.reset()
        await proxy.reconfigure(config)
        # Orders are placed after it.
        await deferLater(reactor, 0.5)
        found.append((turns.worst * 1000, len({each.names for each in proxy.status()})))
    turns.stop()
    await proxy.stopService()
    return found


async def main(_: object, routes: str, reloads: str, directory: str) -> None:
    """
    The program.
    """
    print(json.dumps(await measured(int(routes), int(reloads), directory)))


if __name__ == "__main__":
    react(lambda *words: Deferred.fromCoroutine(main(*words)), sys.argv[1:])
