"""
Tests for L{smartproxy_tw.config.inclusion}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import inclusion
from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import load, loads
from smartproxy_tw.config.model import Config, Files

from .reading import ENVIRONMENT


class InclusionTests(SynchronousTestCase):
    """
    Configurations of several files.
    """

    def setUp(self) -> None:
        """
        A directory for files.
        """
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)

    def write(self, **files: str) -> None:
        """
        Files by name, C{__} for a slash and C{_} before the ending.
        """
        for name, text in files.items():
            path = self.path(name.replace("__", "/").replace("_", "."))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as opened:
                opened.write(text)

    def path(self, name: str) -> str:
        """
        Where a file is.
        """
        return os.path.join(self.directory, name)

    def load(self, name: str = "main.yaml") -> Config:
        """
        Read one, and what it includes.
        """
        return load(self.path(name), ENVIRONMENT)

    def complaints(self, name: str = "main.yaml") -> list[str]:
        """
        What is wrong, without the directory.
        """
        error = self.assertRaises(ConfigError, self.load, name)
        return str(error).replace(self.directory + "/", "").split("\n")

    def test_joined(self) -> None:
        """
        Routes and sites add up in order, other settings come along, whatever the
        formats.
        """
        self.write(
            main_yaml="include: [more.toml, sub/last.json]\nsites: {a.b: 1}\n"
            "routes: [{match: {ports: 1}, action: {type: block}}]",
            more_toml='sites = {"c.d" = 2}\n[timeouts]\nhead = 3\n'
            '[[routes]]\nmatch.ports = 2\naction.type = "block"\n',
            sub__last_json='{"routes": [{"match": {"ports": 3}, "action": {"type": "block"}}], '
            '"state_dir": "x"}',
        )
        config = self.load()
        names = [":1", ":2", ":3", "a.b", "a.b (to https)", "c.d", "c.d (to https)"]
        self.assertEqual([route.name for route in config.routes], names)
        self.assertEqual(config.timeouts.head, 3.0)
        self.assertEqual(config.source, self.path("main.yaml"))

    def test_relative(self) -> None:
        """
        Paths count from the file that they stand in, includes too.
        """
        self.write(
            main_yaml="include: sub/one.yaml",
            sub__one_yaml="include: two.yaml\nstate_dir: state",
            sub__two_yaml="sites: {a.b: {to: 1, certificate: {cert: c.pem, key: ../k.pem}}}",
            sub__c_pem="",
            k_pem="",
        )
        config = self.load()
        self.assertEqual(config.stateDir, self.path("sub/state"))
        tls = config.routes[0].tls
        assert tls is not None
        self.assertEqual(tls.certificate, Files(self.path("sub/c.pem"), self.path("k.pem")))

    def test_workingDirectory(self) -> None:
        """
        A file named relative to the working directory finds what it includes.
        """
        self.write(main_yaml="include: sub/one.yaml", sub__one_yaml="sites: {a.b: 1}\nstate_dir: s")
        old = os.getcwd()
        self.addCleanup(os.chdir, old)
        os.chdir(self.directory)
        self.assertEqual(load("main.yaml", ENVIRONMENT).stateDir, self.path("sub/s"))
        os.chdir("sub")
        self.assertEqual(load("../main.yaml", ENVIRONMENT).stateDir, self.path("sub/s"))

    def test_text(self) -> None:
        """
        A text includes from the directory that it is given.
        """
        self.write(one_yaml="sites: {a.b: 1}")
        config = loads("include: one.yaml", "yaml", self.directory, environ=ENVIRONMENT)
        self.assertEqual(len(config.routes), 2)
        config = loads("include: one.yaml", "yaml", self.directory, "far/elsewhere.yaml", ENVIRONMENT)
        self.assertEqual(len(config.routes), 2)

    def test_problemsNameTheirFile(self) -> None:
        """
        A mistake is told with the file, line and number of the route that it
        stands in.
        """
        self.write(
            main_yaml="routes: [{match: {ports: 1}, action: {type: block}}]\ninclude: one.yaml",
            one_yaml="log: {format: xml}\nroutes:\n- {match: {ports: 2}, action: {type: block}}\n"
            "- {match: {ports: 0}, action: {type: block}}",
        )
        self.assertEqual(
            self.complaints(),
            [
                "one.yaml:1:15: log.format: has to be text or json, not 'xml'",
                "one.yaml:4:19: routes[1].match.ports: has to be at least 1, not 0",
            ],
        )

    def test_saidTwice(self) -> None:
        """
        A setting stands in one file only, whatever form its key has; so does the
        name of a site.
        """
        self.write(
            main_yaml="include: one.yaml\nstate_dir: a\nsites:\n  a.b: 1",
            one_yaml="stateDir: b\nsites:\n  a.b: 2",
        )
        self.assertEqual(
            [line.replace(self.directory + "/", "") for line in self.complaints()],
            [
                "one.yaml:1:1: stateDir: is given already in line 2 of main.yaml: one file has to say it",
                "one.yaml:3:3: sites[a.b]: is given already in line 4 of main.yaml",
            ],
        )

    def test_circles(self) -> None:
        """
        No file is read twice, be it in a circle or from two sides, by whatever
        name.
        """
        self.write(
            main_yaml="include: [a.yaml, ./b.yaml]\nsites: {a.b: 1}",
            a_yaml="include: [b.yaml]\nlog: {}",
            b_yaml="include: main.yaml\ntimeouts: {}",
        )
        told = self.complaints()
        self.assertEqual(len(told), 2)
        for line in told:
            self.assertIn("is part of the configuration already", line)
        self.assertTrue(any(line.startswith("b.yaml:1:10: include: ") for line in told))

    def test_missing(self) -> None:
        """
        An included file that cannot be read is told where it is named.
        """
        self.write(main_yaml="sites: {a.b: 1}\ninclude:\n- none.yaml\n- main.txt\n- '.'")
        told = self.complaints()
        self.assertEqual(len(told), 3)
        self.assertEqual(
            told[0], "main.yaml:3:3: include: none.yaml cannot be read: No such file or directory"
        )
        self.assertIn("main.yaml:4:3: include: main.txt cannot be read: its name has to end in", told[1])

    def test_patterns(self) -> None:
        """
        A star stands for any part of a name; files come in alphabetical order, and
        none is fine.
        """
        self.write(
            main_yaml="include: ['sites.d/*.yaml', 'none.d/*']\nsites: {z.b: 1}",
        )
        for name in ("b", "a"):
            os.makedirs(self.path("sites.d"), exist_ok=True)
            with open(self.path(f"sites.d/{name}.yaml"), "w", encoding="ascii") as opened:
                opened.write(f"sites: {{{name}.b: 1}}")
        self.assertEqual([route.name for route in self.load().routes][::2], ["z.b", "a.b", "b.b"])

    def test_nothingElse(self) -> None:
        """
        A pattern that nothing matches is told where it leaves nothing to serve.
        """
        self.write(main_yaml="log: {format: json}\ninclude: ['none.d/*', two.yaml]", two_yaml="workers: 2")
        self.assertEqual(
            self.complaints(),
            ["main.yaml:2:11: include: no file matches 'none.d/*', and there is nothing else to serve"],
        )
        self.write(two_yaml="sites: {a.b: 1}")
        self.assertEqual(len(self.load().routes), 2)

    def test_variables(self) -> None:
        """
        The name of an included file can have variables.
        """
        self.write(main_yaml="include: ${FILE}.yaml", one_yaml="sites: {a.b: 1}")
        config = load(self.path("main.yaml"), ENVIRONMENT | {"FILE": "one"})
        self.assertEqual(len(config.routes), 2)

    def test_emptyInclude(self) -> None:
        """
        An included file that is empty is a mistake there.
        """
        self.write(main_yaml="include: one.yaml\nsites: {a.b: 1}", one_yaml="# nothing\n")
        (line,) = self.complaints()
        self.assertTrue(line.startswith("one.yaml: is empty"), line)

    def test_wrongKind(self) -> None:
        """
        What is no path is told like any other option.
        """
        self.write(main_yaml="include: [3]\nsites: {a.b: 1}")
        self.assertEqual(self.complaints(), ["main.yaml:1:11: include[0]: has to be text, not 3"])
        self.write(main_yaml="include: {a: b}\nsites: {a.b: 1}")
        self.assertIn("main.yaml:1:1: include: has to be a path or a list of paths", self.complaints()[0])

    def test_kindsThatDoNotJoin(self) -> None:
        """
        Routes that are no list cannot be added to those that are.
        """
        self.write(main_yaml="include: one.yaml\nroutes: []\nsites: {a.b: 1}", one_yaml="routes: {}")
        self.assertIn("routes: is given already in line 2", self.complaints()[0])

    def test_tooLarge(self) -> None:
        """
        A file beyond all measure is not read.
        """
        self.write(main_yaml="sites: {a.b: 1}" + " " * 100)
        self.patch(inclusion, "MAX_BYTES", 100)
        (line,) = self.complaints()
        self.assertIn("that is no configuration", line)
