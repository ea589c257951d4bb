"""
Tests for L{smartproxy_tw.config.wording}.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import loads
from smartproxy_tw.config.wording import Options

from ..examples import examples
from .reading import ENVIRONMENT, complaints, only

ROUTE = "routes: [{match: {ports: 8}, action: {type: block}}]\n"


KINDS = "forward, redirect, respond, files, socket or block"


class WordTests(SynchronousTestCase):
    """
    What people are told, where the schema refuses something.
    """

    def test_unknown(self) -> None:
        """
        An unknown option is told at its key, with the one that was probably meant,
        else with those that there are.
        """
        for text, told in (
            ("stat_dir: x\n" + ROUTE, "1:1: stat_dir: is not an option here; did you mean state_dir?"),
            ("accessLogs: x\n" + ROUTE, "1:1: accessLogs: is not an option here; did you mean access_log?"),
            ("access-log: x\n" + ROUTE, "1:1: [access-log]: is not an option here; did you mean access_log?"),
            ("log: {x: 1}\n" + ROUTE, "1:7: log.x: is not an option here; there are format"),
            (
                "routes: [{match: {port: 8, ports: 8}, action: {type: block}}]",
                "1:19: routes[0].match.port: is not an option here; did you mean ports?",
            ),
            (
                "routes: [{match: {ports: 8}, action: {type: block, target: 3}}]",
                (
                    "1:52: routes[0].action.target: is not an option here; there are body, reset, status, "
                    "tls, type"
                ),
            ),
            (
                "routes: [{match: {ports: 8}, action: {type: forward, targets: 1, target: 3}}]",
                "1:66: routes[0].action.target: is not an option here; did you mean targets?",
            ),
            (
                "routes: [{match: {ports: 8}, action: {type: forward, targets: [{unix: /x, port: 3}]}}]",
                "1:75: routes[0].action.targets[0].port: is not an option here; did you mean priority?",
            ),
        ):
            self.assertEqual(only(text), told)

    def test_notUnderTheOther(self) -> None:
        """
        Suggestions are those of the mapping that was meant.
        """
        told = complaints(
            "routes: [{match: {ports: 8}, action: {type: forward, targets: 1, "
            "tls: {mode: passthrough, certificat: auto}}}]"
        )
        self.assertEqual(
            told, ["1:91: routes[0].action.tls.certificat: is not an option here; there are mode"]
        )

    def test_bothForms(self) -> None:
        """
        Both forms of one option are one too many.
        """
        self.assertEqual(
            only("stateDir: /a\nstate_dir: /b\n" + ROUTE),
            "1:1: stateDir: is given twice: state_dir is the same option",
        )

    def test_missing(self) -> None:
        """
        What is missing is told at what it is missing from, with what it means.
        """
        self.assertEqual(
            only("routes:\n- match:\n    domains: a.b\n  action: {type: block}"),
            "2:3: routes[0].match: needs ports (the local ports: a number, a range {from: 993, to: 995}, "
            "or a list of both)",
        )
        self.assertEqual(
            complaints("routes: [{}]"),
            [
                "1:10: routes[0]: needs match (which connections and requests it takes)",
                "1:10: routes[0]: needs action (what becomes of them)",
            ],
        )

    def test_kinds(self) -> None:
        """
        A value of the wrong kind is told as people name kinds.
        """
        for text, told in (
            ("timeouts: {head: x}", "timeouts.head: has to be a number, not 'x'"),
            ("timeouts: {head: true}", "timeouts.head: has to be a number, not true"),
            ("timeouts: {head: .nan}", "timeouts.head: has to be a finite number, not nan"),
            ("timeouts: {head: .inf}", "timeouts.head: has to be a finite number, not inf"),
            ("timeouts: {head: 0}", "timeouts.head: has to be more than 0, not 0"),
            ("timeouts: {head: 604801}", "timeouts.head: has to be at most 604800, not 604801"),
            ("timeouts: {head: 1" + "0" * 350 + "}", "timeouts.head: has to be a number, not 1000"),
            ("timeouts: {head: 30s}", "not '30s': durations are seconds, without a unit"),
            ("limits: {head_bytes: 64k}", "not '64k': sizes are bytes, without a unit"),
            ("limits: {head_bytes: 64 KiB}", "not '64 KiB': sizes are bytes, without a unit"),
            (
                "limits:\n  head_bytes:9",
                "limits: has to be a mapping, not 'head_bytes:9': a space after the colon is missing",
            ),
            ("limits: x", "has to be a mapping, not 'x'"),
            ("limits: 'a: b'", "has to be a mapping, not 'a: b'"),
            ("limits: {head_bytes: 'a:b'}", "has to be a whole number, not 'a:b'"),
            ("workers: many", "workers: has to be auto or a whole number, not 'many'"),
            ("proxy_protocol: true", "proxy_protocol: has to be a mapping with from, not true"),
            ("timeouts: 3", "timeouts: has to be a mapping, not 3"),
            ("timeouts: [3]", "timeouts: has to be a mapping, not a list"),
            ("limits: {connections: 1.5}", "limits.connections: has to be a whole number, not 1.5"),
            ("limits: {connections: '5'}", "limits.connections: has to be a whole number, not '5'"),
            ("limits: {connections: false}", "limits.connections: has to be a whole number, not false"),
            ("limits: {connections: 0}", "limits.connections: has to be at least 1, not 0"),
            ("acme: {email: 3}", "acme.email: has to be text, not 3"),
            ("acme: {email: on}", "acme.email: 'on' is not an e-mail address"),
            ("acme: {challenges: http-01}", "acme.challenges: has to be a list, not 'http-01'"),
            ("log: {format: jsno}", "log.format: has to be text or json, not 'jsno'; did you mean json?"),
            ("acme: {challenges: [http01]}", "not 'http01'; did you mean http-01?"),
            ("log: {format: 3}", "log.format: has to be text or json, not 3"),
        ):
            self.assertIn(told, only(text + "\n" + ROUTE))

    def test_ports(self) -> None:
        """
        Ports that are written as other programs have them are told as they are written here.
        """
        for written, told in (
            ("443-445", "or a list of these, not '443-445': write {from: 443, to: 445}"),
            ("'443 - 445'", "not '443 - 445': write {from: 443, to: 445}"),
            ("80,443", "not '80,443': write [80, 443]"),
            ("80, 443,8443", "not '80, 443,8443': write [80, 443, 8443]"),
            ("'8080'", "not '8080': write it without quotes"),
            ("[80, '443']", "has to be a port number or {from: , to: }, not '443': write it without quotes"),
            ("80-90-100", "not '80-90-100'"),
        ):
            text = f"routes: [{{match: {{ports: {written}}}, action: {{type: block}}}}]\n"
            if "," in written and "[" not in written:
                text = text.replace(written, f"'{written}'")
            self.assertTrue(only(text).endswith(told), only(text))

    def test_otherNumbers(self) -> None:
        """
        Nobody is told to mean another version than the one that they have written.
        """
        route = "routes: [{match: {ports: 8}, action: {type: forward, targets: 1, protocol: %s}}]"
        for word, meant in (
            ("http2", ""),
            ("http/2", ""),
            ("http/2.0", ""),
            ("H2", "; did you mean h2?"),
            ("http", "; did you mean http/1.1?"),
            ("http1.1", "; did you mean http/1.1?"),
        ):
            line = only(route % word)
            self.assertTrue(line.endswith(f"has to be http/1.1, h2, h2c or auto, not '{word}'{meant}"), line)

    def test_tags(self) -> None:
        """
        Of a union only the kind that was meant is spoken of.
        """
        for action, told in (
            ("3", "1:39: routes[0].action: has to be a mapping with type, not 3"),
            ("block", "1:39: routes[0].action: has to be a mapping with type, not 'block'"),
            ("{}", f"1:31: routes[0].action: needs type ({KINDS})"),
            (
                "{type: forwad}",
                f"1:46: routes[0].action.type: {KINDS} was expected, not 'forwad'",
            ),
            (
                "{type: 3}",
                f"1:46: routes[0].action.type: {KINDS} was expected, not 3",
            ),
            ("{type: redirect}", "1:31: routes[0].action: needs to (where to: a URL in which"),
            (
                "{type: forward, targets: 1, tls: {}}",
                (
                    "1:67: routes[0].action.tls: needs mode (passthrough, terminate or "
                    "terminate-and-reencrypt)"
                ),
            ),
            (
                "{type: redirect, to: /x, tls: {mode: passthrough}}",
                (
                    "1:76: routes[0].action.tls.mode: only terminate is possible for this type of action, "
                    "not 'passthrough'"
                ),
            ),
            (
                "{type: block, tls: {mode: terminate, certificate: manual}}",
                "1:89: routes[0].action.tls.certificate: has to be auto or internal, not 'manual'",
            ),
            (
                "{type: block, tls: {mode: terminate, certificate: 3}}",
                "1:89: routes[0].action.tls.certificate: has to be auto, internal or {cert: , key: }, not 3",
            ),
            (
                "{type: block, tls: {mode: terminate, certificate: {cert: /x}}}",
                "1:76: routes[0].action.tls.certificate: needs key (the private key as PEM",
            ),
        ):
            line = only(f"routes: [{{match: {{ports: 80}}, action: {action}}}]")
            self.assertTrue(line.startswith(told), f"{line}\n{told}")

    def test_nulls(self) -> None:
        """
        A value that was forgotten is told as that, and only once.
        """
        for text in ("acme:", "acme: {email: }", "sites: {a.b: }", "bind: [~]", "state_dir: null"):
            line = only(text + "\n" + ROUTE)
            self.assertIn("has no value: give it one, or leave it out", line)

    def test_notAMapping(self) -> None:
        """
        A file that is a list or a word is told.
        """
        for text in ("[1]", "x", "3"):
            self.assertEqual(only(text), "1:1: has to be a mapping of options such as sites and routes")

    def test_longValues(self) -> None:
        """
        Long values are cut.
        """
        self.assertLess(len(only(f"acme: {{email: {'x' * 5000}}}\n" + ROUTE)), 200)

    def test_toml(self) -> None:
        """
        Dates, which only TOML has, are told like any other kind.
        """
        line = only("state_dir = 1979-05-27\n[sites]\n'a.b' = 1", "toml")
        self.assertEqual(line, "1:13: state_dir: has to be text, not 1979-05-27")

    def test_nothingOfPydantic(self) -> None:
        """
        No message has pydantic's words or addresses, whatever is in the file.
        """
        kinds = [
            None,
            True,
            3,
            -1.5,
            "x",
            "",
            [],
            ["x"],
            {},
            {"x": 1},
            {"type": "forward"},
            {"mode": "terminate"},
        ]
        for options in ("file", "acme", "match", "action", "tls", "site"):
            for name in [*_names(options), "nonsense"]:
                for value in kinds:
                    try:
                        loads(json.dumps(_wrapped(options, {name: value})), "json", "/", environ=ENVIRONMENT)
                    except ConfigError as why:
                        for word in ("pydantic", "Input should", "validation", "errors.", "\0", "\\x00"):
                            self.assertNotIn(word, str(why))


def _names(options: str) -> list[str]:
    locs: dict[str, list[str | int]] = {
        "file": [],
        "acme": ["acme"],
        "match": ["routes", 0, "match"],
        "action": ["routes", 0, "action", "\0forward"],
        "tls": ["routes", 0, "action", "\0forward", "tls", "\0terminate-and-reencrypt"],
        "site": ["sites", "a.b", "\0mapping"],
    }
    return list(Options().at(locs[options]))


def _wrapped(options: str, value: dict[str, object]) -> dict[str, object]:
    if options == "file":
        return value
    if options == "acme":
        return {"acme": value}
    if options == "site":
        return {"sites": {"a.b": value}}
    match = {"ports": 1} | (value if options == "match" else {})
    action: dict[str, object] = {"type": "forward", "targets": 1} | (value if options == "action" else {})
    if options == "tls":
        action["tls"] = {"mode": "terminate-and-reencrypt"} | value
    return {"routes": [{"match": match, "action": action}]}


class OptionsTests(SynchronousTestCase):
    """
    Which options exist where.
    """

    def test_at(self) -> None:
        """
        The schema is followed through lists, mappings, references and unions.
        """
        for options, some in (
            ("file", "state_dir"),
            ("acme", "ca_file"),
            ("match", "domains"),
            ("action", "targets"),
            ("tls", "insecure_skip_verify"),
            ("site", "www"),
        ):
            self.assertIn(some, _names(options))
        options = Options()
        loc = ["routes", 0, "action", "\0forward", "targets", "\0list", 1, "\0unix"]
        common = ["match", "priority", "tls", "headers", "send_proxy_protocol", "protocol"]
        self.assertEqual(list(options.at(loc)), [*common, "unix", "weight"])
        self.assertEqual(list(options.at([*loc[:-1], "\0address"])), [*common, "host", "port", "weight"])
        self.assertEqual(
            list(options.at(["routes", 0, "match", "ports", "\0list", 0, "\0mapping"])), ["from", "to"]
        )
        self.assertEqual(options.at(["nonsense", 3, "\0x"]), {})


class AnythingTests(SynchronousTestCase):
    """
    Whatever is written in the words of the language.
    """

    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-1, 70000)
        | st.floats()
        | st.sampled_from(
            [
                "",
                "a.b",
                "*.a",
                "1.2.3.4",
                "h:1",
                "https://h",
                "/x",
                "auto",
                "internal",
                "http",
                "tcp",
                "passthrough",
                "terminate",
                "forward",
                "redirect",
                "respond",
                "block",
                "preserve",
                "${X}",
                "${",
                "letsencrypt",
                "stdout",
            ]
        ),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "routes",
                        "sites",
                        "match",
                        "ports",
                        "domains",
                        "path",
                        "protocol",
                        "action",
                        "type",
                        "targets",
                        "host",
                        "port",
                        "unix",
                        "tls",
                        "mode",
                        "certificate",
                        "cert",
                        "key",
                        "server_name",
                        "serverName",
                        "to",
                        "status",
                        "headers",
                        "body",
                        "name",
                        "priority",
                        "enabled",
                        "from",
                        "www",
                        "acme",
                        "email",
                        "directory",
                        "ca_file",
                        "challenges",
                        "http_port",
                        "bind",
                        "workers",
                        "include",
                        "a.b",
                        "A.b",
                        "x",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=25,
    )

    @examples(100)
    @given(
        st.dictionaries(st.sampled_from(["routes", "sites", "acme", "bind", "log", "x"]), values, max_size=4)
    )
    def test_anyTree(self, tree: dict[str, object]) -> None:
        """
        Any tree is a configuration or has problems with places, nothing else.
        """
        try:
            loads(
                json.dumps(tree).replace("NaN", "1e999").replace("Infinity", "1e999"),
                "json",
                "/",
                environ=ENVIRONMENT,
            )
        except ConfigError as why:
            self.assertTrue(why.problems)
            for problem in why.problems:
                self.assertTrue(problem.message)
                self.assertNotIn("\n", str(problem))

    routes = st.fixed_dictionaries(
        {
            "match": st.fixed_dictionaries(
                {"ports": st.sampled_from([1, [1, 2], {"from": 1, "to": 3}])},
                optional={
                    "domains": st.sampled_from(["a.b", "*.b", ["a.b", "c.d"], "1.2.3.4", "*"]),
                    "path": st.sampled_from(["/x", "/*"]),
                    "protocol": st.sampled_from(["http", "tcp"]),
                },
            ),
            "action": st.one_of(
                st.fixed_dictionaries(
                    {
                        "type": st.just("forward"),
                        "targets": st.sampled_from([1, ["h:1"], "https://h", "unix:/x"]),
                    },
                    optional={
                        "tls": st.fixed_dictionaries(
                            {"mode": st.sampled_from(["terminate", "terminate-and-reencrypt", "passthrough"])}
                        )
                    },
                ),
                st.fixed_dictionaries(
                    {"type": st.just("redirect"), "to": st.sampled_from(["/x", "https://{domain}{path}"])},
                    optional={"tls": st.just({"mode": "terminate", "certificate": "internal"})},
                ),
                st.just({"type": "block"}),
            ),
        },
        optional={"priority": st.integers(-1, 1), "enabled": st.booleans()},
    )

    @examples(120)
    @given(st.lists(routes, min_size=1, max_size=4))
    def test_whatIsAcceptedIsSound(self, routes: list[object]) -> None:
        """
        A configuration that is accepted keeps the promises of the model, and the
        route table can be compiled from it.
        """
        from smartproxy_tw.routing.table import compileTable

        try:
            config = loads(json.dumps({"routes": routes}), "json", "/", environ=ENVIRONMENT)
        except ConfigError:
            return
        compileTable(config)
        names = [route.name for route in config.routes]
        self.assertEqual(len(names), len(set(names)))
        for route in config.routes:
            self.assertEqual(list(route.ports), sorted(set(route.ports)))
            if route.path is not None:
                self.assertEqual(route.protocol, "http")
            if route.tls is None and route.domains:
                self.assertEqual(route.protocol, "http")
            if route.tls is not None:
                self.assertEqual(route.tls.certificate is None, route.tls.mode == "passthrough")
                if route.tls.mode == "passthrough":
                    self.assertEqual(route.protocol, "tcp")
