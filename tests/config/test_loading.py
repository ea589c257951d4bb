"""
Tests for L{smartproxy_tw.config.loading}.
"""

from __future__ import annotations

import os
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import load, loads
from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Acme,
    Admin,
    Auto,
    Config,
    Files,
    Forward,
    Limits,
    Redirect,
    Respond,
    Route,
    Target,
    Timeouts,
)

from ..examples import anyText, examples
from .reading import ENVIRONMENT, understood

#: Much of the language at once.
YAML = """\
bind: ["127.0.0.1"]
state_dir: ./state
workers: 1
access_log: {format: combined, file: stdout}
timeouts: {head: 10, connect: 5, idle: 300, drain: 30}
limits: {head_bytes: 65536, url_bytes: 8192, connections: 20000}
trusted_proxies: []
acme:
  email: ops@example.com
  directory: https://127.0.0.1:14000/dir
  challenges: [http-01, tls-alpn-01]
  http_port: 80
  tls_port: 443
routes:
  - name: shop
    match: {ports: 443, domains: [shop.example, www.shop.example], path: /api/*}
    action:
      type: forward
      targets: [{host: 127.0.0.1, port: 3000}, {host: 127.0.0.1, port: 3001}]
      tls: {mode: terminate, certificate: auto}
    priority: 10
  - name: imaps
    match: {ports: [{from: 993, to: 995}], domains: [mail.example]}
    action: {type: forward, targets: [{host: 10.0.0.7, port: preserve}], tls: {mode: passthrough}}
  - name: to-https
    match: {ports: 80, domains: [shop.example]}
    action: {type: redirect, to: "https://{domain}{path}", status: 308}
  - name: health
    match: {ports: 8080, path: /healthz}
    action: {type: respond, status: 200, headers: {Content-Type: text/plain}, body: ok}
  - name: smtp
    match: {ports: 2525, protocol: tcp}
    action: {type: forward, targets: [{host: 127.0.0.1, port: 25}]}
"""

TOML = """\
bind = ["127.0.0.1"]
state_dir = "./state"
[acme]
email = "ops@example.com"
directory = "https://127.0.0.1:14000/dir"
[[routes]]
name = "shop"
priority = 10
match = {ports = 443, domains = ["shop.example", "www.shop.example"], path = "/api/*"}
[routes.action]
type = "forward"
targets = ["127.0.0.1:3000", "127.0.0.1:3001"]
tls = {mode = "terminate"}
[[routes]]
name = "imaps"
match = {ports = [{from = 993, to = 995}], domains = "mail.example"}
action = {type = "forward", targets = ["10.0.0.7:preserve"], tls = {mode = "passthrough"}}
[[routes]]
name = "to-https"
match = {ports = 80, domains = "shop.example"}
action = {type = "redirect", to = "https://{domain}{path}"}
[[routes]]
name = "health"
match = {ports = 8080, path = "/healthz"}
action = {type = "respond", body = "ok", headers = {Content-Type = "text/plain"}}
[[routes]]
name = "smtp"
match = {ports = 2525}
action = {type = "forward", targets = 25}
"""

EXPECTED = Config(
    routes=(
        Route(
            "shop",
            (443,),
            Forward((Target("127.0.0.1", 3000), Target("127.0.0.1", 3001))),
            "http",
            ("shop.example", "www.shop.example"),
            "/api/*",
            TLS("terminate", Auto(("shop.example", "www.shop.example"))),
            10,
            15,
        ),
        Route(
            "imaps",
            (993, 994, 995),
            Forward((Target("10.0.0.7", None),)),
            "tcp",
            ("mail.example",),
            tls=TLS("passthrough"),
            line=22,
        ),
        Route("to-https", (80,), Redirect("https://{domain}{path}"), "http", ("shop.example",), line=25),
        Route(
            "health",
            (8080,),
            Respond(200, (("Content-Type", "text/plain"),), "ok"),
            "http",
            path="/healthz",
            line=28,
        ),
        Route("smtp", (2525,), Forward((Target("127.0.0.1", 25),)), "tcp", line=31),
    ),
    stateDir="/etc/state",
    bind=("127.0.0.1",),
    accessLog=AccessLog("combined", "stdout"),
    timeouts=Timeouts(10.0, 5.0, 300.0, 30.0),
    limits=Limits(65536, 8192, 20000),
    acme=Acme("ops@example.com", "https://127.0.0.1:14000/dir", None, ("http-01", "tls-alpn-01"), 80, 443),
    admin=Admin("/etc/state/admin.sock"),
)


