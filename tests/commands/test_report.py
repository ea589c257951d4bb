"""
Tests for L{smartproxy_tw.commands.report} and what it tells.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import Wait
from smartproxy_tw.acme.entry import Entry
from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.cli import OK, TROUBLE, main
from smartproxy_tw.commands.report import explain, plan, show
from smartproxy_tw.commands.waiting import result
from smartproxy_tw.config.model import LETSENCRYPT, Acme, Authority, Auto, Files, Internal
from smartproxy_tw.facts import Credential
from smartproxy_tw.store.attempts import Attempt, DirectoryAttempts
from smartproxy_tw.store.certificates import Credentials, DirectoryCertificates
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.journal import DirectoryOrders
from smartproxy_tw.store.naming import authorityName
from smartproxy_tw.store.revocations import Revocations
from smartproxy_tw.store.uses import DirectoryUses, Uses

from ..service.configurations import BLOG, configuration
from ..store.test_imports import DAY, NOW, SHOP, SIGNER

WANTED = Auto(("shop.example", "www.shop.example"))
LATER = NOW + 10 * DAY
FALLBACK = "https://other.example/dir"


class ReportTests(SynchronousTestCase):
    """
    A state directory, and what is told of it.
    """

    def setUp(self) -> None:
        self.state = os.path.abspath(self.mktemp())
        self.config = configuration(self.state, WANTED, BLOG)

    def place(self, kind: str, directory: str = LETSENCRYPT) -> SecureDirectory:
        return SecureDirectory(os.path.join(self.state, kind, authorityName(directory))).open()

    def keep(self, credential: Credential, directory: str = LETSENCRYPT) -> None:
        result(Credentials(DirectoryCertificates(self.place("certificates", directory))).save(credential))

    def failed(self, auto: Auto, attempt: Attempt) -> None:
        DirectoryAttempts(self.place("certificates")).save({auto.key: attempt})

    def told(self, tell: Callable[..., bool], *arguments: Any, isWell: bool = True, **more: Any) -> str:
        """
        What is said, and that it is.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            self.assertEqual(tell(self.config, *arguments, now=lambda: LATER, **more), isWell, out.getvalue())
        return out.getvalue()

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.told(show, asJSON=True))
        return found

    def test_nothingYet(self) -> None:
        """
        Before the first start all is missing, and looking makes nothing.
        """
        self.assertEqual([each["state"] for each in self.listed()], ["missing", "missing"])
        self.assertIn("self-signed", self.told(explain, "shop.example"))
        self.assertFalse(os.path.exists(self.state))

    def test_list(self) -> None:
        """
        One row for each that is wanted: what there is, and what comes next.
        """
        self.keep(SHOP)
        self.failed(BLOG, Attempt(LATER - 5, 3, LATER + 7200, "the name is not known"))
        head, shop, blog = self.told(show).splitlines()
        self.assertTrue(head.startswith("NAMES"))
        self.assertRegex(shop, r"^shop.example, www.shop.example  Test root  .*Z +80 d +\d{4}-.* valid +-$")
        self.assertRegex(blog, r"^blog.example, .* missing +\d{4}-.*Z the name is not known$")
        first, second = self.listed()
        self.assertEqual((first["source"], first["routes"]), ("auto", ["route0"]))
        self.assertEqual(first["authority"], LETSENCRYPT)
        self.assertEqual((second["last_failure"]["failures"], second["state"]), (3, "missing"))
        self.assertEqual(second["reason"], "after 3 failures in a row; the authority asked for that long")

    def test_revoked(self) -> None:
        """
        What was revoked does not count, as it will not at the next start.
        """
        self.keep(SHOP)
        result(Revocations(self.place("certificates"), maybeDeferred, lambda: LATER).add(SHOP.chain))
        self.assertEqual(self.listed()[0]["state"], "missing")

    def test_states(self) -> None:
        """
        Partial, due and expired are told apart.
        """
        for lifetime, names, state in (
            (90 * DAY, ("shop.example",), "partial"),
            (13 * DAY, WANTED.names, "due"),
            (5 * DAY, WANTED.names, "expired"),
        ):
            self.state = os.path.abspath(self.mktemp())
            self.config = configuration(self.state, WANTED)
            self.keep(SIGNER.issue(names, lifetime=lifetime, now=NOW))
            self.assertEqual(self.listed()[0]["state"], state)
            self.assertIn("now", self.told(show))

    def test_underWay(self) -> None:
        """
        An order that is written down is told, and one that cannot be read is
        left where it is.
        """
        place = self.place("orders")
        result(DirectoryOrders(place).save(Entry(LETSENCRYPT, WANTED.names, newKey(), LATER - 60)))
        place.write("nonsense.json", b"{")
        self.assertIn("missing, ordering", self.told(show))
        self.assertIn("under way since", self.told(explain, "shop.example"))
        self.assertIn("nonsense.json", place.names())

    def test_live(self) -> None:
        """
        Of a proxy that runs it is told what it is doing, and when it will renew, which
        it knows better.
        """
        self.keep(SHOP)
        live: dict[str, dict[str, Any]] = {
            WANTED.key: {
                "state": "valid",
                "next_attempt": "2030-01-01T10:00:00Z",
                "reason": "the authority asks for it",
                "problem": None,
            },
            BLOG.key: {
                "state": "waiting",
                "next_attempt": None,
                "reason": "other orders are under way",
                "problem": "it cannot be reached",
            },
        }
        _, shop, blog = self.told(show, look=lambda _: live).splitlines()
        self.assertRegex(shop, r" 2030-01-01 10:00Z +valid +-$")
        self.assertRegex(blog, r" - +missing, waiting +it cannot be reached$")
        first, second = json.loads(self.told(show, look=lambda _: live, asJSON=True))
        self.assertEqual((first["live"], second["live"]), tuple(live.values()))
        self.assertEqual(
            (first["next_attempt"], first["reason"]), ("2030-01-01T10:00:00Z", "the authority asks for it")
        )
        self.assertEqual([each["live"] for each in self.listed()], [None, None])

    def test_liveStory(self) -> None:
        """
        Of a proxy that runs it is told what it does, which hooks have failed, and what
        it sees in the way.
        """
        self.keep(SHOP)
        live: dict[str, dict[str, Any]] = {
            WANTED.key: {
                "state": "valid",
                "next_attempt": "2030-01-01T10:00:00Z",
                "reason": "the authority asks for it",
                "problem": "the hook reload has failed: status 1",
                "preflight": ["shop.example: nobody listens there; let the proxy listen"],
            }
        }
        said = self.told(explain, "shop.example", look=lambda _: live)
        self.assertIn("the proxy    valid, until 2030-01-01 10:00Z: the authority asks for it", said)
        self.assertIn("problem      the hook reload has failed: status 1", said)
        self.assertIn("in the way   shop.example: nobody listens there; let the proxy listen", said)
        live[WANTED.key] |= {"problem": None, "preflight": [], "reason": None, "next_attempt": None}
        said = self.told(explain, "shop.example", look=lambda _: live)
        self.assertTrue(said.endswith("the proxy    valid\n"), said)
        self.assertNotIn("the proxy", self.told(explain, "shop.example"))

    def test_explain(self) -> None:
        """
        Who wants it, whose it is and why, and what comes next.
        """
        acme = Acme(fallbacks=(Authority(directory=FALLBACK),))
        self.config = replace(self.config, acme=acme)
        self.keep(SHOP, FALLBACK)
        said = self.told(explain, "WWW.shop.example.")
        self.assertTrue(said.startswith("www.shop.example\n"))
        for part in ("route0 (port 443)", f"at {FALLBACK}, a fallback", "80 d left", "a third of its life"):
            self.assertIn(part, said)
        self.assertIn("no route serves", self.told(explain, "else.example", isWell=False))
        self.assertIn("is not a host name", self.told(explain, "https://x/", isWell=False))

    def test_divided(self) -> None:
        """
        Names that are too many for what the authority has said are shown as the
        proxy divides them: a row for each part, and for a name its part.
        """
        names = tuple(f"shop{number}.example" for number in range(9))
        config = configuration(self.state, Auto(names))
        self.config = replace(config, routes=tuple(replace(each, domains=names) for each in config.routes))
        self.assertEqual([each["names"] for each in self.listed()], [list(names)])
        short = "\nshop0.example, shop1.example, shop2.example and 6 more  -"
        self.assertIn(short, self.told(show))
        self.assertIn(short.strip("\n -"), self.told(plan))
        DirectoryUses(self.place("certificates")).save(Uses(mostNames={"": 4, "tlsserver": 2}))
        rows = [each["names"] for each in self.listed()]
        self.assertEqual(sorted(name for row in rows for name in row), list(names))
        self.assertLessEqual(max(map(len, rows)), 4)
        self.assertEqual(self.told(plan).count("there is none"), len(rows))
        number = next(number for number, row in enumerate(rows, 1) if "shop7.example" in row)
        said = self.told(explain, "shop7.example")
        self.assertIn(f"{number} of {len(rows)} for the 9 names of route0", said)
        self.assertIn(f"a certificate by ACME for {', '.join(rows[number - 1])}\n", said)
        self.config = replace(self.config, acme=Acme(profile="tlsserver"))
        self.assertLessEqual(max(len(each["names"]) for each in self.listed()), 2)

    def test_names(self) -> None:
        """
        A name is understood as people write it, a wildcard as the configuration
        has it.
        """
        self.config = configuration(self.state, Internal(("xn--bcher-kva.example", "*.shop.example")))
        for name in ("bücher.example", "xn--bcher-kva.example", "a.shop.example", "*.shop.example"):
            self.assertIn("wanted by", self.told(explain, name))

    def test_otherSources(self) -> None:
        """
        Files are read, and the local authority is named.
        """
        path = Path(self.mktemp())
        path.write_bytes(SHOP.chain)
        files = Files(str(path.absolute()), str(path.absolute()))
        self.config = configuration(self.state, Internal(("in.example",)), files)
        internal, ours = self.listed()
        self.assertEqual((internal["state"], internal["source"]), ("internal", "internal"))
        self.assertEqual((ours["state"], ours["names"]), ("valid", ["shop.example", "www.shop.example"]))
        self.assertIn("the local authority makes", self.told(explain, "IN.example"))
        path.write_bytes(b"nonsense")
        self.assertEqual(self.listed()[1]["state"], "unusable")
        self.told(show)

    def test_plan(self) -> None:
        """
        What is missing comes first, what is held back when it is free, and the
        renewal when it is due.
        """
        self.keep(SHOP)
        until = LATER + 3600
        DirectoryUses(self.place("certificates")).save(Uses({}, {"all": Wait(until, "it asked for an hour")}))
        said = self.told(plan).splitlines()
        self.assertEqual(said[0], f"Orders at {LETSENCRYPT}")
        self.assertTrue(any(": it asked for an hour" in line and "held until" in line for line in said))
        self.assertRegex(said[-2], r"^1 +\d{4}-.* blog.example, .* +new +it asked for an hour$")
        self.assertRegex(said[-1], r"^2 +\d{4}-.* shop.example, .* +renewal +a third of its life")
        self.assertFalse(os.path.exists(os.path.join(self.state, "lock")))

    def test_unreadable(self) -> None:
        """
        A state directory of somebody else's is told with what to do.
        """
        os.makedirs(os.path.join(self.state, "certificates"))
        Path(self.state, "certificates", authorityName(LETSENCRYPT)).write_text("no directory")
        for tell in (show, plan):
            self.assertIn("as the user who runs the proxy", self.told(tell, isWell=False))

    def test_command(self) -> None:
        """
        The exit status tells whether there was an answer.
        """
        file = Path(self.mktemp()).with_suffix(".yaml")
        file.write_text(f"sites: {{a.b: 127.0.0.1:3000}}\nstate_dir: {self.state}\n")

        def run(*arguments: str) -> tuple[int, str]:
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                return main(["certificates", *arguments, "--config", str(file)]), out.getvalue()

        self.assertEqual(run("list")[0], OK)
        self.assertEqual(json.loads(run("list", "--json")[1])[0]["names"], ["a.b"])
        self.assertEqual(run("plan")[0], OK)
        self.assertEqual((run("explain", "a.b")[0], run("explain", "c.d")[0]), (OK, TROUBLE))
