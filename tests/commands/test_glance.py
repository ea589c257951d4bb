"""
Tests for L{smartproxy_tw.commands.glance}.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer
from smartproxy_tw.commands.glance import Paint, duration, isWell, plain, show

from ..examples import anyText, awkwardText, examples
from .standings import FAILING, Asked, standing


class TTY(io.StringIO):
    """
    A terminal.
    """

    def isatty(self) -> bool:
        """
        It is one.
        """
        return True


class ShowTests(SynchronousTestCase):
    """
    What is told.
    """

    def told(self, isWell: bool = True, **members: Any) -> str:
        """
        As it is printed.
        """
        out = io.StringIO()
        self.assertEqual(show(Asked(standing(**members)), out=out), isWell, out.getvalue())
        return out.getvalue()

    def test_well(self) -> None:
        """
        One that is well fits in a few lines.
        """
        self.assertEqual(
            self.told(),
            "smartproxy 1.2, process 7, up 1 d 2 h: ready\n"
            "  configuration  /etc/s.yaml: 2 routes, loaded 1 min 1 s ago\n"
            "  served         0.0.0.0:80, [::1]:443\n"
            "  connections    3 open of 20000\n"
            "  since start    50 requests, 9 connections, 1 refusal\n"
            "  targets        2 of 2 healthy\n"
            "  certificates   2 wanted, 2 valid, none failing\n",
        )

    def test_one(self) -> None:
        """
        One of something is told as one, whatever is counted.
        """
        counts = {
            "requests": 1,
            "upstream_failures": 1,
            "log_lines_lost": 1,
            "misses": 1,
            "worker_restarts": 2,
        }
        connections = {"open": 0, "limit": 5, "counts": counts}
        self.assertIn(
            "since start    1 request, 1 upstream failure, 1 log line lost, 1 miss, 2 worker restarts\n",
            self.told(connections=connections),
        )

    def test_targets(self) -> None:
        """
        What keeps a target from its turns is told with its reason; one that somebody drains
        is no failure.
        """
        drained = {"target": "a:1", "state": "draining", "reason": None, "since": None}
        sick = {
            "target": "b:2",
            "state": "unhealthy",
            "reason": "no\x1b[31m",
            "since": "2026-11-30T12:00:00Z",
        }
        failing = {
            "target": "c:3",
            "state": "ejected",
            "reason": "it failed",
            "since": None,
            "ejected_until": "2026-11-30T12:01:00Z",
        }
        told = self.told(isWell=False, upstreams={"targets": 3, "healthy": 2, "others": [failing]})
        self.assertIn("    c:3: ejected until 2026-11-30T12:01:00Z: it failed\n", told)
        told = self.told(upstreams={"targets": 3, "healthy": 2, "others": [drained]})
        self.assertIn("  targets        2 of 3 healthy, 1 not\n    a:1: draining\n", told)
        told = self.told(isWell=False, upstreams={"targets": 30, "healthy": 2, "others": [drained, sick]})
        self.assertIn("    b:2: unhealthy since 2026-11-30T12:00:00Z: no\\x1b[31m\n    and 26 more\n", told)

    def test_failing(self) -> None:
        """
        A certificate that fails is told with its reason, and nothing in that does
        anything to a terminal.
        """
        told = self.told(isWell=False, certificates=FAILING)
        self.assertIn("3 wanted, 1 valid, 1 ordering, 1 failing\n", told)
        self.assertIn("    bad.test, www.bad.test: failed: no\\x1b[31m such name\n", told)
        self.assertIn("next attempt 2026-11-30T13:00:00Z\n", told)
        told = self.told(isWell=False, certificates={**FAILING, "failing": 30})
        self.assertIn("and 29 more: smartproxy certificates list", told)

    def test_notReady(self) -> None:
        """
        Why it is not ready stands in the first line; so do ports that nobody accepts on
        and workers that do not serve, in their own.
        """
        told = self.told(isWell=False, ready=False, reason="it ends")
        self.assertIn(": NOT READY: it ends\n", told.splitlines(keepends=True)[0])
        told = self.told(isWell=False, listening=[{"address": "::", "port": 443, "adopted": False}])
        self.assertIn("served         no port at all\n  bound only     [::]:443\n", told)
        workers = [
            {"number": 1, "process": None, "state": "vacant"},
            {"number": 2, "process": 9, "state": "serving"},
        ]
        told = self.told(isWell=False, workers=workers)
        self.assertIn("  workers        1 vacant, 2 (process 9) serving\n", told)
        workers[0]["state"] = "leaving"
        self.told(isWell=True, workers=workers)

    def test_little(self) -> None:
        """
        One that has no file, no certificates and no visitors.
        """
        nothing = {"wanted": 0, "valid": 0, "failing": 0, "states": {}, "problems": []}
        configuration = {**standing()["configuration"], "source": None, "routes": 1}
        connections = {"open": 0, "limit": 5, "counts": {}}
        told = self.told(certificates=nothing, configuration=configuration, connections=connections)
        self.assertIn("  configuration  no file: 1 route,", told)
        self.assertIn("  certificates   none wanted\n", told)
        self.assertIn("  since start    nothing\n", told)

    def test_json(self) -> None:
        """
        Programs get all of it.
        """
        out = io.StringIO()
        self.assertFalse(show(Asked(standing(certificates=FAILING)), asJSON=True, out=out))
        self.assertEqual(json.loads(out.getvalue())["certificates"], FAILING)

    def test_refused(self) -> None:
        """
        A proxy that does not know the question is told of, and is no good sign.
        """
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertFalse(show(Asked(Answer(404, {"error": {"message": "There is no such path."}}))))
        self.assertEqual(err.getvalue(), "There is no such path.\n")

    def test_colours(self) -> None:
        """
        There are colours on a terminal, and nowhere else, nor where they are not wanted.
        """
        for out, environ, isPainted in (
            (TTY(), {"TERM": "xterm"}, True),
            (TTY(), {"TERM": "xterm", "NO_COLOR": ""}, True),
            (TTY(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
            (TTY(), {"TERM": "dumb"}, False),
            (TTY(), {}, False),
            (io.StringIO(), {"TERM": "xterm"}, False),
        ):
            show(Asked(standing(certificates=FAILING)), out=out, paint=Paint(out, environ))
            self.assertEqual("\x1b" in out.getvalue(), isPainted, environ)
            self.assertNotIn("\x1b[31m such", out.getvalue())


class WordTests(SynchronousTestCase):
    """
    The small words.
    """

    def test_duration(self) -> None:
        """
        A time in its two largest units.
        """
        for seconds, told in (
            (0, "0 s"),
            (-1, "0 s"),
            (59.9, "59 s"),
            (60, "1 min"),
            (3601, "1 h"),
            (3660, "1 h 1 min"),
            (90061, "1 d 1 h"),
            (86400, "1 d"),
        ):
            self.assertEqual(duration(seconds), told)

    @given(st.one_of(anyText(50), awkwardText(50)))
    @examples(200)
    def test_plain(self, text: str) -> None:
        """
        Whatever comes, what is shown is printable.
        """
        self.assertTrue(plain(text).isprintable())

    def test_isWell(self) -> None:
        """
        Nothing fails in the usual one.
        """
        self.assertTrue(isWell(standing()))
