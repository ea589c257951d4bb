"""
Tests for L{smartproxy_tw.config.spread}, and for whole files with what it says.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Balance, Check, Ejection, Forward, Sticky, Target
from smartproxy_tw.config.spread import statuses

from ..examples import examples
from .options import Option, action, deed
from .reading import complaints, understood


def forward(options: str, targets: str = "[a:1, b:2]", match: str = "ports: 8, domains: a.b") -> str:
    """
    A file with one forward.
    """
    return f"routes: [{{match: {{{match}}}, action: {{type: forward, targets: {targets}, {options}}}}}]"


def balancing(options: str) -> str:
    """
    A file with a forward that says more of who is next.
    """
    return action(f"type: forward, targets: 1, load_balancing: {{{options}}}")


def health(options: str) -> str:
    """
    A file with a forward that says how it is found out which targets can be had.
    """
    return action(f"type: forward, targets: 1, health: {{{options}}}")


#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Balancing.algorithm": (
        balancing("algorithm: random-two-choices"),
        lambda c: deed(c).balance,
        Balance("random-two-choices"),
    ),
    "Balancing.slow_start": (balancing("slow_start: 30"), lambda c: deed(c).balance, Balance(slowStart=30.0)),
    "Balancing.sticky": (balancing("sticky: {}"), lambda c: deed(c).balance, Balance(sticky=Sticky())),
    "Sticky.cookie": (
        balancing("sticky: {cookie: sid}"),
        lambda c: deed(c).balance.sticky,
        Sticky("sid"),
    ),
    "Sticky.max_age": (
        balancing("sticky: {max_age: 60}"),
        lambda c: deed(c).balance.sticky,
        Sticky(maxAge=60),
    ),
    "Sticky.secret": (
        balancing("sticky: {secret: 0123456789abcdef}"),
        lambda c: deed(c).balance.sticky,
        Sticky(secret="0123456789abcdef"),
    ),
    "Health.active": (health("active: {}"), lambda c: deed(c).health.active, Check()),
    "Health.passive": (
        health("passive: {}"),
        lambda c: deed(c).health.passive,
        Ejection(5, 10.0, 300.0, True),
    ),
    "ActiveCheck.type": (health("active: {type: tcp}"), lambda c: deed(c).health.active, Check("tcp")),
    "ActiveCheck.path": (health("active: {path: /up}"), lambda c: deed(c).health.active, Check(path="/up")),
    "ActiveCheck.host": (health("active: {host: a.b}"), lambda c: deed(c).health.active, Check(host="a.b")),
    "ActiveCheck.port": (health("active: {port: 9}"), lambda c: deed(c).health.active, Check(port=9)),
    "ActiveCheck.status": (
        health("active: {status: [200, 3xx, 401-403]}"),
        lambda c: deed(c).health.active,
        Check(statuses=((200, 200), (300, 399), (401, 403))),
    ),
    "ActiveCheck.interval": (
        health("active: {interval: 0.5}"),
        lambda c: deed(c).health.active,
        Check(interval=0.5),
    ),
    "ActiveCheck.timeout": (
        health("active: {timeout: 2}"),
        lambda c: deed(c).health.active,
        Check(timeout=2.0),
    ),
    "ActiveCheck.healthy": (health("active: {healthy: 1}"), lambda c: deed(c).health.active, Check(rise=1)),
    "ActiveCheck.unhealthy": (
        health("active: {unhealthy: 1}"),
        lambda c: deed(c).health.active,
        Check(fall=1),
    ),
    "PassiveCheck.failures": (
        health("passive: {failures: 2}"),
        lambda c: deed(c).health.passive.failures,
        2,
    ),
    "PassiveCheck.eject_for": (
        health("passive: {eject_for: 3}"),
        lambda c: deed(c).health.passive.seconds,
        3.0,
    ),
    "PassiveCheck.statuses": (
        health("passive: {statuses: [503, 429]}"),
        lambda c: deed(c).health.passive.statuses,
        {429, 503},
    ),
    "PassiveCheck.eject_for_at_most": (
        health("passive: {eject_for_at_most: 30}"),
        lambda c: deed(c).health.passive.longest,
        30.0,
    ),
    "Service.srv": (
        action("type: forward, targets: {srv: _http._tcp.a.test}"),
        lambda c: deed(c).targets,
        (Target("_http._tcp.a.test", None, isService=True),),
    ),
    "Service.weight": (
        action("type: forward, targets: {srv: _http._tcp.a.test, weight: 7}"),
        lambda c: deed(c).targets[0].weight,
        7,
    ),
}


class SpreadTests(SynchronousTestCase):
    """
    What can be said, and what cannot.
    """

    def test_refused(self) -> None:
        """
        What contradicts itself is told, with its place.
        """
        for text, told in (
            (forward("load_balancing: fair"), "has to be round-robin, least-connections, ip-hash or"),
            (
                forward("load_balancing: {sticky: {}}", match="ports: 8"),
                "routes[0].action.load_balancing.sticky: needs HTTP",
            ),
            (forward("load_balancing: {sticky: {cookie: 'a b'}}"), "routes[0].action.load_balancing"),
            (forward("load_balancing: {sticky: {secret: short}}"), "is too short for a secret"),
            (forward("health: {active: {type: tcp, path: /x}}"), "has path, which only type: http has"),
            (forward("health: {active: {path: x}}"), "has to begin with /"),
            (forward("health: {active: {path: '/a b'}}"), "has to begin with /"),
            (forward("health: {active: {status: 600}}"), "has to be a status code"),
            (forward("health: {active: {status: 299-200}}"), "runs backwards"),
            (forward("health: {active: {interval: 0.01}}"), "routes[0].action.health.active.interval"),
            (forward("health: {passive: {eject_for: 400}}"), "has eject_for above eject_for_at_most"),
            (
                forward("health: {active: {}}", "[a:1, 'b:preserve']"),
                "routes[0].action.health.active: needs port",
            ),
            (
                forward("health: {active: {port: 9}}", "['unix:/x']"),
                "routes[0].action.health.active.port: cannot be",
            ),
            (
                forward("health: {}", "[{host: a, port: 1, weight: 0}]"),
                "routes[0].action.targets: leaves nobody",
            ),
            (forward("health: {}", "[{host: a, port: 1, weight: 1001}]"), "weight"),
            (forward("health: {}", "'srv:app.example'"), "needs the name of SRV records"),
            (forward("health: {}", "{srv: _http._udp.app.example}"), "needs the name of SRV records"),
        ):
            (line,) = complaints(text)
            self.assertIn(told, line)

    def test_service(self) -> None:
        """
        A service in one piece of text, in its normal form.
        """
        action = understood(forward("health: {}", "'srv:_HTTP._tcp.App.example.'")).routes[0].action
        assert isinstance(action, Forward)
        self.assertEqual(action.targets, (Target("_http._tcp.app.example", None, isService=True),))
        self.assertEqual(str(action.targets[0]), "srv:_http._tcp.app.example")

    def test_plain(self) -> None:
        """
        What says nothing that matters is what the quickest way serves.
        """
        for options, targets, isPlain in (
            ("load_balancing: round-robin", "[a:1, b:2]", True),
            ("health: {}", "[{host: a, port: 1, weight: 3}, {host: b, port: 1, weight: 3}]", True),
            ("health: {}", "[{host: a, port: 1, weight: 3}, {host: b, port: 1}]", False),
            ("health: {passive: {}}", "[a:1, b:2]", False),
            ("load_balancing: ip-hash", "[a:1, b:2]", False),
            ("health: {}", "'srv:_http._tcp.a.test'", False),
        ):
            action = understood(forward(options, targets)).routes[0].action
            assert isinstance(action, Forward)
            self.assertIs(action.isPlain, isPlain, options)

    def test_secret(self) -> None:
        """
        The secret is in no text about the configuration.
        """
        config = understood(forward("load_balancing: {sticky: {secret: 0123456789abcdef}}"))
        self.assertNotIn("0123456789abcdef", repr(config))

    @examples()
    @given(st.one_of(st.integers(), st.text(alphabet="0123456789x- ", max_size=9)))
    def test_statuses(self, written: int | str) -> None:
        """
        Whatever is written is a range of codes, in order, or refused.
        """
        try:
            first, last = statuses(written)
        except ValueError:
            return
        self.assertTrue(100 <= first <= last <= 599)
