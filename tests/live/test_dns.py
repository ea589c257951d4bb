"""
Names proved by the DNS (dns-01): a whole proxy, Pebble and our own authority, and
BIND, which both ask for the records that the proxy put there.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Acme,
    Auto,
    Config,
    DynamicUpdate,
    Hook,
    Lexicon,
    OwnZones,
    Respond,
    Route,
    Timeouts,
)
from smartproxy_tw.facts import Address
from smartproxy_tw.records.lookup import Lookup
from smartproxy_tw.records.questions import Questions
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.authority import Authority

from ..ports import freePorts
from .named import Named
from .named import missing as missingNamed
from .pebble import Pebble, missing
from .test_promise import Client, story

reactor: Any = _reactor

#: tox installs both.
missingLexicon = (
    None if find_spec("lexicon") and find_spec("localzone") else "needs dns-lexicon and localzone"
)

#: What an operator might write.
_HOOK = """
import os, sys
import dns.query, dns.rcode, dns.tsig, dns.update

port, name, secret = sys.argv[1:]
update = dns.update.UpdateMessage("a.test")
update.use_tsig(dns.tsig.Key(name, secret, "hmac-sha256"))
change = update.add if os.environ["SMARTPROXY_ACTION"] == "present" else update.delete
ttl = [60] if os.environ["SMARTPROXY_ACTION"] == "present" else []
change(os.environ["SMARTPROXY_RECORD"] + ".", *ttl, "TXT", os.environ["SMARTPROXY_VALUE"])
sys.exit(dns.query.tcp(update, "127.0.0.1", port=int(port)).rcode())
"""


def updating(names: Named) -> DynamicUpdate:
    """
    BIND is told of records, and asked for everything.
    """
    return DynamicUpdate(
        names.address,
        names.keyName,
        keySecret=names.secret,
        resolvers=(names.address,),
        nameServers=(names.address,),
    )


class WildcardTests(TestCase):
    """
    A name and its wildcard on one certificate: two records at one place.
    """

    timeout = 900

    @story
    async def test_pebble(self) -> None:
        """
        Pebble asks BIND.
        """
        names = await self.names("a.test")
        authority = Pebble(reactor, self.mktemp(), httpPort=1, tlsPort=1, nameServer=str(names.address))
        await authority.start()
        self.addCleanup(authority.stop)
        acme = Acme(directory=authority.directoryURL, caFile=authority.caFile)
        await self.proved(names.address, acme, authority.root, updating(names))
        self.assertEqual((authority.tally().orders, authority.tally().invalid), (1, 0))

    test_pebble.skip = missing or missingNamed  # type: ignore[attr-defined]

    @story
    async def test_ours(self) -> None:
        """
        Our own authority does; the name is an alias into another zone.
        """
        alias = "_acme-challenge IN CNAME a.proofs.test."
        names = await self.names("a.test", "proofs.test", more=alias)
        authority = Authority(reactor, httpPort=1, tlsPort=1, nameServer=names.address)
        await authority.start()
        self.addCleanup(authority.stop)
        trust = Path(self.mktemp())
        trust.write_bytes(authority.root)
        acme = Acme(directory=authority.directoryURL, caFile=str(trust.absolute()))
        await self.proved(names.address, acme, authority.root, updating(names), owner="a.proofs.test")
        self.assertEqual(authority.orders, 1)

    test_ours.skip = missingNamed  # type: ignore[attr-defined]

    @story
    async def test_hook(self) -> None:
        """
        A program puts the records there.
        """
        names = await self.names("a.test")
        authority = Authority(reactor, httpPort=1, tlsPort=1, nameServer=names.address)
        await authority.start()
        self.addCleanup(authority.stop)
        trust, script = Path(self.mktemp()), Path(self.mktemp())
        trust.write_bytes(authority.root)
        script.write_text(_HOOK)
        acme = Acme(directory=authority.directoryURL, caFile=str(trust.absolute()))
        program = (
            sys.executable,
            str(script.absolute()),
            str(names.address.port),
            names.keyName,
            names.secret,
        )
        hook = Hook(program, resolvers=(names.address,), nameServers=(names.address,))
        await self.proved(names.address, acme, authority.root, hook)
        self.assertEqual(authority.orders, 1)

    test_hook.skip = missingNamed  # type: ignore[attr-defined]

    @story
    async def test_lexicon(self) -> None:
        """
        dns-lexicon does, by its provider that edits the zone file of a server on this
        machine; Pebble asks that server.
        """
        names = Named(reactor, self.mktemp(), "a.test", isUpdated=False)
        await names.start()
        self.addCleanup(names.stop)
        # As whoever edits such a file has to.
        reloading = LoopingCall(names.reload)
        reloading.start(0.3)
        self.addCleanup(reloading.stop)
        authority = Pebble(reactor, self.mktemp(), httpPort=1, tlsPort=1, nameServer=str(names.address))
        await authority.start()
        self.addCleanup(authority.stop)
        acme = Acme(directory=authority.directoryURL, caFile=authority.caFile)
        options = (("filename", names.fileOf("a.test")),)
        own = (names.address,)
        provider = Lexicon("localzone", options, ttl=1, resolvers=own, nameServers=own)
        await self.proved(names.address, acme, authority.root, provider)
        self.assertEqual((authority.tally().orders, authority.tally().invalid), (1, 0))

    test_lexicon.skip = missing or missingNamed or missingLexicon  # type: ignore[attr-defined]

    @story
    async def test_ownZone(self) -> None:
        """
        Pebble asks the proxy itself.
        """
        own = Address("127.0.0.1", freePorts(1)[0])
        authority = Pebble(reactor, self.mktemp(), httpPort=1, tlsPort=1, nameServer=str(own))
        await authority.start()
        self.addCleanup(authority.stop)
        acme = Acme(directory=authority.directoryURL, caFile=authority.caFile)
        zones = OwnZones(("_acme-challenge.a.test", "proofs.test"), "ns.proofs.test", (own,))
        await self.proved(zones.listen[0], acme, authority.root, zones)
        self.assertEqual((authority.tally().orders, authority.tally().invalid), (1, 0))

    test_ownZone.skip = missing  # type: ignore[attr-defined]

    async def names(self, *zones: str, more: str = "") -> Named:
        """
        BIND, until the test is over.
        """
        names = Named(reactor, self.mktemp(), *zones, more=more)
        await names.start()
        self.addCleanup(names.stop)
        return names

    async def proved(
        self, where: Address, acme: Acme, root: bytes, dns: Any, owner: str = "_acme-challenge.a.test"
    ) -> None:
        """
        Have a certificate, see it served for both names, and the records gone.
        """
        (port,) = freePorts(1)
        both = ("a.test", "*.a.test")
        config = Config(
            routes=(Route("a", (port,), Respond(body="a"), "http", both, tls=TLS("terminate", Auto(both))),),
            stateDir=os.path.abspath(self.mktemp()),
            bind=("127.0.0.1",),
            accessLog=AccessLog("off"),
            timeouts=Timeouts(drain=1.0),
            acme=replace(acme, challenges=("dns-01",), dns=dns),
        )
        proxy = SmartProxy(config, reactor)
        proxy.startService()
        self.addCleanup(proxy.stopService)
        await proxy.whenReady()
        for _ in range(1800):
            (status,) = proxy.status()
            if status.state == "valid" and not status.problem:
                break
            self.assertIsNone(status.problem)
            await deferLater(reactor, 0.05)
        client = Client(root)
        for name in ("a.test", "www.a.test"):
            (await client.connect(port, name)).close()
        lookup = Lookup(Questions(reactor).ask, [where])
        for _ in range(1800):
            if not (left := await lookup.texts(owner, where)):
                break
            await deferLater(reactor, 0.05)
        self.assertEqual(left, frozenset())
