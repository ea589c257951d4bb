"""
Tests for L{smartproxy_tw.config.sites}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    TLS,
    Acme,
    Auto,
    Files,
    Forward,
    Internal,
    Redirect,
    Route,
    Target,
    UpstreamTLS,
)
from smartproxy_tw.config.sites import Site, expand

TARGETS = (Target("127.0.0.1", 3000),)
FORWARD = Forward(TARGETS)
FILES = Files("/cert.pem", "/key.pem")


class ExpandTests(SynchronousTestCase):
    """
    The routes that a site stands for.
    """

    def test_plainSite(self) -> None:
        """
        A site is HTTPS with a certificate of its own, and a redirect to it.
        """
        self.assertEqual(
            expand(Site("example.com", FORWARD, line=4), Acme()),
            (
                Route(
                    "example.com",
                    (443,),
                    Forward(TARGETS),
                    "http",
                    ("example.com",),
                    tls=TLS("terminate", Auto(("example.com",))),
                    line=4,
                ),
                Route(
                    "example.com (to https)",
                    (80,),
                    Redirect("https://{domain}{path}", 308),
                    "http",
                    ("example.com",),
                    line=4,
                ),
            ),
        )

    def test_www(self) -> None:
        """
        C{www} redirects to the name from both ports at once, and is certified
        apart, so that it can fail alone.
        """
        www, plain = expand(Site("example.com", FORWARD, hasWWW=True), Acme())[2:]
        self.assertEqual(www.domains, ("www.example.com",))
        self.assertEqual(www.tls, TLS("terminate", Auto(("www.example.com",))))
        self.assertEqual(www.ports, (443,))
        self.assertEqual(plain.ports, (80,))
        self.assertIsNone(plain.tls)
        for route in (www, plain):
            self.assertEqual(route.action, Redirect("https://example.com{path}", 308))

    def test_secureTargets(self) -> None:
        """
        Targets with https:// are spoken to by verified TLS.
        """
        (route, _) = expand(Site("example.com", Forward(TARGETS, UpstreamTLS())), Acme())
        self.assertEqual(route.action, Forward(TARGETS, UpstreamTLS()))

    def test_ports(self) -> None:
        """
        Sites are on the ports of the challenges, and redirects lead to 443, where
        a public authority finds the name, whatever port that is forwarded to.
        """
        acme = Acme(httpPort=8080, tlsPort=8443)
        for certificate in ("auto", FILES):
            served, redirect = expand(Site("example.com", FORWARD, certificate=certificate), acme)
            self.assertEqual((served.ports, redirect.ports), ((8443,), (8080,)))
            self.assertEqual(redirect.action, Redirect("https://{domain}{path}"))

    def test_localPorts(self) -> None:
        """
        Where only this machine can be meant, redirects lead to the port itself.
        """
        local = Acme(directory="https://127.0.0.1:14000/dir", httpPort=8080, tlsPort=8443)
        for certificate, acme in (("auto", local), ("internal", local), ("internal", Acme(tlsPort=8443))):
            routes = expand(Site("a.localhost", TARGETS, hasWWW=True, certificate=certificate), acme)
            self.assertEqual(routes[1].action, Redirect("https://{domain}:8443{path}"))
            self.assertEqual(routes[2].action, Redirect("https://a.localhost:8443{path}"))
        routes = expand(Site("a.localhost", TARGETS, certificate="internal"), Acme())
        self.assertEqual(routes[1].action, Redirect("https://{domain}{path}"))

    def test_certificates(self) -> None:
        """
        Certificates come from where the site says.
        """
        (internal, *_) = expand(Site("*.example.com", TARGETS, certificate="internal"), Acme())
        self.assertEqual(internal.tls, TLS("terminate", Internal(("*.example.com",))))
        (files, _, www, _) = expand(Site("example.com", FORWARD, hasWWW=True, certificate=FILES), Acme())
        self.assertEqual((files.tls, www.tls), (TLS("terminate", FILES), TLS("terminate", FILES)))
