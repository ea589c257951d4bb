"""
Tests for L{smartproxy_tw.commands.certificates}.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import replace
from pathlib import Path
from random import Random

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.cli import CONFIGURATION, OK, TROUBLE, main
from smartproxy_tw.commands.certificates import take
from smartproxy_tw.config.model import LETSENCRYPT, Acme, Authority, Auto
from smartproxy_tw.service.storage import Storage
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.store.naming import authorityName
from smartproxy_tw.testing.fakes import FakeAuthority, FakeListen, FakePlane, Story

from ..service.configurations import BLOG, configuration
from ..store.test_imports import ACCOUNT, DAY, NOW, SHOP, SIGNER, certbot

WANTED = Auto(("shop.example", "www.shop.example"))


class TakeTests(SynchronousTestCase):
    """
    A migration from certbot.
    """

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.state = os.path.abspath(self.mktemp())
        self.config = configuration(self.state, WANTED)
        certbot(self.root, SHOP, newKey())

    def take(self, isDry: bool = False) -> tuple[bool, str]:
        """
        Import, and what was said.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            isWell = take(self.config, str(self.root), isDry=isDry, now=lambda: NOW + DAY)
        return isWell, out.getvalue()

    def start(self) -> FakeAuthority:
        """
        Start a proxy on what is there now, and see whom it asks.
        """
        clock, story = Clock(), Story()
        clock.advance(NOW + DAY)
        plane = FakePlane(story)
        authority = FakeAuthority(story, plane, SIGNER, clock.seconds)
        proxy = SmartProxy(
            self.config,
            clock,
            plane=lambda: plane,
            listen=FakeListen(story),  # type: ignore[arg-type]
            obtain=authority.obtain,
            run=maybeDeferred,
            chance=Random(0),
        )
        proxy.startService()
        self.successResultOf(proxy.whenReady())
        proxy.stopService()
        return authority

    def test_noOrder(self) -> None:
        """
        After the import a start asks for nothing; without it, it does.
        """
        isWell, said = self.take()
        self.assertTrue(isWell, said)
        self.assertIn("taken     shop.example, www.shop.example", said)
        self.assertIn(f"taken     the account {ACCOUNT}", said)
        self.assertNotIn("to order", said)
        self.assertFalse(self.start().orders)
        self.config = configuration(os.path.abspath(self.mktemp()), WANTED)
        self.assertTrue(self.start().orders)

    def test_dry(self) -> None:
        """
        A rehearsal says the same and makes nothing.
        """
        isWell, said = self.take(isDry=True)
        self.assertTrue(isWell)
        self.assertFalse(os.path.exists(self.state))
        self.assertEqual(said.splitlines()[1:], self.take()[1].splitlines()[1:])

    def test_twice(self) -> None:
        """
        What is there already stays, and so does the account.
        """
        self.take()
        isWell, said = self.take()
        self.assertTrue(isWell)
        self.assertNotIn("taken", said)
        self.assertEqual(said.count("left"), 2)

    def test_longerStays(self) -> None:
        """
        A certificate that is valid longer is not replaced; a shorter one is.
        """
        self.take()
        older = SIGNER.issue(WANTED.names, lifetime=30 * DAY, now=NOW)
        certbot(self.root, older, newKey())
        self.assertIn("there is one for the same names", self.take()[1])
        newer = SIGNER.issue(WANTED.names, lifetime=95 * DAY, now=NOW)
        certbot(self.root, newer, newKey())
        self.assertIn("taken     shop.example", self.take()[1])

    def test_badOne(self) -> None:
        """
        A key that does not fit is told as a fault, and does not stop the others.
        """
        place = self.root / "live/a.example"
        place.mkdir()
        (place / "fullchain.pem").write_bytes(SHOP.chain)
        (place / "privkey.pem").write_bytes(newKey())
        isWell, said = self.take()
        self.assertFalse(isWell)
        self.assertIn("UNUSABLE  live/a.example: The private key is not the one", said)
        self.assertIn("taken     shop.example", said)

    def test_missing(self) -> None:
        """
        What a start would still order is told.
        """
        self.config = configuration(self.state, WANTED, BLOG)
        self.assertIn("to order  blog.example, www.blog.example", self.take()[1])

    def test_oneForAll(self) -> None:
        """
        A route whose names are all on a certificate for more needs no order.
        """
        self.config = configuration(self.state, Auto(("shop.example",)))
        self.assertNotIn("to order", self.take()[1])
        self.assertFalse(self.start().orders)

    def test_fallback(self) -> None:
        """
        What a fallback issued, and the account there, are taken as its own.
        """
        acme = Acme(directory="https://ca.example/dir", fallbacks=(Authority(directory=LETSENCRYPT),))
        self.config = replace(self.config, acme=acme)
        isWell, said = self.take()
        self.assertTrue(isWell)
        self.assertEqual(said.count("taken"), 2, said)
        self.assertNotIn("to order", said)
        place = Path(self.state, "certificates", authorityName(LETSENCRYPT))
        self.assertEqual(len(list(place.glob("*.pem"))), 1)

    def test_anotherAuthority(self) -> None:
        """
        What is of nobody who is asked from now on is left, which is no fault.
        """
        self.config = replace(self.config, acme=Acme(directory="https://ca.example/dir"))
        isWell, said = self.take()
        self.assertTrue(isWell)
        self.assertEqual((said.count("left"), said.count("taken"), said.count("to order")), (2, 0, 1), said)

    def test_inUse(self) -> None:
        """
        While a proxy runs on the state directory nothing is imported.
        """
        storage = Storage(self.state, LETSENCRYPT, lambda: NOW, maybeDeferred)
        storage.open()
        self.addCleanup(storage.close)
        isWell, said = self.take()
        self.assertFalse(isWell)
        self.assertIn("is in use by", said)

    def test_command(self) -> None:
        """
        The command's exit status tells what came of it.
        """
        file = Path(self.mktemp())
        file = file.with_name(file.name + ".yaml")
        file.write_text(f"sites: {{a.b: 127.0.0.1:3000}}\nstate_dir: {self.state}\n")
        out = io.StringIO()

        def run(path: str) -> int:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                return main(["certificates", "import", path, "--dry-run", "--config", str(file)])

        self.assertEqual(run(str(self.root)), OK)
        self.assertEqual(run("/nowhere/at/all"), TROUBLE)
        file.write_text("nonsense: 1\n")
        self.assertEqual(run(str(self.root)), CONFIGURATION)
