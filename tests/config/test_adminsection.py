"""
Tests for L{smartproxy_tw.config.adminsection}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Admin, Metrics
from smartproxy_tw.facts import Address

from .options import ROUTE, TOKEN, Option
from .reading import complaints, understood

LOOPBACK = Metrics(Address("127.0.0.1", 9100))

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Admin.socket": (
        "admin: {socket: a.sock}\n" + ROUTE,
        lambda c: os.path.basename(c.admin.socket),
        "a.sock",
    ),
    "Metrics.listen": ("metrics: {listen: '127.0.0.1:9100'}\n" + ROUTE, lambda c: c.metrics, LOOPBACK),
    "Admin.listen": (
        f"admin: {{listen: '127.0.0.1:2019', token: {TOKEN}}}\n" + ROUTE,
        lambda c: c.admin.listen,
        Address("127.0.0.1", 2019),
    ),
    "Admin.token": (
        f"admin: {{listen: '[::1]:2019', token: '${{NONE:-{TOKEN}}}'}}\n" + ROUTE,
        lambda c: c.admin.token,
        TOKEN,
    ),
    "Admin.token_file": (
        "admin: {listen: '127.0.0.1:2019', token_file: k.pem}\n" + ROUTE,
        lambda c: os.path.basename(c.admin.tokenFile),
        "k.pem",
    ),
    "Admin.allow_remote": (
        f"admin: {{listen: '10.0.0.1:2019', token: {TOKEN}, allow_remote: true}}\n" + ROUTE,
        lambda c: c.admin.listen.host,
        "10.0.0.1",
    ),
}


class AdminTests(SynchronousTestCase):
    """
    Where the running proxy is spoken to, and asked for its figures.
    """

    def test_admin(self) -> None:
        """
        The admin socket is in the state directory unless it is said where it is, or
        that there is none.
        """
        for text, admin in (
            ("", Admin("/state/admin.sock")),
            ("admin: {}", Admin("/state/admin.sock")),
            ("admin: {}\nstate_dir: s", Admin("/etc/s/admin.sock")),
            ("admin: {socket: s/x.sock}\nstate_dir: s", Admin("/etc/s/x.sock")),
            ("admin: off", None),
            ("admin: ${ADMIN}", None),
        ):
            self.assertEqual(
                understood(f"{text}\n{ROUTE}", environ={"STATE_DIRECTORY": "/state", "ADMIN": "off"}).admin,
                admin,
            )
        for other in ("on", "true", "5", "[]", "{path: /x}"):
            self.assertEqual(len(complaints(f"admin: {other}\n{ROUTE}")), 1, other)
        self.assertEqual(
            complaints(f"admin: true\n{ROUTE}"), ["1:8: admin: has to be off, or {socket: }, not true"]
        )

    def test_metrics(self) -> None:
        """
        Metrics are told where it is said, on this machine only unless it says
        otherwise, and not where a route is.
        """
        self.assertIs(understood(ROUTE).metrics, None)
        for text, address in (
            ("9100", Address("127.0.0.1", 9100)),
            ("'9100'", Address("127.0.0.1", 9100)),
            ("'${PORT}'", Address("127.0.0.1", 9100)),
            ("0.0.0.0:9100", Address("0.0.0.0", 9100)),
            ("'[::1]:9100'", Address("::1", 9100)),
            ("'[::]:9100'", Address("::", 9100)),
        ):
            found = understood(f"metrics: {{listen: {text}}}\n{ROUTE}", environ={"PORT": "9100"})
            self.assertEqual(found.metrics, Metrics(address), text)
        for text, told in (
            ("{listen: 8}", "1:19: metrics.listen: port 8 is that of route :8: choose another one"),
            ("{listen: 0}", "1:19: metrics.listen: has to be at least 1, not 0"),
            ("{listen: '::1'}", "1:19: metrics.listen: '::1' has no port from 1 to 65535 at its end"),
            ("{listen: a.b:9100}", "1:19: metrics.listen: 'a.b:9100' does not begin with an IP address"),
            ("{listen: []}", "1:11: metrics.listen: has to be an IP address with a port, or a port"),
            ("{}", "1:1: metrics: needs listen"),
        ):
            (complaint,) = complaints(f"metrics: {text}\n{ROUTE}")
            self.assertTrue(complaint.startswith(told), complaint)