class LoadsTests(SynchronousTestCase):
    """
    Texts.
    """

    maxDiff = None

    def test_yaml(self) -> None:
        """
        A configuration that uses much of the language means what it says.
        """
        self.assertEqual(loads(YAML, "yaml", "/etc", environ=ENVIRONMENT), EXPECTED)

    def test_otherFormats(self) -> None:
        """
        The same in TOML and JSON, and in camelCase, means the same.
        """
        import json
        import re

        import yaml

        def bare(config: Config) -> str:
            return re.sub(r"line=\d+", "", repr(config))

        asJSON = json.dumps(yaml.safe_load(YAML), indent=1)
        asCamels = asJSON
        for snake in (
            "state_dir",
            "access_log",
            "head_bytes",
            "url_bytes",
            "trusted_proxies",
            "http_port",
            "tls_port",
        ):
            first, second = snake.split("_")
            self.assertIn(snake, asCamels)
            asCamels = asCamels.replace(snake, first + second.capitalize())
        for text, format in ((TOML, "toml"), (asJSON, "json"), (asCamels, "json"), (asJSON, "yaml")):
            self.assertEqual(bare(loads(text, format, "/etc", environ=ENVIRONMENT)), bare(EXPECTED))

    def test_benchmark(self) -> None:
        """
        HTTP, HTTPS with files, TCP and SNI routes beside one another.
        """
        directory = self.mktemp()
        os.makedirs(directory)
        pair = [os.path.abspath(os.path.join(directory, name)) for name in ("cert.pem", "key.pem")]
        for path in pair:
            with open(path, "w", encoding="ascii"):
                pass
        config = understood(
            f"""
            bind: ["127.0.0.1"]
            state_dir: "{directory}/state"
            workers: 1
            access_log: {{format: combined, file: "{os.path.abspath(directory)}/access.log"}}
            routes:
              - name: http
                match: {{ports: 8080, protocol: http}}
                action: {{type: forward, targets: [{{host: 127.0.0.1, port: 9000}}]}}
              - name: https
                match: {{ports: 8443, protocol: http}}
                action:
                  type: forward
                  targets: [{{host: 127.0.0.1, port: 9000}}]
                  tls: {{mode: terminate, certificate: {{cert: "{pair[0]}", key: "{pair[1]}"}}}}
              - name: tcp
                match: {{ports: 8081, protocol: tcp}}
                action: {{type: forward, targets: [{{host: 127.0.0.1, port: 9000}}]}}
              - name: sni
                match: {{ports: 8444, domains: [a.test]}}
                action: {{type: forward, targets: ["127.0.0.1:9001"], tls: {{mode: passthrough}}}}
            """
        )
        self.assertEqual([route.protocol for route in config.routes], ["http", "http", "tcp", "tcp"])
        self.assertEqual(config.routes[1].tls, TLS("terminate", Files(*pair)))

    def test_source(self) -> None:
        """
        A text has the name that it is given, in messages and in the result.
        """
        config = loads("sites: {a.b: 1}", "yaml", "/etc", "conf/x.yaml", ENVIRONMENT)
        self.assertEqual(config.pythonPath, (os.path.abspath("conf"),))
        self.assertEqual(config.source, os.path.abspath("conf/x.yaml"))
        error = self.assertRaises(
            ConfigError, loads, "sites: {a.b: x}", "yaml", "/etc", "conf/x.yaml", ENVIRONMENT
        )
        self.assertTrue(str(error).startswith("conf/x.yaml:1:14: sites[a.b]: "))
        self.assertIsNone(understood("sites: {a.b: 1}").source)

    def test_format(self) -> None:
        """
        There are three formats; another one is the caller's mistake.
        """
        self.assertRaises(ValueError, loads, "", "ini", "/")

    def test_empty(self) -> None:
        """
        Nothing at all is a mistake in every format.
        """
        for format in ("yaml", "toml", "json"):
            for text in (
                "",
                " \n\n",
                *(("# x\n",) if format != "json" else ()),
                *(("{}",) if format != "toml" else ()),
            ):
                error = self.assertRaises(ConfigError, loads, text, format, "/", environ=ENVIRONMENT)
                self.assertEqual(
                    str(error),
                    "<text>: is empty: smartproxy init writes one to start with",
                    repr((text, format)),
                )

    def test_lines(self) -> None:
        """
        Mistakes have their line and column in YAML, TOML and JSON.
        """
        for text, format, told in (
            ("sites:\n  a.b:\n    to: x", "yaml", "<text>:3:9: sites[a.b].to: 'x' has no port"),
            ('{"sites":\n {"a.b":\n  {"to": "x"}}}', "json", "<text>:3:10: sites[a.b].to: 'x' has no port"),
            ('[sites."a.b"]\n\nto = "x"', "toml", "<text>:3:6: sites[a.b].to: 'x' has no port"),
            ("sites:\n  a.b: {to: 1,\n    tp: 1}", "yaml", "<text>:3:5: sites[a.b].tp: is not"),
            ('{"sites": {"a.b": {"to": 1,\n "tp": 1}}}', "json", "<text>:2:2: sites[a.b].tp: is not"),
            ('[sites]\n"a.b".to = 1\n"a.b".tp = 1', "toml", "<text>:3:1: sites[a.b].tp: is not"),
        ):
            error = self.assertRaises(ConfigError, loads, text, format, "/", environ=ENVIRONMENT)
            self.assertTrue(str(error).startswith(told), f"{error}\n{told}")

    def test_surrogates(self) -> None:
        """
        Text that is no text is told, not a traceback.
        """
        error = self.assertRaises(ConfigError, loads, "a: 1\nb: \ud800", "yaml", "/", environ=ENVIRONMENT)
        self.assertTrue(str(error).startswith("<text>:2:4: half of a surrogate pair"))

    def test_allInOrder(self) -> None:
        """
        Problems come in the order of the text, each once.
        """
        text = "x: 1\nsites: {a.b: q, a.b: 2}\nlog: {format: z}\n"
        error = self.assertRaises(ConfigError, loads, text, "yaml", "/", environ=ENVIRONMENT)
        self.assertEqual(
            [(problem.line, problem.column) for problem in error.problems],
            [(1, 1), (2, 14), (2, 17), (3, 15)],
        )

    def test_anchors(self) -> None:
        """
        What is shared by aliases is wrong once, at its anchor.
        """
        text = "routes:\n- &r {match: {ports: 0}, action: {type: block}}\n- *r\n"
        error = self.assertRaises(ConfigError, loads, text, "yaml", "/", environ=ENVIRONMENT)
        self.assertEqual(len(error.problems), 1)
        config = understood(
            "routes:\n- {match: {ports: 1}, action: &a {type: forward, targets: [1]}}\n- {match: "
            "{ports: 2}, action: *a}"
        )
        self.assertEqual(config.routes[0].action, config.routes[1].action)

    def test_manyRoutes(self) -> None:
        """
        A thousand routes are read in a moment, and so are all their mistakes.
        """
        lines = [
            f"- {{match: {{ports: 443, domains: [h{n}.example, w{n}.example], path: /x/*}}, "
            f"action: {{type: forward, targets: ['127.0.0.1:{1000 + n}'], tls: {{mode: terminate}}}}}}"
            for n in range(1000)
        ]
        text = "routes:\n" + "\n".join(lines)
        began = time.process_time()
        config = understood(text)
        self.assertEqual(len(config.routes), 1000)
        error = self.assertRaises(
            ConfigError, loads, text.replace("path: /x/*", "path: x"), "yaml", "/", environ=ENVIRONMENT
        )
        self.assertEqual(len(error.problems), 1000)
        self.assertLess(time.process_time() - began, 5)

    @examples(100)
    @given(
        anyText(80) | st.text(alphabet="ab: -[]{}&*'\"#,.=\n", max_size=80),
        st.sampled_from(["yaml", "toml", "json"]),
    )
    def test_anyText(self, text: str, format: str) -> None:
        """
        Any text is a configuration or a configuration error.
        """
        try:
            loads(text, format, "/", environ=ENVIRONMENT)
        except ConfigError as why:
            self.assertTrue(str(why))

    @examples(100)
    @given(
        st.sampled_from([(YAML, "yaml"), (TOML, "toml")]),
        st.integers(0, 1200),
        st.integers(0, 40),
        st.text(alphabet="ab:-[]{}&*'\"#,. \n=0~<$", max_size=6),
    )
    def test_damage(self, whole: tuple[str, str], at: int, length: int, put: str) -> None:
        """
        A good text that was damaged anywhere likewise.
        """
        text, format = whole
        try:
            loads(text[:at] + put + text[at + length :], format, "/", environ=ENVIRONMENT)
        except ConfigError as why:
            self.assertTrue(str(why))


