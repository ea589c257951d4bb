"""
Redirect.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.redirect import RedirectAction
from smartproxy_tw.config.model import Redirect
from smartproxy_tw.interfaces import IAction
from smartproxy_tw.routing.patterns import pathPattern

from .recording import RecordingExchange, RecordingStream


class RedirectTests(SynchronousTestCase):
    """
    L{RedirectAction}.
    """

    def location(self, to: str, host: str, path: str, query: str = "", port: int = 80) -> bytes:
        """
        Where a request is sent.
        """
        exchange = RecordingExchange.to(host, path, query, port)
        RedirectAction(Redirect(to)).request(exchange)
        [(verb, status, fields, body)] = exchange.asked
        self.assertEqual((verb, status, body), ("respond", 308, b""))
        self.assertTrue(fields.startswith(b"Location: ") and fields.endswith(b"\r\n"))
        found: bytes = fields[10:-2]
        return found

    def test_variables(self) -> None:
        """
        Each variable is filled in, as often as it stands there, and what was
        filled in is not looked at again.
        """
        for to, asked, wanted in (
            ("https://{domain}{path}", ("a.test", "/x", "y=1"), b"https://a.test/x?y=1"),
            ("https://{domain}{path}", ("a.test", "/x"), b"https://a.test/x"),
            ("https://{domain}:8443{path}", ("::1", "/"), b"https://[::1]:8443/"),
            ("/{port}/{port}", ("a.test", "/", "", 8080), b"/8080/8080"),
            ("/?to={path}", ("a.test", "/{domain}"), b"/?to=/{domain}"),
            ("https://b.test/", ("a.test", "/x"), b"https://b.test/"),
            ("/x?{query}", ("a.test", "/", "y=1"), b"/x?y=1"),
            ("https://b.test{uri}", ("a.test", "/z", "y=1"), b"https://b.test/z?y=1"),
            ("{scheme}://b.test/{route}/{method}", ("a.test", "/z"), b"http://b.test//GET"),
        ):
            self.assertEqual(self.location(to, *asked), wanted)  # type: ignore[arg-type]

    def test_encoded(self) -> None:
        """
        What a client has sent in a field is one part of the URL, whatever is in it, and parameters of
        the path are as they came.
        """
        exchange = RecordingExchange.to(
            "a.test", "/u/7%2f/b/c", "", 80, ("x-a", "b/c?d&e\u20ac \r\nSet-Cookie: f")
        )
        action = RedirectAction(
            Redirect("https://b.test/{param:id}/{param:*}?a={header:x-a}"), "r", pathPattern("/u/:id/*")
        )
        action.request(exchange)
        self.assertEqual(
            exchange.asked[0][2],
            b"Location: https://b.test/7%2f/b/c?a=b%2Fc%3Fd%26e%E2%82%AC%20%0D%0ASet-Cookie%3A%20f\r\n",
        )

    def test_unknown(self) -> None:
        """
        What the loader would not let through is no redirect.
        """
        self.assertRaises(ValueError, RedirectAction, Redirect("/{other}"))

    def test_status(self) -> None:
        """
        The status is the configured one.
        """
        exchange = RecordingExchange.to("a.test", "/")
        RedirectAction(Redirect("/x", 302)).request(exchange)
        self.assertEqual(exchange.asked[0][1], 302)

    def test_stream(self) -> None:
        """
        A stream cannot be redirected.
        """
        action = RedirectAction(Redirect("/x"))
        verifyObject(IAction, action)
        stream = RecordingStream()
        action.stream(stream)
        self.assertEqual(stream.asked, [("abort",)])
