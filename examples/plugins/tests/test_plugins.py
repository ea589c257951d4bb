"""
The plug-ins, without a proxy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smartproxy_examples.canary import Canary
from smartproxy_examples.holiday import Holiday, Settings
from smartproxy_examples.listed import Listed
from smartproxy_examples.listed import Settings as FileSettings
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.config.plugin import WrongSettings
from smartproxy_tw.interfaces import IActionPlugin, IMatcherPlugin, IUpstreamPlugin
from smartproxy_tw.routing.sight import Sight


class _Exchange:
    """
    Keeps the answer.
    """

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """
        The answer.
        """
        self.answer = status, fields, body


class PluginTests(SynchronousTestCase):
    """
    Each of them.
    """

    def test_interfaces(self) -> None:
        """
        They keep the contract.
        """
        verifyObject(IActionPlugin, Holiday())
        verifyObject(IMatcherPlugin, Canary())
        verifyObject(IUpstreamPlugin, Listed())

    def test_holiday(self) -> None:
        """
        The answer says when to come back.
        """
        exchange: Any = _Exchange()
        Holiday().build(Settings(text="Away", retry_after=60), None).request(exchange)
        status, fields, body = exchange.answer
        self.assertEqual((status, body), (503, b"Away\n"))
        self.assertIn(b"Retry-After: 60\r\n", fields)

    def test_canary(self) -> None:
        """
        As many users as it says, about, and the same ones each time.
        """
        condition = Canary().build(Canary().settings({"percent": 25, "header": "X-User"}))
        users = [Sight("", fields=lambda name=f"user{number}": [("x-user", name)]) for number in range(1000)]  # type: ignore[misc]
        chosen = [condition.holds(user) for user in users]
        self.assertEqual(chosen, [condition.holds(user) for user in users])
        self.assertTrue(200 < sum(chosen) < 300, sum(chosen))
        self.assertFalse(condition.holds(Sight("")))
        self.assertEqual(condition.objection(Sight("")), "x-user is not there")
        why = self.assertRaises(WrongSettings, Canary().settings, {"percent": 101, "heder": "x"})
        self.assertEqual([path for path, _ in why.mistakes], [("heder",), ("percent",), ("header",)])

    def test_listed(self) -> None:
        """
        The targets of the file, without its comments.
        """
        file = Path(self.mktemp())
        self.assertRaises(OSError, Listed().build, FileSettings(file=file), Clock())
        file.write_text("# ours\n10.0.0.1:80\n\n10.0.0.2:80\n")
        source: Any = Listed().build(FileSettings(file=file), Clock())
        self.assertEqual(source.pick(None), ("10.0.0.1:80", "10.0.0.2:80"))
        source.close()
        source.close()
