"""
Tests for L{smartproxy_tw.records.lexicon}: the library as it is, with a provider of our
own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred, fail, gatherResults, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.lexicon import isThere
from smartproxy_tw.config.model import Lexicon
from smartproxy_tw.facts import DNS01, Address
from smartproxy_tw.programs.running import ProgramFailed
from smartproxy_tw.records import provider
from smartproxy_tw.records.errors import RecordFailed
from smartproxy_tw.records.lexicon import Providers
from smartproxy_tw.testing.names import FakeNames

reactor: Any = _reactor
SERVER = Address("192.0.2.1", 53)
RECORD = DNS01("a.test", "text")

#: Lets every Python of a test find the provider.
_SITE = """
import lexicon._private.providers as providers

providers.__path__.append({directory!r})
"""

#: Keeps its records in a file, and does what else it is told to.
_PROVIDER = """
import json, os, sys, time
from lexicon.interfaces import Provider as Base


class Provider(Base):
    @staticmethod
    def get_nameservers():
        return []

    @staticmethod
    def configure_parser(parser):
        parser.add_argument("--file")
        parser.add_argument("--auth-token")
        parser.add_argument("--view", default="usual")

    def authenticate(self):
        token, how = self._get_provider_option("auth_token"), self._get_provider_option("how")
        print("on standard output", token)
        print("on standard error", token, file=sys.stderr)
        if how == "hang":
            with open(self._get_provider_option("file"), "w") as file:
                file.write(str(os.getpid()))
            time.sleep(60)
        if how == "url":
            raise ValueError(f"401 for url: https://dns.test/?token={token.replace(' ', '%20')}&x=1")
        if how == "exit":
            sys.exit("no such thing")

    def cleanup(self):
        pass

    def create_record(self, rtype, name, content):
        with open(self._get_provider_option("file")) as file:
            records = json.load(file)
        if self._get_provider_option("how") == "slow":
            # Whoever else comes now is lost.
            time.sleep(0.2)
        view, ttl = self._get_provider_option("view"), self._get_lexicon_option("ttl")
        records.append([self.domain, rtype, name, content, view, ttl])
        with open(self._get_provider_option("file"), "w") as file:
            json.dump(records, file)

    def list_records(self, rtype=None, name=None, content=None):
        return []

    def update_record(self, identifier, rtype=None, name=None, content=None):
        raise AssertionError("nobody asks for this")

    def delete_record(self, identifier=None, rtype=None, name=None, content=None):
        with open(self._get_provider_option("file")) as file:
            records = json.load(file)
        with open(self._get_provider_option("file"), "w") as file:
            json.dump([each for each in records if each[1:4] != [rtype, name, content]], file)
