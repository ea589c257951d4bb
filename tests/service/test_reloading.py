"""
Tests for L{smartproxy_tw.service.reloading}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.changes import Changes
from smartproxy_tw.config.errors import ConfigError, Problem
from smartproxy_tw.config.model import Config
from smartproxy_tw.service.errors import ChangeRefused, StoppedError
from smartproxy_tw.service.reloading import Reloading

CONFIG = Config((), "/state")
CHANGES = Changes(added=("shop",))


class ReloadingTests(SynchronousTestCase):
    """
    A file that is read when the test says so.
    """

    def setUp(self) -> None:
        self.reads: list[Deferred[Config]] = []
        self.used: list[Config] = []
        self.outcome: Deferred[Changes] = succeed(CHANGES)
        self.reloading = Reloading(self, self.read)
        self.told: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, Any]) -> None:
        """
        The log.
        """
        if str(event.get("event")).startswith("reload"):
            self.told.append(event)

    def read(self) -> Deferred[Config]:
        """
        The file.
        """
        self.reads.append(Deferred())
        return self.reads[-1]

    def compare(self, config: Config) -> Changes:
        """
        The subject's.
        """
        return Changes(removed=("shop",))

    def reconfigure(self, config: Config) -> Deferred[Changes]:
        """
        Likewise.
        """
        self.used.append(config)
        return self.outcome

    def test_done(self) -> None:
        """
        What is read is used, and one line tells what has changed and who wanted it.
        """
        reloading = self.reloading.reload("SIGHUP")
        self.assertEqual(self.used, [])
        self.reads[0].callback(CONFIG)
        self.assertEqual(self.successResultOf(reloading), CHANGES)
        self.assertEqual(self.used, [CONFIG])
        (event,) = self.told
        self.assertEqual(
            (event["event"], event["asker"], event["changes"]), ("reloaded", "SIGHUP", "route added: shop")
        )

    def test_bad(self) -> None:
        """
        A file that is wrong is not used, and one line tells why with all places.
        """
        problems = [Problem("/f.yaml", line, 1, "x", "is wrong") for line in (3, 4)]
        reloading = self.reloading.reload("SIGHUP")
        self.reads[0].errback(ConfigError(problems))
        self.assertEqual(self.failureResultOf(reloading, ConfigError).value.problems, tuple(problems))
        self.assertEqual(self.used, [])
        (event,) = self.told
        self.assertEqual(event["event"], "reload-refused")
        self.assertEqual(event["why"], "/f.yaml:3:1: x: is wrong\n/f.yaml:4:1: x: is wrong")

    def test_notReadable(self) -> None:
        """
        What may not be read is told with the user who may not.
        """
        problem = Problem("/f.yaml", 0, 0, "", "cannot be read: Permission denied")
        self.failureResultOf(self._bad(ConfigError([problem])), ConfigError)
        self.assertIn("It was read as user", self.told[0]["why"])

    def _bad(self, why: Exception) -> Deferred[Changes]:
        reloading = self.reloading.reload("SIGHUP")
        self.reads[-1].errback(why)
        return reloading

    def test_refused(self) -> None:
        """
        What cannot be put to use is told likewise; the next reload is another.
        """
        self.outcome = fail(ChangeRefused("Cannot listen on port 80"))
        reloading = self.reloading.reload("SIGHUP")
        self.reads[0].callback(CONFIG)
        self.failureResultOf(reloading, ChangeRefused)
        self.assertEqual([each["why"] for each in self.told], ["Cannot listen on port 80"])
        self.outcome = succeed(CHANGES)
        reloading = self.reloading.reload("SIGHUP")
        self.reads[1].callback(CONFIG)
        self.successResultOf(reloading)

    def test_defect(self) -> None:
        """
        A defect is logged as one, and ends nothing.
        """
        self.failureResultOf(self._bad(RuntimeError("a defect")), RuntimeError)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        reloading = self.reloading.reload("SIGHUP")
        self.reads[1].callback(CONFIG)
        self.successResultOf(reloading)

    def test_together(self) -> None:
        """
        However many ask meanwhile, the file is read once more, after they did.
        """
        first = self.reloading.reload("SIGHUP")
        others = [self.reloading.reload("SIGHUP") for _ in range(5)]
        self.assertEqual(len(self.reads), 1)
        self.reads[0].callback(CONFIG)
        self.successResultOf(first)
        self.assertEqual([each.called for each in others], [False] * 5)
        self.reads[1].callback(CONFIG)
        for each in others:
            self.successResultOf(each)
        self.assertEqual((len(self.reads), len(self.told)), (2, 2))

    def test_uninterested(self) -> None:
        """
        Who loses interest stops nobody else.
        """
        waiting = [self.reloading.reload("SIGHUP") for _ in range(3)]
        for each in waiting[:2]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.reads[0].callback(CONFIG)
        self.reads[1].callback(CONFIG)
        self.successResultOf(waiting[2])
        self.assertEqual(len(self.used), 2)

    def test_stopped(self) -> None:
        """
        With the end of the proxy nothing is read any more.
        """
        waiting = [self.reloading.reload("SIGHUP") for _ in range(2)]
        self.reloading.stop()
        for each in waiting:
            self.failureResultOf(each, StoppedError)
        self.assertEqual((len(self.reads), self.used), (1, []))

    def test_preview(self) -> None:
        """
        What would change can be known without a change, and without a line.
        """
        preview = self.reloading.preview()
        self.reads[0].callback(CONFIG)
        self.assertEqual(self.successResultOf(preview).removed, ("shop",))
        self.assertEqual((self.used, self.told), ([], []))
