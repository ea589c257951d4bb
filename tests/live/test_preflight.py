"""
What is in the way of an order is told in time: by a proxy and by the command, with
Pebble, whose DNS says what a test wants it to say.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from smartproxy_tw.config.model import Admin, Config, OwnZones, Preflight
from smartproxy_tw.facts import Address
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts
from .pebble import Pebble, missing
from .test_promise import Client, configuration, fresh, story

reactor: Any = _reactor

#: Where somebody else is.
ELSEWHERE = "127.0.0.9"


class _Stranger(Resource):
    """
    Knows nothing, and thinks about it when an authority asks.
    """

    isLeaf = True

    def render_GET(self, request: Any) -> Any:
        request.setResponseCode(404)
        agent = request.getHeader(b"user-agent") or b""
        # Longer than an authority waits, so that there is time for what is to be told meanwhile.
        answering = deferLater(reactor, 0 if b"preflight" in agent else 30, request.finish)
        answering.addErrback(lambda failure: failure.trap(CancelledError))
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET


class PreflightTests(TestCase):
    """
    A proxy, Pebble, and a server of somebody else's at another address.
    """

    skip = missing
    timeout = 900

    async def world(self, **settings: Any) -> Pebble:
        """
        All but the proxy.
        """
        http, tls = freePorts(2)
        self.ports = http, tls
        site = Site(_Stranger())  # type: ignore[no-untyped-call]
        site.noisy = False
        stranger = reactor.listenTCP(http, site, interface=ELSEWHERE)
        self.addCleanup(stranger.stopListening)
        authority = Pebble(reactor, self.mktemp(), httpPort=http, tlsPort=tls, **settings)
        self.addCleanup(authority.stop)
        await authority.start()
        self.warnings: list[str] = []

        def observe(event: dict[str, Any]) -> None:
            if event.get("event") == "preflight":
                self.warnings.append(event["finding"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return authority

    def config(
        self, authority: Pebble, mode: Literal["advisory", "strict"], *names: str, **acme: Any
    ) -> Config:
        """
        A configuration that asks Pebble's DNS.
        """
        made = configuration(authority, fresh(self), self.ports, *names)
        preflight = Preflight(mode, (authority.names,), *self.ports)
        return replace(made, acme=replace(made.acme, preflight=preflight, **acme))

    async def runs(self, config: Config) -> SmartProxy:
        """
        A proxy that is ready.
        """
        proxy = SmartProxy(config, reactor)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        await proxy.whenReady()
        return proxy

    async def ends(self, proxy: SmartProxy) -> Any:
        """
        The state of its certificate when its order has come to an end.
        """
        assert proxy.certificates is not None
        return (await proxy.certificates.provisionAll())[0]

    async def told(self, test: Any) -> None:
        """
        Wait for something.
        """
        while not test():
            await deferLater(reactor, 0.05)

    @story
    async def test_wrongAddress(self) -> None:
        """
        A record that leads elsewhere is told while the authority is still thinking, by
        address and by who is there, and again with its refusal.
        """
        authority = await self.world()
        await authority.tell("add-a", host="a.test.", addresses=[ELSEWHERE])
        proxy = await self.runs(self.config(authority, "advisory", "a.test"))
        await self.told(lambda: self.warnings or proxy.status()[0].state == "failed")
        self.assertEqual(proxy.status()[0].state, "ordering")
        self.assertEqual(len(self.warnings), 1)
        told = f"{ELSEWHERE}:{self.ports[0]} is answered by somebody else: status 404"
        self.assertIn(told, self.warnings[0])
        self.assertEqual(proxy.status()[0].preflight, tuple(self.warnings))
        status = await self.ends(proxy)
        self.assertEqual(status.state, "failed")
        self.assertIn(f"Seen from here: {self.warnings[0]}", str(status.problem))
        self.assertEqual((authority.tally().orders, len(self.warnings)), (1, 1))

    @story
    async def test_strict(self) -> None:
        """
        No order is placed for a name that leads elsewhere, nor is an account registered.
        """
        authority = await self.world()
        await authority.tell("add-a", host="a.test.", addresses=["127.0.0.1", ELSEWHERE])
        proxy = await self.runs(self.config(authority, "strict", "a.test"))
        status = await self.ends(proxy)
        self.assertEqual(status.state, "failed")
        self.assertIn("No order was placed", str(status.problem))
        self.assertIn(ELSEWHERE, str(status.problem))
        self.assertEqual((authority.tally().orders, authority.tally().accounts), (0, 0))

    @story
    async def test_caa(self) -> None:
        """
        Nor for one that no authority may certify, by a record above it.
        """
        authority = await self.world()
        await authority.tell("add-caa", host="test.", policies=[{"tag": "issue", "value": ";"}])
        proxy = await self.runs(self.config(authority, "strict", "a.test"))
        status = await self.ends(proxy)
        self.assertIn("CAA of test: nobody may issue", str(status.problem))
        self.assertEqual(authority.tally().orders, 0)

    @story
    async def test_right(self) -> None:
        """
        Where all is right nothing is said, and the first order succeeds, with one process
        and with two, by either challenge; nothing stays put up.
        """
        authority = await self.world()
        for workers, challenges in ((1, ("http-01",)), (2, ("http-01",)), (1, ("tls-alpn-01",))):
            config = self.config(authority, "strict", "a.test", challenges=challenges)
            proxy = await self.runs(replace(config, workers=workers))
            self.assertEqual((await self.ends(proxy)).state, "valid")
            self.assertEqual(await Client(authority.root).get(self.ports[1], "a.test"), b"this is a.test")
            await proxy.stopService()
        self.assertEqual((authority.tally().orders, authority.tally().invalid, self.warnings), (3, 0, []))

    @story
    async def test_ownZone(self) -> None:
        """
        A record that the proxy answers itself is looked for as an authority does; an
        alias that nobody has made is told, and costs no order.
        """
        own = Address("127.0.0.1", freePorts(1)[0])
        authority = await self.world(nameServer=str(own))
        for zone, resolver, state in (
            ("_acme-challenge.a.test", own, "valid"),
            ("proofs.test", authority.names, "failed"),
        ):
            dns = OwnZones((zone,), "ns.proofs.test", (own,))
            config = self.config(authority, "strict", "a.test", challenges=("dns-01",), dns=dns)
            preflight = replace(config.acme.preflight, resolvers=(resolver,))
            config = replace(config, acme=replace(config.acme, preflight=preflight))
            proxy = await self.runs(config)
            status = await self.ends(proxy)
            self.assertEqual(status.state, state, status)
            await proxy.stopService()
        told = "_acme-challenge.a.test is not in proofs.test; let _acme-challenge.a.test be a CNAME to"
        self.assertIn(f"{told} a.test.proofs.test", str(status.problem))
        self.assertEqual(authority.tally().orders, 1)

    @story
    async def test_silentDNS(self) -> None:
        """
        A DNS that never answers holds up no order beside which it is asked, and one that
        waits for it not for long; the steps of the start are the same.
        """
        authority = await self.world()
        quick = await self.held(authority, "advisory")
        held: list[float] = []
        # Whatever else goes on here only adds to it.
        while not held or (held[-1] >= quick + 3.5 and len(held) < 5):
            held.append(await self.held(authority, "strict"))
        self.assertTrue(2.5 < min(held) < quick + 3.5, (quick, held))
        self.assertEqual(self.warnings, [])

    async def held(self, authority: Pebble, mode: Literal["advisory", "strict"]) -> float:
        """
        How long it takes to the challenge where nobody answers who is asked about names.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            config = self.config(authority, mode, "a.test")
            preflight = replace(config.acme.preflight, resolvers=(Address(*silent.getsockname()),))
            proxy = await self.runs(replace(config, acme=replace(config.acme, preflight=preflight)))
            self.assertEqual((await self.ends(proxy)).state, "valid")
            reached = proxy.milestones.reached
            self.assertEqual(list(reached), ["bound", "adopted", "presented", "installed"])
            await proxy.stopService()
            return reached["presented"] - reached["adopted"]

    @story
    async def test_command(self) -> None:
        """
        The command tells it as well, proxy or not, and its status says so.
        """
        authority = await self.world()
        await authority.tell("set-servfail", host="a.test.")
        await authority.tell("add-caa", host="b.test.", policies=[{"tag": "issue", "value": ";"}])
        file = Path(self.mktemp()).absolute()
        file.mkdir()
        preflight = f"{{resolvers: '{authority.names}', http_port: {self.ports[0]}}}"
        (file / "c.yaml").write_text(
            f"acme: {{directory: '{authority.directoryURL}', ca_file: '{authority.caFile}', preflight:"
            f" {preflight}}}\nstate_dir: {file}\nsites: {{a.test: 1, b.test: 1}}\n"
        )
        for names, status, word in (
            (
                ["a.test"],
                0,
                r"(?m)^a\.test +dns +unknown +the addresses cannot be had: resolvers answer SERVFAIL",
            ),
            ([], 1, r"(?m)^b\.test +caa +BAD +CAA of b\.test: nobody may issue$"),
            (["c.test"], 1, r"no certificate by ACME is wanted for that; there are a\.test, b\.test"),
        ):
            said, code = await self.command(str(file / "c.yaml"), *names)
            self.assertEqual(code, status, said)
            self.assertRegex(said, word)

    @story
    async def test_askedByTheCommand(self) -> None:
        """
        A proxy that runs is asked whether it is what answers, which nobody else can tell.
        """
        authority = await self.world()
        made = self.config(authority, "advisory", "a.test")
        socket_ = os.path.join(made.stateDir, "admin.sock")
        proxy = await self.runs(replace(made, admin=Admin(socket_)))
        await self.ends(proxy)
        file = Path(self.mktemp()).absolute().with_suffix(".yaml")
        preflight = f"{{resolvers: '{authority.names}', http_port: {self.ports[0]}}}"
        file.write_text(
            f"acme: {{directory: '{authority.directoryURL}', ca_file: '{authority.caFile}', preflight:"
            f" {preflight}}}\nstate_dir: {made.stateDir}\nsites: {{a.test: 1}}\n"
        )
        word = rf"(?m)^a\.test +port +ok +this proxy answers at 127\.0\.0\.1:{self.ports[0]}$"
        said, code = await self.command(str(file), "a.test")
        self.assertEqual(code, 0, said)
        self.assertRegex(said, word)
        await proxy.stopService()
        said, code = await self.command(str(file), "a.test")
        self.assertNotRegex(said, word)
        self.assertRegex(said, r"(?m)^a\.test +port +unknown ")

    async def command(self, file: str, *names: str) -> tuple[str, int]:
        """
        What it says, and its status.
        """
        out, err, code = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "smartproxy_tw.cli", "certificates", "preflight", *names, "-c", file],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        return (out + err).decode(), code
