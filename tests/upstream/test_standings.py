"""
Tests for L{smartproxy_tw.upstream.standings}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Check, Checked, Forward, Health, Target, UpstreamTLS
from smartproxy_tw.facts import Verdict
from smartproxy_tw.upstream.standings import Standings

ONE, TWO = Target("10.0.0.1", 80), Target("10.0.0.2", 80)
CHECK = Check(path="/health")
FORWARD = Forward((ONE, TWO), health=Health(CHECK))
SICK = Verdict(False, "it answers with 500", 1.0)
WELL = Verdict(True, "it answers with 200", 2.0)


class StandingsTests(SynchronousTestCase):
    """
    L{Standings}.
    """

    def setUp(self) -> None:
        self.standings = Standings()

    def objections(self, forward: Forward = FORWARD) -> tuple[str | None, str | None]:
        """
        Why nothing is to be sent to the one, and to the other.
        """
        one, two = (self.standings.objection(forward, each) for each in (ONE, TWO))
        return one, two

    def test_nothingKnown(self) -> None:
        """
        As long as nothing is known all are taken for healthy, whether they are looked at or not, and
        cookies are not signed.
        """
        self.assertEqual(self.objections(), (None, None))
        self.assertEqual(self.objections(Forward((ONE, TWO))), (None, None))
        self.assertEqual(self.standings.secret, b"")

    def test_verdicts(self) -> None:
        """
        One that a check has found unhealthy is passed over, with what it has seen, until it is found
        healthy again; of those that are well nothing is kept.
        """
        checked = Checked(CHECK, ONE)
        self.standings.judge(checked, SICK)
        self.assertEqual(self.objections(), ("it is unhealthy (it answers with 500)", None))
        self.standings.judge(checked, replace(SICK, reason="it refuses"))
        self.assertEqual(self.objections(), ("it is unhealthy (it refuses)", None))
        self.standings.judge(checked, WELL)
        self.standings.judge(Checked(CHECK, TWO), WELL)
        self.assertEqual((self.objections(), self.standings.verdicts), ((None, None), {}))

    def test_lookedAtOtherwise(self) -> None:
        """
        A verdict is for those who have the target looked at in the same way: by the same check, spoken
        to alike.  Who has nothing looked at is sent there all the same.
        """
        self.standings.judge(Checked(CHECK, ONE), SICK)
        for forward in (
            replace(FORWARD, health=Health(replace(CHECK, path="/other"))),
            replace(FORWARD, tls=UpstreamTLS()),
            replace(FORWARD, health=Health()),
        ):
            self.assertEqual(self.objections(forward), (None, None), forward)
        self.standings.judge(Checked(CHECK, TWO, UpstreamTLS()), SICK)
        self.assertIsNone(self.objections()[1])
        self.assertIsNotNone(self.objections(replace(FORWARD, tls=UpstreamTLS()))[1])

    def test_drained(self) -> None:
        """
        What is drained is passed over by its name, in whichever route, and looked at or not; and a
        service by its own name, with all who stand behind it.
        """
        self.standings.diverted.add("10.0.0.1:80")
        for forward in (FORWARD, Forward((ONE, TWO))):
            self.assertEqual(self.objections(forward), ("it is drained", None))
        self.standings.diverted = {"_http._tcp.shop.example"}
        for target, label, why in (
            (ONE, "_http._tcp.shop.example", "it is drained"),
            (TWO, "_http._tcp.shop.example", "it is drained"),
            (ONE, "_http._tcp.blog.example", None),
            (ONE, "", None),
        ):
            self.assertEqual(self.standings.objection(FORWARD, target, label), why)

    def test_nobodyIsDrainedByNoName(self) -> None:
        """
        A target that no service has is not drained along with others.
        """
        self.standings.diverted.add("10.0.0.9:80")
        self.assertEqual(self.objections(), (None, None))

    def test_both(self) -> None:
        """
        What an operator has said comes before what a check has found, and neither is lost by the other.
        """
        self.standings.judge(Checked(CHECK, ONE), SICK)
        self.standings.diverted.add("10.0.0.1:80")
        self.assertEqual(self.objections()[0], "it is drained")
        self.standings.diverted.clear()
        self.assertEqual(self.objections()[0], "it is unhealthy (it answers with 500)")
