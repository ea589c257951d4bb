"""
Tests for L{smartproxy_tw.config.summary}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.summary import render

from .reading import understood


class RenderTests(SynchronousTestCase):
    """
    What C{check} prints when nothing is wrong.
    """

    maxDiff = None

    def test_everything(self) -> None:
        """
        Ports, challenges, routes with what they take and do, and the rest.
        """
        config = understood(
            """
            acme: {directory: "https://127.0.0.1:14000/dir", challenges: [tls-alpn-01, http-01]}
            state_dir: /state
            routes:
            - name: app
              match: {ports: [443, 8443], domains: [a.b, c.d], path: /x/*}
              priority: 5
              action: {type: forward, targets: [1, 2], tls: {mode: terminate}}
            - name: mail
              match: {ports: {from: 993, to: 995}}
              action: {type: block, tls: {mode: passthrough}}
            - {name: api, match: {ports: 9, domains: a.b}, action: {type: forward, targets: 'https://h'}}
            - name: odd
              match: {ports: 9}
              action:
                type: forward
                targets: unix:/x
                tls: {mode: terminate-and-reencrypt, certificate: internal, insecure_skip_verify: true}
            - name: named
              match: {ports: 10, domains: '*.b'}
              action:
                type: forward
                targets: unix:/x
                tls: {mode: terminate-and-reencrypt, certificate: internal, server_name: s}
            - {name: hi, match: {ports: 11}, action: {type: respond, body: ü}}
            - {name: no, match: {ports: 11, path: /no}, action: {type: block}}
            - {name: to, match: {ports: 11, path: /to}, action: {type: redirect, to: /x}}
            """
        )
        self.assertEqual(
            render(config, "x.yaml"),
            """\
x.yaml: 8 routes on 9 ports, nothing wrong

port 9
  api (line 12)
    takes        plain http; a.b
    does         forward to h:443 by TLS, verified
  odd (line 13)
    takes        TLS, ended here, http inside; any name or none
    does         forward to unix:/x by TLS, NOT VERIFIED
    certificate  by the local authority for localhost

port 10
  named (line 19)
    takes        TLS, ended here, http inside; *.b
    does         forward to unix:/x by TLS, verified as s
    certificate  by the local authority for *.b

port 11
  hi (line 25)
    takes        plain http; any name or none
    does         respond 200 with 2 bytes
  no (line 26)
    takes        plain http; any name or none; path /no
    does         block: 403
  to (line 27)
    takes        plain http; any name or none; path /to
    does         redirect (308) to /x

port 80
  ACME challenges are answered here: http-01

port 443
  ACME challenges are answered here: tls-alpn-01
  app (line 5)
    takes        TLS, ended here, http inside; a.b, c.d; path /x/*; priority 5
    does         forward to 127.0.0.1:1, 127.0.0.1:2 in turn
    certificate  by ACME for a.b, c.d

ports 993-995
  mail (line 9)
    takes        TLS, passed through; any name or none
    does         block: close

port 8443
  app (line 5)
    takes        TLS, ended here, http inside; a.b, c.d; path /x/*; priority 5
    does         forward to 127.0.0.1:1, 127.0.0.1:2 in turn
    certificate  by ACME for a.b, c.d

1 certificate by ACME from https://127.0.0.1:14000/dir
state in /state
admin socket /state/admin.sock
""",
        )

    def test_conditions(self) -> None:
        """
        What else a route asks for, but for secrets.
        """
        shown = render(
            understood(
                """
                routes:
                - name: x
                  match:
                    ports: 443
                    method: [GET, HEAD]
                    headers: {X-Beta: [a, 'b*'], Authorization: hush}
                    query: {v: '2'}
                    client_ip: [10.0.0.0/8, '::1', 10.*.0.1, 1.1.1.1-1.1.1.2, 1.2.3.4, 5.6.7.8]
                    tls_version: [1.2]
                  action: {type: respond, tls: {mode: terminate, certificate: internal}}
                """
            ),
            "x",
        )
        self.assertIn(
            "any name or none; method GET or HEAD; header x-beta 'a' or 'b*'; header authorization (hidden); "
            "query v '2'; client 10.0.0.0/8, ::1, 10.*.0.1, 1.1.1.1-1.1.1.2 and 2 more; TLS 1.2\n",
            shown,
        )
        self.assertNotIn("hush", shown)

    def test_guards(self) -> None:
        """
        What a route asks of those who use it is told before what it does.
        """
        text = render(
            understood(
                "routes: [{match: {ports: 8}, action: {type: respond}, security: {ip_block_list: '::1'}}]"
            ),
            "c.yaml",
        )
        self.assertIn("    asks         block list (1 entry)\n    does         respond 200", text)

    def test_divided(self) -> None:
        """
        Names that are too many for one certificate are shown as they are divided.
        """
        names = ", ".join(f"shop{number}.example" for number in range(30))
        config = understood(
            f"""
            acme: {{profile: tlsserver}}
            routes:
            - {{match: {{ports: 443, domains: [{names}]}}, action: {{type: block, tls: {{mode: terminate}}}}}}
            """
        )
        lines = render(config, "x.yaml").split("\n")
        shown = [line for line in lines if line.startswith("    certificate")]
        self.assertEqual(len(shown), len(config.autoCertificates))
        for number, (line, part) in enumerate(zip(shown, config.autoCertificates, strict=True), 1):
            share = f"{number} of {len(shown)}"
            self.assertEqual(line, f"    certificate  {share}, by ACME for {', '.join(part.names)}")
        self.assertTrue(any(line.startswith(f"{len(shown)} certificates by ACME") for line in lines), lines)

    def test_watch(self) -> None:
        """
        Whether its files are watched.
        """
        for text, isTold in (("watch: true\n", True), ("", False)):
            told = render(understood(text + "sites: {a.localhost: 1}"), "x")
            self.assertEqual("its files are watched" in told, isTold)

    def test_notes(self) -> None:
        """
        Names that Let's Encrypt cannot know are told, elsewhere they are not.
        """
        text = "sites: {a.localhost: 1, example.com: 2, c.d: {to: 1, certificate: internal}}"
        told = render(understood(text), "x")
        self.assertIn("note: a.localhost is no public name", told)
        self.assertEqual(told.count("note: "), 1)
        text += "\nacme: {directory: 'https://ca.example/'}"
        self.assertNotIn("note: ", render(understood(text), "x"))

    def test_admin(self) -> None:
        """
        Where it is spoken to, or that it is not.
        """
        text = "routes: [{match: {ports: 8}, action: {type: block}}]\nadmin: "
        self.assertIn("\nadmin socket /run/a.sock\n", render(understood(text + "{socket: /run/a.sock}"), "x"))
        environ = {"STATE_DIRECTORY": "/state", "TOKEN": "0123456789abcdef" * 2}
        shown = "listen: 'HOST:2019', token: '${TOKEN}', allow_remote: true"
        for host, end in (
            ("127.0.0.1", "a token\n"),
            ("0.0.0.0", "where other machines reach it and NOTHING"),
        ):
            told = render(understood(text + "{" + shown.replace("HOST", host) + "}", environ=environ), "x")
            self.assertIn(f"\nadmin by HTTP on {host}:2019, with a token", told)
            self.assertIn(end, told)
        self.assertIn("\nno admin socket\n", render(understood(text + "off"), "x"))

    def test_proxyHeader(self) -> None:
        """
        A target that is told of clients says so.
        """
        text = (
            "routes: [{match: {ports: 1}, action: {type: forward, targets: [7, {host: h, port: 8,"
            " send_proxy_protocol: off}], send_proxy_protocol: {version: v2, tlvs: [authority, crc32c]}}}]"
        )
        told = "forward to 127.0.0.1:7 (with a PROXY protocol header: v2, authority, crc32c), h:8 in turn\n"
        self.assertIn(told, render(understood(text), "x"))

    def test_proxyProtocol(self) -> None:
        """
        A port where the PROXY protocol is spoken says so, and to whom; others do not.
        """
        text = "sites: {a.b: 1}\nproxy_protocol: {ports: 443, from: [10.0.0.0/8, 192.0.2.1]"
        told = "  whoever is in 10.0.0.0/8, 192.0.2.1/32 %s with a PROXY protocol header\n"
        made = render(understood(text + "}"), "x")
        self.assertEqual(made.count("PROXY"), 1)
        self.assertIn(told % "has to begin", made.partition("port 443")[2])
        self.assertIn(told % "may begin", render(understood(text + ", mode: accept}"), "x"))

    def test_metrics(self) -> None:
        """
        Where figures are told, if anywhere.
        """
        text = "routes: [{match: {ports: 8}, action: {type: block}}]\n"
        told = render(understood(text + "metrics: {listen: '[::1]:9100'}"), "x")
        self.assertIn("\nmetrics at http://[::1]:9100/metrics\n", told)
        self.assertNotIn("metrics", render(understood(text), "x"))

    def test_workers(self) -> None:
        """
        Several workers are told, and what is the share of each; one is nothing to
        tell.
        """
        text = "routes: [{match: {ports: 80}, action: {type: block}}]\n"
        self.assertNotIn("worker", render(understood(text), "x"))
        told = render(understood(text + "workers: 3"), "x")
        self.assertIn("3 workers, each with up to 6667 of 20000 connections\n", told)
        told = render(understood(text + "workers: auto"), "x")
        self.assertIn("one worker for each CPU, with an equal share of limits.connections\n", told)

    def test_hooks(self) -> None:
        """
        What is run afterwards is told, without its arguments; where there are no
        certificates by ACME it never is.
        """
        text = "acme: {hooks: [{command: [sh, secret], events: failed, names: a.b}, {command: [ls]}]}\n"
        told = render(understood(text + "sites: {a.b: 1}"), "x")
        self.assertIn("sh is run when failed for a.b\nls is run when issued or renewed\n", told)
        self.assertNotIn("secret", told)

    def test_preflight(self) -> None:
        """
        That orders may be held back is told where it is so.
        """
        self.assertNotIn("acme.preflight", render(understood("sites: {a.b: 1}"), "x"))
        told = render(understood("sites: {a.b: 1}\nacme: {preflight: strict}"), "x")
        self.assertIn("no order is placed while something is seen to be in its way (acme.preflight)\n", told)

    def test_noCertificates(self) -> None:
        """
        Without certificates by ACME there is no word of it.
        """
        told = render(understood("routes: [{match: {ports: 80}, action: {type: block}}]"), "x")
        self.assertTrue(told.startswith("x: 1 route on 1 port, nothing wrong\n"))
        self.assertNotIn("ACME", told)


class PoolTests(SynchronousTestCase):
    """
    A bound on connections to targets.
    """

    def test_shown(self) -> None:
        """
        Whoever looks at the summary sees it.
        """
        config = understood(
            """
            state_dir: /state
            routes:
            - name: r
              match: {ports: 80, protocol: http}
              action: {type: forward, targets: 'h:443', pool: {connections: 4}}
            """
        )
        does = "forward to h:443; at most 4 connections to each from each process\n"
        self.assertIn(does, render(config, "a.yaml"))
