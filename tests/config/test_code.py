"""
Tests for L{smartproxy_tw.config.code}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import TLS, Application

from .options import DIRECTORY, Option, action, deed
from .reading import only

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Socket.type": (action("type: socket, factory: 'json:dumps'"), deed, Application("json:dumps")),
    "Socket.factory": (action("type: socket, factory: json.loads"), deed, Application("json.loads")),
    **{
        f"Socket.{option}": (
            action(f"type: socket, factory: json.dumps, {option}: {value}"),
            lambda c, name=name: getattr(deed(c), name),
            expected,
        )
        for option, name, value, expected in (
            ("kind", "kind", "asgi", "asgi"),
            ("arguments", "arguments", "{a: [1, {b: c}]}", '{"a": [1, {"b": "c"}]}'),
            ("threads", "threads", "3", 3),
            ("queue", "queue", "0", 0),
            ("body_bytes", "bodyBytes", "7", 7),
        )
    },
    "Socket.python_path": (
        action("type: socket, factory: json.dumps, python_path: .."),
        lambda c: [os.path.basename(each) for each in deed(c).pythonPath],
        [os.path.dirname(DIRECTORY)],
    ),
    "Socket.tls": (
        action("type: socket, factory: json.dumps, kind: protocol, tls: {mode: passthrough}"),
        lambda c: c.routes[0].tls,
        TLS("passthrough"),
    ),
}


class CodeTests(SynchronousTestCase):
    """
    What is said of code that answers.
    """

    def test_refused(self) -> None:
        """
        Bounds have bounds, and arguments have names.
        """
        for text, told in (
            ("threads: 1001", "threads: has to be at most 1000, not 1001"),
            ("queue: -1", "queue: has to be at least 0, not -1"),
            ("body_bytes: 4294967297", "body_bytes: has to be at most 4294967296"),
            ("arguments: [1]", "arguments: has to be a mapping"),
            ("python_path: ''", "python_path: "),
        ):
            self.assertIn(told, only(action(f"type: socket, factory: json.dumps, {text}")))
