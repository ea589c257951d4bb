"""
What a program asks of its proxy while it runs, beside other configurations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from smartproxy_tw.config.changes import Changes
from smartproxy_tw.config.model import Dynamic, Forward
from smartproxy_tw.service.errors import NotNow, NotPossible, NotProvisioned
from smartproxy_tw.service.tree import SmartProxy

from .configurations import BLOG, route
from .issuance import refusal
from .test_turnover import PLAIN, ReloadTests

DYNAMIC = replace(PLAIN, name="dynamic", ports=(8081,), action=Forward((), dynamic=Dynamic(len)))


class SteeringTests(ReloadTests):
    """
    L{SmartProxy} as an object of a program.
    """

    def test_routesTold(self) -> None:
        """
        Whoever observes routes is told what has changed once it is in use, and only then;
        what it raises disturbs nobody.
        """
        told: list[Changes] = []

        def failing(changes: Changes) -> None:
            raise KeyError

        self.proxy.events.observeRoutes(failing)
        end = self.proxy.events.observeRoutes(told.append)
        self.begin()
        self.successResultOf(self.proxy.addRoute(PLAIN))
        self.assertEqual([each.added for each in told], [(PLAIN.name,)])
        self.assertIn(PLAIN, self.proxy.config.routes)
        self.refusal(self.proxy.addRoute(PLAIN))
        self.successResultOf(self.proxy.reconfigure(self.proxy.config))
        self.assertEqual(len(told), 1)
        self.successResultOf(self.proxy.removeRoute(PLAIN.name))
        end()
        end()
        self.successResultOf(self.proxy.addRoute(PLAIN))
        self.assertEqual([each.removed for each in told], [(), (PLAIN.name,)])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 3)

    def test_metrics(self) -> None:
        """
        They are those of the data path; without one there are none.
        """
        self.assertEqual(self.successResultOf(self.proxy.metrics()), {})
        self.begin()
        self.assertEqual(self.successResultOf(self.proxy.metrics()), self.successResultOf(self.plane.tally()))

    def test_renew(self) -> None:
        """
        By a name that a certificate is for, once it is there; for all else it fails.
        """
        self.failureResultOf(self.proxy.renew("shop.example"), NotPossible)
        self.begin()
        self.successResultOf(self.proxy.addRoute(route("blog", BLOG)))
        asked = self.successResultOf(self.proxy.renew(BLOG.names[0]))
        self.assertLessEqual(set(asked), {BLOG.key})
        why = self.failureResultOf(self.proxy.renew("elsewhere.example"), NotPossible).value
        self.assertIn("elsewhere.example", str(why))
        self.failureResultOf(self.proxy.renew("a b"), ValueError)

    def test_byRoute(self) -> None:
        """
        Certificates can be asked for, had renewed and looked at by the name of their route.
        """
        self.assertRaises(NotPossible, self.proxy.certificateStatus, "blog")
        early = self.proxy.provisionCertificate("blog")
        self.assertNoResult(early)
        self.begin()
        # There is no such route at the start.
        self.assertIn("'blog'", str(self.failureResultOf(early, NotPossible).value))
        self.authority.thinks()
        self.successResultOf(self.proxy.addRoute(route("blog", BLOG)))
        self.successResultOf(self.proxy.addRoute(replace(PLAIN, name="plain", ports=(8099,))))
        self.assertEqual(self.proxy.certificateStatus("plain"), ())
        [status] = self.proxy.certificateStatus("blog")
        self.assertEqual((status.key, status.state), (BLOG.key, "ordering"))
        # Whoever does not wait any longer does not end the order.
        self.proxy.provisionCertificate("blog").addErrback(lambda _: None).cancel()
        asked = self.proxy.provisionCertificate("blog")
        self.assertNoResult(asked)
        self.authority.decides()
        [status] = self.successResultOf(asked)
        self.assertEqual((status.key, status.state), (BLOG.key, "valid"))
        # It is there.
        asking = "asked for blog.example www.blog.example"
        before = self.story.lines.count(asking)
        [again] = self.successResultOf(self.proxy.provisionCertificate("blog"))
        self.assertEqual((again, self.story.lines.count(asking)), (status, before))
        [renewed] = self.successResultOf(self.proxy.renewCertificate("blog"))
        self.assertEqual((renewed.state, self.story.lines.count(asking)), ("valid", before + 1))
        self.assertNotEqual(renewed.serial, status.serial)
        self.authority.refuses(refusal())
        why = self.failureResultOf(self.proxy.renewCertificate("blog"), NotProvisioned)
        self.assertIn("blog.example, www.blog.example: ", str(why.value))
        self.assertIn("wrong answer", str(why.value))
        # Nobody is asked before its time, but where that is forced.
        self.failureResultOf(self.proxy.renewCertificate("blog"), NotNow)
        self.failureResultOf(self.proxy.provisionCertificate("blog"), NotNow)
        self.authority.agrees()
        [renewed] = self.successResultOf(self.proxy.renewCertificate("blog", force=True))
        self.assertEqual(renewed.state, "valid")
        for name in ("plain", "nowhere"):
            self.failureResultOf(self.proxy.provisionCertificate(name), NotPossible)
            self.failureResultOf(self.proxy.renewCertificate(name), NotPossible)
        self.assertRaises(NotPossible, self.proxy.certificateStatus, "nowhere")

    def test_function(self) -> None:
        """
        A function that is handed in is for one process; with workers it is refused, by its
        name, at the beginning and at a change.
        """
        self.begin()
        self.successResultOf(self.proxy.addRoute(DYNAMIC))
        config = replace(self.proxy.config, workers=2)
        parts: Any = {}
        why = self.assertRaises(ValueError, SmartProxy, config, None, **parts)
        self.assertIn("Route 'dynamic' has the function python:builtins.len", str(why))
        self.assertIn("which no worker can have", self.refusal(self.proxy.reconfigure(config)))
