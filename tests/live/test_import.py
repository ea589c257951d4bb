"""
The day of a change, in earnest: another program has certificates by Pebble, we take
over what it has, and nothing is asked of Pebble that it was not asked before.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pem
from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.filepath import FilePath
from twisted.trial.unittest import TestCase
from txacme.store import DirectoryStore

from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.commands.certificates import take
from smartproxy_tw.config.model import Config
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts
from .pebble import Pebble, missing
from .running import Running, strange
from .test_certbot import NEEDS_CERTBOT
from .test_promise import Client, configuration, fresh, story

reactor: Any = _reactor

NAMES = ("a.example", "b.example")


def needs(program: str) -> str | None:
    """
    Why a test that runs a program is skipped here, or C{None}.
    """
    if shutil.which(program):
        return None
    return f"needs {program} on PATH, which pip installs as {program}-bin into an environment of its own"


class Migration(TestCase):
    """
    What is common to all whom one can come from.
    """

    timeout = 900

    async def opens(self) -> None:
        self.ports = freePorts(2)
        self.authority = Pebble(reactor, self.mktemp(), httpPort=self.ports[0], tlsPort=self.ports[1])
        self.addCleanup(self.authority.stop)
        await self.authority.start()
        self.directory = Path(fresh(self))
        self.directory.mkdir(parents=True)
        self.client = Client(self.authority.root)
        self.config = configuration(self.authority, fresh(self), self.ports, *NAMES)

    def takes(self, path: Path) -> str:
        """
        Import, and what was said.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            isWell = take(self.config, str(path), isDry=False)
        self.assertTrue(isWell, out.getvalue())
        return out.getvalue()

    async def shown(self, config: Config) -> dict[str, int]:
        """
        Run a proxy until it has nothing to order any more: by which certificate,
        by its serial number, each name is served then.
        """
        proxy = SmartProxy(config, reactor)
        proxy.startService()
        try:
            await proxy.whenReady()
            assert proxy.certificates is not None
            for status in await proxy.certificates.provisionAll():
                self.assertEqual(status.state, "valid", status)
            return {route.domains[0]: await self.serialOf(route.domains[0]) for route in config.routes}
        finally:
            await proxy.stopService()

    async def serialOf(self, name: str) -> int:
        """
        The serial number of the certificate that a client is shown.
        """
        connection = await self.client.connect(self.ports[1], name)
        try:
            return int(dict(connection.getpeercert() or {})["serialNumber"], 16)  # type: ignore[arg-type]
        finally:
            connection.close()

    async def servedBy(self, running: Running, name: str) -> int:
        """
        The same, once another program has a certificate for the name.
        """
        while True:
            running.mustRun()
            try:
                return await self.serialOf(name)
            except OSError:
                await deferLater(reactor, 0.2)

    async def migrates(self, path: Path, serials: dict[str, int], *, withAccount: bool = True) -> None:
        """
        Import, start, and start once more with a name that is new: the first
        start asks for nothing and serves what was imported, and what is new is
        asked for as the account that was imported.
        """
        before = self.authority.tally()
        said = self.takes(path)
        self.assertNotIn("to order", said)
        self.assertEqual("the account" in said, withAccount, said)
        self.assertEqual(await self.shown(self.config), serials)
        self.assertEqual(self.authority.tally(), before)
        more = configuration(self.authority, self.config.stateDir, self.ports, *NAMES, "new.example")
        shown = await self.shown(more)
        self.assertEqual({name: shown[name] for name in NAMES}, serials)
        after = self.authority.tally()
        self.assertEqual(
            (after.orders - before.orders, after.accounts - before.accounts, after.invalid),
            (1, 0 if withAccount else 1, 0),
        )


