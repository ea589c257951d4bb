"""
Tests for L{smartproxy_tw.config.deeds}, and for what can be written of files and code
(L{smartproxy_tw.config.contents}, L{smartproxy_tw.config.code}).
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.application import Application
from smartproxy_tw.config.filetree import FileTree
from smartproxy_tw.config.summary import render

from .reading import only, route, understood

_NO_PATH = "has to be the path of a file below the root, with a slash before it: /404.html"
_NO_PREFIX = "has to be the beginning of a path: /static"
_CODE = "type: socket, factory: json.dumps"


class FilesTests(SynchronousTestCase):
    """
    Routes that answer with files.
    """

    def test_least(self) -> None:
        """
        The directory is enough.
        """
        made = route("{ports: 80}", "{type: files, root: ssl/..}")
        self.assertEqual((made.action, made.protocol), (FileTree("/etc"), "http"))

    def test_wrong(self) -> None:
        """
        What cannot work is told.
        """
        for text, told in (
            ("root: /nowhere", "action.root: '/nowhere' does not exist"),
            ("root: nowhere", "action.root: 'nowhere' does not exist (it would be /etc/nowhere)"),
            ("root: passwd", "action.root: 'passwd' is not a directory (it would be /etc/passwd)"),
            ("root: ., index: a/b", "action.index: 'a/b' has to be the name of a file, without a directory"),
            ("root: ., index: [a, a]", "action.index: lists a twice"),
            ("root: ., precompressed: [br, br]", "action.precompressed: lists br twice"),
            (
                "root: ., precompressed: [lzma]",
                "action.precompressed[0]: has to be br, zstd or gzip, not 'lzma'",
            ),
            (
                "root: ., fallback: index.html",
                f"action.fallback: 'index.html' {_NO_PATH}",
            ),
            (
                "root: ., not_found: /../x",
                f"action.not_found: '/../x' {_NO_PATH}",
            ),
            (
                "root: ., fallback: /a, not_found: /b",
                "action.not_found: has no effect with fallback: leave out one of them",
            ),
            (
                "root: ., strip_prefix: x",
                "action.strip_prefix: 'x' has to be the beginning of a path: /static",
            ),
            (
                "root: ., strip_prefix: //x",
                "action.strip_prefix: '//x' has to be the beginning of a path: /static",
            ),
            (
                "root: ., strip_prefix: /static",
                "action.strip_prefix: '/static' is not how /s/* begins, which the route matches",
            ),
        ):
            line = only(f"routes: [{{match: {{ports: 80, path: /s/*}}, action: {{type: files, {text}}}}}]")
            self.assertEqual(line.partition("routes[0].")[2], told)

    def test_summary(self) -> None:
        """
        It is told what a route does.
        """
        text = render(understood("routes: [{match: {ports: 80}, action: {type: files, root: .}}]"), "x")
        self.assertIn("does         files below /etc\n", text)


class CodeTests(SynchronousTestCase):
    """
    Routes that are answered by code.
    """

    def test_protocols(self) -> None:
        """
        What is spoken follows from what the code is.
        """
        for more, protocol in (("", "http"), (", kind: resource", "http"), (", kind: protocol", "tcp")):
            made = route("{ports: 80}", f"{{{_CODE}{more}}}")
            self.assertEqual(made.protocol, protocol)
        made = route("{ports: 80, domains: a.b}", f"{{{_CODE}, kind: protocol, tls: {{mode: terminate}}}}")
        self.assertEqual(made.protocol, "tcp")

    def test_names(self) -> None:
        """
        A dotted name can be written in both ways.
        """
        for text in ("json.dumps", "json:dumps"):
            self.assertEqual(
                route("{ports: 80}", f"{{type: socket, factory: '{text}'}}").action, Application(text)
            )

    def test_places(self) -> None:
        """
        Modules are looked for in the directories of the route, and in those for the whole
        configuration; none of them takes the place of one of Python's.
        """
        own, shared = (Path(self.mktemp()).absolute() for _ in range(2))
        for place in (own, shared):
            place.mkdir()
            (place / "json.py").write_text("")
        (shared / "shared_of_this_test.py").write_text("app = 1")
        (own / "shared_of_this_test.py").write_text("other = 1")
        text = (
            "{{python_path: {}, routes: [{{match: {{ports: 80}}, action: {{type: socket, factory: {}}}}}]}}"
        )
        for name in ("shared_of_this_test.app", "json.dumps"):
            config = understood(text.format(shared, name))
            self.assertEqual(config.routes[0].action, Application(name))
        told = only(text.format(shared, f"shared_of_this_test.app, python_path: {own}"))
        self.assertIn(f"there is no app in {own}/shared_of_this_test.py", told)
        self.assertIn("there is no module shared_of", only(text.format("[]", "shared_of_this_test.app")))

    def test_wrong(self) -> None:
        """
        What cannot work is told, without running any code.
        """
        for text, told in (
            ("factory: app", "action.factory: 'app' names no module: module.app was expected"),
            (
                "factory: 'a b.c'",
                (
                    "action.factory: 'a b.c' is no dotted name of Python: package.module.name or "
                    "package.module:name was expected"
                ),
            ),
            (
                "factory: json.nothing.app",
                (
                    "action.factory: 'json.nothing.app' cannot be imported: there is no module json.nothing; "
                    "python_path says where else to look"
                ),
            ),
            (
                "factory: json.dumps, python_path: nowhere",
                "action.python_path: 'nowhere' is not a directory (it would be /etc/nowhere)",
            ),
            (
                "factory: json.dumps, python_path: [/nowhere]",
                "action.python_path[0]: '/nowhere' is not a directory",
            ),
            ("factory: json.dumps, threads: 0", "action.threads: has to be at least 1, not 0"),
            (
                "factory: json.dumps, kind: cgi",
                "action.kind: has to be protocol, resource, wsgi or asgi, not 'cgi'",
            ),
        ):
            line = only(f"routes: [{{match: {{ports: 80}}, action: {{type: socket, {text}}}}}]")
            self.assertEqual(line.partition("routes[0].")[2], told)

    def test_summary(self) -> None:
        """
        It is told what a route does; not its arguments.
        """
        text = (
            f"routes: [{{match: {{ports: 80}}, action: {{{_CODE}, kind: wsgi, arguments: {{key: hush}}}}}}]"
        )
        told = render(understood(text), "x")
        self.assertIn("does         wsgi json.dumps\n", told)
        self.assertNotIn("hush", told)


class BlockTests(SynchronousTestCase):
    """
    What blocks are told to be.
    """

    def test_summary(self) -> None:
        """
        A status, a close, or a reset.
        """
        for match, more, told in (
            ("ports: 80, domains: a.b", "", "block: 403"),
            ("ports: 80, domains: a.b", ", status: 451", "block: 451"),
            ("ports: 80", "", "block: close"),
            ("ports: 80", ", reset: true", "block: reset"),
        ):
            text = f"routes: [{{match: {{{match}}}, action: {{type: block{more}}}}}]"
            self.assertIn(f"does         {told}\n", render(understood(text), "x"))
