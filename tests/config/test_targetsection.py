"""
Tests for L{smartproxy_tw.config.targetsection}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Conditions, Forward, Plugin, ProxyHeader, Target, UpstreamTLS

from .options import Option, action, asked, branch, deed, first, ofTLS
from .reading import only

RING = "source: ring, settings: {members: ['h:1']}"

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Target.weight": (
        action("type: forward, targets: [{host: a, port: 1, weight: 5}]"),
        lambda c: deed(c).targets,
        (Target("a", 1, weight=5),),
    ),
    "UnixTarget.weight": (
        action("type: forward, targets: [{unix: /x, weight: 5}]"),
        lambda c: deed(c).targets,
        (Target("/x", 0, weight=5),),
    ),
    "Target.host": (action("type: forward, targets: {host: H, port: 3}"), deed, Forward((Target("h", 3),))),
    "Target.port": (
        action("type: forward, targets: [{host: h, port: preserve}]"),
        deed,
        Forward((Target("h", None),)),
    ),
    "Target.match": (
        branch("host: h, port: 1, match: {path: /a, method: GET}"),
        asked,
        ("/a", Conditions(methods=("GET",))),
    ),
    "Target.priority": (
        action("type: forward, targets: [{host: h, port: 1, priority: 3}, 2]"),
        lambda c: first(c).priority,
        3,
    ),
    "Target.tls": (branch("host: h, port: 1, tls: true"), lambda c: deed(c).tls, UpstreamTLS()),
    "Target.headers": (
        branch("host: h, port: 1, headers: {X-A: b, X-C: [d, e]}"),
        lambda c: first(c).headers,
        (("X-A", "b"), ("X-C", "d"), ("X-C", "e")),
    ),
    "UnixTarget.match": (branch("unix: /x, match: {path: /a}"), asked, ("/a", None)),
    "UnixTarget.priority": (
        action("type: forward, targets: [{unix: /x, priority: 3}, 2]"),
        lambda c: first(c).priority,
        3,
    ),
    "UnixTarget.tls": (branch("unix: /x, tls: {server_name: a.b}"), ofTLS, UpstreamTLS("a.b")),
    "UnixTarget.headers": (
        branch("unix: /x, headers: {X-A: 1}"),
        lambda c: first(c).headers,
        (("X-A", "1"),),
    ),
    "SourceTarget.source": (branch(RING), lambda c: deed(c).dynamic.decide.name, "ring"),
    "SourceTarget.settings": (
        branch(RING),
        lambda c: deed(c).dynamic.decide,
        Plugin("ring", '{"members": ["h:1"]}'),
    ),
    "SourceTarget.match": (branch(RING + ", match: {path: /a}"), asked, ("/a", None)),
    "SourceTarget.priority": (
        action(f"type: forward, targets: [{{{RING}, priority: 3}}, 2]"),
        lambda c: first(c).priority,
        3,
    ),
    "SourceTarget.tls": (branch(RING + ", tls: true"), ofTLS, UpstreamTLS()),
    "SourceTarget.headers": (
        branch(RING + ", headers: {X-A: 1}"),
        lambda c: first(c).headers,
        (("X-A", "1"),),
    ),
    "SourceTarget.send_proxy_protocol": (
        branch(RING + ", send_proxy_protocol: v1"),
        lambda c: deed(c).dynamic.proxyHeader,
        ProxyHeader(1),
    ),
    "SourceTarget.protocol": (branch(RING + ", protocol: h2c"), lambda c: deed(c).dynamic.protocol, "h2c"),
    "TargetTLS.server_name": (
        branch("host: h, port: 1, tls: {server_name: a.b}"),
        ofTLS,
        UpstreamTLS("a.b"),
    ),
    "TargetTLS.insecure_skip_verify": (
        branch("host: h, port: 1, tls: {insecure_skip_verify: true}"),
        ofTLS,
        UpstreamTLS(None, False),
    ),
    "TargetTLS.ca_file": (
        branch("host: h, port: 1, tls: {ca_file: c.pem}"),
        lambda c: os.path.basename(deed(c).tls.caFile),
        "c.pem",
    ),
    "Target.send_proxy_protocol": (
        action("type: forward, targets: {host: h, port: 3, send_proxy_protocol: v2}"),
        deed,
        Forward((Target("h", 3, ProxyHeader(2)),)),
    ),
    "UnixTarget.send_proxy_protocol": (
        action("type: forward, targets: {unix: /x, send_proxy_protocol: off}, send_proxy_protocol: v1"),
        deed,
        Forward((Target("/x", 0),)),
    ),
    "Target.protocol": (
        action(
            "type: forward, targets: ['h:1', {host: g, port: 3, protocol: auto}], "
            "tls: {mode: terminate-and-reencrypt}",
            "ports: 8, domains: a.b",
        ),
        lambda c: deed(c).targets,
        (Target("h", 1), Target("g", 3, protocol="auto")),
    ),
    "UnixTarget.protocol": (
        action("type: forward, targets: {unix: /x, protocol: h2c}"),
        deed,
        Forward((Target("/x", 0, protocol="h2c"),)),
    ),
    "UnixTarget.unix": (action("type: forward, targets: [{unix: /x}]"), deed, Forward((Target("/x", 0),))),
}


class TargetTests(SynchronousTestCase):
    """
    What is forwarded to.
    """

    def test_refused(self) -> None:
        """
        What is nowhere, and shares that are none, are told.
        """
        for text, told in (
            ("[]", "targets: is empty"),
            ("true", "has to be a target such as 127.0.0.1:3000, or a list of targets, not true"),
            ("[[1]]", "has to be host:port, unix:/path, a port number, {host: , port: }"),
            ("{host: h}", "needs port"),
            ("{host: [], port: 1}", "host: is empty"),
            ("{host: [h, H], port: 1}", "lists h twice"),
            ("{host: h, port: kept}", "has to be a port number, preserve, or python:module.name"),
            ("{host: h, port: 1, headers: {'a b': c}}", "headers"),
            ('{host: h, port: 1, headers: {a: "b\\nc"}}', "headers"),
            ("{host: h, port: 1, priority: 1000001}", "priority: has to be at most 1000000"),
            ("{unix: ''}", "unix: "),
            ("{source: nowhere}", "is no source of targets"),
        ):
            self.assertIn(told, only(action(f"type: forward, targets: {text}")))
