"""
What can be asked of a configuration, once read.
"""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    TLS,
    Acme,
    Auto,
    Balance,
    Config,
    Ejection,
    ErrorPage,
    Files,
    Forward,
    Health,
    Internal,
    Redirect,
    Route,
    Several,
    Target,
    twinOf,
)
from smartproxy_tw.config.revision import Representation

A, B, STAR = Auto(("a.test", "b.test")), Auto(("c.test",)), Auto(("*.d.test",))


class CertificateTests(SynchronousTestCase):
    """
    What certificates are known by, and which one a client is shown.
    """

    def test_identity(self) -> None:
        """
        The set of names is the identity, whatever their order; the second one for it, and what comes from
        elsewhere, have others.
        """
        self.assertEqual(A.key, Auto(("b.test", "a.test")).key)
        twin = Auto(A.names, isTwin=True)
        self.assertEqual(twinOf(A.key), twin.key)
        self.assertIsNone(twinOf(twin.key))
        self.assertIsNone(twinOf(Internal(A.names).key))
        keys = {A.key, twin.key, B.key, Internal(A.names).key, Files("/a", "/b").key, Files("/b", "/a").key}
        self.assertEqual(len(keys), 6)
        self.assertEqual((A.title, twin.title), ("a.test, b.test", "a.test, b.test (RSA)"))

    def test_parts(self) -> None:
        """
        Each name is shown the part that it is in, the later one where there are two, also by a wildcard of
        one label; anything else is shown the first.  A copy, as workers have it, knows that too.
        """
        again = Auto(("b.test",))
        several = Several(("a.test", "b.test", "c.test", "*.d.test"), (A, B, STAR, again))
        for each in (several, pickle.loads(pickle.dumps(several))):
            tls = TLS("terminate", each)
            for name, part in (
                ("a.test", A),
                ("b.test", again),
                ("c.test", B),
                ("x.d.test", STAR),
                ("x.y.d.test", A),
                ("d.test", A),
                ("", A),
                (None, A),
            ):
                self.assertEqual(tls.sourceFor(name), part, name)
            self.assertEqual(tls.sources, (A, B, STAR, again))
        self.assertEqual(several, pickle.loads(pickle.dumps(several)))

    def test_one(self) -> None:
        """
        One certificate is shown to everybody; where TLS is passed through there is none.
        """
        self.assertEqual((TLS("terminate", A).sources, TLS("terminate", A).sourceFor("x.test")), ((A,), A))
        self.assertEqual((TLS("passthrough").sources, TLS("passthrough").sourceFor("a.test")), ((), None))


class ForwardTests(SynchronousTestCase):
    """
    Targets.
    """

    def test_names(self) -> None:
        """
        A target is called what it is written as.
        """
        for target, name in (
            (Target("a.test", 80), "a.test:80"),
            (Target("192.0.2.1", None), "192.0.2.1:preserve"),
            (Target("2001:db8::1", 80), "[2001:db8::1]:80"),
            (Target("/run/app.sock", 0), "unix:/run/app.sock"),
            (Target("_http._tcp.a.test", None, isService=True), "srv:_http._tcp.a.test"),
        ):
            self.assertEqual(str(target), name)

    def test_plain(self) -> None:
        """
        Targets that simply take turns are those of which nothing is said that matters.
        """
        one, two = Target("a", 1, weight=3), Target("b", 1, weight=3)
        self.assertTrue(Forward((one, two)).isPlain)
        for other in (
            Forward((one, Target("b", 1))),
            Forward((Target("a", None, isService=True),)),
            Forward((one, two), balance=Balance("ip-hash")),
            Forward((one, two), health=Health(passive=Ejection(isBounded=True))),
        ):
            self.assertFalse(other.isPlain, other)
        self.assertEqual(Forward((one, two)).groups, (Forward((one, two)),))


class ConfigTests(SynchronousTestCase):
    """
    The whole.
    """

    def route(self, name: str, port: int, tls: TLS | None = None) -> Route:
        """
        One that answers.
        """
        return Route(name, (port,), Redirect("/x"), "http", tls=tls)

    def test_ports(self) -> None:
        """
        Those of the routes, and those of the challenges that are bound for their own sake, just where
        certificates by ACME are wanted.
        """
        internal, auto = TLS("terminate", Internal(("a.test",))), TLS("terminate", A)
        for tls, acme, ports, challenges in (
            (None, Acme(), (8443,), ()),
            (internal, Acme(), (8443,), ()),
            (auto, Acme(), (80, 8443), ("http-01",)),
            (auto, Acme(challenges=("tls-alpn-01", "http-01")), (80, 443, 8443), ("tls-alpn-01", "http-01")),
            (auto, Acme(challenges=("tls-alpn-01",), tlsPort=8443), (8443,), ("tls-alpn-01",)),
            (auto, Acme(httpPort=8080), (8080, 8443), ("http-01",)),
            (auto, Acme(challenges=("dns-01", "http-01")), (80, 8443), ("dns-01", "http-01")),
        ):
            config = Config((self.route("a", 8443, tls), self.route("b", 8443)), "/s", acme=acme)
            self.assertEqual((config.ports, config.challenges), (ports, challenges), acme)

    def test_certificates(self) -> None:
        """
        Each certificate by ACME is had once, however many routes want it.
        """
        several = Several(("a.test", "b.test", "c.test"), (B, Auto(("b.test", "a.test"))))
        wanted = (A, several, Internal(("x.test",)))
        routes = tuple(self.route(str(n), 1, TLS("terminate", each)) for n, each in enumerate(wanted))
        self.assertEqual(Config(routes, "/s").autoCertificates, (A, B))

    def test_pageFiles(self) -> None:
        """
        The files of error pages are each told once, of the whole and of routes.
        """

        def page(*files: str | None) -> ErrorPage:
            return ErrorPage("404", tuple(Representation("text/html", "x", each) for each in files))

        route = Route("a", (1,), Redirect("/x"), "http", errorPages=(page("/b", "/a"),))
        self.assertEqual(Config((route,), "/s", errorPages=(page("/a", None),)).pageFiles, ("/a", "/b"))
