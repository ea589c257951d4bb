"""
The proxy under attack, in a process of its own, so that its descriptors, its objects and its
CPU time are its own and not those of who attacks it.

L{Subject} starts it and asks it; C{python -m tests.attack.subject} is what it starts.  They
talk in lines of JSON over standard input and output.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["Subject", "main"]

_ROOT = Path(__file__).parent.parent.parent
_LIBRARY = ctypes.CDLL(None)


class Subject:
    """
    The proxy, as a test holds it.

    @ivar ports: By name: C{http} takes plain HTTP, C{https} the same over TLS
        as C{a.test}, C{tcp} anything, C{sni} passes TLS through as
        C{through.test}; all of them end at the origin.
    """

    def __init__(self, origin: dict[str, int], **settings: Any) -> None:
        """
        @param origin: Where origins listen: C{http}, C{echo} and C{tls}, and
            C{good}, for HTTP as C{good.test}.
        @param settings: C{head}, C{idle} and C{write} (timeouts, in seconds),
            C{connections} (the limit), C{files} (the limit of descriptors), C{knows} (whether
            HTTP/2 is spoken without TLS).
        """
        self._directory = tempfile.TemporaryDirectory(prefix="attack")
        self._said = open(Path(self._directory.name) / "said", "wb")
        path = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                __name__,
                json.dumps({"origin": origin, **settings}),
                self._directory.name,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._lock = threading.Lock()
        self.ports: dict[str, int] = self._answer()
        self.pid = self._process.pid

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """
        Have something done, and wait for the answer.
        """
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the proxy has ended; it said:\n{self.said()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def cpu(self) -> float:
        """
        The CPU time that it has used, in seconds.
        """
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def said(self) -> str:
        """
        What it has written to standard error.
        """
        return (Path(self._directory.name) / "said").read_text(errors="replace")[-8000:]

    def facts(self) -> dict[str, Any]:
        """
        What it is: see C{facts} of the process.
        """
        return self.ask("facts")

    def settled(self, wanted: dict[str, Any], patience: float = 10.0) -> dict[str, Any]:
        """
        Wait until it holds no more than it did.

        @param wanted: Earlier facts.
        @return: The facts of now, whatever they are, when patience has ended.
        """
        end = time.monotonic() + patience
        while True:
            found = self.facts()
            more = Counter(found["descriptors"]) - Counter(wanted["descriptors"])
            if (found["open"] <= wanted["open"] and not set(more) - {"pipe"}) or time.monotonic() > end:
                return found
            time.sleep(0.1)

    def close(self) -> None:
        """
        End it.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._said.close()
        self._directory.cleanup()


