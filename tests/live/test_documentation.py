"""
What the manual has people type, as it stands there: by the shell, in a directory of its own,
against a proxy that has certificates of Pebble's.

A command has to end with the status that the manual implies, and what it is shown to print it
prints, as far as that is the same everywhere.  What is not run is in
L{tests.snippets.NOT_RUN}, with the reason.
"""

from __future__ import annotations

import os
import re
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
from twisted.trial.unittest import SkipTest, TestCase

from smartproxy_tw.commands.admin import ProxyAway, asking
from tests.test_tap import environment

from ..ports import freePorts
from ..snippets import Command, Snippet, commands, reasonFor, snippets
from .pebble import Pebble, missing
from .running import PATIENCE
from .test_promise import story

reactor: Any = _reactor
HERE = "127.0.0.1"

#: A page that is one story, and is run as one.
TUTORIAL = "tutorial.rst"

#: Directories that the manual names are in the directory of the test.
ABSOLUTE = re.compile(r"(?<![\w.:/-])/(?=(?:etc|var|run|opt)/)")

#: What is typed otherwise than it stands there: there is nobody to ask, the authority is
#: Pebble, and curl tells what a server thinks.
SUBSTITUTES = (
    (r"(certificates revoke|accounts deactivate) .*$", r"\g<0> --yes"),
    (r"--authority letsencrypt", f"--authority {HERE}"),
    (r"^curl ", "curl -sSf "),
    (r"127\.0\.0\.1:2019", f"{HERE}:{{admin}}"),
)

#: Commands that do not end with status 0, and why.
STATUSES = {
    r"fmt --(diff|check)": 1,  # there is work
}

#: What of the lines that are shown is the same everywhere; of all other commands, all of it.
STABLE = {
    r"certificates list": r"(NAMES.*)",
    r"certificates preflight": r"(NAME .*)",
    r"certificates (renew|revoke)": r"(.*: (?:ordered|revoked|serving).*)",
    r"^smartproxy status": r"  ([a-z ]+?)  ",
    # Nobody has a connection to that target here.
    r"^smartproxy drain --target": r"(?!\d+ in use)(.*)",
    r"^smartproxy doctor": r"(?:ok|BAD|unknown) +([a-z ]+?)(?= \d|:| of )",
}

#: What is a proxy, and goes on.
BEGINS = re.compile(r"\btwistd?\b.* smartproxy ")

#: Completion is for another shell, which has to know how to complete.
ZSH = "autoload -Uz compinit && compinit -u && "

#: The proxy that is spoken to.
CONFIGURATION = """
bind: 127.0.0.1
state_dir: {directory}/var/lib/smartproxy
workers: 2
timeouts: {{drain: 1}}
access_log: {{format: off}}
admin: {{listen: "127.0.0.1:{admin}", token: "${{ADMIN_TOKEN:-from-the-environment-0123456789ab}}"}}
acme:
    directory: {authority.directoryURL}
    ca_file: {authority.caFile}
    http_port: {http}
    tls_port: {tls}
    preflight: {{resolvers: ["127.0.0.1:{silent}"]}}
routes:
    - name: shop
      match: {{ports: {tls}, domains: shop.example}}
      action: {{type: forward, targets: [10.0.0.7:3000, 10.0.0.8:3000], tls: {{mode: terminate}}}}
    - name: blog
      match: {{ports: {tls}, domains: blog.example}}
      action: {{type: respond, body: this is the blog, tls: {{mode: terminate}}}}
"""

#: Programs as they are found by their names.
PROGRAMS = {
    "smartproxy": "#!{python}\nimport sys\nfrom smartproxy_tw.cli import main\nsys.exit(main())\n",
    "twistd": "#!{python}\nfrom twisted.scripts.twistd import run\nrun()\n",
    "twist": "#!{python}\nfrom twisted.application.twist._twist import Twist\nTwist.main()\n",
    "python": '#!/bin/sh\nexec {python} "$@"\n',
    "python3": '#!/bin/sh\nexec {python} "$@"\n',
    "sudo": '#!/bin/sh\nexec "$@"\n',
}


#: What is different everywhere: addresses, times, serial numbers that are cut short, and numbers.
VARIABLE = re.compile(r"(https://\S+|\d{4}-[\d:TZ-]+|[0-9a-f]+\.{3}|\d+| +)")


