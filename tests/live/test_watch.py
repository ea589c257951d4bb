"""
The files of a configuration, and a kernel that tells what happens to them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.loading import load
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.service.watch import SOON, Watch

from ..ports import freePorts
from .running import PATIENCE

reactor: Any = _reactor


class KernelTests(TestCase):
    """
    A proxy that watches its files.
    """

    timeout = 900

    async def until(self, claim: Callable[[], object]) -> None:
        """
        Wait for something that will be so.
        """
        end = reactor.seconds() + PATIENCE
        while not claim():
            self.assertLess(reactor.seconds(), end)
            await deferLater(reactor, 0.02)

    def write(self, path: Path, body: str) -> None:
        """
        Write a file as editors do: another one takes its place.
        """
        fresh = path.with_suffix(".swp")
        fresh.write_text(body)
        os.replace(fresh, path)

    def body(self) -> object:
        """
        What the only route of the proxy says.
        """
        return getattr(self.proxy.config.routes[0].action, "body", None)

    async def _story(self) -> None:
        # Nobody looks by himself as long as this goes on: whatever is found the kernel told.
        self.patch(Watch.__init__, "__kwdefaults__", {"soon": SOON, "seldom": 3600.0})
        (port,) = freePorts(1)
        directory = Path(self.mktemp()).absolute()
        (directory / "conf.d").mkdir(parents=True)
        main = directory / "smartproxy.yaml"
        top = "bind: 127.0.0.1\nstate_dir: ./state\naccess_log: {format: off}\nadmin: off\n"
        main.write_text(top + "watch: true\ninclude: conf.d/*.yaml\n")
        route = "routes:\n  - {name: a, match: {ports: %d}, action: {type: respond, body: %s}}\n"
        included = directory / "conf.d" / "a.yaml"
        included.write_text(route % (port, "one"))
        self.proxy = SmartProxy(load(str(main)), reactor)
        self.addCleanup(self.proxy.stopService)
        self.proxy.startService()
        await self.proxy.whenReady()
        self.assertEqual(self.body(), "one")
        # In place, by another file, and by one more file.
        included.write_text(route % (port, "two"))
        await self.until(lambda: self.body() == "two")
        self.write(included, route % (port, "three"))
        await self.until(lambda: self.body() == "three")
        more = directory / "conf.d" / "b.yaml"
        more.write_text(
            route.replace("name: a", "name: b, priority: -1").replace("ports", "path: /b, ports")
            % (port, "x")
        )
        await self.until(lambda: len(self.proxy.config.routes) == 2)
        more.unlink()
        await self.until(lambda: len(self.proxy.config.routes) == 1)
        # As a volume of Kubernetes is turned.
        included.unlink()
        for name in ("first", "second"):
            (directory / "conf.d" / name).mkdir()
            (directory / "conf.d" / name / "a.yaml").write_text(route % (port, name))
        data = directory / "conf.d" / "..data"
        data.symlink_to("first")
        included.symlink_to("..data/a.yaml")
        await self.until(lambda: self.body() == "first")
        (directory / "conf.d" / "..tmp").symlink_to("second")
        os.replace(directory / "conf.d" / "..tmp", data)
        await self.until(lambda: self.body() == "second")
        # A mistake is told once, and mended.
        with capturedLogs() as logs:
            main.write_text(top + "watch: true\ninclude: conf.d/*.yaml\ntimeouts: {drian: 1}\n")
            await self.until(lambda: any(each.get("event") == "reload-refused" for each in logs))
            os.utime(main)
            await deferLater(reactor, 1.5)
        self.assertEqual([each.get("event") for each in logs].count("reload-refused"), 1)
        main.write_text(top + "watch: false\ninclude: conf.d/*.yaml\ntimeouts: {drain: 1}\n")
        await self.until(lambda: self.proxy.config.timeouts.drain == 1)
        # From now on nobody looks.
        main.write_text(top + "include: conf.d/*.yaml\ntimeouts: {drain: 2}\n")
        await deferLater(reactor, 1.5)
        self.assertEqual(self.proxy.config.timeouts.drain, 1)
        await self.proxy.reload()
        self.assertEqual(self.proxy.config.timeouts.drain, 2)

    def test_story(self) -> Deferred[None]:
        """
        However a file comes to be another one, its content is in use soon.
        """
        return Deferred.fromCoroutine(self._story())
