"""
Tests for L{smartproxy_tw.commands.units}; what systemd says of the units is asked by
L{tests.live.test_units}.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.cli import CONFIGURATION, OK, TROUBLE, main
from smartproxy_tw.commands.units import NAMES, program, serviceUnit, shipped, socketUnit
from smartproxy_tw.config.model import Config, Respond, Route
from smartproxy_tw.service.listeners import BACKLOG


def valuesOf(unit: str, key: str) -> list[str]:
    """
    All that a unit has for a key.
    """
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}=")]


class UnitTests(SynchronousTestCase):
    """
    The texts.
    """

    def test_service(self) -> None:
        """
        The paths are those that were given, and everything else is as shipped.
        """
        unit = serviceUnit("/srv/x/bin/twistd", "/etc/x.yaml")
        self.assertEqual(
            valuesOf(unit, "ExecStart"),
            ["/srv/x/bin/twistd --nodaemon --pidfile= smartproxy --config /etc/x.yaml"],
        )
        without = [line for line in unit.splitlines() if not line.startswith("ExecStart=")]
        of = [
            line for line in shipped("smartproxy.service").splitlines() if not line.startswith("ExecStart=")
        ]
        self.assertEqual(without, of)

    def test_oddPaths(self) -> None:
        """
        What systemd would take for something else is escaped.
        """
        (line,) = valuesOf(serviceUnit("/a b/twistd", '/50%/$x/"y".yaml'), "ExecStart")
        self.assertTrue(line.startswith('"/a b/twistd" --nodaemon'), line)
        self.assertTrue(line.endswith('--config "/50%%/$$x/\\"y\\".yaml"'), line)

    def test_sockets(self) -> None:
        """
        Each port of the configuration has a line for each address, and addresses that
        others cover have none.
        """
        routes = (Route("r", (8080, 8443), Respond(), "http"),)
        for bind, wanted in (
            ((), ["8080", "8443"]),
            (("127.0.0.1", "::1"), ["127.0.0.1:8080", "[::1]:8080", "127.0.0.1:8443", "[::1]:8443"]),
            (("::", "0.0.0.0"), ["[::]:8080", "[::]:8443"]),
            (("0.0.0.0", "127.0.0.1"), ["0.0.0.0:8080", "0.0.0.0:8443"]),
        ):
            unit = socketUnit(Config(routes, "/x", bind=bind))
            self.assertEqual(valuesOf(unit, "ListenStream"), wanted)
        self.assertEqual(valuesOf(socketUnit(None), "ListenStream"), ["80", "443"])

    def test_sameQueue(self) -> None:
        """
        Connections wait in a queue as long as the one that we make ourselves.
        """
        self.assertEqual(valuesOf(shipped("smartproxy.socket"), "Backlog"), [str(BACKLOG)])

    def test_readable(self) -> None:
        """
        They are what units are: sections with keys.
        """
        for name, section in zip(NAMES, ("Service", "Socket"), strict=True):
            parser = configparser.ConfigParser(strict=False, interpolation=None)
            parser.read_string(shipped(name))
            self.assertEqual(parser.sections(), ["Unit", section, "Install"])


class CommandTests(SynchronousTestCase):
    """
    C{smartproxy init --systemd}.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        """
        Exit status, what was printed, and what was complained of.
        """
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["init", "--systemd", *arguments])
        return status, out.getvalue(), err.getvalue()

    def read(self, name: str) -> str:
        """
        What was written.
        """
        with open(os.path.join(self.directory, name), encoding="utf-8") as opened:
            return opened.read()

    def write(self, text: str) -> str:
        """
        A configuration.
        """
        path = os.path.join(self.directory, "proxy.yaml")
        with open(path, "w", encoding="utf-8") as opened:
            opened.write(text)
        return path

    def test_written(self) -> None:
        """
        Both units are there, with this installation's program, and the next steps
        are told.
        """
        status, out, err = self.run_(self.directory, "/nowhere/proxy.yaml")
        self.assertEqual((status, err), (OK, ""))
        self.assertEqual(self.read(NAMES[0]), serviceUnit(program(), "/nowhere/proxy.yaml"))
        self.assertEqual(self.read(NAMES[1]), shipped(NAMES[1]))
        for step in (
            "useradd",
            "smartproxy init /nowhere/proxy.yaml",
            "daemon-reload",
            f"cp {self.directory}/smartproxy.service",
            "enable --now smartproxy.socket smartproxy.service",
        ):
            self.assertIn(step, out)

    def test_forAConfiguration(self) -> None:
        """
        One that is there says which ports; one that is wrong is told, and nothing is
        written.
        """
        path = self.write("nonsense: 1\n")
        status, out, err = self.run_(self.directory, path)
        self.assertEqual((status, out), (CONFIGURATION, ""))
        self.assertIn("nonsense", err)
        self.assertEqual(os.listdir(self.directory), ["proxy.yaml"])
        self.write(
            "routes: [{name: a, match: {ports: 8080}, action: {type: respond, body: x}}]\nstate_dir: x\n"
        )
        status, out, err = self.run_(self.directory, path)
        self.assertEqual((status, err), (OK, ""))
        self.assertEqual(valuesOf(self.read(NAMES[1]), "ListenStream"), ["8080"])
        self.assertNotIn("smartproxy init", out)

    def test_hidden(self) -> None:
        """
        What the service would not see is told beforehand.
        """
        _, out, _ = self.run_(self.directory, "/home/me/proxy.yaml")
        self.assertIn("ProtectHome", out)
        self.assertIn("/home/me/proxy.yaml", out)

    def test_replacesNothing(self) -> None:
        """
        All or none: what exists stays, and nothing is written beside it.
        """
        path = os.path.join(self.directory, NAMES[1])
        with open(path, "w") as opened:
            opened.write("mine")
        status, out, err = self.run_(self.directory, "/nowhere/proxy.yaml")
        self.assertEqual((status, out), (TROUBLE, ""))
        self.assertIn(f"{path} exists already", err)
        self.assertEqual(os.listdir(self.directory), [NAMES[1]])
        self.assertEqual(self.read(NAMES[1]), "mine")

    def test_elsewhere(self) -> None:
        """
        A directory that is not there is told.
        """
        status, _, err = self.run_(os.path.join(self.directory, "none"), "/nowhere/proxy.yaml")
        self.assertEqual(status, TROUBLE)
        self.assertIn("cannot be written: No such file or directory", err)