def pattern(line: str) -> str:
    """
    What a line looks like everywhere.
    """

    def part(text: str) -> str:
        if not VARIABLE.fullmatch(text):
            return re.escape(text)
        return r"\s+" if text.isspace() else r"\d+" if text.isdigit() else r"\S+"

    return "".join(part(each) for each in VARIABLE.split(line.strip()))


class ShellCase(TestCase):
    """
    A directory in which commands are typed.
    """

    skip = missing
    timeout = 900

    def setUp(self) -> None:
        for program in ("bash", "curl", "fish", "openssl", "zsh"):
            if shutil.which(program) is None:
                raise SkipTest(f"needs the Debian package {program}")
        self.directory = Path(self.mktemp()).resolve()
        programs = self.directory / "bin"
        programs.mkdir(parents=True)
        for name, text in PROGRAMS.items():
            (programs / name).write_text(text.format(python=sys.executable))
            (programs / name).chmod(0o755)
        for place in (".venv", "opt/smartproxy"):
            (self.directory / place).mkdir(parents=True)
            (self.directory / place / "bin").symlink_to(programs)
        for place in ("etc/systemd/system", ".local/share/bash-completion/completions"):
            (self.directory / place).mkdir(parents=True)
        self.environ = {
            **environment(),
            "HOME": str(self.directory),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "ZDOTDIR": str(self.directory),
        }
        self.places: dict[str, Any] = {"directory": self.directory, "admin": 2019}
        self.background: list[subprocess.Popen[bytes]] = []
        self.addCleanup(self.endAll)

    def typed(self, text: str) -> list[str]:
        """
        A command, for L{subprocess}.
        """
        # Relative, as a socket's path may not be long.
        text = ABSOLUTE.sub("./", text)
        for what, instead in SUBSTITUTES:
            text = re.sub(what, instead.format(**self.places) if "{" in instead else instead, text)
        if "completion zsh" in text:
            return ["zsh", "-fc", ZSH + text]
        return ["fish" if "completion fish" in text else "bash", "-c", text]

    def begin(self, text: str) -> subprocess.Popen[bytes]:
        """
        Begin something that goes on.
        """
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(
                self.typed(text),
                cwd=self.directory,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.background.append(process)
        return process

    async def type(self, text: str, status: int = 0, where: object = "") -> str:
        """
        Run something that ends, with this status.

        @return: What it says.
        """
        command = self.typed(text)
        ran = await deferToThread(
            subprocess.run,
            command,
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual(ran.returncode, status, f"{where}: {command[-1]}\n{ran.stdout}\n{self.log}")
        return str(ran.stdout)

    @property
    def log(self) -> str:
        """
        What goes on has said.
        """
        found = [
            path.read_text()
            for path in (self.directory / "log", self.directory / "twistd.log")
            if path.exists()
        ]
        return "\n".join(found)

    async def until(self, claim: Any, what: str) -> None:
        """
        Wait until it is so.
        """
        for _ in range(1800):
            if await deferToThread(claim):
                return
            await deferLater(reactor, 0.05)
        self.fail(f"{what}\n{self.log}")

    def endAll(self) -> None:
        """
        Nothing goes on.
        """
        for process in self.background:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class ManualTests(ShellCase):
    """
    Every page but the tutorial.
    """

    async def beginAll(self) -> None:
        """
        Pebble, a configuration, and the proxy with its certificates.
        """
        http, tls, admin, silent = freePorts(4)
        authority = Pebble(reactor, self.directory / "pebble", httpPort=http, tlsPort=tls)
        await authority.start()
        self.addCleanup(authority.stop)
        self.places |= {"authority": authority, "http": http, "tls": tls, "admin": admin, "silent": silent}
        self.addCleanup(self.end)

    def write(self) -> None:
        """
        The configuration is as it was.
        """
        (self.directory / "smartproxy.yaml").write_text(CONFIGURATION.format(**self.places))

    def number(self) -> int | None:
        """
        The process that answers, if one does.
        """
        ask = asking(str(self.directory / "var/lib/smartproxy/admin.sock"), PATIENCE)
        try:
            found: int = ask("GET", "/v1", {}).members["process"]
        except ProxyAway:
            return None
        return found

    async def start(self, text: str) -> None:
        """
        Have a proxy, by this command, with all certificates.
        """
        await self.end()
        self.begin(text)
        await self.until(self.number, text)
        ask = asking(str(self.directory / "var/lib/smartproxy/admin.sock"))

        def areValid() -> bool:
            try:
                found = ask("GET", "/v1/certificates", {}).members["certificates"]
            except ProxyAway:
                return False
            return [each["state"] for each in found] == ["valid", "valid"]

        await self.until(areValid, text)

    async def end(self) -> None:
        """
        Have none.
        """
        number = await deferToThread(self.number)
        if number is not None:
            os.kill(number, signal.SIGTERM)
            await self.until(lambda: not Path(f"/proc/{number}/fd/0").exists(), "it does not end")

    async def upgraded(self, before: int | None) -> None:
        """
        Another process has taken over.
        """
        await self.until(lambda: self.number() not in (before, None), "nobody takes over")

    async def run_(self, snippet: Snippet, command: Command) -> None:
        """
        Type one command.
        """
        exported = re.match(r"export ([A-Z_]+)=(.*)", command.text)
        if exported is not None:
            self.environ[exported[1]] = (await self.type(f"echo {exported[2]}", where=snippet)).strip()
            return
        if BEGINS.search(command.text):
            await self.start(command.text)
            return
        if await deferToThread(self.number) is None:
            await self.start("twistd -n smartproxy --config smartproxy.yaml")
        before = await deferToThread(self.number)
        status = next((number for what, number in STATUSES.items() if re.search(what, command.text)), 0)
        said = await self.type(command.text, status, snippet)
        if "-USR2" in command.text or " upgrade" in command.text:
            await self.upgraded(before)
        stable = next((lines for what, lines in STABLE.items() if re.search(what, command.text)), "(.*)")
        for line in command.shown:
            same = re.match(stable, line)
            if same is not None and same[1].strip():
                self.assertRegex(said, pattern(same[1]), f"{snippet}: {command.text}")

    @story
    async def test_commands(self) -> None:
        """
        Each command that is not listed is typed, page by page in their order.
        """
        await self.beginAll()
        seen = 0
        for snippet in snippets("sh", "text"):
            if snippet.document == TUTORIAL:
                continue
            self.write()
            if not (self.directory / "twistd.pid").exists():
                # The other runner of Twisted writes none.
                await self.end()
            for command in commands(snippet):
                if reasonFor(command) is None:
                    seen += 1
                    await self.run_(snippet, command)
        self.assertGreater(seen, 25)


class TutorialTests(ShellCase):
    """
    The tutorial, typed from its first authority to its first page by HTTPS.
    """

    @story
    async def test_pebble(self) -> None:
        """
        With other ports, and nothing else, it comes out as it says.
        """
        page = [each for each in snippets() if each.document == TUTORIAL]
        numbers = ("14000", "15000", "8053", "8055", "8080", "8443", "3000")
        ports = dict(zip(numbers, map(str, freePorts(len(numbers))), strict=True))

        def placed(text: str) -> str:
            return re.sub(r"(?<![\w.])(?:" + "|".join(ports) + r")\b", lambda found: ports[found[0]], text)

        (pebble,) = (each for each in page if each.language == "json")
        (self.directory / "pebble.json").write_text(placed(pebble.text))
        (proxy,) = (each for each in page if each.language == "yaml" and "14000" in each.text)
        (self.directory / "smartproxy.yaml").write_text(placed(proxy.text))
        said = ""
        for snippet in page[page.index(pebble) - 1 :]:
            if snippet.language == "yaml" and snippet is not proxy:
                break
            for command in commands(snippet):
                text = placed(command.text)
                if BEGINS.search(text):
                    self.begin(text)
                    await self.until(lambda: "Serving a certificate" in self.log, text)
                elif f"{command.text} &" in re.sub(r" *\\\n *", " ", snippet.text):
                    await self.background_(text)
                else:
                    said = await self.type(text, where=snippet)
        self.assertIn("Directory listing", said)

    async def background_(self, text: str) -> None:
        """
        Something that goes on until the test ends, and answers at the port that it was given.
        """
        self.begin(text)
        port = re.search(r"management \S+:(\d+)|dnsserver|(\d+)$", text)
        number = port[1] or port[2] if port is not None else None
        if number is None:
            number = re.search(
                r'"listenAddress": "\S+?:(\d+)"', (self.directory / "pebble.json").read_text()
            )[1]

        def answers() -> bool:
            try:
                socket.create_connection((HERE, int(number))).close()
            except OSError:
                return False
            return True

        await self.until(answers, text)
