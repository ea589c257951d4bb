"""
Guards in a whole process, alone and with workers: an auth server that speaks the protocol of
Authelia and oauth2-proxy as they document it, keys that are fetched, passwords, limits.
"""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from typing import Any

import bcrypt
from joserfc import jwt
from joserfc.jwk import RSAKey

from .onlookers import QuietServer
from .running import PATIENCE
from .test_process import HERE, TWIST, ProcessCase, freePort

_HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(5)).decode()

_FILE = """
workers: {workers}
bind: {here}
state_dir: state
access_log: {{format: 'off'}}
routes:
- name: open
  match: {{ports: {port}, path: /open}}
  action: {{type: forward, targets: 'http://{here}:{origin}'}}
  security_headers: true
- name: blocked
  match: {{ports: {port}, path: /blocked}}
  action: {{type: respond}}
  security: {{ip_block_list: 127.0.0.0/8}}
- name: basic
  match: {{ports: {port}, path: /basic}}
  action: {{type: forward, targets: 'http://{here}:{origin}'}}
  security:
    basic_auth: {{users: {{bob: {hash}}}, user_header: Remote-User}}
- name: limited
  match: {{ports: {port}, path: /limited}}
  action: {{type: respond, body: in}}
  security: {{rate_limit: {{requests: 6, window: 3600}}}}
- name: asked
  match: {{ports: {port}, path: /asked/*}}
  action: {{type: forward, targets: 'http://{here}:{origin}'}}
  security:
    forward_auth:
      url: http://{here}:{auth}/api/authz/forward-auth
      copy_headers: [Remote-User, Remote-Groups]
      answer_headers: [Set-Cookie]
      timeout: 4
- name: token
  match: {{ports: {port}, path: /token}}
  action: {{type: forward, targets: 'http://{here}:{origin}'}}
  security:
    jwt_auth:
      algorithms: [RS256]
      jwks_url: http://{here}:{auth}/jwks.json
      issuer: me
      claims: {{sub: Remote-User}}
"""


