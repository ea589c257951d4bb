"""
Redirect.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.redirect import RedirectAction
from smartproxy_tw.config.model import Redirect
from smartproxy_tw.interfaces import IAction

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
            ("/{other}", ("a.test", "/"), b"/{other}"),
        ):
            self.assertEqual(self.location(to, *asked), wanted)  # type: ignore[arg-type]

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
