"""
Tests for L{smartproxy_tw.actions.applications}.
"""

from __future__ import annotations

import sys
from pathlib import Path

from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.model import Application, Dynamic, Forward, Respond, Route
from smartproxy_tw.config.revision import ErrorPage, Representation

from ..plane.harness import turns
from . import samples
from .answering import GET, NAME, ApplicationTests


class LifeTests(ApplicationTests):
    """
    L{Applications} and L{Choice}.
    """

    async def test_arguments(self) -> None:
        """
        A class may be made from arguments.
        """
        port = await self.begin("Loud", arguments='{"text": "x", "times": 3}')
        client = await self.client(port)
        self.assertEqual((await self.get(client, b"/"))[1], b"xxx")

    async def test_errorPages(self) -> None:
        """
        What code itself says of errors stays, unless pages are for all; where it says nothing they
        are for what the proxy says in its place.
        """
        port = await self.port()
        for isForAll in (False, True):
            pages = tuple(
                ErrorPage(status, (Representation("text/plain", "page"),), isForAll)
                for status in ("4xx", "5xx")
            )
            for name, missing in (("wsgi", b""), ("asgi", b""), ("page", None)):
                action = Application(f"{NAME}:{name}", pythonPath=(f"/{isForAll}",))
                await self.use(Route(name, (port,), action, "http", errorPages=pages))
                client = await self.client(port)
                client.sends(b"DELETE /nothing HTTP/1.1\r\nHost: a.test\r\n\r\n")
                head, body = await client.message()
                self.assertIn(head[9:12], (b"404", b"501"))
                if isForAll:
                    self.assertEqual(body, b"page")
                elif missing is not None:
                    self.assertEqual(body, missing)
                else:
                    self.assertIn(b"DELETE", body)
                if name != "page":
                    head, body = await self.get(client, b"/fail")
                    self.assertEqual((head[:13], body), (b"HTTP/1.1 500 ", b"page"))
                    self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
                client.leaves()

    async def test_reload(self) -> None:
        """
        What stays named stays; what is gone answers what it was asked, and its threads end.
        """
        port = await self.begin("wsgi")
        client = await self.client(port)
        client.sends(GET % b"/wait")
        await self.settles(lambda: bool(self.threads()), "it has a thread")
        before = self.threads()
        action = Application(f"{NAME}:wsgi")
        await self.use(
            Route("other", (port,), action, "http"), Route("x", (port,), Respond(), "http", ("x",))
        )
        self.assertEqual(self.threads(), before)
        await self.use(Route("other", (port,), Respond(body="gone"), "http"))
        samples.go.set()
        self.assertEqual((await client.message())[1], b"waited")
        self.assertEqual((await self.get(client, b"/"))[1], b"gone")
        await self.settles(lambda: not self.threads(), "its threads end")

    async def test_unusable(self) -> None:
        """
        A configuration whose code cannot be had changes nothing, and the message says which
        route that is about.
        """
        port = await self.begin("loud")
        client = await self.client(port)
        bad = Route("bad", (port,), Application(f"{NAME}:number"), "http", line=7)
        failure = await self.assertFailure(
            self.plane.useTable(self.config(Route("a", (port,), Application(f"{NAME}:asgi"), "http"), bad)),
            ValueError,
        )
        self.assertEqual(
            str(failure),
            f"Route 'bad' (line 7): {NAME}:number is not a resource or an application but of type int",
        )
        self.assertEqual((await self.get(client, b"/"))[1], b"loud")
        self.assertEqual(samples.happened, [])

    async def test_goneMeanwhile(self) -> None:
        """
        Who is still sending a body when the route's code goes is told.
        """
        for name in ("wsgi", "asgi"):
            port = await self.begin(name)
            client = await self.client(port)
            client.sends(b"POST /digest HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbo")
            await turns(20)
            await self.use(Route("app", (port,), Respond(body="gone"), "http"))
            await self.settles(lambda: not self.threads(), "it has gone")
            await turns(5)
            client.sends(b"dy")
            head, _ = await client.message()
            self.assertTrue(head.startswith(b"HTTP/1.1 503 "))

    async def test_pythonPath(self) -> None:
        """
        Functions that are named are also looked for where the configuration says.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        origin = self.origin()
        (directory / "of_python_path.py").write_text(f"def pick(facts): return {str(origin.target)!r}")
        self.patch(sys, "path", list(sys.path))
        port = await self.port()
        action = Forward((), dynamic=Dynamic(Reference("of_python_path.pick")))
        route = Route("picked", (port,), action, "http")
        await self.assertFailure(self.plane.useTable(self.config(route)), ValueError)
        await self.use(route, pythonPath=(str(directory),))
        client = await self.client(port)
        client.sends(GET % b"/")
        self.assertTrue((await (await origin.accepts()).head()).startswith(b"GET / "))
