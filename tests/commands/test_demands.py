"""
Tests for L{smartproxy_tw.commands.demands}: a proxy that answers as it is told.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.cli import AWAY, OK, TROUBLE, USAGE, main
from smartproxy_tw.commands import admin as way
from smartproxy_tw.commands import demands as demanding
from smartproxy_tw.commands.admin import Answer, ProxyAway
from smartproxy_tw.commands.demands import Demands


def certificate(**members: Any) -> dict[str, Any]:
    """
    One, as a proxy tells it.
    """
    usual = {
        "key": "auto:shop.example",
        "names": ["shop.example"],
        "state": "valid",
        "serial": "a1",
        "not_after": "2027-04-15T08:00:00Z",
        "orders": 1,
        "problem": None,
        "next_attempt": None,
        "reason": None,
    }
    return {**usual, **members}


class Proxy:
    """
    Answers C{POST} with one thing, and each C{GET} with the next.
    """

    def __init__(self, outcomes: Any, *looks: Any) -> None:
        self.outcomes = outcomes
        self.looks = list(looks)
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []
        self.slept: list[float] = []

    def __call__(self, verb: str, path: str, members: Mapping[str, Any]) -> Answer:
        self.asked.append((verb, path, members))
        found = self.outcomes if verb == "POST" else self.looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Answer) else Answer(200, {"certificates": found})


class DemandsTests(SynchronousTestCase):
    """
    What somebody at a terminal sees.
    """

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    def demands(self, proxy: Proxy) -> Demands:
        """
        Of this proxy.
        """
        return Demands(proxy, sleep=proxy.slept.append, out=self.out, err=self.err)

    def renew(self, proxy: Proxy, names: Sequence[str] = ("shop.example",), **more: Any) -> bool:
        """
        Renew.
        """
        options = {"isAll": False, "isForced": False, "isWaiting": True, **more}
        return self.demands(proxy).renew(names, **options)

    def told(self) -> tuple[list[str], list[str]]:
        """
        What was told, and what was complained of.
        """
        return self.out.getvalue().splitlines(), self.err.getvalue().splitlines()

    def test_renewed(self) -> None:
        """
        Each step is told once, until another certificate is served.
        """
        proxy = Proxy(
            [certificate(outcome="ordering")],
            [certificate(state="waiting", next_attempt="2027-01-15T09:00:00Z", reason="it said so")],
            [certificate(state="ordering")],
            [certificate(state="ordering")],
            [certificate(serial="b2", orders=2)],
        )
        self.assertTrue(self.renew(proxy))
        self.assertEqual(
            self.told(),
            (
                [
                    "shop.example: ordered",
                    "shop.example: waiting until 2027-01-15T09:00:00Z: it said so",
                    "shop.example: ordering",
                    "shop.example: serving another one, valid until 2027-04-15T08:00:00Z: serial number b2",
                ],
                [],
            ),
        )
        post, *looks = proxy.asked
        members = {"names": ["shop.example"], "force": False}
        self.assertEqual(post, ("POST", "/v1/certificates/renew", members))
        self.assertEqual(looks, [("GET", "/v1/certificates", {"key": ["auto:shop.example"]})] * 4)
        self.assertEqual(proxy.slept, sorted(proxy.slept))

    def test_failed(self) -> None:
        """
        An order that comes to nothing is told with why, and when the next is.
        """
        again = "2027-01-15T09:00:00Z"
        end = certificate(state="failed", orders=2, problem="no such name", next_attempt=again)
        self.assertFalse(self.renew(Proxy([certificate(outcome="ordering")], [end])))
        self.assertEqual(self.told()[1], [f"shop.example: no such name. Next attempt: {again}"])

    def test_partly(self) -> None:
        """
        A certificate for some of the names is not what was wanted; one that could not
        be saved is, and what is wrong is told.
        """
        end = certificate(state="failed", serial="b2", orders=2, problem="www: no such name")
        self.assertFalse(self.renew(Proxy([certificate(outcome="ordering")], [end])))
        self.assertEqual(self.told()[0], ["shop.example: ordered"])
        end = certificate(state="unsaved", serial="b2", orders=2, problem="the disk is full")
        self.assertFalse(self.renew(Proxy([certificate(outcome="already-ordering")], [end])))
        out, err = self.told()
        self.assertIn("serial number b2", out[-1])
        self.assertEqual(
            (out[1], err[-1]),
            ("shop.example: an order is under way already", "shop.example: the disk is full"),
        )

    def test_refused(self) -> None:
        """
        What cannot be is told with the words of the proxy, and with what would help.
        """
        for code, hint in (("failed", " (--force does not wait)"), ("held", "")):
            error = {"code": code, "message": "Not before nine."}
            outcome = certificate(outcome="refused", error=error)
            proxy = Proxy(Answer(429, {"error": error, "certificates": [outcome]}))
            self.assertFalse(self.renew(proxy))
            self.assertEqual(self.told()[1][-1], f"shop.example: Not before nine.{hint}")
        proxy = Proxy(Answer(404, {"error": {"code": "unknown-name", "message": "No route wants it."}}))
        self.assertFalse(self.renew(proxy))
        self.assertEqual(self.told()[1][-1], "No route wants it.")

    def test_all(self) -> None:
        """
        Of all certificates one that is refused is told, and the others are waited for;
        very many are not asked for by name.
        """
        keys = [f"auto:a{number}.example" for number in range(30)]
        begun = [certificate(key=key, outcome="ordering") for key in keys]
        begun[3] |= {"outcome": "refused", "error": {"code": "failed", "message": "Later."}}
        ended = [certificate(key=key, serial="b2", orders=2) for key in keys]
        proxy = Proxy(begun, ended[:10] + [certificate(key=key) for key in keys[10:]], ended)
        self.assertFalse(self.renew(proxy, (), isAll=True, isForced=True))
        self.assertEqual(proxy.asked[0][2], {"all": True, "force": True})
        self.assertEqual(
            [each[2] for each in proxy.asked[1:]], [{}, {"key": keys[10:]}][:1] + [{"key": keys[10:]}]
        )
        self.assertEqual(len(self.told()[0]), 29 + 29 + 20)
        proxy = Proxy([])
        self.assertTrue(self.renew(proxy, (), isAll=True))
        self.assertIn("no route wants", self.told()[0][-1])

    def test_noWait(self) -> None:
        """
        Who does not want to wait is told that it began.
        """
        self.assertTrue(self.renew(Proxy([certificate(outcome="ordering")]), isWaiting=False))
        self.assertEqual(self.told(), (["shop.example: ordered"], []))

    def test_restarted(self) -> None:
        """
        A proxy that was restarted meanwhile, or has gone, is told.
        """
        for look in ([certificate(orders=0)], [], ProxyAway("gone")):
            proxy = Proxy([certificate(outcome="ordering")], look)
            self.assertRaises(ProxyAway, self.renew, proxy)

    def test_revoked(self) -> None:
        """
        What was revoked is told, and then its successor like any other.
        """
        proxy = Proxy(
            [
                certificate(outcome="revoked"),
                certificate(
                    key="rsa:shop.example", serial="c3", outcome="already", problem="The disk is full"
                ),
            ],
            [
                certificate(state="revoked", problem="asked to wait", next_attempt="2027-01-15T09:00:00Z"),
                certificate(key="rsa:shop.example", serial="d4", orders=2),
            ],
            [certificate(serial="b2", orders=2)],
        )
        self.assertFalse(self.demands(proxy).revoke(["shop.example"], "superseded", isWaiting=True))
        self.assertEqual(proxy.asked[0][2], {"names": ["shop.example"], "reason": "superseded"})
        out, err = self.told()
        self.assertEqual(
            [line.partition(", valid")[0] for line in out],
            [
                "shop.example: revoked: serial number a1",
                "shop.example (RSA): was revoked before: serial number c3",
                "shop.example: waiting until 2027-01-15T09:00:00Z: asked to wait",
                "shop.example (RSA): serving another one",
                "shop.example: serving another one",
            ],
        )
        self.assertEqual(err, ["shop.example (RSA): The disk is full"])

    def test_find(self) -> None:
        """
        Before somebody is asked whether it is meant, it is told what it is.
        """
        proxy = Proxy(None, [certificate(), certificate(key="rsa:shop.example", serial=None)])
        line = "shop.example: serial number a1, valid until 2027-04-15T08:00:00Z"
        self.assertEqual(self.demands(proxy).find(["shop.example"]), [line])
        self.assertEqual(self.demands(Proxy(None, [certificate(serial=None)])).find(["a", "b"]), [])
        error = Answer(404, {"error": {"code": "unknown-name", "message": "No route wants it."}})
        self.assertEqual(self.demands(Proxy(None, error)).find(["x"]), [])
        self.assertEqual(
            self.told()[1], ["No certificate by an authority is served for a, b.", "No route wants it."]
        )


class CommandTests(SynchronousTestCase):
    """
    The command line.
    """

    def setUp(self) -> None:
        directory = os.path.abspath(self.mktemp())
        os.makedirs(directory)
        self.file = os.path.join(directory, "smartproxy.yaml")
        with open(self.file, "w") as file:
            file.write("state_dir: s\nsites: {shop.example: 127.0.0.1:3000}\n")

    def ran(self, *arguments: str) -> tuple[int, str]:
        """
        The status, and what was said.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = main(["certificates", *arguments, "-c", self.file])
        return status, out.getvalue()

    def test_away(self) -> None:
        """
        Where no proxy runs there is a status for it, and what to do.
        """
        for arguments in (
            ("renew", "shop.example"),
            ("renew", "--all"),
            ("revoke", "shop.example", "--reason", "superseded", "--yes"),
        ):
            status, said = self.ran(*arguments)
            self.assertEqual((status, said.count("\n")), (AWAY, 1), said)
            self.assertIn("No proxy answers at", said)

    def test_socket(self) -> None:
        """
        The socket can be named, and then no configuration is needed.
        """
        os.unlink(self.file)
        status, said = self.ran("renew", "shop.example", "--socket", "x/y.sock")
        self.assertEqual(status, AWAY)
        self.assertIn(f"No proxy answers at {os.path.abspath('x/y.sock')}", said)

    def test_usage(self) -> None:
        """
        Nothing is renewed or revoked by a slip.
        """
        for arguments in (
            ("renew",),
            ("renew", "--all", "shop.example"),
            ("revoke", "shop.example"),
            ("revoke", "--reason", "superseded", "--yes"),
            ("revoke", "shop.example", "--reason", "because", "--yes"),
        ):
            self.assertEqual(self.ran(*arguments)[0], USAGE, arguments)

    def test_nobodyToAsk(self) -> None:
        """
        Where there is no terminal it has to be said that it is meant.
        """
        self.patch(sys, "stdin", io.StringIO("y\n"))
        status, said = self.ran("revoke", "shop.example", "--reason", "superseded")
        self.assertEqual(status, USAGE)
        self.assertIn("--yes", said)

    def test_asked(self) -> None:
        """
        At a terminal it is told what it is, and asked; anything but yes is no.
        """
        for answer, isSure in (
            ("y", True),
            ("YES", True),
            ("", False),
            ("n", False),
            ("why?", False),
            (None, False),
        ):
            proxy = Proxy([certificate(outcome="revoked")], [certificate()])
            self.patch(sys, "stdin", Terminal(answer))
            self.patch(way, "asking", lambda _, proxy=proxy: proxy)
            status, said = self.ran("revoke", "shop.example", "--reason", "superseded", "--no-wait")
            self.assertEqual(status, OK if isSure else TROUBLE)
            self.assertIn("serial number a1, valid until", said)
            self.assertEqual([each[0] for each in proxy.asked], ["GET", "POST"] if isSure else ["GET"])
            self.assertEqual("nothing was revoked" in said, not isSure)

    def test_interrupted(self) -> None:
        """
        Ctrl-C ends the waiting, and it is told that the order goes on.
        """
        proxy = Proxy([certificate(outcome="ordering")])

        def interrupted(_: float) -> None:
            raise KeyboardInterrupt

        self.patch(way, "asking", lambda _: proxy)
        self.patch(demanding, "Demands", partial(Demands, sleep=interrupted))
        status, said = self.ran("renew", "shop.example")
        self.assertEqual(status, 130)
        self.assertIn("goes on in the proxy", said)


class Terminal(io.StringIO):
    """
    Somebody who answers once, or has gone.
    """

    def __init__(self, answer: str | None) -> None:
        super().__init__("" if answer is None else answer + "\n")

    def isatty(self) -> bool:
        return True