def main(settings: dict[str, Any], directory: str) -> None:
    """
    Be the proxy.
    """
    # Everything that is the proxy's own is imported here: who only asks does without.
    from twisted.internet import reactor as _reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.protocol import Factory
    from twisted.internet.stdio import StandardIO
    from twisted.logger import LogLevel, globalLogPublisher
    from twisted.protocols.basic import LineOnlyReceiver

    from smartproxy_tw.acme.x509 import Signer
    from smartproxy_tw.config.model import (
        TLS,
        AccessLog,
        Config,
        Files,
        Forward,
        Limits,
        Respond,
        Route,
        Target,
        Timeouts,
    )
    from smartproxy_tw.control import local
    from smartproxy_tw.control.local import LocalPlane
    from smartproxy_tw.plane.poller import LINGER

    from .turns import Turns

    reactor: Any = _reactor
    if "files" in settings:
        resource.setrlimit(resource.RLIMIT_NOFILE, (settings["files"], settings["files"]))
    troubles: list[str] = []

    def observe(event: Any) -> None:
        if event.get("log_failure") is not None:
            troubles.append(event["log_failure"].getTraceback()[-3000:])
        elif event.get("log_level") in (LogLevel.error, LogLevel.critical):
            troubles.append(str(event.get("log_format")))

    globalLogPublisher.addObserver(observe)
    turns = Turns(reactor)
    # As twistd and workers have it.
    plane = LocalPlane(reactor, linger=LINGER)
    plane.start()
    factory = Factory()
    listening = {}
    for name in ("http", "https", "tcp", "sni"):
        port = reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")
        port.stopReading()
        listening[name] = port
    numbers = {name: port.getHost().port for name, port in listening.items()}
    origin = {name: Target("127.0.0.1", number) for name, number in settings["origin"].items()}
    source = Files("/test/certificate.pem", "/test/key.pem")
    terminate = TLS("terminate", source)
    web = Forward((origin["http"],))
    routes = (
        Route("good", (numbers["http"],), Forward((origin["good"],)), "http", ("good.test",)),
        Route("http", (numbers["http"],), web, "http"),
        Route("https", (numbers["https"],), web, "http", ("a.test",), tls=terminate),
        Route("tcp", (numbers["tcp"],), Forward((origin["echo"],)), "tcp"),
        Route(
            "sni",
            (numbers["sni"],),
            Forward((origin["tls"],)),
            "tcp",
            ("through.test",),
            tls=TLS("passthrough"),
        ),
    )
    config = Config(
        routes,
        "/nowhere",
        accessLog=AccessLog("combined", str(Path(directory) / "access.log")),
        timeouts=replace(
            Timeouts(), **{name: settings[name] for name in ("head", "idle", "write") if name in settings}
        ),
        limits=Limits(connections=settings.get("connections", 20000)),
        http2PriorKnowledge=settings.get("knows", False),
    )
    larger = config
    signer = Signer.create("Test Authority")

    def more(count: int) -> Config:
        extra = tuple(
            Route(
                f"r{index}",
                (numbers["http"],),
                Respond(body="no"),
                "http",
                (f"h{index}.test",),
                f"/p{index}/*",
            )
            for index in range(count)
        )
        return replace(config, routes=routes + extra)

    async def facts() -> dict[str, Any]:
        gc.collect()
        used = _used()
        kinds: Counter[str] = Counter()
        for name in os.listdir("/proc/self/fd"):
            try:
                kinds[os.readlink(f"/proc/self/fd/{name}").partition(":")[0].rpartition("/")[2]] += 1
            except OSError:
                continue
        return {
            "descriptors": kinds,
            # With those that are frozen, as all are that are there when a table is put to use.
            "objects": len(gc.get_objects()) + gc.get_freeze_count(),
            "used": used,
            "memory": _resident(),
            "troubles": troubles,
            **(await plane.tally()),
        }

    hoarded: list[int] = []

    def hoard() -> int:
        try:
            while True:
                hoarded.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            return len(hoarded)

    async def install(count: int) -> None:
        for index in range(count):
            # As they come in life: one by one.
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
            await plane.install(f"files:{index}", signer.issue((f"n{index}.test",), lifetime=86400.0))

    class Control(LineOnlyReceiver):
        delimiter = b"\n"

        def connectionMade(self) -> None:
            """Say where."""
            self._say(numbers)

        def lineReceived(self, line: bytes) -> None:
            """Obey."""
            Deferred.fromCoroutine(self._do(**json.loads(line)))

        async def _do(self, do: str, **arguments: Any) -> None:
            nonlocal larger
            answer: dict[str, Any] = {}
            if do == "facts":
                answer = await facts()
            elif do == "table":
                await plane.useTable(larger)
            elif do == "letGo":
                # Targets that are nobody's any more keep no connections.
                await plane.useTable(replace(config, routes=()))
                await plane.useTable(config)
                _settle()
            elif do == "plan":
                larger = more(arguments["routes"])
            elif do == "install":
                await install(arguments["count"])
            elif do == "hoard":
                answer = {"hoarded": hoard()}
            elif do == "free":
                while hoarded:
                    os.close(hoarded.pop())
            elif do == "watch":
                turns.start()
            elif do == "turns":
                answer = {"worst": turns.worst, "long": turns.long}
            elif do == "reset":
                turns.reset()
            self._say(answer)

        def _say(self, answer: dict[str, Any]) -> None:
            self.sendLine(json.dumps(answer).encode())

        def connectionLost(self, reason: object = None) -> None:
            """Nobody asks any more."""
            Deferred.fromCoroutine(self._end())

        async def _end(self) -> None:
            await plane.drain(0)
            reactor.stop()

    async def begin() -> None:
        await plane.useTable(config)
        for name, port in listening.items():
            await plane.adopt(port, numbers[name])
        await plane.install(source.key, signer.issue(("a.test",), lifetime=86400.0))
        # As the program does once it has started, and a second later.
        for name in local._SELDOM:
            import_module(name)
        gc.collect()
        gc.freeze()
        StandardIO(Control())

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(begin()))
    reactor.run()


def _settle() -> None:
    """
    Have memory be what is in use: garbage goes, what was frozen with it when a table was put
    to use as well, and the allocator gives back what is free.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    if hasattr(_LIBRARY, "malloc_trim"):
        _LIBRARY.malloc_trim(0)


class _Mallinfo(ctypes.Structure):
    """As in malloc.h of the GNU C library, since 2.33."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def _used() -> int:
    """
    What the C library's allocator has given away and not got back, in bytes; 0 where it does not tell.
    What is small and Python's own is not among it.
    """
    if not hasattr(_LIBRARY, "mallinfo2"):
        return 0
    _LIBRARY.mallinfo2.restype = _Mallinfo
    found = _LIBRARY.mallinfo2()
    return int(found.uordblks + found.hblkhd)


def _resident() -> int:
    """In bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
