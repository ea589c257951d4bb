"""
Tests for L{smartproxy_tw.service.upstreams}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    Balance,
    Check,
    Checked,
    Config,
    Forward,
    Health,
    Respond,
    Route,
    Target,
    checkedOf,
)
from smartproxy_tw.facts import Verdict
from smartproxy_tw.service.checkups import Checkups
from smartproxy_tw.service.desk import Desk
from smartproxy_tw.service.upstreams import Upstreams
from smartproxy_tw.testing.fakes import FakePlane, Story

ONE, TWO = Target("10.0.0.1", 80, weight=4), Target("10.0.0.2", 80)
SERVICE = Target("_http._tcp.app.test", None, isService=True)
FORWARD = Forward((ONE, TWO), balance=Balance("ip-hash"), health=Health(Check()))
OTHER = Forward((TWO, SERVICE), health=Health(Check()))
MEMBER = "10.0.0.9:8080"


class CountingPlane(FakePlane):
    """
    A data path that has counted.
    """

    counts: dict[str, int]

    def tally(self) -> Deferred[dict[str, int]]:
        """
        What it has counted.
        """
        return succeed(self.counts)


@dataclass
class Known:
    """
    What checks have found.
    """

    verdicts: dict[Checked, Verdict] = field(default_factory=dict)

    def verdict(self, checked: Checked) -> Verdict | None:
        """
        See L{Checkups}.
        """
        return self.verdicts.get(checked)


@dataclass
class Life:
    """
    What there is.
    """

    config: Config
    plane: CountingPlane | None
    checkups: Checkups | None
    diverted: dict[str, float] = field(default_factory=dict)
    isResting: bool = False


class UpstreamsTests(SynchronousTestCase):
    """
    Somebody asks.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.plane = CountingPlane(self.story)
        self.plane.counts = {}
        self.known = Known()
        routes = (
            Route("shop", (80,), FORWARD, "http"),
            Route("other", (81,), OTHER, "http"),
            Route("fixed", (82,), Respond(), "http"),
        )
        self.life = Life(Config(routes, "/state"), self.plane, cast(Checkups, self.known))
        self.clock = Clock()
        self.clock.advance(1.0e9)
        self.desk = Desk()
        self.upstreams = Upstreams(self.life, self.clock)
        self.upstreams.begin(self.desk)

    def ask(self, verb: str, path: str, body: Any = None, **parameters: tuple[str, ...]) -> Mapping[str, Any]:
        """
        Ask, and take the answer.
        """
        data = b"" if body is None else json.dumps(body).encode("ascii")
        asked = Deferred.fromCoroutine(self.desk.answer(verb, path, parameters, data, "me"))
        reply = self.successResultOf(asked)
        more = {} if reply.listing is None else {reply.listing[0]: list(reply.listing[1])}
        return {"status": reply.status, **reply.members, **more}

    def target(self, route: str, target: str) -> Mapping[str, Any]:
        """
        What is told of one.
        """
        found = self.ask("GET", "/v1/upstreams", route=(route,), target=(target,))
        [[one]] = [each["targets"] for each in found["upstreams"]]
        known: Mapping[str, Any] = one
        return known

    def test_counted(self) -> None:
        """
        What the data path has counted is told of each, and the weight that it has now.
        """
        name = str(ONE)
        self.plane.counts = {
            f"target_requests - {name}": 7,
            f"target_failures - {name}": 2,
            f"target_busy - {name}": 1,
            f"target_in_use - {name}": 3,
            f"target_idle - {name}": 5,
            f"target_share - {name}": 250,
        }
        told = self.target("shop", name)
        wanted = {"requests": 7, "failures": 2, "in_use": 3, "kept": 5, "weight": 4, "weight_now": 1.0}
        self.assertEqual({key: told[key] for key in wanted}, wanted)
        self.assertEqual((told["state"], told["check"]), ("healthy", None))

    def test_routes(self) -> None:
        """
        Each route that forwards is told of, with its rule.
        """
        found = self.ask("GET", "/v1/upstreams")["upstreams"]
        self.assertEqual(
            [
                (each["route"], each["algorithm"], [one["target"] for one in each["targets"]])
                for each in found
            ],
            [
                ("shop", "ip-hash", ["10.0.0.1:80", "10.0.0.2:80"]),
                ("other", "round-robin", ["10.0.0.2:80", "srv:_http._tcp.app.test"]),
            ],
        )

    def test_states(self) -> None:
        """
        Why nothing goes to a target is told: it is ejected, until when; unhealthy, why and
        since when; or drained, which goes before all.
        """
        name = str(ONE)
        self.plane.counts = {f"target_away - {name}": 2, f"target_until - {name}": 1_000_000_060}
        told = self.target("shop", name)
        self.assertEqual(
            (told["state"], told["ejected_until"], told["ejected_in"]),
            ("ejected", "2001-09-09T01:47:40Z", 2),
        )
        checked = checkedOf(FORWARD, ONE)
        assert checked is not None
        self.known.verdicts[checked] = Verdict(False, "Connection refused", 1.0e9 - 60)
        told = self.target("shop", name)
        self.assertEqual(
            (told["state"], told["reason"], told["since"]),
            ("unhealthy", "Connection refused", "2001-09-09T01:45:40Z"),
        )
        self.assertEqual(self.upstreams.verdicts(), {name: False})
        self.ask("POST", "/v1/upstreams/drain", {"target": name})
        told = self.target("shop", name)
        self.assertEqual((told["state"], told["since"]), ("draining", "2001-09-09T01:46:40Z"))

    def test_members(self) -> None:
        """
        What a service has is told one by one.
        """
        self.plane.counts = {
            f"target_member ejected {SERVICE} {MEMBER}": 1,
            f"target_until member {SERVICE} {MEMBER}": 1_000_000_060,
        }
        told = self.target("other", str(SERVICE))
        self.assertEqual(
            [(each["target"], each["state"], each["ejected_until"]) for each in told["members"]],
            [(MEMBER, "ejected", "2001-09-09T01:47:40Z")],
        )
        checked = checkedOf(OTHER, Target("10.0.0.9", 8080))
        assert checked is not None
        self.known.verdicts[checked] = Verdict(False, "away", 1.0e9)
        self.assertEqual(self.target("other", str(SERVICE))["members"][0]["state"], "unhealthy")
        self.assertEqual(self.ask("POST", "/v1/upstreams/drain", {"target": MEMBER})["status"], 200)
        self.assertEqual(self.target("other", str(SERVICE))["members"][0]["state"], "draining")

    def test_resting(self) -> None:
        """
        While another process takes over, which has been told what is drained, nothing changes
        that here, and everything can be asked.
        """
        self.ask("POST", "/v1/upstreams/drain", {"target": str(TWO)})
        self.life.isResting = True
        for what, target in (("drain", ONE), ("restore", TWO)):
            told = self.ask("POST", f"/v1/upstreams/{what}", {"target": str(target)})
            self.assertEqual(told["status"], 409, what)
            self.assertIn("ask it", str(told))
        self.assertEqual(self.life.diverted, {str(TWO): 1.0e9})
        self.assertEqual(self.target("other", str(TWO))["state"], "draining")

    def test_drained(self) -> None:
        """
        All of the data path is told, and told again when it has its turns again.
        """
        answer = self.ask("POST", "/v1/upstreams/drain", {"target": str(TWO)})
        self.assertEqual(answer, {"status": 200, "target": str(TWO), "draining": True})
        self.assertEqual(list(self.upstreams.diverted), [str(TWO)])
        self.ask("POST", "/v1/upstreams/restore", {"target": str(TWO)})
        self.assertEqual(self.story.lines, ["diverted from 10.0.0.2:80", "restored 10.0.0.2:80"])
        self.assertEqual(self.upstreams.diverted, {})

    def test_refused(self) -> None:
        """
        A target that nobody has is not drained, and none that is not drained restored.
        """
        for path, body, status in (
            ("drain", {"target": "10.0.0.3:80"}, 404),
            ("drain", {"target": 5}, 400),
            ("drain", {}, 400),
            ("drain", {"target": str(ONE), "now": True}, 400),
            ("restore", {"target": str(ONE)}, 409),
        ):
            self.assertEqual(self.ask("POST", f"/v1/upstreams/{path}", body)["status"], status)
        self.life.plane = None
        self.assertEqual(self.ask("POST", "/v1/upstreams/drain", {"target": str(ONE)})["status"], 409)
        self.assertEqual(self.story.lines, [])

    def test_summary(self) -> None:
        """
        At a glance each target is one, and what is not healthy is told with its reason.
        """
        self.ask("POST", "/v1/upstreams/drain", {"target": str(TWO)})
        found = self.successResultOf(Deferred.fromCoroutine(self.upstreams.summary({})))
        self.assertEqual((found["targets"], found["healthy"]), (3, 2))
        self.assertEqual(
            found["others"],
            [
                {
                    "target": "10.0.0.2:80",
                    "state": "draining",
                    "reason": "somebody asked for that",
                    "since": "2001-09-09T01:46:40Z",
                    "ejected_until": None,
                }
            ],
        )
        tally = {f"target_away - {ONE}": 1, f"target_until - {ONE}": 1_000_000_060}
        found = self.successResultOf(Deferred.fromCoroutine(self.upstreams.summary(tally)))
        self.assertEqual(
            {each["target"]: (each["state"], each["ejected_until"]) for each in found["others"]},
            {"10.0.0.1:80": ("ejected", "2001-09-09T01:47:40Z"), "10.0.0.2:80": ("draining", None)},
        )
