"""
Tests for L{smartproxy_tw.config.logsection}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import AccessLog

from .options import ROUTE, Option
from .reading import only

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "AccessLog.format": ("access_log: {format: json}\n" + ROUTE, lambda c: c.accessLog, AccessLog("json")),
    "AccessLog.file": (
        "access_log: {file: a.log}\n" + ROUTE,
        lambda c: os.path.basename(c.accessLog.file),
        "a.log",
    ),
    "Log.format": ("log: {format: json}\n" + ROUTE, lambda c: c.logFormat, "json"),
}


class LogTests(SynchronousTestCase):
    """
    What is written down, and how.
    """

    def test_refused(self) -> None:
        """
        A form that nobody writes, and a log without a name, are told.
        """
        for text, told in (
            ("access_log: {format: common}", "access_log.format: has to be combined, json, logfmt or off,"),
            ("access_log: {file: ''}", "access_log.file: "),
            ("log: {format: logfmt}", "log.format: has to be text or json, not 'logfmt'"),
            ("log: {file: x.log}", "log.file: is not an option here"),
        ):
            self.assertIn(told, only(f"{text}\n{ROUTE}"))
