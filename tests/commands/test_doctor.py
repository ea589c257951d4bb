"""
Tests for L{smartproxy_tw.commands.doctor}.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import ProxyAway
from smartproxy_tw.commands.doctor import Doctor
from smartproxy_tw.commands.examination import Symptom
from smartproxy_tw.config.model import Admin, Auto, Internal, Limits
from smartproxy_tw.preflight.findings import Finding

from ..service.configurations import SHOP, configuration
from .standings import Asked, standing


class DoctorTests(SynchronousTestCase):
    """
    What is told, in which order.
    """

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.doctor = Doctor(self.out)
        self.looked: list[list[str]] = []
        self.findings: list[Finding] = []
        self.isSeen = True
        with socket.create_server(("127.0.0.1", 0)) as gone:
            self.directory = f"http://127.0.0.1:{gone.getsockname()[1]}/dir"

    def look(self, names: Sequence[str], tell: Callable[[Iterable[Finding]], object]) -> bool:
        """
        See what a test wants to be seen.
        """
        self.looked.append(list(names))
        tell(self.findings)
        return self.isSeen

    def told(self, *sources: Any, names: Sequence[str] = (), isWell: bool, ask: Any = None) -> list[str]:
        """
        The lines.
        """
        config = configuration(os.path.abspath(self.mktemp()), *sources)
        acme, limits = replace(config.acme, directory=self.directory), Limits(connections=10)
        config = replace(config, acme=acme, limits=limits)
        usual = Asked(standing(process=os.getpid()))
        found = self.doctor.examine(config, "s.yaml", names, self.look, ask or usual)
        self.assertEqual(found, isWell, self.out.getvalue())
        return self.out.getvalue().splitlines()

    def checks(self, lines: list[str]) -> list[str]:
        """
        What they are about.
        """
        return [line[9:].partition(":")[0] for line in lines if not line.startswith(" ")]

    def test_order(self) -> None:
        """
        From near to far, each with its remedy below.
        """
        self.findings = [Finding("shop.example", "dns", "bad", "no such name", "add one")]
        lines = self.told(SHOP, isWell=False)
        self.assertEqual(
            self.checks(lines),
            [
                "configuration",
                "proxy",
                "state",
                "port 80",
                "port 443",
                "open files",
                "authority",
                "dns of shop.example",
            ],
        )
        self.assertEqual(lines[0], "ok       configuration: s.yaml is right")
        self.assertEqual(lines[-2:], ["BAD      dns of shop.example: no such name", f"{'':9}-> add one"])

    def test_withoutACME(self) -> None:
        """
        Where no certificate is wanted by ACME nobody is asked.
        """
        lines = self.told(Internal(("a.test",)), isWell=True)
        self.assertNotIn("authority", self.checks(lines))
        self.assertEqual(self.looked, [])

    def test_names(self) -> None:
        """
        The first twenty names are looked at, which is said, or those that are named.
        """
        many = Auto(tuple(f"a{number:02}.test" for number in range(25)))
        lines = self.told(many, isWell=False)
        self.assertEqual(self.looked, [list(many.names[:20])])
        self.assertIn("unknown  names: 5 more were not looked at", lines)
        self.told(many, names=["a24.test"], isWell=False)
        self.assertEqual(self.looked[1], ["a24.test"])

    def test_notSpokenTo(self) -> None:
        """
        Without an admin socket the proxy is unknown; with one where nobody answers it is
        bad.
        """
        config = replace(configuration(os.path.abspath(self.mktemp())), admin=None)
        self.doctor.examine(config, "s.yaml", (), self.look)
        self.assertIn("unknown  proxy: The configuration says admin: off", self.out.getvalue())
        away = Admin(os.path.abspath(self.mktemp()))
        self.assertFalse(self.doctor.examine(replace(config, admin=away), "s.yaml", (), self.look))
        self.assertIn("BAD      proxy: No proxy answers at", self.out.getvalue())

    def test_status(self) -> None:
        """
        Only what is bad makes it so; a name that cannot be looked at does, too.
        """
        self.doctor.tell(Symptom("a", "well", "b"))
        self.doctor.tell(Symptom("a", "unknown", "b", "c"))
        self.assertTrue(self.doctor.isWell)
        self.isSeen = False
        config = configuration("/state", SHOP)
        self.doctor._lookAt(config, ("nobody.test",), self.look)
        self.assertFalse(self.doctor.isWell)

    def test_refused(self) -> None:
        """
        With a configuration that is wrong there is nothing else to be told.
        """
        self.doctor.refuse("s.yaml", ["s.yaml:1:1: x\x1b", "s.yaml:2:1: y"])
        self.assertFalse(self.doctor.isWell)
        self.assertEqual(
            self.out.getvalue().splitlines(),
            [
                "BAD      configuration: s.yaml:1:1: x\\x1b",
                "BAD      configuration: s.yaml:2:1: y",
                f"{'':9}-> Mend that first: smartproxy check s.yaml",
            ],
        )

    def test_proxyAway(self) -> None:
        """
        A proxy that does not answer is bad, and the rest is looked at all the same.
        """
        lines = self.told(SHOP, isWell=False, ask=Asked(ProxyAway("Nobody. Start it.")))
        self.assertIn("BAD      proxy: Nobody", lines)
        self.assertIn("authority", self.checks(lines))
