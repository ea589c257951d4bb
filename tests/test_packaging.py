"""
What a user has after C{pip install}: the files, the two commands, and the plugin that
C{twistd} and C{twist} find from any directory.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import smartproxy_tw

PACKAGE = Path(smartproxy_tw.__file__).parent
PROGRAMS = Path(sys.executable).parent
IS_INSTALLED = "SMARTPROXY_TW_INSTALLED" in os.environ

#: Where the checkout is: the tests run from a copy when a wheel is tested.
CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent)


def run(command: list[str | Path], directory: str | Path) -> subprocess.CompletedProcess[str]:
    """
    Run a program that finds what is installed; in a test of the checkout it finds
    that instead.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if not IS_INSTALLED:
        environment["PYTHONPATH"] = str(PACKAGE.parent)
    return subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program(name: str) -> Path:
    """
    A program of this environment, or a skip where it is not installed.
    """
    path = PROGRAMS / name
    if not path.exists():
        raise SkipTest(f"{name} is not installed beside {sys.executable}")
    return path


class WheelTests(SynchronousTestCase):
    """
    What the wheel holds.
    """

    def setUp(self) -> None:
        """
        Only where a wheel was installed is there something to look at.
        """
        if not IS_INSTALLED:
            raise SkipTest("this run tests the checkout; tox installs the wheel")
        self.files = {str(path) for path in metadata.files("smartproxy_tw") or ()}

    def test_everyModule(self) -> None:
        """
        It has each module of the checkout, and none that the checkout has not.
        """
        source = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "smartproxy_tw").rglob("*.py")}
        self.assertTrue(source)
        installed = {name for name in self.files if re.fullmatch(r"smartproxy_tw/.*\.py", name)}
        self.assertEqual(installed, source)

    def test_typed(self) -> None:
        """
        It tells type checkers that it is typed.
        """
        self.assertIn("smartproxy_tw/py.typed", self.files)

    def test_units(self) -> None:
        """
        It has the units that C{smartproxy init --systemd} writes.
        """
        for name in ("smartproxy.service", "smartproxy.socket"):
            self.assertIn(f"smartproxy_tw/units/{name}", self.files)

    def test_pluginAndNothingElseOfTwisted(self) -> None:
        """
        Of the package C{twisted} it has our plugin only: no C{__init__.py} that
        would hide Twisted's, and no cache.
        """
        ofTwisted = {name for name in self.files if name.startswith("twisted/") and "__pycache__" not in name}
        self.assertEqual(ofTwisted, {"twisted/plugins/smartproxy_tw_plugin.py"})

    def test_noTests(self) -> None:
        """
        Neither tests nor documents nor benchmarks are installed.
        """
        unwelcome = ("tests/", "docs/", "benchmarks/", "newsfragments/", "examples/")
        self.assertEqual({name for name in self.files if name.startswith(unwelcome)}, set())

    def test_license(self) -> None:
        """
        The licence comes along.
        """
        self.assertTrue([name for name in self.files if name.endswith("/LICENSE")])

    def test_version(self) -> None:
        """
        The distribution and the package agree on the version.
        """
        self.assertEqual(metadata.version("smartproxy_tw"), smartproxy_tw.__version__)


class PluginTests(SynchronousTestCase):
    """
    What Twisted's two runners say from a directory that has nothing to do with us.
    """

    def assertLists(self, runner: str) -> None:
        """
        The runner's help has our line.
        """
        ran = run([program(runner), "--help"], self.elsewhere())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stdout, r"(?m)^\s+smartproxy\s+\S")

    def assertDescribes(self, runner: str) -> None:
        """
        The help of the plugin itself names its options.
        """
        ran = run([program(runner), "smartproxy", "--help"], self.elsewhere())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        for option in ("--config", "--site", "--acme-email", "--demo"):
            self.assertIn(option, ran.stdout)

    def elsewhere(self) -> str:
        """
        An empty directory.
        """
        path = self.mktemp()
        os.makedirs(path)
        return path

    def test_twistdLists(self) -> None:
        """
        C{twistd --help} lists smartproxy.
        """
        self.assertLists("twistd")

    def test_twistLists(self) -> None:
        """
        C{twist --help} lists smartproxy.
        """
        self.assertLists("twist")

    def test_twistdDescribes(self) -> None:
        """
        C{twistd smartproxy --help} explains the options.
        """
        self.assertDescribes("twistd")

    def test_twistDescribes(self) -> None:
        """
        C{twist smartproxy --help} explains the options.
        """
        self.assertDescribes("twist")


class CommandTests(SynchronousTestCase):
    """
    The command C{smartproxy}.
    """

    def test_version(self) -> None:
        """
        C{smartproxy --version} tells the version.
        """
        command = [PROGRAMS / "smartproxy"] if IS_INSTALLED else [sys.executable, "-m", "smartproxy_tw.cli"]
        directory = self.mktemp()
        os.makedirs(directory)
        ran = run([*command, "--version"], directory)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn(smartproxy_tw.__version__, ran.stdout)
