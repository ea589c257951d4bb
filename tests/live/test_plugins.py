"""
What others wrote for txacme, installed by pip as its users do and used unchanged: a
responder that answers for the DNS by itself, and txacme's own store.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from txacme.testing import MemoryStore

from smartproxy_tw.config.model import TLS, AccessLog, Acme, Auto, Config, Respond, Route, Timeouts
from smartproxy_tw.facts import Address
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.authority import Authority

from ..ports import freePorts
from .pebble import Pebble, missing
from .running import PATIENCE
from .test_promise import Client, story

reactor: Any = _reactor
NAMES = ("a.test", "*.a.test")


def installed(where: Path) -> str:
    """
    Install the plug-in there, and nowhere else.

    @return: What is to be in the path.
    """
    # Whatever is left in the directory of a build is not left among the tests.
    source = shutil.copytree(Path(__file__).with_name("responder"), where / "source")
    target = where / "installed"
    quietly = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *quietly, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return str(target)


class PluginTests(TestCase):
    """
    A proxy that is handed both.
    """

    timeout = 900

    async def _plugin(self) -> Any:
        place = await deferToThread(installed, Path(self.mktemp()).absolute())
        self.patch(sys, "path", [place, *sys.path])
        self.addCleanup(sys.modules.pop, "txacme_here", None)
        module = import_module("txacme_here")
        self.assertTrue(str(module.__file__).startswith(place))
        return module.HereResponder()

    async def _served(self, config: Config, root: bytes, **others: Any) -> None:
        proxy = SmartProxy(config, reactor, **others)
        proxy.startService()
        self.addCleanup(proxy.stopService)
        await proxy.whenReady()
        for _ in range(1800):
            (status,) = proxy.status()
            self.assertIsNone(status.problem)
            if status.state == "valid":
                break
            await deferLater(reactor, 0.05)
        for name in ("a.test", "www.a.test"):
            (await Client(root).connect(config.ports[-1], name)).close()
        await proxy.stopService()

    async def _story(self, responder: Any, acme: Acme, root: bytes) -> None:
        port, httpPort = freePorts(2)
        store = MemoryStore()
        tls = TLS("terminate", Auto(NAMES))
        config = Config(
            routes=(Route("a", (port,), Respond(body="a"), "http", NAMES, tls=tls),),
            stateDir=os.path.abspath(self.mktemp()),
            bind=("127.0.0.1",),
            accessLog=AccessLog("off"),
            timeouts=Timeouts(drain=1.0),
            acme=replace(acme, httpPort=httpPort, challenges=("dns-01",)),
        )
        await self._served(config, root, responders=[responder], certificates=store)
        self.assertEqual(responder.calls, [("start", "a.test")] * 2 + [("stop", "a.test")] * 2)
        self.assertEqual(responder.texts("a.test"), [])
        (objects,) = (await store.as_dict()).values()
        self.assertIn(b"PRIVATE KEY", objects[0].as_bytes())
        # A proxy on another machine, with the same store, has it already.
        config = replace(config, stateDir=os.path.abspath(self.mktemp()))
        await self._served(config, root, responders=[responder], certificates=store)
        self.assertEqual(len(responder.calls), 4)

    @story
    async def test_ours(self) -> None:
        """
        Our own authority, which looks for the records where the plug-in has them.
        """
        responder = await self._plugin()
        port = responder.listen(reactor)
        self.addCleanup(port.stopListening)
        names = Address("127.0.0.1", port.getHost().port)
        authority = Authority(reactor, httpPort=1, tlsPort=1, nameServer=names)
        await authority.start()
        self.addCleanup(authority.stop)
        trust = Path(self.mktemp()).absolute()
        trust.write_bytes(authority.root)
        acme = Acme(directory=authority.directoryURL, caFile=str(trust))
        await self._story(responder, acme, authority.root)
        self.assertEqual(authority.orders, 1)

    @story
    async def test_pebble(self) -> None:
        """
        Pebble, likewise.
        """
        responder = await self._plugin()
        port = responder.listen(reactor)
        self.addCleanup(port.stopListening)
        names = f"127.0.0.1:{port.getHost().port}"
        authority = Pebble(reactor, self.mktemp(), httpPort=1, tlsPort=1, nameServer=names)
        await authority.start()
        self.addCleanup(authority.stop)
        acme = Acme(directory=authority.directoryURL, caFile=authority.caFile)
        await self._story(responder, acme, authority.root)
        self.assertEqual((authority.tally().orders, authority.tally().invalid), (1, 0))

    test_pebble.skip = missing  # type: ignore[attr-defined]
