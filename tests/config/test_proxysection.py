"""
Tests for L{smartproxy_tw.config.proxysection}.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Forward, ProxyHeader, Target

from .options import ROUTE, Option, action, deed
from .reading import only

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "ProxyProtocol.ports": (
        "proxy_protocol: {from: '::1', ports: {from: 7, to: 8}}\n"
        + ROUTE.replace("ports: 8", "ports: [7, 8]"),
        lambda c: c.proxyProtocol.ports,
        (7, 8),
    ),
    "ProxyProtocol.from": (
        "proxy_protocol: {from: [10.0.0.0/8, '::1']}\n" + ROUTE,
        lambda c: c.proxyProtocol.senders,
        (ip_network("10.0.0.0/8"), ip_network("::1")),
    ),
    "ProxyProtocol.mode": (
        "proxy_protocol: {from: '::1', mode: accept}\n" + ROUTE,
        lambda c: c.proxyProtocol.mode,
        "accept",
    ),
    "ProxyProtocol.timeout": (
        "proxy_protocol: {from: '::1', timeout: 2}\n" + ROUTE,
        lambda c: c.proxyProtocol.timeout,
        2.0,
    ),
    "ProxyHeader.version": (
        action("type: forward, targets: 'h:1', send_proxy_protocol: {version: v2}"),
        deed,
        Forward((Target("h", 1, ProxyHeader(2)),)),
    ),
    "ProxyHeader.tlvs": (
        action("type: forward, targets: 'h:1', send_proxy_protocol: {version: v2, tlvs: [ssl, crc32c]}"),
        deed,
        Forward((Target("h", 1, ProxyHeader(2, ("ssl", "crc32c"))),)),
    ),
}


class ProxyTests(SynchronousTestCase):
    """
    The PROXY protocol, as it is sent and as it is taken.
    """

    def test_refused(self) -> None:
        """
        What version 1 has no place for, and what there is twice, is told.
        """
        for text, told in (
            ("v3", "has to be v1, v2 or off"),
            ("2", "has to be v1, v2 or off, or {version: , tlvs: }, not 2"),
            ("{version: v1, tlvs: [ssl]}", "has tlvs, for which v1 has no place: use version: v2"),
            ("{version: v2, tlvs: []}", "tlvs: is empty"),
            ("{version: v2, tlvs: [ssl, ssl]}", "lists ssl twice"),
            ("{tlvs: [ssl]}", "needs version"),
        ):
            self.assertIn(told, only(action(f"type: forward, targets: 1, send_proxy_protocol: {text}")))

    def test_senders(self) -> None:
        """
        Who is believed has to be said, and how is one of two ways.
        """
        for text, told in (
            ("{}", "proxy_protocol: needs from"),
            ("{from: '10.0.0.0/33'}", "proxy_protocol.from: "),
            ("{from: '::1', mode: refuse}", "proxy_protocol.mode: has to be require or accept, not 'refuse'"),
            ("{from: '::1', timeout: 0}", "proxy_protocol.timeout: has to be more than 0"),
        ):
            self.assertIn(told, only(f"proxy_protocol: {text}\n{ROUTE}"))
