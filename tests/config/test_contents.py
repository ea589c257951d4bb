"""
Tests for L{smartproxy_tw.config.contents}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import TLS, FileTree, Internal

from .options import DIRECTORY, Option, action, deed
from .reading import only, understood

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Files.type": (action("type: files, root: ."), lambda c: type(deed(c)), FileTree),
    "Files.root": (
        action("type: files, root: ../."),
        lambda c: os.path.basename(deed(c).root),
        os.path.dirname(DIRECTORY),
    ),
    **{
        f"Files.{option}": (
            action(f"type: files, root: ., {option}: {value}"),
            lambda c, name=name: getattr(deed(c), name),
            expected,
        )
        for option, name, value, expected in (
            ("index", "index", "[a.html, b.html]", ("a.html", "b.html")),
            ("listing", "listing", "true", True),
            ("cache", "cache", "{'*.html': no-cache, '/a/*': x}", (("*.html", "no-cache"), ("/a/*", "x"))),
            ("precompressed", "precompressed", "[zstd, gzip]", ("zstd", "gzip")),
            ("fallback", "fallback", "/a.html", "/a.html"),
            ("not_found", "notFound", "/404.html", "/404.html"),
            ("hidden", "hidden", "serve", "serve"),
            ("symlinks", "symlinks", "follow", "follow"),
            ("strip_prefix", "stripPrefix", "/static/*", "/static"),
        )
    },
    "Files.tls": (
        action("type: files, root: ., tls: {mode: terminate, certificate: internal}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
}


class ContentsTests(SynchronousTestCase):
    """
    Names and paths of files.
    """

    def test_refused(self) -> None:
        """
        What leads out of the directory, or to none of its files, is told.
        """
        for text, told in (
            ("index: ..", "has to be the name of a file, without a directory"),
            ("index: ''", "has to be the name of a file, without a directory"),
            ("fallback: /a/../b", "has to be the path of a file below the root"),
            ("fallback: /a//b", "has to be the path of a file below the root"),
            ("not_found: /.", "has to be the path of a file below the root"),
            ("strip_prefix: static", "has to be the beginning of a path: /static"),
            ("strip_prefix: '/a/*/b'", "has to be the beginning of a path: /static"),
            ("cache: {'': no-cache}", "action.cache"),
            ('cache: {"*": "a\\nb"}', "action.cache"),
            ("hidden: show", "hidden: has to be deny or serve, not 'show'"),
        ):
            self.assertIn(told, only(action(f"type: files, root: ., {text}")))

    def test_prefix(self) -> None:
        """
        What is cut off is the same however its end is written.
        """
        for written in ("/static", "/static/", "'/static/*'"):
            found = deed(understood(action(f"type: files, root: ., strip_prefix: {written}")))
            self.assertEqual(found.stripPrefix, "/static", written)
