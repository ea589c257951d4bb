"""
Tests for L{smartproxy_tw.config.readers}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Forward, ProxyHeader, Redirect, Target, UpstreamTLS

from .reading import complaints, only, route, understood

FORWARD = "{type: forward, targets: 1}"


class ProtocolTests(SynchronousTestCase):
    """
    How the protocol is settled, and what contradicts it.
    """

    def test_settled(self) -> None:
        """
        What is not said is settled by what is.
        """
        for match, action, expected in (
            ("{ports: 1}", FORWARD, "tcp"),
            ("{ports: 1}", "{type: block}", "tcp"),
            ("{ports: 1, domains: a.b}", FORWARD, "http"),
            ("{ports: 1, domains: a.b}", "{type: block}", "http"),
            ("{ports: 1, path: /x}", FORWARD, "http"),
            ("{ports: 1, headers: {a: b}}", FORWARD, "http"),
            ("{ports: 1, query: {a: b}}", FORWARD, "http"),
            ("{ports: 1, method: GET}", FORWARD, "http"),
            ("{ports: 1, client_ip: '::1'}", FORWARD, "tcp"),
            ("{ports: 1}", "{type: redirect, to: /x}", "http"),
            ("{ports: 1}", "{type: respond}", "http"),
            ("{ports: 1}", "{type: forward, targets: 'http://a:1'}", "http"),
            ("{ports: 1}", "{type: forward, targets: ['https://a:1']}", "http"),
            ("{ports: 1, domains: a.b}", "{type: forward, targets: 1, tls: {mode: passthrough}}", "tcp"),
            ("{ports: 1}", "{type: forward, targets: 1, tls: {mode: passthrough}}", "tcp"),
            ("{ports: 1}", "{type: block, tls: {mode: passthrough}}", "tcp"),
            ("{ports: 1, domains: a.b}", "{type: forward, targets: 1, tls: {mode: terminate}}", "http"),
            (
                "{ports: 1}",
                (
                    "{type: forward, targets: 'h:1', tls: {mode: terminate-and-reencrypt, certificate: "
                    "internal}}"
                ),
                "http",
            ),
            (
                "{ports: 1, domains: a.b, protocol: tcp}",
                "{type: forward, targets: 1, tls: {mode: terminate}}",
                "tcp",
            ),
            ("{ports: 1, protocol: http}", FORWARD, "http"),
            ("{ports: 1, protocol: tcp}", FORWARD, "tcp"),
            (
                "{ports: 1, protocol: tcp, domains: a.b}",
                "{type: forward, targets: 1, tls: {mode: passthrough}}",
                "tcp",
            ),
        ):
            self.assertEqual(route(match, action).protocol, expected, f"{match} {action}")

    def test_proxyHeader(self) -> None:
        """
        A target that does not say otherwise is told what the action says; the same target
        twice is a mistake even so.
        """
        made = route(
            "{ports: 1}",
            "{type: forward, send_proxy_protocol: v2, targets: ['a:1',"
            " {host: b, port: 1, send_proxy_protocol: v1}, {host: c, port: 1, send_proxy_protocol: off}]}",
        ).action
        assert isinstance(made, Forward)
        self.assertEqual([each.proxyHeader for each in made.targets], [ProxyHeader(2), ProxyHeader(1), None])
        for text, told in (
            ("v3", "action.send_proxy_protocol"),
            ("true", "has to be v1, v2 or off, or {version: , tlvs: }"),
            ("{version: v1, tlvs: [crc32c]}", "has tlvs, for which v1 has no place: use version: v2"),
            ("{version: v2, tlvs: [crc32c, crc32c]}", "lists crc32c twice"),
            ("{version: v2, tlvs: [netns]}", "action.send_proxy_protocol.tlvs"),
        ):
            text = (
                f"match: {{ports: 1}}, action: {{type: forward, targets: 'a:1', send_proxy_protocol: {text}}}"
            )
            self.assertIn(told, only(f"routes: [{{{text}}}]"))
        twice = "['a:1', {host: a, port: 1, send_proxy_protocol: v1}]"
        told = only(f"routes: [{{match: {{ports: 1}}, action: {{type: forward, targets: {twice}}}}}]")
        self.assertIn("is the same target as one before it: a:1", told)

    def test_contradictions(self) -> None:
        """
        What cannot be is told at the word that is too much.
        """
        for match, action, told in (
            ("ports: 1, path: /x, protocol: tcp", FORWARD, "match.protocol: cannot be tcp: path needs HTTP"),
            (
                "ports: 1, headers: {a: b}, protocol: tcp",
                FORWARD,
                "match.protocol: cannot be tcp: headers needs HTTP",
            ),
            (
                "ports: 1, query: {a: b}, protocol: tcp",
                FORWARD,
                "match.protocol: cannot be tcp: query needs HTTP",
            ),
            (
                "ports: 1, method: GET, protocol: tcp",
                FORWARD,
                "match.protocol: cannot be tcp: method needs HTTP",
            ),
            (
                "ports: 1, protocol: tcp",
                "{type: redirect, to: /x}",
                "match.protocol: cannot be tcp: type: redirect needs HTTP",
            ),
            (
                "ports: 1, protocol: tcp",
                "{type: respond, status: 200}",
                "action.status: needs HTTP: over plain TCP there is only the body",
            ),
            (
                "ports: 1, protocol: tcp",
                "{type: respond, body: 'you are {client_ip} on {port}'}",
                (
                    "action.body: uses {client_ip}, which needs HTTP: over plain TCP nothing is filled in "
                    "({{ is a brace)"
                ),
            ),
            (
                "ports: 1, protocol: tcp",
                "{type: files, root: .}",
                "match.protocol: cannot be tcp: type: files needs HTTP",
            ),
            (
                "ports: 1, protocol: tcp",
                "{type: socket, factory: json.dumps, kind: wsgi}",
                "match.protocol: cannot be tcp: kind: wsgi needs HTTP",
            ),
            (
                "ports: 1",
                "{type: socket, factory: json.dumps, tls: {mode: passthrough}}",
                (
                    "action.tls.mode: passthrough leaves everything encrypted, but type: socket (but for "
                    "kind: protocol) needs HTTP"
                ),
            ),
            (
                "ports: 1, protocol: http",
                "{type: socket, factory: json.dumps, kind: protocol}",
                "action.kind: protocol takes what is not HTTP, which protocol: http needs",
            ),
            (
                "ports: 1, path: /a",
                "{type: socket, factory: json.dumps, kind: protocol}",
                "action.kind: protocol takes what is not HTTP, which path needs",
            ),
            (
                "ports: 1, domains: a.b",
                "{type: socket, factory: json.dumps, kind: protocol}",
                "match.domains: cannot be seen in plain TCP: add tls, or leave out protocol: tcp",
            ),
            (
                "ports: 1",
                "{type: block, status: 404, reset: true}",
                "action.status: has no effect with reset: leave out one of them",
            ),
            (
                "ports: 1, protocol: tcp",
                "{type: forward, targets: 'http://a:1'}",
                "match.protocol: cannot be tcp: a target with http:// needs HTTP",
            ),
            (
                "ports: 1, protocol: tcp, domains: a.b",
                FORWARD,
                "match.domains: cannot be seen in plain TCP: add tls, or leave out protocol: tcp",
            ),
            (
                "ports: 1, path: /x, domains: a.b",
                "{type: forward, targets: 1, tls: {mode: passthrough}}",
                "action.tls.mode: passthrough leaves everything encrypted, but path needs HTTP",
            ),
            (
                "ports: 1, protocol: http",
                "{type: block, tls: {mode: passthrough}}",
                "match.protocol: cannot be http with passthrough, which never sees it: leave it out",
            ),
            (
                "ports: 1",
                "{type: forward, targets: 'https://a', tls: {mode: passthrough}}",
                (
                    "action.tls.mode: passthrough leaves everything encrypted, but a target with https:// "
                    "needs HTTP"
                ),
            ),
            (
                "ports: 1, tls_version: 1.2",
                FORWARD,
                "match.tls_version: needs TLS that ends here: add action.tls, or leave it out",
            ),
            (
                "ports: 1, tlsVersion: 1.2",
                "{type: block, tls: {mode: passthrough}}",
                "action.tls.mode: passthrough leaves everything encrypted, but tls_version needs HTTP",
            ),
            (
                "ports: 1, tls_version: 1.2",
                "{type: respond, tls: {mode: terminate, certificate: internal, min_version: 1.3}}",
                "match.tls_version: is never 1.2: action.tls speaks 1.3 to 1.3",
            ),
            (
                "ports: 1, headers: {X-A: b, x-a: c}",
                "{type: respond}",
                (
                    "match.headers[x-a]: is given twice: case does not matter, a list has what one of its "
                    "values can be"
                ),
            ),
            (
                "ports: 1, client_ip: [10.0.0.1, 10.0.0.9-10.0.0.1]",
                FORWARD,
                ("match.client_ip[1]: '10.0.0.9-10.0.0.1' is a range that runs backwards: exchange the two"),
            ),
            (
                "ports: 1, client_ip: [10.0.0.1, '::ffff:10.0.0.1']",
                FORWARD,
                "match.client_ip: lists 10.0.0.1 twice",
            ),
            (
                "ports: 1, method: [GET, post]",
                "{type: respond}",
                "match.method[1]: 'post' would never match, as case matters in methods: write POST",
            ),
            (
                "ports: 1, headers: {Upgrade: websocket, Connection: upgrade}",
                "{type: respond}",
                (
                    "match.headers.Connection: 'Connection' is for one hop only and never goes on: to tell "
                    "WebSockets apart, ask for the field Upgrade"
                ),
            ),
            (
                "ports: 1, query: {v: 2}",
                "{type: respond}",
                (
                    "match.query.v: has to be a text (numbers in quotes), a glob, a /regular expression/ or "
                    "a list of these, not 2"
                ),
            ),
            (
                "ports: 1, query: {}",
                "{type: respond}",
                "match.query: is empty: at least one is needed",
            ),
        ):
            line = only(f"routes: [{{match: {{{match}}}, action: {action}}}]")
            self.assertEqual(line.partition("routes[0].")[2], told)


class TargetTests(SynchronousTestCase):
    """
    Where routes forward to.
    """

    def forward(self, targets: str, tls: str = "") -> Forward:
        """
        The action of a route with these targets.
        """
        action = f"{{type: forward, targets: {targets}{', tls: ' + tls if tls else ''}}}"
        found = route("{ports: 1, domains: a.b}", action).action
        assert isinstance(found, Forward)
        return found

    def test_forms(self) -> None:
        """
        Every way to write a target.
        """
        for text, target in (
            ("3000", Target("127.0.0.1", 3000)),
            ("'App:3000'", Target("app", 3000)),
            ("'[::1]:3000'", Target("::1", 3000)),
            ("{host: '::1', port: 3000}", Target("::1", 3000)),
            ("{host: '[::1]', port: preserve}", Target("::1", None)),
            ("'h:preserve'", Target("h", None)),
            ("unix:/run/a.sock", Target("/run/a.sock", 0)),
            ("{unix: a.sock}", Target("/etc/a.sock", 0)),
            ("http://h", Target("h", 80)),
        ):
            self.assertEqual(self.forward(text).targets, (target,))
            self.assertEqual(self.forward(f"[{text}]").targets, (target,))

    def test_upstreamTLS(self) -> None:
        """
        TLS to targets comes by mode or by https://.
        """
        self.assertIsNone(self.forward("'h:1'").tls)
        self.assertEqual(self.forward("'https://h'").tls, UpstreamTLS())
        self.assertEqual(self.forward("'https://h'", "{mode: terminate-and-reencrypt}").tls, UpstreamTLS())

    def test_mistakes(self) -> None:
        """
        Targets that do not go together.
        """
        for targets, tls, told in (
            ("[1, 1]", "", "targets[1]: is the same target as one before it: 127.0.0.1:1"),
            (
                "'http://h'",
                "{mode: terminate-and-reencrypt}",
                "http:// contradicts mode: terminate-and-reencrypt",
            ),
            (
                "'https://h'",
                "{mode: terminate}",
                "tls.mode: has to be terminate-and-reencrypt for https:// targets",
            ),
            (
                "unix:/x",
                "{mode: terminate-and-reencrypt}",
                "tls: needs server_name: a unix socket has no name",
            ),
            ("{unix: /" + "x" * 120 + "}", "", "has a path that no unix socket can have"),
            ("[]", "", "targets: is empty: at least one is needed"),
            ("{host: h}", "", "targets: needs port"),
            ("{host: h, port: 0}", "", "targets.port: has to be at least 1, not 0"),
            (
                "{host: h, port: other}",
                "",
                "targets.port: 'other' has to be a port number, preserve, or python:",
            ),
            ("{host: '*.h', port: 1}", "", "'*.h' has a wildcard, but one host was expected"),
            ("true", "", "has to be a target such as 127.0.0.1:3000, or a list of targets, not true"),
            ("[[1]]", "", "targets[0]: has to be host:port"),
        ):
            more = f", tls: {tls}" if tls else ""
            text = (
                "routes: [{match: {ports: 1, domains: a.b}, "
                f"action: {{type: forward, targets: {targets}{more}}}}}]"
            )
            self.assertIn(told, only(text))

    def test_unixByTLS(self) -> None:
        """
        A unix socket by TLS works with a name, or unverified.
        """
        self.assertEqual(
            self.forward("unix:/x", "{mode: terminate-and-reencrypt, server_name: h}").tls, UpstreamTLS("h")
        )
        found = self.forward("unix:/x", "{mode: terminate-and-reencrypt, insecure_skip_verify: true}").tls
        self.assertEqual(found, UpstreamTLS(verify=False))


class RouteTests(SynchronousTestCase):
    """
    What else becomes of a route.
    """

    def test_ports(self) -> None:
        """
        Ports come in order, ranges written out, up to all of them.
        """
        self.assertEqual(route("{ports: [9, {from: 3, to: 5}, 7]}").ports, (3, 4, 5, 7, 9))
        self.assertEqual(len(route("{ports: {from: 1, to: 65535}}").ports), 65535)

    def test_domains(self) -> None:
        """
        Domains are told one by one, and twice means once too often.
        """
        self.assertIn(
            "match.domains: lists a.b twice",
            only("routes: [{match: {ports: 1, domains: [a.b, A.B.]}, action: {type: block}}]"),
        )
        told = complaints("routes: [{match: {ports: 1, domains: [a.b, 'a b', '*x']}, action: {type: block}}]")
        self.assertEqual(len(told), 2)

    def test_names(self) -> None:
        """
        Routes without a name are named by what they match, wherever they stand.
        """
        a = "{match: {ports: [443, 444], domains: [a.b, c.d], path: /x/*}, action: {type: block}}"
        b = "{match: {ports: 25}, action: {type: block}}"
        c = "{match: {ports: 25}, action: {type: respond}}"
        d = "{name: ':25 #2', match: {ports: 26}, action: {type: block}}"
        for text, names in (
            (f"[{a}, {b}, {c}]", ["a.b:443-444/x/*", ":25", ":25 #2"]),
            (f"[{b}, {a}]", [":25", "a.b:443-444/x/*"]),
            (f"[{b}, {c}, {d}]", [":25", ":25 #3", ":25 #2"]),
        ):
            self.assertEqual([each.name for each in understood(f"routes: {text}").routes], names)

    def test_sameName(self) -> None:
        """
        Two routes of one name are told at the second, with the place of the first.
        """
        line = only(
            "routes:\n- {name: x, match: {ports: 1}, action: {type: block}}\n"
            "- {name: x, match: {ports: 2}, action: {type: block}}\n"
            "- {name: x, match: {ports: 3}, action: {type: block}, enabled: false}\n"
        )
        self.assertEqual(
            line,
            "3:3: routes[1]: two routes have one name, 'x' (line 2 of <text>): names have to be unique",
        )

    def test_disabled(self) -> None:
        """
        A route that is switched off is left out, but has to be right.
        """
        text = (
            "routes: [{match: {ports: 1}, action: {type: block}}, "
            "{enabled: false, match: {ports: %s}, action: {type: block}}]"
        )
        self.assertEqual(understood(text % 2).ports, (1,))
        self.assertIn("routes[1].match.ports", only(text % 0))
        self.assertIn(
            "there is nothing to serve",
            only("routes: [{match: {ports: 1}, action: {type: block}, enabled: false}]"),
        )

    def test_lines(self) -> None:
        """
        Routes know their lines in YAML, TOML and JSON.
        """
        for text, format, lines in (
            (
                (
                    "routes:\n- match: {ports: 1}\n  action: {type: block}\n\n- match: {ports: 2}\n  "
                    "action: {type: block}"
                ),
                "yaml",
                [2, 5],
            ),
            (
                (
                    '{"routes": [\n{"match": {"ports": 1}, "action": {"type": "block"}},\n\n'
                    '{"match": {"ports": 2},\n "action": {"type": "block"}}]}'
                ),
                "json",
                [2, 4],
            ),
            (
                (
                    '[[routes]]\nmatch.ports = 1\naction.type = "block"\n\n'
                    '[[routes]]\nmatch = {ports = 2}\naction.type = "block"'
                ),
                "toml",
                [1, 5],
            ),
        ):
            self.assertEqual([each.line for each in understood(text, format).routes], lines)

    def test_responses(self) -> None:
        """
        Headers and bodies that cannot be sent.
        """
        for text, told in (
            ("headers: {Date: x}", "action.headers.Date: 'Date' is set by the proxy itself"),
            ("headers: {'a b': x}", "action.headers[a b]: 'a b' is not the name of a header field"),
            ("headers: {A: x, a: y}", "action.headers.a: is given twice: case does not matter"),
            ('headers: {A: "x\\r\\nB: y"}', "action.headers.A: 'x\\r\\nB: y' cannot be a header value"),
            ("headers: {A: [x, 'ü']}", "action.headers.A[1]: 'ü' cannot be a header value"),
            (
                "headers: {A: true}",
                "action.headers.A: has to be text, a whole number or a list of texts, not true",
            ),
            ("headers: {A: []}", "action.headers.A: is empty"),
            ("headers: [A]", "action.headers: has to be a mapping, not a list"),
            ("status: 204, body: x", "action.body: cannot be sent with status 204, which has none"),
            ("status: 304, body: x", "action.body: cannot be sent with status 304, which has none"),
            ("status: 199", "action.status: has to be at least 200, not 199"),
            ("status: 600", "action.status: has to be at most 599, not 600"),
            ("body: 3", "action.body: has to be text, not 3"),
        ):
            self.assertIn(told, only(f"routes: [{{match: {{ports: 1}}, action: {{type: respond, {text}}}}}]"))

    def test_certificates(self) -> None:
        """
        A certificate that cannot be had names the route's names and what to do.
        """
        for domains, certificate, told in (
            ("", "auto", "needs domains to ask for"),
            (", domains: '*.a.b'", "auto", "*.a.b is a wildcard"),
            (", domains: '**.a.b'", "internal", "cannot name **.a.b"),
        ):
            text = (
                f"routes: [{{match: {{ports: 1{domains}}}, action: {{type: block, tls: "
                f"{{mode: terminate, certificate: {certificate}}}}}}}]"
            )
            line = only(text)
            self.assertIn("routes[0].action.tls.certificate: ", line)
            self.assertIn(told, line)
        for domains in ("demo.localhost", "localhost", "a.internal"):
            found = route(f"{{ports: 1, domains: {domains}}}", "{type: block, tls: {mode: terminate}}")
            self.assertEqual(found.domains, (domains,))

    def test_addressesHaveNoServerName(self) -> None:
        """
        A route with TLS cannot be asked for by an IP address, one without can.
        """
        for mode in ("passthrough", "terminate"):
            line = only(
                f"routes: [{{match: {{ports: 1, domains: [a.b, '::1']}}, action: {{type: block, tls: "
                f"{{mode: {mode}}}}}}}]"
            )
            self.assertIn("routes[0].match.domains: ::1 never comes as a server name", line)
        self.assertEqual(route("{ports: 1, domains: '[::1]'}").domains, ("::1",))

    def test_redirectLoop(self) -> None:
        """
        A redirect to itself is told.
        """
        text = "routes: [{match: {ports: 80}, action: {type: redirect, to: 'http://{domain}{path}'}}]"
        self.assertIn("redirects to itself without end", only(text))


class SiteTests(SynchronousTestCase):
    """
    What becomes of sites.
    """

    def test_forms(self) -> None:
        """
        A site is a target or a mapping.
        """
        for text in (
            "3000",
            "'3000'",
            "127.0.0.1:3000",
            "{to: 3000}",
            "{to: [3000]}",
            "{to: {host: 127.0.0.1, port: 3000}}",
        ):
            config = understood(f"sites: {{Example.com: {text}}}")
            self.assertEqual(config.routes[0].action, Forward((Target("127.0.0.1", 3000),)))
            self.assertEqual(config.routes[0].domains, ("example.com",))
            self.assertEqual(config.routes[0].line, 1)

    def test_afterRoutes(self) -> None:
        """
        Routes come before sites, wherever they stand in the file.
        """
        config = understood("sites: {a.b: 1}\nroutes: [{name: x, match: {ports: 1}, action: {type: block}}]")
        self.assertEqual([each.name for each in config.routes], ["x", "a.b", "a.b (to https)"])

    def test_mistakes(self) -> None:
        """
        What is wrong with a site is told at the site.
        """
        for text, told in (
            ("{a.b: 1, A.b: 2}", "1:17: sites[A.b]: is the same name as a.b above: give it once"),
            ("{'a b': 1}", "1:9: sites[a b]: 'a b' is not a host name"),
            ("{'https://a.b': 1}", "leave out what stands around the name"),
            ("{a.b: x}", "1:14: sites[a.b]: 'x' has no port"),
            ("{a.b: {}}", "sites[a.b]: needs to (where its requests go"),
            ("{a.b: {to: []}}", "sites[a.b].to: is empty: at least one is needed"),
            (
                "{a.b: [1]}",
                "sites[a.b]: has to be a target such as 127.0.0.1:3000, or {to: , www: , certificate: }",
            ),
            ("{a.b: {to: 1, www: yes}}", "sites[a.b].www: has to be redirect or none, not 'yes'"),
            ("{a.b: {to: 1, wwww: none}}", "sites[a.b].wwww: is not an option here; did you mean www?"),
            ("{'*.a.b': 1}", "sites[*.a.b]: a certificate by ACME (auto) cannot be had: *.a.b is a wildcard"),
            ("{1.2.3.4: 1}", "sites[1.2.3.4]: 1.2.3.4 never comes as a server name"),
            (
                "{'*.a.b': {to: 1, certificate: internal, www: redirect}}",
                "sites[*.a.b].www: there is no www name",
            ),
            ("{a.b: {to: 1, www: redirect}, www.a.b: 2}", "two routes have one name, 'www.a.b'"),
            ("{a.b: {to: ['h:1', 'https://h:2']}}", "sites[a.b].to: mixes targets"),
            ("[a.b]", "sites: has to be a mapping, not a list"),
        ):
            told_ = complaints(f"sites: {text}")
            self.assertIn(told, told_[0])

    def test_besideRoutes(self) -> None:
        """
        A site that a route takes all from is told so.
        """
        line = only(
            "sites: {a.b: 1}\nroutes: [{name: x, match: {ports: 80, domains: a.b}, action: {type: respond}}]"
        )
        self.assertIn("sites[a.b]: can never be reached: 'x' (line 2 of <text>)", line)

    def test_wildcardSite(self) -> None:
        """
        A wildcard works where the certificate does not come by ACME.
        """
        config = understood("sites: {'*.a.localhost': {to: 1, certificate: internal}}")
        self.assertEqual(config.routes[1].action, Redirect("https://{domain}{path}"))


class SiteOptionTests(SynchronousTestCase):
    """
    What a site says beside its targets.
    """

    def test_asRoute(self) -> None:
        """
        Each option of a site makes of its route what the option of the same name makes of a route.
        """
        for option in (
            "headers: {request: {set: {X-A: b}}, response: {remove: Server}}",
            "rewrite: {strip_prefix: /x}",
            "compress: {types: [text/plain], min_bytes: 7}",
            "error_pages: {404: {body: x}}",
            "security: {max_connections: 3, ip_block_list: 10.0.0.0/8}",
            "cors: {origins: 'https://x.y'}",
            "security_headers: {frame_options: DENY}",
            "limits: {body_bytes: 7}",
            "timeouts: {idle: never, connect: 2, lifetime: 60}",
            "websocket: {origins: 'https://x.y'}",
        ):
            short = understood(f"sites: {{a.b: {{to: 'h:1', {option}}}}}").routes[0]
            (full,) = understood(
                "routes: [{match: {ports: 443, domains: a.b}, action: {type: forward, targets: 'h:1', "
                f"tls: {{mode: terminate}}}}, {option}}}]"
            ).routes
            plain = understood("sites: {a.b: 'h:1'}").routes[0]
            made = replace(full, name=short.name, line=short.line, action=short.action)
            self.assertEqual(short, made, option)
            self.assertNotEqual(short, plain, option)