class LoadTests(SynchronousTestCase):
    """
    Files.
    """

    def file(self, name: str, contents: bytes = b"sites: {a.b: 1}") -> str:
        """
        Write one.
        """
        directory = self.mktemp()
        os.makedirs(directory)
        path = os.path.join(directory, name)
        with open(path, "wb") as opened:
            opened.write(contents)
        return path

    def complaint(self, path: str) -> str:
        """
        The only problem of a file, without its name.
        """
        error = self.assertRaises(ConfigError, load, path, ENVIRONMENT)
        self.assertEqual(len(error.problems), 1)
        self.assertEqual(error.problems[0].file, path)
        return str(error).removeprefix(path)

    def test_endings(self) -> None:
        """
        The ending of the name tells the format, in capitals too.
        """
        for name, text in (
            ("a.yaml", b"sites: {a.b: 1}"),
            ("a.YML", b"sites: {a.b: 1}"),
            ("a.json", b'{"sites": {"a.b": 1}}'),
            ("a.toml", b'[sites]\n"a.b" = 1'),
        ):
            path = self.file(name, text)
            config = load(path, ENVIRONMENT)
            self.assertEqual(len(config.routes), 2)
            self.assertEqual(config.source, os.path.abspath(path))

    def test_otherEndings(self) -> None:
        """
        Another ending is told, whatever is in the file.
        """
        for name in ("a.conf", "yaml", ".yaml"):
            self.assertEqual(
                self.complaint(self.file(name)),
                ": cannot be read: its name has to end in .yaml, .yml, .toml, .json, which says how it "
                "is written",
            )

    def test_byteOrderMark(self) -> None:
        """
        A byte order mark is no part of the text.
        """
        for name, text in (("a.yaml", b"sites: {a.b: x}"), ("a.json", b'{"sites":{"a.b": "x"}}')):
            path = self.file(name, b"\xef\xbb\xbf" + text)
            self.assertIn("'x' has no port", self.complaint(path))

    def test_notText(self) -> None:
        """
        A file that is not UTF-8 is told with the place of the first bad byte.
        """
        path = self.file("a.yaml", "sites:\n  bü".encode() + b"\xfc: 1")
        self.assertEqual(self.complaint(path), ":2:5: is not UTF-8 here: save the file in that encoding")
        self.assertIn("is not UTF-8 here", self.complaint(self.file("a.yaml", "a: 1".encode("utf-16"))))

    def test_notReadable(self) -> None:
        """
        What cannot be read, and what is no file, is told plainly and at once.
        """
        self.assertEqual(self.complaint("/nowhere/a.yaml"), ": cannot be read: No such file or directory")
        directory = self.mktemp() + ".yaml"
        os.makedirs(directory)
        self.assertIn("cannot be read: ", self.complaint(directory))
        pipe = self.mktemp() + ".yaml"
        os.mkfifo(pipe)
        self.assertEqual(self.complaint(pipe), ": cannot be read: is not a regular file")
        loop = self.mktemp() + ".yaml"
        os.symlink(loop, loop)
        self.assertIn("cannot be read: ", self.complaint(loop))
        self.assertIn(
            "cannot be read: embedded null byte", str(self.assertRaises(ConfigError, load, "a\0.yaml", {}))
        )

    def test_environment(self) -> None:
        """
        The environment is that of the process where nothing else is said.
        """
        path = self.file("a.yaml", b"sites: {a.b: 1}\nstate_dir: ${SMARTPROXY_TW_TEST}")
        self.patch(os, "environ", os.environ)
        os.environ["SMARTPROXY_TW_TEST"] = "/from/environ"
        self.addCleanup(os.environ.pop, "SMARTPROXY_TW_TEST")
        self.assertEqual(load(path).stateDir, "/from/environ")
