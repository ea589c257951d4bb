"""
Tests for L{smartproxy_tw.actions.media}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.media import mediaType


class MediaTests(SynchronousTestCase):
    """
    L{mediaType}.
    """

    def test_types(self) -> None:
        """
        What files of the web have in them.
        """
        for name, wanted in (
            ("a.html", "text/html; charset=utf-8"),
            ("A.HTML", "text/html; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.min.css", "text/css; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.woff2", "font/woff2"),
            ("a.wasm", "application/wasm"),
            ("a.pdf", "application/pdf"),
            ("a.tar.gz", "application/gzip"),
            ("a.tgz", "application/gzip"),
            ("a.tar.bz2", "application/x-bzip2"),
            ("a", "application/octet-stream"),
            ("html", "application/octet-stream"),
            ("a.", "application/octet-stream"),
            ("data:text/html", "application/octet-stream"),
            ("data:,a.html", "text/html; charset=utf-8"),
        ):
            self.assertEqual(mediaType(name.encode()), wanted, name)
        self.assertEqual(mediaType(b"\xff.txt"), "text/plain; charset=utf-8")
