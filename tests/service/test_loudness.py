"""
Tests for L{smartproxy_tw.service.loudness}.
"""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.service.eventlog import Verbosity, textLines
from smartproxy_tw.service.loudness import Loudness


class LoudnessTests(SynchronousTestCase):
    """
    A log that somebody wants to know more of.
    """

    def ask(self, volume: Verbosity | None, verb: str, members: Any = None) -> Reply:
        """
        Ask.
        """
        desk = Desk()
        loudness = Loudness(volume)
        loudness.begin(desk)
        self.addCleanup(loudness.end)
        body = b"" if members is None else json.dumps(members).encode()
        asked = desk.answer(verb, "/v1/log-level", {}, body, "user 7")
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def test_changed(self) -> None:
        """
        From then on the log has it, and no more when it is changed back; what only its
        authors want to know it never has.
        """
        verbosity, file = Verbosity(), io.StringIO()
        log = Logger("a.b", observer=LogPublisher(verbosity.on(textLines(file))))
        chatty = Logger("twisted.web.client._HTTP11ClientFactory", observer=log.observer)
        self.assertEqual(self.ask(verbosity, "GET").members, {"level": "info"})
        log.debug("one")
        self.assertEqual(self.ask(verbosity, "PUT", {"level": "debug"}).members, {"level": "debug"})
        log.debug("two")
        chatty.info("chat")
        self.assertEqual(self.ask(verbosity, "GET").members, {"level": "debug"})
        self.ask(verbosity, "PUT", {"level": "info"})
        log.debug("three")
        log.info("four")
        told = file.getvalue()
        self.assertEqual(
            [word in told for word in ("one", "two", "three", "four")], [False, True, False, True]
        )
        self.assertNotIn("chat", told)

    def test_nonsense(self) -> None:
        """
        There are two levels, and one has to be named.
        """
        verbosity = Verbosity()
        for members in ({"level": "critical"}, {"level": None}, {"level": ["info"]}, {}, {"levels": "info"}):
            self.assertEqual(self.ask(verbosity, "PUT", members).status, 400, members)
        self.assertEqual(verbosity.level, "info")

    def test_ofOthers(self) -> None:
        """
        A log that another program writes is for that to change.
        """
        self.assertEqual(self.ask(None, "GET").members, {"level": None})
        reply = self.ask(None, "PUT", {"level": "debug"})
        self.assertEqual((reply.status, reply.members["error"]["code"]), (409, "not-possible"))
