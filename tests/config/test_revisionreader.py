"""
Tests for L{smartproxy_tw.config.revisionreader}: error pages and their files.

What else it reads is held by L{tests.config.test_revisionsection}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import load, loads
from smartproxy_tw.config.revision import ErrorPage, Representation
from smartproxy_tw.config.revisionreader import possible

from .reading import ENVIRONMENT, complaints, only, understood
from .test_revisionsection import HTML, TEXT, answered, page


class PageTests(SynchronousTestCase):
    """
    Error pages, and their files.
    """

    def setUp(self) -> None:
        """
        A directory for them.
        """
        self.directory = self.mktemp()
        os.makedirs(self.directory)

    def write(self, name: str, data: bytes) -> str:
        """
        @return: Its path.
        """
        path = os.path.abspath(os.path.join(self.directory, name))
        with open(path, "wb") as opened:
            opened.write(data)
        return path

    def told(self, text: str) -> list[str]:
        """
        What is wrong.
        """
        error = self.assertRaises(ConfigError, loads, text, "yaml", self.directory, environ=ENVIRONMENT)
        return str(error).split("\n")

    def test_files(self) -> None:
        """
        A file is read with the configuration: its ending says what it is, and a mark at its
        beginning is none of it.
        """
        kinds = {
            "a.html": HTML,
            "b.JSON": "application/json",
            "c.txt": TEXT,
            "d.xml": "application/xml; charset=utf-8",
        }
        for name, kind in kinds.items():
            path = self.write(name, b"\xef\xbb\xbf{status} \xc3\xbc")
            found = loads(page(name), "yaml", self.directory, environ=ENVIRONMENT)
            self.assertEqual(
                found.routes[0].errorPages,
                (ErrorPage("404", (Representation(kind, "{status} \u00fc", path),)),),
            )
            self.assertNotIn("{status}", repr(found.routes[0]))

    def test_watched(self) -> None:
        """
        Its files belong to the configuration, so that a change of one is seen.
        """
        path = self.write("a.html", b"x")
        self.write("c.yaml", f"error_pages: {{404: {path}}}\n{answered('priority: 1')}".encode())
        config = os.path.abspath(os.path.join(self.directory, "c.yaml"))
        self.assertEqual(load(config, ENVIRONMENT).files, (config, path))

    def test_wrongFiles(self) -> None:
        """
        What is wrong in a page is told with its file and line.
        """
        path = self.write("a.html", b"<p>\n  {status} {staus}\n")
        self.assertEqual(
            self.told(page("a.html")),
            [f"{path}:2:12: the error page uses {{staus}}, which does not exist; did you mean {{status}}?"],
        )
        self.write("b.html", b"\xff")
        self.write("c.html", b"x" * (1024 * 1024 + 1))
        self.write("d.css", b"x")
        self.write("e.html", b"{param:x}")
        for name, why in (
            ("b.html", "it is not in UTF-8"),
            ("c.html", "it is longer than 1 MiB"),
            ("d.css", "say its type"),
            ("e.html", "uses {param:x}"),
            ("f.html", "does not exist"),
        ):
            (line,) = self.told(page(name))
            self.assertIn(why, line)
            self.assertIn("error_pages[404]", line)

    def test_wrong(self) -> None:
        """
        What is no page.
        """
        for text, why in (
            ("{404: {}}", "needs either file or body"),
            ("{404: {body: x, file: y}}", "needs either file or body"),
            ("{404: {body: ''}}", "is empty"),
            ("{404: {body: '{stats}'}}", "did you mean {status}?"),
            ("{404: {body: x, type: html}}", "is not a media type"),
            ("{404: 5}", "has to be a file"),
            ("{404: []}", "at least"),
            ("{302: {body: x}}", "'302' is no status of an error"),
            ("{6xx: {body: x}}", "'6xx' is no status of an error"),
            ("{from: all}", "has no effect: there is no page"),
            ("{404: {body: x}, from: others}", "has to be proxy or all"),
            ("{}", "at least"),
        ):
            found = complaints(answered(f"error_pages: {text}"))
            self.assertIn(why, found[0])
            self.assertEqual(len(found), 1, found)
        self.assertIn("the path of the route does not have", only(page("{body: '{param:x}'}")))
        self.assertIn(
            "{param:id}", only(f"error_pages: {{404: {{body: '{{param:id}}'}}}}\n{answered('priority: 1')}")
        )

    def test_sites(self) -> None:
        """
        Sites have the pages of the whole proxy; what is not HTTP has none.
        """
        found = understood(
            "error_pages: {404: {body: x}}\nsites: {a.test: 1}\n"
            "routes: [{match: {ports: 9}, action: {type: block}}]"
        )
        self.assertEqual(
            {route.protocol: len(route.errorPages) for route in found.routes}, {"http": 1, "tcp": 0}
        )

    def test_possible(self) -> None:
        """
        What Python has is always possible.
        """
        self.assertTrue(possible("gzip"))