class _Quiet(BaseHTTPRequestHandler):
    """
    Says nothing on its own.
    """

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def say(self, status: int, body: bytes, *fields: tuple[str, str]) -> None:
        """
        An answer.
        """
        self.send_response(status)
        for name, value in (*fields, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Origin(_Quiet):
    """
    Tells what it was told.
    """

    def do_GET(self) -> None:
        """The fields of the request."""
        self.say(200, json.dumps({name.lower(): value for name, value in self.headers.items()}).encode())


class GuardTests(ProcessCase):
    """
    Guards.
    """

    def serve(self, handler: type[BaseHTTPRequestHandler]) -> int:
        """
        A server in a thread; its port.
        """
        server = QuietServer((HERE, 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return int(server.server_address[1])

    def ask(self, path: str, **fields: str) -> tuple[int, dict[str, str], Any]:
        """
        One request on a connection of its own.
        """
        connection = http.client.HTTPConnection(HERE, self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={name.replace("_", "-"): fields[name] for name in fields})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        told = {name.lower(): value for name, value in response.getheaders()}
        return response.status, told, json.loads(body) if body.startswith(b"{") else body

    def setUp(self) -> None:
        super().setUp()
        self.key = key = RSAKey.generate_key(2048, {"kid": "one"})
        self.questions: list[dict[str, str]] = []
        self.isSilent = False
        self.isOver = threading.Event()
        self.addCleanup(self.isOver.set)
        case = self

        class Auth(_Quiet):
            """
            Whoever has a session may.
            """

            def do_GET(self) -> None:
                """Keys, or a verdict."""
                if self.path == "/jwks.json":
                    self.say(200, json.dumps({"keys": [key.as_dict(private=False)]}).encode())
                    return
                case.questions.append({name.lower(): value for name, value in self.headers.items()})
                if case.isSilent:
                    case.isOver.wait(PATIENCE)
                    self.close_connection = True
                    return
                cookie = self.headers.get("Cookie", "")
                if "session=good" in cookie:
                    self.say(200, b"", ("Remote-User", "ann"), ("Set-Cookie", "session=renewed"))
                elif "session=other" in cookie:
                    self.say(403, b"not you")
                else:
                    self.say(
                        302, b"this way", ("Location", "https://login.test/?rd=x"), ("Set-Cookie", "state=1")
                    )

        self.port = freePort()
        self.ports = {"origin": self.serve(_Origin), "auth": self.serve(Auth)}

    def start(self, workers: int) -> None:
        """
        Write the configuration.
        """
        text = _FILE.format(here=HERE, port=self.port, hash=_HASH, workers=workers, **self.ports)
        (self.directory / "proxy.yaml").write_text(text)

    def lists(self) -> None:
        """
        Who is blocked is, and what browsers are told is told.
        """
        self.assertEqual(self.ask("/blocked")[0], 403)
        status, told, _ = self.ask("/open")
        self.assertEqual((status, told["x-content-type-options"]), (200, "nosniff"))
        self.assertNotIn("strict-transport-security", told)

    def passwords(self) -> None:
        """
        The right one, the wrong one, and none.
        """
        status, told, _ = self.ask("/basic")
        self.assertEqual(
            (status, told["www-authenticate"]), (401, 'Basic realm="restricted", charset="UTF-8"')
        )
        for password, expected in (("secret", 200), ("wrong", 401), ("secret", 200)):
            shown = "Basic " + b64encode(f"bob:{password}".encode()).decode()
            status, _, body = self.ask("/basic", Authorization=shown, Remote_User="root")
            self.assertEqual(status, expected)
            if status == 200:
                self.assertEqual(body["remote-user"], "bob")
                self.assertNotIn("authorization", body)

    def verdicts(self) -> None:
        """
        The answers of somebody else.
        """
        status, told, body = self.ask("/asked/x?y=1", Accept="text/html")
        self.assertEqual((status, told["location"], body), (302, "https://login.test/?rd=x", b"this way"))
        self.assertEqual(told["set-cookie"], "state=1")
        question = self.questions[-1]
        self.assertEqual(question["x-forwarded-uri"], "/asked/x?y=1")
        self.assertEqual((question["x-forwarded-proto"], question["x-forwarded-for"]), ("http", HERE))
        self.assertEqual(question["x-forwarded-host"], f"{HERE}:{self.port}")
        self.assertEqual(self.ask("/asked/x", Cookie="session=other")[::2], (403, b"not you"))
        status, told, body = self.ask("/asked/x", Cookie="session=good", Remote_Groups="wheel")
        self.assertEqual((status, body["remote-user"], told["set-cookie"]), (200, "ann", "session=renewed"))
        self.assertNotIn("remote-groups", body)
        self.isSilent = True
        self.assertEqual(self.ask("/asked/x", Cookie="session=good")[0], 503)
        self.isSilent = False

    def tokens(self) -> None:
        """
        Tokens with keys that are fetched.
        """
        now = int(time.time())
        for claims, key, expected in (
            ({"iss": "me"}, self.key, 200),
            ({"iss": "you"}, self.key, 401),
            ({"iss": "me", "exp": now - 60}, self.key, 401),
            ({"iss": "me"}, RSAKey.generate_key(2048, {"kid": "one"}), 401),
        ):
            token = jwt.encode({"alg": "RS256", "kid": "one"}, {"exp": now + 60, "sub": "ann", **claims}, key)
            status, _, body = self.ask("/token", Authorization=f"Bearer {token}", Remote_User="root")
            self.assertEqual(status, expected, claims)
            if status == 200:
                self.assertEqual(body["remote-user"], "ann")

    def run_(self, workers: int) -> None:
        """
        All of it.
        """
        self.start(workers)
        with self.going([*TWIST, "smartproxy", "--config", "proxy.yaml"]) as process:
            self.until(process, "Listening on")
            self.lists()
            self.passwords()
            self.verdicts()
            self.tokens()
            # Each worker has its share of six, and both together let no more than those pass.
            passed = [self.ask("/limited")[0] for _ in range(30)]
            self.assertEqual(set(passed), {200, 429})
            self.assertLessEqual(passed.count(200), 6)
            self.assertGreaterEqual(passed.count(200), 6 // workers)
            # A reload that leaves the route as it is does not fill its buckets.
            file = self.directory / "proxy.yaml"
            file.write_text(file.read_text().replace("name: blocked", "name: other"))
            process.send_signal(signal.SIGHUP)
            self.until(process, "Reloaded")
            passed += [self.ask("/limited")[0] for _ in range(30)]
            self.assertLessEqual(passed.count(200), 6)
            process.terminate()
            self.until(process, "Main loop terminated")

    def test_alone(self) -> None:
        """
        In one process.
        """
        self.run_(1)

    def test_workers(self) -> None:
        """
        With two workers.
        """
        self.run_(2)
