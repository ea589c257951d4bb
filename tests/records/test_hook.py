"""
Tests for L{smartproxy_tw.records.hook}.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import Hook
from smartproxy_tw.facts import DNS01, Address
from smartproxy_tw.records.errors import RecordFailed
from smartproxy_tw.records.hook import Hooks
from smartproxy_tw.testing.names import FakeNames

from ..programs.processes import noneLeft

reactor: Any = _reactor
SERVER = Address("192.0.2.1", 53)
RECORD = DNS01("a.test", "text")

#: Says what it was told.
TELLS = 'echo "$SMARTPROXY_ACTION $SMARTPROXY_DOMAIN $SMARTPROXY_RECORD $SMARTPROXY_VALUE $0 $1" >>"$FILE"'


class HookTests(TestCase):
    """
    A shell stands for any program.
    """

    timeout = 300

    def setUp(self) -> None:
        self.addCleanup(lambda: Deferred.fromCoroutine(noneLeft()))
        self.file = self.mktemp()
        self.names = FakeNames()
        self.names.has("a.test", "SOA", "ns.a.test. ops.a.test. 1 2 3 4 5")
        self.names.has("_acme-challenge.a.test", "TXT", '"text"')

    def hooks(self, script: str, *arguments: str, timeout: float = 10.0, **settings: Any) -> Hooks:
        """
        Somebody who runs this.
        """
        import os

        servers = {"resolvers": (SERVER,), "nameServers": (SERVER,)}
        made = Hook(("sh", "-c", script, *arguments), timeout, **{**servers, **settings})
        environment = {"PATH": os.environ["PATH"], "FILE": os.path.abspath(self.file)}
        return Hooks(reactor, made, self.names.ask, environment)

    @inlineCallbacks
    def test_told(self) -> Any:
        """
        It is told by its environment, CNAMEs followed, and gets its arguments as
        they are.
        """
        self.names.has("_acme-challenge.a.test", "TXT")
        self.names.has("_acme-challenge.a.test", "CNAME", "proof.a.test.")
        self.names.has("proof.a.test", "TXT", '"text"')
        hooks = self.hooks(TELLS, "$HOME;", "a b")
        yield hooks.present(RECORD)
        yield hooks.recall(RECORD)
        yield hooks.withdraw(RECORD)
        with open(self.file) as file:
            said = file.read().splitlines()
        rest = "a.test proof.a.test text $HOME; a b"
        self.assertEqual(said, [f"present {rest}", f"cleanup {rest}"])

    @inlineCallbacks
    def test_zone(self) -> Any:
        """
        The zone may be said, and then is not looked for; what is not in it is refused before the
        program is run.
        """
        self.names.has("a.test", "SOA")
        why = yield self.assertFailure(self.hooks(TELLS).present(RECORD), RecordFailed)
        self.assertIn("no zone was found", str(why))
        yield self.hooks(TELLS, zone="a.test").present(RECORD)
        with open(self.file) as file:
            self.assertEqual(len(file.read().splitlines()), 1)
        why = yield self.assertFailure(self.hooks(TELLS, zone="b.test").present(RECORD), RecordFailed)
        self.assertIn("is not in the zone b.test", str(why))
        with open(self.file) as file:
            self.assertEqual(len(file.read().splitlines()), 1)

    @inlineCallbacks
    def test_resolvers(self) -> Any:
        """
        Those that are configured are asked about the zone, and nobody else.
        """
        other = Address("192.0.2.7", 53)
        self.names.goesSilent(other)
        why = yield self.assertFailure(self.hooks(TELLS, resolvers=(other,)).present(RECORD), RecordFailed)
        self.assertIn("192.0.2.7:53 gave no answer", str(why))
        self.assertEqual(self.names.asked, [])
        yield self.hooks(TELLS, resolvers=(other, SERVER)).present(RECORD)
        self.assertIn(SERVER, {server for server, _ in self.names.asked})

    @inlineCallbacks
    def test_unseen(self) -> Any:
        """
        That it ended well is not enough: the record has to be seen.
        """
        self.names.has("_acme-challenge.a.test", "TXT")
        hooks = self.hooks("exit 0")
        hooks._places._settings = replace(hooks._settings, patience=0.05)
        why = yield self.assertFailure(hooks.present(RECORD), RecordFailed)
        self.assertIn("does not have it yet", str(why))

    @inlineCallbacks
    def test_failed(self) -> Any:
        """
        Its status and the end of what it wrote are told, fit for one line.
        """
        why = yield self.assertFailure(
            self.hooks("echo one; echo two >&2; exit 3").present(RECORD), RecordFailed
        )
        self.assertRegex(
            str(why), r"the hook sh \(present\) ended with status 3, and wrote: (one two|two one)"
        )
        why = yield self.assertFailure(self.hooks("kill -9 $$").withdraw(RECORD), RecordFailed)
        self.assertIn("(cleanup) ended by SIGKILL, and wrote nothing", str(why))
        why = yield self.assertFailure(
            self.hooks("printf '\\033[31m%09999d' 1; exit 1").present(RECORD), RecordFailed
        )
        self.assertTrue(str(why).isprintable())
        self.assertLess(len(str(why)), 1000)

    @inlineCallbacks
    def test_tooLong(self) -> Any:
        """
        One that does not end is ended, also when the order is given up.
        """
        began = time.monotonic()
        # A busy machine may need longer to come to the first word.
        for seconds in (0.2, 1.0, 5.0, 20.0):
            hooks = self.hooks("echo here; exec sleep 600", timeout=seconds)
            why = yield self.assertFailure(hooks.present(RECORD), RecordFailed)
            if "wrote nothing" not in str(why):
                break
        self.assertIn(f"was ended after {seconds:g} s, and wrote: here", str(why))
        presenting = self.hooks("exec sleep 600").present(RECORD)
        reactor.callLater(0.05, presenting.cancel)
        yield self.assertFailure(presenting, CancelledError)
        self.assertLess(time.monotonic() - began, 60)

    @inlineCallbacks
    def test_missing(self) -> Any:
        """
        A program that is not there any more is a failure like others.
        """
        hooks = self.hooks("")
        hooks._settings = replace(hooks._settings, command=("/nowhere/hook",))
        why = yield self.assertFailure(hooks.present(RECORD), RecordFailed)
        self.assertIn("/nowhere/hook (present) ended with status 127", str(why))
        self.assertIn("cannot be run (No such file or directory)", str(why))
