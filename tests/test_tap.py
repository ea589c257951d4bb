"""
Tests for L{smartproxy_tw.tap}: the options, and what is made of them.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.internet import reactor
from twisted.logger import globalLogPublisher
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

import smartproxy_tw
from smartproxy_tw import tap
from smartproxy_tw.config.model import Acme
from smartproxy_tw.plane.poller import LINGER
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.tap import Options, makeService

PACKAGE = Path(smartproxy_tw.__file__).parent
HERE = "127.0.0.1"


class OptionsTests(SynchronousTestCase):
    """
    What contradicts what.
    """

    def parse(self, *words: str) -> Options:
        """
        Read a command line.
        """
        options = Options()
        options.parseOptions(words)
        return options

    def refused(self, *words: str) -> str:
        """
        Why a command line is refused.
        """
        return str(self.assertRaises(UsageError, self.parse, *words))

    def test_sites(self) -> None:
        """
        Sites and addresses may be given several times, ports are numbers.
        """
        options = self.parse(
            *("--site", "a.test=127.0.0.1:1", "--site", "b.test=127.0.0.1:2"),
            *("--bind", "127.0.0.1", "--bind", "::1", "--https-port", "8443"),
        )
        self.assertEqual(options["site"], ["a.test=127.0.0.1:1", "b.test=127.0.0.1:2"])
        self.assertEqual(options["bind"], ["127.0.0.1", "::1"])
        self.assertEqual((options["https-port"], options["http-port"]), (8443, None))

    def test_pidfile(self) -> None:
        """
        One that is to take the place of another leaves the pidfile to that one until it
        has, and whoever is replaced leaves it alone at its end.
        """
        heir: Any = object()
        self.patch(tap, "_heir", lambda: heir)
        path = self.mktemp()
        Path(path).write_text("1")
        options = Options()
        options.parent = {"pidfile": path, "nodaemon": True}
        options.parseOptions(["--demo"])
        self.assertIs(options.heir, heir)
        self.assertEqual(options.parent["pidfile"], "")
        runner = tap._Runner(options)
        runner.claim()
        self.assertEqual(Path(path).read_text(), str(os.getpid()))
        self.assertEqual(options.parent["pidfile"], path)
        runner.forget()
        self.assertEqual(options.parent["pidfile"], "")

    def test_pidfileMeanwhile(self) -> None:
        """
        Whoever reads the pidfile while it changes hands finds one number or the other, be the new
        one shorter or longer, and never none.
        """
        heir: Any = object()
        self.patch(tap, "_heir", lambda: heir)
        for before in (1, 1234567890):
            path = Path(self.mktemp())
            path.write_text(str(before))
            options = Options()
            options.parent = {"pidfile": str(path), "nodaemon": True}
            options.parseOptions(["--demo"])
            found: list[str] = []
            runner = tap._Runner(options)
            # At each call of anything, and when it is over.
            sys.setprofile(lambda *_: found.append(path.read_text()))  # noqa: B023
            try:
                runner.claim()
            finally:
                sys.setprofile(None)
            self.assertLessEqual({each.strip() for each in found}, {str(before), str(os.getpid())})
            self.assertEqual(path.read_text(), str(os.getpid()))

    def test_pidfileOfAnother(self) -> None:
        """
        A pidfile that cannot be written is no reason to end.
        """
        heir: Any = object()
        self.patch(tap, "_heir", lambda: heir)
        path = os.path.join(self.mktemp(), "nowhere")
        options = Options()
        options.parent = {"pidfile": path, "nodaemon": True}
        options.parseOptions(["--demo"])
        logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        tap._Runner(options).claim()
        self.assertEqual([each.get("event") for each in logged], ["pidfile"])

    def test_nothingToServe(self) -> None:
        """
        Saying nothing is answered with the three ways.
        """
        text = self.refused()
        for way in ("--config", "--site", "--demo"):
            self.assertIn(way, text)

    def test_oneWay(self) -> None:
        """
        The three ways exclude one another.
        """
        self.assertIn("contradict", self.refused("--config", "x.yaml", "--site", "a.test=:1"))
        self.assertIn("contradict", self.refused("--config", "x.yaml", "--demo"))
        self.assertIn("contradict", self.refused("--site", "a.test=:1", "--demo"))

    def test_whatTheFileSays(self) -> None:
        """
        What is said in a file is not said beside it.
        """
        for words in (
            ("--acme-email", "a@a.test"),
            ("--acme-directory", "letsencrypt"),
            ("--acme-ca-file", "x"),
            ("--http-port", "80"),
            ("--https-port", "443"),
            ("--bind", "::1"),
            ("--state-dir", "x"),
            ("--www",),
            ("--internal",),
        ):
            self.assertIn(words[0], self.refused("--config", "x.yaml", *words))
            self.assertIn(words[0], self.refused("--demo", *words))

    def test_ports(self) -> None:
        """
        What is no port is refused.
        """
        for text in ("0", "65536", "-1", "http", ""):
            self.assertIn("port", self.refused("--site", "a.test=:1", "--http-port", text))

    def test_logFormat(self) -> None:
        """
        There are two formats.
        """
        self.assertIn("xml", self.refused("--demo", "--log-format", "xml"))
        self.assertEqual(self.parse("--demo", "--log-format", "json")["log-format"], "json")

    def test_help(self) -> None:
        """
        The help has every option, each with a sentence.
        """
        text = str(Options())
        for name in ("config", "site", "demo", "bind", "state-dir", "acme-directory", "log-format", "www"):
            self.assertRegex(text, rf"--{name}=? +\w+")

    def test_plugin(self) -> None:
        """
        Twisted finds the plugin, and reading it imports nothing of ours.
        """
        (plugin,) = [each for each in getPlugins(IServiceMaker) if each.tapname == "smartproxy"]
        self.assertIs(plugin.options, Options)
        code = (
            "import sys, importlib\n"
            "importlib.import_module('twisted.plugins.smartproxy_tw_plugin')\n"
            "print([name for name in sys.modules if name.startswith('smartproxy_tw')])\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        self.assertEqual(ran.stdout, "[]\n")

    def test_importedLate(self) -> None:
        """
        What is not needed to bind the ports is not imported for it: the start of
        the process is measured.
        """
        code = (
            "import sys\n"
            "import twisted.internet.reactor, smartproxy_tw.control.local, smartproxy_tw.service.tree\n"
            "late = {'pydantic', 'yaml', 'treq', 'joserfc', 'twisted.web.client', 'twisted.names'}\n"
            "print(sorted(late & set(sys.modules)))\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        self.assertEqual(ran.stdout, "[]\n")


def environment(*further: str) -> dict[str, str]:
    """
    The variables of a process that finds what is tested, and nothing that a
    run of the tests adds.
    """
    found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    places = list(further)
    if "SMARTPROXY_TW_INSTALLED" not in os.environ:
        places.append(str(PACKAGE.parent))
    if places:
        found["PYTHONPATH"] = os.pathsep.join(places)
    found["PYTHONUNBUFFERED"] = "1"
    return found


class CompositionTests(SynchronousTestCase):
    """
    What is made of the options, without a process of its own.
    """

    def make(self, *words: str) -> Any:
        """
        The service.
        """
        options = Options()
        options.parseOptions(words)
        # The reactor of this process is not to count seconds in another way from now on.
        self.patch(reactor, "seconds", time.time)
        return makeService(options)

    def test_secondsThatNobodySets(self) -> None:
        """
        No timeout of the process depends on what the time of day is set to.
        """
        self.make("--site", "a.localhost=127.0.0.1:9", "--internal", "--state-dir", self.mktemp())
        self.assertIs(reactor.seconds, time.monotonic)  # type: ignore[attr-defined]

    def refused(self, *words: str) -> list[str]:
        """
        What is said when the configuration cannot be used.
        """
        return str(self.assertRaises(SystemExit, self.make, *words).code).splitlines()

    def test_everyOptionOfSites(self) -> None:
        """
        Each option reaches the configuration.
        """
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("nothing yet")
        service = self.make(
            *("--site", f"a.test={HERE}:1", "--www", "--bind", HERE, "--state-dir", "somewhere"),
            *("--acme-email", "a@a.test", "--acme-directory", "https://ca.test/dir", "--acme-ca-file", path),
            *("--http-port", "8080", "--https-port", "8443"),
        )
        (proxy,) = service.services
        config = proxy.config
        self.assertEqual(config.stateDir, os.path.abspath("somewhere"))
        self.assertEqual(config.bind, (HERE,))
        self.assertEqual(
            config.acme,
            Acme(email="a@a.test", directory="https://ca.test/dir", caFile=path, httpPort=8080, tlsPort=8443),
        )
        self.assertEqual({auto.names for auto in config.autoCertificates}, {("a.test",), ("www.a.test",)})
        self.assertEqual(config.ports, (8080, 8443))

    def test_internal(self) -> None:
        """
        With --internal no authority is needed.
        """
        (proxy,) = self.make("--site", f"a.test={HERE}:1", "--internal", "--state-dir", "x").services
        self.assertEqual(proxy.config.autoCertificates, ())

    def test_lingers(self) -> None:
        """
        The data path of a process of our own waits for its next event, that of an
        embedded one never.
        """
        from twisted.internet import reactor

        (proxy,) = self.make("--site", f"a.test={HERE}:1", "--internal", "--state-dir", "x").services
        for subject, wanted in ((proxy, LINGER), (SmartProxy(proxy.config, reactor), 0.0)):
            plane = subject._lives.current._path.make()
            self.addCleanup(plane.drain, 0)
            self.assertEqual(plane.engine.poller.linger, wanted)
            self.assertFalse(plane.engine.sharesPorts)

    def test_serviceManager(self) -> None:
        """
        What a service manager has for the process is for one that is the proxy's own,
        taken out of the environment, and not for whatever embeds the proxy.
        """
        given = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0", "NOTIFY_SOCKET": "@nobody"}
        words = ("--site", f"a.test={HERE}:1", "--internal", "--state-dir", "x")
        for name, value in given.items():
            self.patch(os, "environ", {**os.environ, name: value})
        service = self.make(*words)
        self.assertEqual({name: os.environ.get(name) for name in given}, given)
        self.assertIsNone(service._announcer)
        self.assertIsNone(service.services[0]._means.inherited)
        options = Options()
        options.parent = {"nodaemon": True, "logger": None, "syslog": False, "logfile": "-"}
        options.parseOptions(words)
        self.addCleanup(gc.enable)
        service = makeService(options)
        self.assertEqual([name for name in given if name in os.environ], [])
        self.assertIsNotNone(service._announcer)
        self.assertIsNotNone(service.services[0]._means.inherited)

    def test_missingFile(self) -> None:
        """
        A file that is not there is told in a line.
        """
        (line,) = self.refused("--config", "nothing.yaml")
        self.assertIn("nothing.yaml", line)

    def test_wrongSites(self) -> None:
        """
        A site that is none is told.
        """
        (line,) = self.refused("--site", "nonsense")
        self.assertIn("--site", line)
        (line,) = self.refused("--site", "a.test=1.2.3.4:99999")
        self.assertIn("99999", line)
