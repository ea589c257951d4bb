"""
Tests for L{smartproxy_tw.config.ports}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .options import Option, match
from .reading import only

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "PortRange.from": (match("ports: {from: 7, to: 9}"), lambda c: c.ports[0], 7),
    "PortRange.to": (match("ports: [{from: 7, to: 9}]"), lambda c: c.ports, (7, 8, 9)),
}


class PortTests(SynchronousTestCase):
    """
    What is a port.
    """

    def test_portMistakes(self) -> None:
        """
        Ports that are none, backwards, twice or nothing.
        """
        for ports, told in (
            ("0", "ports: has to be at least 1, not 0"),
            ("65536", "ports: has to be at most 65535, not 65536"),
            ("[1, -1]", "ports[1]: has to be at least 1, not -1"),
            ("true", "has to be a port number, {from: , to: } or a list of these, not true"),
            ("80.0", "has to be a port number, {from: , to: } or a list of these, not 80.0"),
            ("'80'", "has to be a port number, {from: , to: } or a list of these, not '80'"),
            ("[]", "ports: is empty: at least one is needed"),
            ("{from: 5, to: 3}", "ports: runs backwards, from 5 to 3: exchange the two"),
            ("{from: 5}", "ports: needs to (the last port, not below the first)"),
            ("{from: 5, till: 6, to: 7}", "ports.till: is not an option here"),
            ("[5, 5]", "ports[1]: lists port 5 twice"),
            ("[{from: 3, to: 5}, {from: 5, to: 7}]", "ports[1]: lists port 5 twice"),
            ("[[5]]", "ports[0]: has to be a port number or {from: , to: }, not a list"),
            ("1" + "0" * 300, "ports: has to be at most 65535"),
        ):
            self.assertIn(told, only(f"routes: [{{match: {{ports: {ports}}}, action: {{type: block}}}}]"))
