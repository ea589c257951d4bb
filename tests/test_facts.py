"""
Tests for L{smartproxy_tw.facts}.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import (
    DNS01,
    HTTP01,
    TLSALPN01,
    Account,
    Address,
    Amendment,
    ConnectionFacts,
    Credential,
    RequestFacts,
    Verdict,
    WorkerFacts,
)

SECRET = "s3cr3t"
KEY = SECRET.encode()
CREDENTIAL = Credential(b"chain", KEY)
EVERY: tuple[Any, ...] = (
    Address("192.0.2.1", 80),
    ConnectionFacts(443, Address("192.0.2.1", 80)),
    RequestFacts(ConnectionFacts(443, Address("192.0.2.1", 80)), "GET", "a.example", "/"),
    Amendment(removed=frozenset((b"a",))),
    CREDENTIAL,
    Account(KEY, "https://ca.example/1", KEY),
    HTTP01("a.example", "token", SECRET),
    TLSALPN01("a.example", CREDENTIAL),
    DNS01("a.example", "value", "token", SECRET),
    WorkerFacts(1, None, "vacant"),
    Verdict(True, "it answers", 0.0),
)


class FactsTests(SynchronousTestCase):
    """
    All of them.
    """

    def test_secrets(self) -> None:
        """
        No key, and nothing that proves a name, is in what logs and tracebacks have of them.
        """
        for each in EVERY:
            self.assertNotIn(SECRET, f"{each!r} {each}")

    def test_values(self) -> None:
        """
        They are values: equal when what they say is, keys of dictionaries, and never changed.
        """
        for each in EVERY:
            other = copy.copy(each)
            self.assertEqual((each, hash(each)), (other, hash(other)))
            name = getattr(each, "_fields", None) or list(type(each).__dataclass_fields__)
            with self.assertRaises((AttributeError, FrozenInstanceError)):
                setattr(each, name[0], None)

    def test_travel(self) -> None:
        """
        They go from one process to another as they are.
        """
        for each in EVERY:
            self.assertEqual(pickle.loads(pickle.dumps(each)), each)

    def test_address(self) -> None:
        """
        An address is written as in URLs, and a unix socket as targets are.
        """
        for host, said in (("192.0.2.1", "192.0.2.1:80"), ("2001:db8::1", "[2001:db8::1]:80"), ("a", "a:80")):
            self.assertEqual(str(Address(host, 80)), said)
        self.assertEqual(str(Address("/run/app.sock", 0)), "unix:/run/app.sock")

    def test_record(self) -> None:
        """
        A record is looked for below its name; it is the same whichever challenge it answers, since
        that is what is in the DNS.
        """
        record = DNS01("a.example", "value", "token", SECRET)
        self.assertEqual(record.owner, "_acme-challenge.a.example")
        self.assertEqual(record, DNS01("a.example", "value"))
        self.assertNotEqual(record, DNS01("a.example", "other", "token", SECRET))