"""


class Here:
    """
    Runs the program in this process, where a process of its own, which imports the whole
    library, would tell nothing more.
    """

    def __init__(self, test: TestCase, directory: str) -> None:
        import dns.resolver
        import lexicon._private.providers as known

        test.patch(known, "__path__", [*known.__path__, directory])
        # The program changes it for good.
        test.patch(dns.resolver, "zone_for_name", None)
        test.addCleanup(sys.modules.pop, "lexicon._private.providers.ours", None)
        self._test = test

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], timeout: float, sent: bytes
    ) -> Deferred[bytes]:
        """
        As L{Programs.run<smartproxy_tw.programs.running.Programs.run>}.
        """
        self._test.assertEqual(command, (sys.executable, "-P", "-m", provider.__name__))
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            try:
                provider.change(json.loads(sent))
            except Exception as why:
                return fail(ProgramFailed(f"wrote {type(why).__name__}: {why}"))
        return succeed(b"")


class ProvidersTests(TestCase):
    """
    Records by a provider.
    """

    timeout = 300
    skip = None if isThere() else "needs the library dns-lexicon"

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        (self.directory / "providers").mkdir(parents=True)
        (self.directory / "providers" / "ours.py").write_text(_PROVIDER)
        (self.directory / "sitecustomize.py").write_text(
            _SITE.format(directory=str(self.directory / "providers"))
        )
        self.patch(sys, "path", [str(self.directory), *sys.path])
        self.file = self.directory / "records.json"
        self.file.write_text("[]")
        self.names = FakeNames()
        self.names.has("a.test", "SOA", "ns.a.test. ops.a.test. 1 2 3 4 5")
        self.names.has("_acme-challenge.a.test", "TXT", '"text"', '"other"')

    def providers(self, *options: tuple[str, str | bool], **settings: Any) -> Providers:
        """
        Somebody who has the provider, and works here.
        """
        return self.here(self.providersAside(*options, **settings))

    def here(self, providers: Providers) -> Providers:
        """
        Let somebody work in this process from now on.
        """
        providers._programs = Here(self, str(self.directory / "providers"))  # type: ignore[assignment]
        return providers

    def providersAside(self, *options: tuple[str, str | bool], **settings: Any) -> Providers:
        """
        Somebody who has the provider, and works in processes.
        """
        given = (("file", str(self.file)), ("auth_token", "hush hush"), *options)
        whole: dict[str, Any] = {"resolvers": (SERVER,), "nameServers": (SERVER,), "patience": 1.0}
        made = Lexicon("ours", given, **{**whole, **settings})
        return Providers(reactor, made, self.names.ask)

    @property
    def records(self) -> list[Any]:
        """
        What is there.
        """
        found: list[Any] = json.loads(self.file.read_text())
        return found

    @inlineCallbacks
    def test_records(self) -> Any:
        """
        Two values are side by side, though each is put there by changing all; each is
        removed alone.
        """
        providers = self.providersAside(("how", "slow"))
        other = DNS01("a.test", "other")
        yield gatherResults([providers.present(RECORD), providers.present(other)])
        owner = "_acme-challenge.a.test"
        both = [["a.test", "TXT", owner, value, "usual", 3600] for value in ("text", "other")]
        self.assertEqual(self.records, both)
        self.here(providers)
        yield providers.recall(RECORD)
        yield providers.withdraw(RECORD)
        self.assertEqual(self.records, both[1:])
        yield providers.withdraw(RECORD)
        yield providers.withdraw(other)
        self.assertEqual(self.records, [])

    @inlineCallbacks
    def test_options(self) -> Any:
        """
        What is configured goes before what the provider would take, and a value may
        be in a file, which is read each time; CNAMEs are followed into their zone.
        """
        self.names.has("_acme-challenge.a.test", "TXT")
        self.names.has("_acme-challenge.a.test", "CNAME", "a.proofs.test.")
        self.names.has("proofs.test", "SOA", "ns.a.test. ops.a.test. 1 2 3 4 5")
        self.names.has("a.proofs.test", "TXT", '"text"')
        view = self.directory / "view"
        providers = self.providers(ttl=60, optionFiles=(("view", str(view)),))
        why = yield self.assertFailure(providers.present(RECORD), RecordFailed)
        self.assertIn("the file of acme.dns.option_files.view cannot be read", str(why))
        view.write_text("inner\n")
        yield providers.present(RECORD)
        self.assertEqual(self.records, [["proofs.test", "TXT", "a.proofs.test", "text", "inner", 60]])

    @inlineCallbacks
    def test_refused(self) -> Any:
        """
        What a provider says is told, in one line and without a secret, and nothing
        that it writes.
        """
        began = time.monotonic()
        for how, told in (
            ("url", "wrote: ValueError: 401 for url: https://dns.test/?token=***&x=1"),
            ("exit", "wrote: SystemExit: no such thing"),
        ):
            why = yield self.assertFailure(self.providersAside(("how", how)).present(RECORD), RecordFailed)
            beginning = "dns-lexicon, asked to add the record at _acme-challenge.a.test with ours, ended with"
            self.assertEqual(str(why), f"{beginning} status 1, and {told}")
        self.file.unlink()
        why = yield self.assertFailure(self.providers().withdraw(RECORD), RecordFailed)
        self.assertIn("asked to remove the record", str(why))
        self.assertIn("FileNotFoundError", str(why))
        self.assertNotIn("hush", str(why))
        self.assertLess(time.monotonic() - began, 30)

    @inlineCallbacks
    def test_unknown(self) -> Any:
        """
        A provider that the library does not know, or that needs what is not there, is
        told in the words of the library.
        """
        made = Lexicon("nobody", resolvers=(SERVER,), nameServers=(SERVER,))
        providers = self.here(Providers(reactor, made, self.names.ask))
        why = yield self.assertFailure(providers.present(RECORD), RecordFailed)
        self.assertIn("ProviderNotAvailableError: This provider (nobody) is not supported", str(why))

    @inlineCallbacks
    def test_hangs(self) -> Any:
        """
        One that hangs is ended when its time is over, or when the order is; nothing of
        it is left, and the next change to the zone is made.
        """
        providers = self.providersAside(("how", "hang"), timeout=0.05)
        why = yield self.assertFailure(providers.present(RECORD), RecordFailed)
        self.assertIn("was ended after 0.05 s", str(why))
        self.file.write_text("")
        providers._settings = replace(providers._settings, timeout=50.0)
        presenting = providers.present(RECORD)
        while not self.file.read_text():
            yield deferLater(reactor, 0.02)
        pid = int(self.file.read_text())
        presenting.cancel()
        yield self.assertFailure(presenting, CancelledError)
        yield Deferred.fromCoroutine(self.gone(pid))
        self.file.write_text("[]")
        providers._settings = self.providers()._settings
        yield self.here(providers).present(RECORD)
        self.assertEqual(len(self.records), 1)

    async def gone(self, pid: int) -> None:
        """
        Wait for the end of a process.
        """
        while os.path.exists(f"/proc/{pid}"):
            await deferLater(reactor, 0.02)

    @inlineCallbacks
    def test_unseen(self) -> Any:
        """
        That the provider took it is not enough: the record has to be seen.
        """
        self.names.has("_acme-challenge.a.test", "TXT")
        why = yield self.assertFailure(self.providers(patience=0.05).present(RECORD), RecordFailed)
        self.assertIn("does not have it yet", str(why))

    @inlineCallbacks
    def test_resolvers(self) -> Any:
        """
        Those that are configured are asked about the zone, and nobody else.
        """
        other = Address("192.0.2.7", 53)
        self.names.goesSilent(other)
        why = yield self.assertFailure(self.providers(resolvers=(other,)).present(RECORD), RecordFailed)
        self.assertIn("192.0.2.7:53 gave no answer", str(why))
        self.assertEqual(self.names.asked, [])
        self.assertEqual(self.records, [])
        yield self.providers(resolvers=(other, SERVER)).present(RECORD)
        self.assertEqual(len(self.records), 1)

    @inlineCallbacks
    def test_zone(self) -> Any:
        """
        The zone may be said, and then is not looked for; what is not in it is refused.
        """
        self.names.has("a.test", "SOA")
        yield self.providers(zone="a.test").present(RECORD)
        self.assertEqual([each[0] for each in self.records], ["a.test"])
        why = yield self.assertFailure(self.providers(zone="b.test").present(RECORD), RecordFailed)
        self.assertIn("is not in the zone b.test", str(why))
