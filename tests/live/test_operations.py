"""
A running proxy looked after from the command line: C{twistd} as it is started, commands as
they are typed, Pebble as the authority, and curl by the TCP port.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from smartproxy_tw.commands.admin import asking
from tests.test_tap import environment

from ..ports import freePorts
from .running import PATIENCE
from .test_demands import HERE, DemandCase
from .test_promise import story

reactor: Any = _reactor
COMMAND = [sys.executable, "-m", "smartproxy_tw.cli"]
TOKEN = "0123456789abcdef" * 2


class OperationsTests(DemandCase):
    """
    A proxy from its start to its end.
    """

    workers = 2

    async def smartproxy(self, *arguments: str, status: int = 0) -> str:
        """
        The command ends with this status.
        """
        ran = await deferToThread(
            subprocess.run,
            [*COMMAND, *arguments, "-c", "smartproxy.json"],
            cwd=self.directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        self.assertEqual(ran.returncode, status, f"{ran.stdout}\n{self.log}")
        return str(ran.stdout)

    def change(self, **members: Any) -> None:
        """
        The file says something else.
        """
        path = Path(self.directory / "smartproxy.json")
        settings = json.loads(path.read_text())
        acme = members.pop("acme", {})
        path.write_text(json.dumps({**settings, **members, "acme": {**settings["acme"], **acme}}))

    @story
    async def test_life(self) -> None:
        """
        All is well with a certificate of Pebble's; the doctor finds nothing that is bad;
        a worker that was killed is another one; drained, the process ends with status 0,
        and then nobody answers.
        """
        await self.begin()
        # Nobody there knows any name, which is unknown and not bad.
        (silent,) = freePorts(1)
        self.change(acme={"preflight": {"resolvers": [f"{HERE}:{silent}"]}})
        await self.end()
        await self.start()
        told = await self.smartproxy("status")
        self.assertIn(": ready\n", told)
        self.assertIn("1 wanted, 1 valid, none failing", told)
        told = await self.smartproxy("doctor")
        for line in (
            f"ok       port {self.tls}: the proxy accepts connections there\n",
            f"ok       authority: {self.authority.directoryURL} answers, and is trusted\n",
            "ok       clock: it is the authority's, to the minute\n",
            "unknown  dns of a.example: ",
        ):
            self.assertIn(line, told)
        workers = json.loads(await self.smartproxy("status", "--json"))["workers"]
        self.assertEqual([each["state"] for each in workers], ["serving", "serving"])
        ask = asking(str(self.directory / "state" / "admin.sock"))
        os.kill(workers[0]["process"], signal.SIGKILL)
        for _ in range(1800):
            now = (await deferToThread(ask, "GET", "/v1/status", {})).members["workers"]
            if [each["state"] for each in now] == ["serving", "serving"] and now[0] != workers[0]:
                break
            await deferLater(reactor, 0.05)
        else:
            self.fail(self.log)
        self.assertRegex(await self.smartproxy("drain"), r"ended after \d")
        self.assertEqual(await deferToThread(self.proxy.wait, 60), 0)
        self.assertIn("No proxy answers", await self.smartproxy("status", status=4))
        told = await self.smartproxy("doctor", status=1)
        self.assertIn("BAD      proxy: No proxy answers", told)
        self.assertIn(f"ok       port {self.tls}: nobody listens there, and it can be had\n", told)

    @story
    async def test_drainFinishes(self) -> None:
        """
        With a delay it serves and says that it is not ready; then it accepts nothing
        more, and who has a connection has until timeouts.drain.
        """
        await self.begin()
        await self.smartproxy("drain", "--no-wait", "--delay", "600")
        self.assertIn("NOT READY: it was asked to finish", await self.smartproxy("status", status=1))
        socket.create_connection((HERE, self.tls)).close()
        # The last one who asks counts.
        await self.smartproxy("drain", "--no-wait", "--delay", "0.5")
        for _ in range(1800):
            try:
                socket.create_connection((HERE, self.tls)).close()
            except ConnectionRefusedError:
                break
            await deferLater(reactor, 0.05)
        else:
            self.fail(self.log)
        self.assertEqual(await deferToThread(self.proxy.wait, 60), 0)

    @story
    async def test_curl(self) -> None:
        """
        By TCP curl gets an answer with the token and none without; the log becomes
        louder, and has no token in it.
        """
        if shutil.which("curl") is None:
            self.skipTest("curl is not there; install it from the Debian package curl")
        await self.begin()
        await self.smartproxy("drain")
        (port,) = freePorts(1)
        (self.directory / "token").write_text(TOKEN)
        self.change(admin={"listen": f"{HERE}:{port}", "token_file": "token"}, workers=1)
        await self.start()

        async def curl(*arguments: str) -> tuple[int, Any]:
            ran = await deferToThread(
                subprocess.run,
                ["curl", "-s", "-w", "\n%{http_code}", *arguments],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            body, _, status = ran.stdout.rpartition("\n")
            return int(status), json.loads(body)

        url, shown = f"http://{HERE}:{port}/v1", f"Authorization: Bearer {TOKEN}"
        self.assertEqual((await curl(f"{url}/status"))[0], 401)
        self.assertEqual((await curl("-H", shown, f"{url}/status"))[0], 200)
        self.assertEqual((await curl("-H", shown, "-H", "Host: a.example", f"{url}/status"))[0], 403)
        change = ["-X", "PUT", "-d", '{"level": "debug"}', "-H", shown, f"{url}/log-level"]
        self.assertEqual((await curl(*change))[0], 415)
        status, told = await curl("-H", "Content-Type: application/json", *change)
        self.assertEqual((status, told), (200, {"level": "debug"}))
        explained = ["-G", "--data-urlencode", f"url=https://a.example:{self.tls}/", "-H", shown]
        self.assertEqual((await curl(*explained, f"{url}/explain"))[1]["route"], "a")
        self.assertNotIn(TOKEN, self.log)
