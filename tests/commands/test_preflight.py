"""
Tests for L{smartproxy_tw.commands.preflight}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands import preflight
from smartproxy_tw.commands.admin import Answer, ProxyAway
from smartproxy_tw.commands.preflight import look, run
from smartproxy_tw.config.model import LETSENCRYPT, Auto, Internal
from smartproxy_tw.preflight.caa import Identity, Property
from smartproxy_tw.preflight.facts import Absent, CAAFacts, Listed, NameFacts
from smartproxy_tw.store.naming import authorityName

from ..service.configurations import configuration

WANTED = Auto(("shop.example", "*.shop.example"))


class LookTests(SynchronousTestCase):
    """
    What is looked at, and what is told.
    """

    def setUp(self) -> None:
        self.config = configuration(os.path.abspath(self.mktemp()), WANTED)
        self.seen: list[tuple[str, str]] = []
        self.found: dict[str, NameFacts] = {}
        self.identity: Identity | str = Identity(("ca.test",))
        self.asked: list[Any] = []
        self.proxy: Answer | None = None

    async def see(self, name: str, kind: Any) -> NameFacts:
        """
        A world in which all is well unless a test says otherwise.
        """
        self.seen.append((name, kind))
        return self.found.get(name, NameFacts(name, kind, Listed(("192.0.2.1",))))

    async def identify(self) -> Identity | str:
        """
        What the directory says.
        """
        return self.identity

    def ask(self, verb: str, path: str, members: Any) -> Answer:
        """
        The proxy that may run.
        """
        self.asked.append((verb, path, members["names"]))
        if self.proxy is None:
            raise ProxyAway("nobody is there")
        return self.proxy

    def told(self, *names: str, isWell: bool) -> str:
        """
        What is said.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            looking = look(self.config, names, self.see, self.identify, self.ask)
            self.assertEqual(self.successResultOf(Deferred.fromCoroutine(looking)), isWell, out.getvalue())
        return out.getvalue()

    def test_all(self) -> None:
        """
        All names are looked at, each by the challenge that would prove it.
        """
        told = self.told(isWell=True)
        self.assertEqual(self.seen, [("shop.example", "http-01"), ("*.shop.example", "dns-01")])
        self.assertRegex(told, r"(?m)^shop\.example +dns +ok +it leads to 192\.0\.2\.1$")

    def test_bad(self) -> None:
        """
        What is bad is told with its remedy, and makes the status.
        """
        self.found["shop.example"] = NameFacts("shop.example", "http-01", Absent())
        told = self.told("Shop.Example.", isWell=False)
        self.assertEqual(len(self.seen), 1)
        self.assertRegex(told, r"(?m)^shop\.example  dns    BAD      there is no such name .*\n +-> add an A")

    def test_proxy(self) -> None:
        """
        What the running proxy has found is told as it says it, and counts; what it does
        not speak of is looked at from here.
        """
        finding = {
            "name": "shop.example",
            "check": "port",
            "value": "bad",
            "text": "192.0.2.1:80 is answered by somebody else",
            "remedy": "stop it",
        }
        self.proxy = Answer(200, {"findings": [finding]})
        told = self.told(isWell=False)
        names = ("shop.example", "*.shop.example")
        self.assertEqual(self.asked, [("POST", "/v1/certificates/preflight", names)])
        self.assertEqual(self.seen, [("*.shop.example", "dns-01")])
        self.assertRegex(told, r"(?m)^shop\.example +port +BAD +192.*else\n +-> stop it\n\*\.shop")

    def test_otherProxy(self) -> None:
        """
        A proxy that does not know the names, or says what nobody understands, is one
        that is not asked.
        """
        for self.proxy in (
            None,
            Answer(404, {"error": {"message": "no such name"}}),
            Answer(200, {"findings": [{"name": "shop.example", "colour": "red"}]}),
            Answer(200, {"findings": ["shop.example"]}),
        ):
            self.seen.clear()
            self.told(isWell=True)
            self.assertEqual(len(self.seen), 2)

    def test_notAll(self) -> None:
        """
        Many names are asked about in pieces, and not any more once nobody answers.
        """
        self.config = configuration(self.config.stateDir, *(Auto((f"a{n}.test",)) for n in range(120)))
        self.proxy = Answer(200, {"findings": []})
        self.told(isWell=True)
        self.assertEqual([len(names) for *_, names in self.asked], [50, 50, 20])
        self.asked.clear()
        self.proxy = None
        self.told(isWell=True)
        self.assertEqual(len(self.asked), 1)

    def test_strangers(self) -> None:
        """
        No other name is looked at.
        """
        told = self.told("internal.example", isWell=False)
        self.assertEqual(self.seen, [])
        self.assertIn("no certificate by ACME is wanted for that; there are shop.example, *.shop", told)

    def test_none(self) -> None:
        """
        Without certificates by ACME there is nothing to look at.
        """
        self.config = configuration(self.config.stateDir, Internal(("a.test",)))
        self.assertEqual(self.told(isWell=True), "no route wants a certificate by ACME\n")

    def test_caa(self) -> None:
        """
        Records are held against who the authority says it is; if it does not say, that
        is told, and nothing is bad for it.
        """
        found = CAAFacts("shop.example", (Property("issue", "b.test"),))
        self.found["shop.example"] = NameFacts("shop.example", "http-01", caa=found)
        self.assertIn("only b.test may issue, and this authority is ca.test", self.told(isWell=False))
        self.identity = "it is away"
        told = self.told(isWell=True)
        self.assertIn("does not tell its names for CAA: it is away", told)
        self.assertIn("unknown", told)

    def test_account(self) -> None:
        """
        The account is read, if there is one; what makes no sense is none.
        """
        place = os.path.join(self.config.stateDir, "accounts")
        os.makedirs(place)
        file = os.path.join(place, authorityName(LETSENCRYPT) + ".json")
        self.assertIs(preflight._account(self.config), None)
        for content, account in (
            (json.dumps({"url": "https://ca/1"}), "https://ca/1"),
            ("[]", None),
            ("{", None),
        ):
            with open(file, "w", encoding="ascii") as opened:
                opened.write(content)
            self.assertEqual(preflight._account(self.config), account)

    def test_run(self) -> None:
        """
        The reactor runs as long as the look takes, and a defect is not hidden.
        """

        class Reactor(Clock):
            stopped = 0

            def callWhenRunning(self, function: Any) -> None:
                self.function = function

            def run(self) -> None:
                self.function()

            def stop(self) -> None:
                self.stopped += 1

        reactor = Reactor()
        out = io.StringIO()
        with contextlib.redirect_stderr(out):
            self.assertFalse(run(reactor, self.config, ["other.example"]))
        self.assertEqual(reactor.stopped, 1)

        async def broken(*_: object) -> bool:
            raise RuntimeError("a bug")

        self.patch(preflight, "look", broken)
        self.assertRaises(RuntimeError, run, reactor, self.config, [])
