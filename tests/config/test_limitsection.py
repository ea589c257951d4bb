"""
Tests for L{smartproxy_tw.config.limitsection}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Limits, Timeouts

from .options import ROUTE, Option
from .reading import only

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Timeouts.head": ("timeouts: {head: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(head=3)),
    "Timeouts.connect": ("timeouts: {connect: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(connect=3)),
    "Timeouts.idle": ("timeouts: {idle: 0.5}\n" + ROUTE, lambda c: c.timeouts, Timeouts(idle=0.5)),
    "Timeouts.keep_alive": (
        "timeouts: {keep_alive: 3}\n" + ROUTE,
        lambda c: c.timeouts,
        Timeouts(keepAlive=3),
    ),
    "Timeouts.body": ("timeouts: {body: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(body=3)),
    "Timeouts.write": ("timeouts: {write: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(write=3)),
    "Limits.body_bytes": ("limits: {body_bytes: 3}\n" + ROUTE, lambda c: c.limits, Limits(bodyBytes=3)),
    "Limits.held_bytes": (
        "limits: {held_bytes: 65536}\n" + ROUTE,
        lambda c: c.limits,
        Limits(heldBytes=65536),
    ),
    "Limits.min_rate": ("limits: {min_rate: 3}\n" + ROUTE, lambda c: c.limits, Limits(minRate=3)),
    "Limits.streams": ("limits: {streams: 3}\n" + ROUTE, lambda c: c.limits, Limits(streams=3)),
    "Timeouts.drain_streams": (
        "timeouts: {drain_streams: 3}\n" + ROUTE,
        lambda c: c.timeouts,
        Timeouts(drainStreams=3),
    ),
    "Timeouts.drain": ("timeouts: {drain: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(drain=3)),
    "Limits.head_bytes": ("limits: {head_bytes: 9000}\n" + ROUTE, lambda c: c.limits, Limits(headBytes=9000)),
    "Limits.url_bytes": ("limits: {url_bytes: 300}\n" + ROUTE, lambda c: c.limits, Limits(urlBytes=300)),
    "Limits.connections": ("limits: {connections: 3}\n" + ROUTE, lambda c: c.limits, Limits(connections=3)),
}


class LimitTests(SynchronousTestCase):
    """
    Bounds have bounds.
    """

    def test_refused(self) -> None:
        """
        What would serve nobody, or last for ever, is told.
        """
        for text, told in (
            ("timeouts: {head: 0}", "timeouts.head: has to be more than 0"),
            ("timeouts: {idle: .inf}", "timeouts.idle: "),
            ("timeouts: {drain: 604801}", "timeouts.drain: has to be at most 604800"),
            ("limits: {head_bytes: 1023}", "limits.head_bytes: has to be at least 1024, not 1023"),
            ("limits: {connections: 0}", "limits.connections: has to be at least 1, not 0"),
            ("limits: {streams: 10001}", "limits.streams: has to be at most 10000, not 10001"),
            ("limits: {body_bytes: -1}", "limits.body_bytes: has to be at least 0, not -1"),
            ("limits: {held_bytes: 65535}", "limits.held_bytes: has to be at least 65536, not 65535"),
        ):
            self.assertIn(told, only(f"{text}\n{ROUTE}"))
