"""
Tests for L{smartproxy_tw.service.eventlog}.
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python import log
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.eventlog import jsonLine, jsonLines, textLines, worthTelling

from ..examples import anyText, awkwardText, examples

OTHERS = st.floats() | st.binary() | st.none()


class JSONTests(SynchronousTestCase):
    """
    One JSON object on each line.
    """

    def setUp(self) -> None:
        self.file = StringIO()
        self.log = Logger(namespace="test.room", observer=LogPublisher(jsonLines(self.file)))

    def lines(self) -> list[dict[str, Any]]:
        """
        What was written, each line by itself.
        """
        return [json.loads(line) for line in self.file.getvalue().splitlines()]

    def test_event(self) -> None:
        """
        A line has the time, the level, who says it, the message, the name of
        the event, and its fields.
        """
        self.log.info("Serving {names} for {count}", event="served", names="a.test", count=3)
        (line,) = self.lines()
        self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(
            line,
            {
                "level": "info",
                "namespace": "test.room",
                "message": "Serving a.test for 3",
                "event": "served",
                "names": "a.test",
                "count": 3,
            },
        )

    def test_oneLineEach(self) -> None:
        """
        Nothing in an event breaks its line, and nothing pretends to be another
        one.
        """
        self.log.error("{what}", what='x"\n{"level": "forged"}\r\n\x1e\u2028', time="forged")
        (line,) = self.lines()
        self.assertEqual(line["level"], "error")
        self.assertNotEqual(line["time"], "forged")
        self.assertEqual(self.file.getvalue().count("\n"), 1)

    def test_failure(self) -> None:
        """
        A failure has its traceback in a field.
        """
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            self.log.failure("While trying")
        (line,) = self.lines()
        self.assertEqual((line["message"], line["level"]), ("While trying", "critical"))
        self.assertIn("RuntimeError: broken", line["traceback"])

    def test_legacy(self) -> None:
        """
        What the older logging system says is a line like others.
        """
        observer = jsonLines(self.file)
        log.addObserver(observer)
        self.addCleanup(log.removeObserver, observer)
        log.msg("An old message", system="old")
        (line,) = self.lines()
        self.assertEqual(line["message"], "An old message")
        self.assertNotIn("isError", line)

    def test_strangeValues(self) -> None:
        """
        Values that JSON has no word for become text; containers keep their
        shape.
        """
        self.log.info("x", a=float("nan"), b=(1, {"k": object}), c=None, d=b"bytes")
        (line,) = self.lines()
        self.assertEqual((line["a"], line["c"], line["d"]), ("nan", None, "b'bytes'"))
        self.assertEqual(line["b"][0], 1)

    def test_text(self) -> None:
        """
        Text is as Twisted writes it; nothing in it moves a terminal's cursor.
        """
        log = Logger(namespace="test.room", observer=LogPublisher(textLines(self.file)))
        log.info("{what}", what="a\x1b[2J\r\x9bb")
        log.emit(LogLevel.info, None, what="nothing to say")
        (line,) = self.file.getvalue().splitlines()
        self.assertTrue(line.endswith("[test.room#info] a\\x1b[2J\\x0d\\x9bb"), line)

    def test_worthTelling(self) -> None:
        """
        What only developers want to know is left out, and so is what a part of
        Twisted tells of each connection it makes.
        """
        observer = worthTelling(jsonLines(self.file))
        for namespace in ("test.room", "twisted.web.client._HTTP11ClientFactory"):
            log = Logger(namespace=namespace, observer=LogPublisher(observer))
            log.debug("debug")
            log.info("info")
            log.error("error")
        self.assertEqual(
            [(line["namespace"][:7], line["message"]) for line in self.lines()],
            [("test.ro", "info"), ("test.ro", "error"), ("twisted", "error")],
        )

    @examples()
    @given(st.dictionaries(awkwardText(9, 1), awkwardText(20) | anyText(20) | OTHERS))
    def test_alwaysJSON(self, fields: dict[str, object]) -> None:
        """
        Whatever an event holds, its line is one JSON object.
        """
        # What begins so is Twisted's own, and of the types that it says.
        fields = {name: value for name, value in fields.items() if not name.startswith("log_")}
        line = jsonLine({"log_time": 0.0, "log_format": "x", **fields})
        self.assertTrue(line.endswith("\n"))
        self.assertNotIn("\n", line[:-1])
        json.loads(line, parse_constant=self.fail)