class CertbotTests(Migration):
    """
    Coming from certbot.
    """

    skip = missing or NEEDS_CERTBOT

    async def certbot(self, *arguments: str) -> None:
        folders = [f"--{each}-dir={self.directory / each}" for each in ("config", "work", "logs")]
        out, err, code = await getProcessOutputAndValue(
            shutil.which("certbot"),
            [
                *("certonly", "--standalone", "--non-interactive", "--agree-tos"),
                *("--register-unsafely-without-email", "--server", self.authority.directoryURL),
                *(f"--http-01-port={self.ports[0]}", "--http-01-address=127.0.0.1"),
                *folders,
                *arguments,
            ],
            env=strange(REQUESTS_CA_BUNDLE=self.authority.caFile),
        )
        self.assertEqual(code, 0, (out + err).decode("utf-8", "replace"))

    def serial(self, name: str) -> int:
        chain = (self.directory / "config" / "live" / name / "fullchain.pem").read_bytes()
        return describe(chain).serial

    @story
    async def test_oneForEach(self) -> None:
        """
        A certificate for each name.
        """
        await self.opens()
        for name in NAMES:
            await self.certbot("-d", name)
        await self.migrates(self.directory / "config", {name: self.serial(name) for name in NAMES})

    @story
    async def test_oneForAll(self) -> None:
        """
        One certificate, with a key of RSA, for both of two routes: it serves
        them both.
        """
        await self.opens()
        await self.certbot("--key-type", "rsa", "-d", NAMES[0], "-d", NAMES[1])
        serial = self.serial(NAMES[0])
        await self.migrates(self.directory / "config", dict.fromkeys(NAMES, serial))


class CaddyTests(Migration):
    """
    Coming from Caddy.
    """

    skip = missing or needs("caddy")

    @story
    async def test_all(self) -> None:
        """
        The directory in which Caddy keeps everything: its certificates serve, and its
        account goes on.
        """
        await self.opens()
        data = self.directory / "data"
        sites = "\n".join(f'{name} {{\n respond "this is {name}"\n}}' for name in NAMES)
        (self.directory / "Caddyfile").write_text(
            f"""
            {{
              admin off
              skip_install_trust
              default_bind 127.0.0.1
              http_port {self.ports[0]}
              https_port {self.ports[1]}
              storage file_system {data}
              email ops@a.example
              acme_ca {self.authority.directoryURL}
              acme_ca_root {self.authority.caFile}
            }}
            {sites}
            """
        )
        caddy = Running(
            reactor,
            ["caddy", "run", "--adapter", "caddyfile", "--config", str(self.directory / "Caddyfile")],
            self.directory,
        )
        self.addCleanup(caddy.end)
        serials = {name: await self.servedBy(caddy, name) for name in NAMES}
        await caddy.end()
        await self.migrates(data, serials)


class TraefikTests(Migration):
    """
    Coming from Traefik.
    """

    skip = missing or needs("traefik")

    @story
    async def test_all(self) -> None:
        """
        The file in which Traefik keeps everything: its certificates serve, and its
        account, whose key is of RSA, goes on.
        """
        await self.opens()
        routers = {
            name.replace(".", ""): {
                "rule": f"Host(`{name}`)",
                "service": "noop@internal",
                "tls": {"certResolver": "pebble"},
            }
            for name in NAMES
        }
        # YAML has JSON as a part.
        (self.directory / "routers.yml").write_text(json.dumps({"http": {"routers": routers}}))
        resolver = "--certificatesresolvers.pebble.acme"
        traefik = Running(
            reactor,
            [
                *("traefik", "--global.checknewversion=false", "--global.sendanonymoususage=false"),
                f"--entrypoints.web.address=127.0.0.1:{self.ports[0]}",
                f"--entrypoints.secure.address=127.0.0.1:{self.ports[1]}",
                f"--providers.file.filename={self.directory / 'routers.yml'}",
                f"{resolver}.email=ops@a.example",
                f"{resolver}.storage={self.directory / 'acme.json'}",
                f"{resolver}.caserver={self.authority.directoryURL}",
                f"{resolver}.httpchallenge.entrypoint=web",
            ],
            self.directory,
            {"LEGO_CA_CERTIFICATES": self.authority.caFile},
        )
        self.addCleanup(traefik.end)
        serials = {name: await self.servedBy(traefik, name) for name in NAMES}
        await traefik.end()
        await self.migrates(self.directory / "acme.json", serials)


class TxacmeTests(Migration):
    """
    Coming from txacme, whose own store has written what it has.
    """

    skip = missing

    @story
    async def test_all(self) -> None:
        """
        A directory with a file for each name, and no account: the next order registers
        one.
        """
        await self.opens()
        before = await self.shown(self.config)
        # As txacme writes it: the key and then the chain, under one name.
        store = DirectoryStore(FilePath(str(self.directory)))
        for file in Path(self.config.stateDir, "certificates").rglob("*.pem"):
            name, content = describe(file.read_bytes()).names[0], pem.parse(file.read_bytes())
            await store.store(name, content)
        self.config = replace(self.config, stateDir=fresh(self))
        await self.migrates(self.directory, before, withAccount=False)
