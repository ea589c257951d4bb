"""
Tests for L{smartproxy_tw.config.application}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.application import Application

from .reading import route


class ApplicationTests(SynchronousTestCase):
    """
    A route that Python code answers.
    """

    def test_defaults(self) -> None:
        """
        What is left out in a file is what is left out in Python.
        """
        found = route("{ports: 8}", "{type: socket, factory: 'json:dumps'}").action
        self.assertEqual(found, Application("json:dumps"))

    def test_secret(self) -> None:
        """
        Arguments, among which secrets may be, are in no text about the configuration.
        """
        found = route("{ports: 8}", "{type: socket, factory: 'json:dumps', arguments: {key: geheim}}").action
        assert isinstance(found, Application)
        self.assertEqual(found.arguments, '{"key": "geheim"}')
        self.assertNotIn("geheim", repr(found))
