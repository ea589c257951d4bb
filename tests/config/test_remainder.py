"""
Tests for L{smartproxy_tw.config.remainder}: mistakes of form hide no others, and bring up none that
are not there.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .reading import complaints


class RemainderTests(SynchronousTestCase):
    """
    What else is told of a route or site that cannot be read.
    """

    def told(self, text: str, *wanted: str) -> None:
        """
        Just these problems, in whatever order.
        """
        lines = complaints(text)
        for each in wanted:
            self.assertEqual([each in line for line in lines].count(True), 1, (each, lines))
        self.assertEqual(len(lines), len(wanted), lines)

    def test_action(self) -> None:
        """
        Within one action: of several targets, and of their TLS, each that is wrong.
        """
        self.told(
            "routes:\n"
            "  - match: {ports: 443, domains: a.b}\n"
            "    action:\n"
            "      type: forward\n"
            "      targets: [nowhere, {host: a.b, port: x}, 'c.d:1', c.d:1]\n"
            "      pool: {connections: -1}\n"
            "      tls: {mode: terminate-and-reencrypt, ca_file: /no/ca,\n"
            "        certificate: {cert: /no/c, key: /no/k}}\n",
            "action.targets[0]: ",
            "action.targets[1].port: ",
            "action.pool.connections: ",
            "tls.ca_file: '/no/ca",
            "certificate.cert: '/no/c",
            "certificate.key: '/no/k",
        )

    def test_apart(self) -> None:
        """
        Where just a part is wrong on which nothing depends, all else is read as ever.
        """
        self.told(
            "routes:\n"
            "  - match: {ports: [80, 80], path: '/x/:id'}\n"
            "    action: {type: redirect, to: 'https://a.b/{param:no}'}\n"
            "    priority: high\n"
            "    security: {ip_allow_list: [nobody], basic_auth: {file: /no/users}}\n",
            "match.ports[1]: lists port 80 twice",
            "action.to: ",
            "priority: ",
            "ip_allow_list[0]: ",
        )

    def test_deeds(self) -> None:
        """
        Code and directories that cannot be had are told beside a match that is wrong, and what
        depends on the match is not looked at.
        """
        self.told(
            "routes:\n"
            "  - match: {ports: 0}\n"
            "    action: {type: socket, factory: nowhere.at.all}\n"
            "  - match: {ports: 80, path: /a/*}\n"
            "    action: {type: files, root: /no/such}\n"
            "    headers: {response: {set: 5}}\n"
            "  - match: {ports: 0}\n"
            "    action: {type: respond, body: '{param:id}'}\n",
            "routes[0].match.ports: ",
            "routes[0].action.factory: ",
            "routes[1].action.root: ",
            "routes[1].headers.response.set: ",
            "routes[2].match.ports: ",
        )

    def test_nothingUntrue(self) -> None:
        """
        What would be wrong only because something else cannot be read is not told.
        """
        forward = "action: {type: forward, targets: 'a:1'"
        revised = "headers: {request: {set: {a: '{param:id}'}}}"
        for route in (
            # Whether there is TLS, HTTP, or a parameter, is not known.
            f"match: {{ports: 443, tls_version: '1.3'}}, {forward}, tls: {{mode: x}}}}",
            "match: {ports: 80, protocol: tcp, path: x}, action: {type: respond, status: 404}",
            f"match: {{ports: 80, path: x}}, {forward}}}, {revised}",
            f"match: {{ports: x, path: '/:id'}}, {forward}}}, {revised}",
            "match: {ports: 80}, action: {type: wings, targets: x}, rewrite: {strip_prefix: /a}",
        ):
            lines = complaints(f"routes: [{{{route}}}]")
            self.assertEqual(len(lines), 1, lines)
        wildcard = (
            f"{{match: {{ports: 443, domains: '*.a.b'}}, priority: x, {forward}, "
            "tls: {mode: terminate, certificate: auto}}}"
        )
        lines = complaints(f"acme: {{challenges: [x]}}\nroutes: [{wildcard}]")
        self.assertEqual(len(lines), 2, lines)

    def test_sites(self) -> None:
        """
        Likewise of sites.
        """
        self.told(
            "sites:\n"
            "  a.b:\n"
            "    to: [nowhere, c.d:1]\n"
            "    certificate: {cert: /no/c, key: /no/k}\n"
            "    www: maybe\n"
            "    security: {basic_auth: {file: /no/users}}\n"
            "    error_pages: {404: /no/page.html}\n"
            "  c.d: {to: [{host: x}, nowhere]}\n",
            "[a.b].to[0]: ",
            "certificate.cert: ",
            "certificate.key: ",
            "www: has",
            "/no/users",
            "/no/page.html",
            "[c.d].to[0]",
            "[c.d].to[1]: ",
        )

    def test_anything(self) -> None:
        """
        Whatever stands there, what is told is what is wrong.
        """
        for written in ("5.5", "[]", "{}", "{match: 5, action: 5}", "{match: {}, action: {}}", "null", "x"):
            for text in (
                f"routes: [{written}]",
                f"sites: {{a.b: {{to: [{written}]}}}}",
                f"routes: {written}",
            ):
                self.assertTrue(complaints(text), text)
