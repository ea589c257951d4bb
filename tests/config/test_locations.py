"""
Tests for L{smartproxy_tw.config.locations}.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Admin

from .reading import complaints, only, understood


class FilesTests(SynchronousTestCase):
    """
    Paths in a configuration.
    """

    def setUp(self) -> None:
        """
        A directory with a file and a directory in it.
        """
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(self.directory, "sub"))
        with open(os.path.join(self.directory, "a.pem"), "w", encoding="ascii") as opened:
            opened.write("-----BEGIN PRIVATE KEY-----")

    def one(self, text: str) -> str:
        """
        The only problem, without the directory.
        """
        return only(
            text + "\nroutes: [{match: {ports: 1}, action: {type: block}}]", directory=self.directory
        ).replace(self.directory, "DIR")

    def test_socket(self) -> None:
        """
        A socket is made, in a directory that is there; what is in its place has to be
        one.
        """
        for text, told in (
            ("a.pem", "is something else than a socket"),
            ("sub", "is something else than a socket"),
            ("none/x", "cannot be made: there is no directory DIR/none"),
            ("s" * 81, "cannot be made: the name of a socket has at most 80 bytes"),
        ):
            found = self.one(f"admin: {{socket: {text}}}")
            self.assertTrue(found.startswith("1:17: admin.socket: "), found)
            self.assertTrue(found.endswith(told), found)
        made = os.path.join(self.directory, "sub", "x")
        with socket.socket(socket.AF_UNIX) as listening:
            descriptor = os.open(os.path.dirname(made), os.O_PATH)
            self.addCleanup(os.close, descriptor)
            listening.bind(f"/proc/self/fd/{descriptor}/x")
        text = "admin: {socket: sub/x}\nroutes: [{match: {ports: 1}, action: {type: block}}]"
        found = understood(text, directory=self.directory).admin
        self.assertEqual(found, Admin(made))

    def test_missing(self) -> None:
        """
        Files that have to be there are looked for.
        """
        self.assertEqual(
            self.one("acme: {ca_file: none.pem}"),
            "1:17: acme.ca_file: 'none.pem' does not exist (it would be DIR/none.pem)",
        )
        self.assertEqual(
            self.one("acme: {ca_file: sub}"), "1:17: acme.ca_file: 'sub' is not a file (it would be DIR/sub)"
        )
        self.assertEqual(
            self.one("acme: {ca_file: /none.pem}"), "1:17: acme.ca_file: '/none.pem' does not exist"
        )
        told = complaints(
            "routes: [{match: {ports: 1}, action: {type: block, tls: {mode: terminate, certificate: "
            "{cert: c.pem,\n key: k.pem}}}}]",
            directory=self.directory,
        )
        self.assertEqual(
            [line.partition(" does")[0] for line in told],
            [
                "1:95: routes[0].action.tls.certificate.cert: 'c.pem'",
                "2:7: routes[0].action.tls.certificate.key: 'k.pem'",
            ],
        )

    def test_notReadable(self) -> None:
        """
        A file that this user may not read is told, without a word of what is in
        it.
        """
        path = os.path.join(self.directory, "a.pem")
        self.patch(os, "access", lambda found, mode: found != path)
        line = self.one("acme: {ca_file: a.pem}")
        self.assertEqual(line, "1:17: acme.ca_file: 'a.pem' may not be read by this user")

    def test_written(self) -> None:
        """
        Files that are written need their directory; what is a directory is none.
        """
        self.assertEqual(
            self.one("access_log: {file: none/a.log}"),
            "1:20: access_log.file: 'none/a.log' cannot be written: there is no directory DIR/none",
        )
        self.assertIn("is a directory: a file was expected", self.one("access_log: {file: sub}"))
        self.assertIn("is not a directory", self.one("state_dir: a.pem"))
        config = understood(
            "access_log: {file: none/a.log, format: 'off'}\nsites: {a.b: 1}", directory=self.directory
        )
        self.assertEqual(config.accessLog.file, "stdout")

    def test_oddPaths(self) -> None:
        """
        What cannot be a path, or would not mean what it says.
        """
        self.assertIn("begins with ~, which is not filled in: ${HOME} is", self.one("state_dir: ~/state"))
        self.assertIn("cannot be a path", self.one('state_dir: "a\\0b"'))
        self.assertIn("is empty: text was expected", self.one("state_dir: ''"))
        self.assertIn("has to be text, not 3", self.one("state_dir: 3"))

    def test_normal(self) -> None:
        """
        Paths come without dots.
        """
        config = understood("state_dir: sub/../x/./y\nsites: {a.b: 1}", directory=self.directory)
        self.assertEqual(config.stateDir, os.path.join(self.directory, "x/y"))

    def test_modules(self) -> None:
        """
        Code that answers is looked for where functions that give targets are: where python_path of
        the whole file says.
        """
        below = os.path.join(self.directory, "sub")
        for place, name in ((self.directory, "beside_the_file"), (below, "below_the_file")):
            with open(os.path.join(place, f"{name}.py"), "w", encoding="utf-8") as module:
                module.write("page = None\n")
        text = "routes: [{match: {ports: 80}, action: {type: socket, factory: %s.page}}]\n"
        beside = "python_path: .\n" + text % "beside_the_file"
        self.assertTrue(understood(beside, directory=self.directory).routes)
        found = complaints(text % "below_the_file", directory=self.directory)
        self.assertIn("there is no module below_the_file", "".join(found))
        self.assertTrue(
            understood("python_path: sub\n" + text % "below_the_file", directory=self.directory).routes
        )

    def test_pythonPath(self) -> None:
        """
        Where modules are looked for has to be there.
        """
        rest = "\nroutes: [{match: {ports: 1}, action: {type: block}}]"
        sub = os.path.join(self.directory, "sub")
        for text, found in (
            ("", ()),
            ("python_path: sub", (sub,)),
            ("python_path: [sub, .]", (sub, self.directory)),
        ):
            self.assertEqual(understood(text + rest, directory=self.directory).pythonPath, found)
        self.assertIn("lists a.pem, which is no directory", self.one("python_path: a.pem"))
        self.assertIn("(it would be DIR/none)", self.one("python_path: [sub, none]"))
