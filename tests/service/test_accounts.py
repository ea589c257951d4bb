"""
Tests for L{smartproxy_tw.service.accounts}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import (
    AccountBusy,
    AccountNotKept,
    AuthorityProblem,
    AuthorityUnreachable,
    Problem,
)
from smartproxy_tw.facts import Account
from smartproxy_tw.service.accounts import AccountInquiries, Holder
from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.store.memory import MemoryAccounts

CA, OTHER = "https://ca.example/directory", "https://other.example/directory"
OURS = Account(b"key", "https://ca.example/account/1")


class AccountInquiriesTests(SynchronousTestCase):
    """
    L{AccountInquiries}.
    """

    def setUp(self) -> None:
        self.store = MemoryAccounts()
        self.story: list[str] = []
        self.outcome: Exception | None = None
        self.among(CA)

    def among(self, *directories: str) -> None:
        """
        The configuration names these.
        """
        self.desk = Desk()
        holders = [Holder(each, self.does(f"key {each}"), self.does(f"end {each}")) for each in directories]
        AccountInquiries(holders, self.store).begin(self.desk)

    def does(self, what: str) -> Any:
        """
        What one of them does.
        """

        def do() -> Deferred[None]:
            self.story.append(what)
            return succeed(None) if self.outcome is None else fail(self.outcome)

        return do

    def ask(self, verb: str, path: str, members: Any = None) -> Reply:
        """
        Ask.
        """
        body = b"" if members is None else json.dumps(members).encode()
        asked = self.desk.answer(verb, f"/v1/accounts{path}", {}, body, "user 7")
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def refused(self, path: str, members: Any = None) -> tuple[int, str, str]:
        """
        Why something was not done.
        """
        reply = self.ask("POST", path, members)
        return reply.status, reply.members["error"]["code"], reply.members["error"]["message"]

    def test_list(self) -> None:
        """
        Each authority with the account there, if there is one; never a key.
        """
        self.store.save(CA, Account(b"SECRET", OURS.url, b"SECRET"))
        self.among(CA, OTHER)
        listing = self.ask("GET", "").listing
        assert listing is not None
        self.assertEqual(
            listing,
            (
                "accounts",
                [
                    {"authority": CA, "account": OURS.url, "changing": True},
                    {"authority": OTHER, "account": None, "changing": False},
                ],
            ),
        )
        self.assertNotIn("SECRET", repr(listing))

    def test_rollover(self) -> None:
        """
        The account of the one authority that there is gets a new key.
        """
        self.store.save(CA, OURS)
        reply = self.ask("POST", "/rollover", {})
        self.assertEqual((reply.status, reply.members["account"]), (200, OURS.url))
        self.assertEqual(self.story, [f"key {CA}"])

    def test_deactivate(self) -> None:
        """
        It is told which account was given up.
        """
        self.store.save(CA, OURS)
        reply = self.ask("POST", "/deactivate", {"authority": CA})
        self.assertEqual((reply.status, reply.members["deactivated"]), (200, OURS.url))
        self.assertEqual(self.story, [f"end {CA}"])

    def test_which(self) -> None:
        """
        Of several authorities one is named, by its URL or by a part that no other one
        has; whatever else is said changes nothing.
        """
        self.among(CA, OTHER)
        self.store.save(OTHER, OURS)
        self.assertEqual(self.ask("POST", "/rollover", {"authority": "other"}).status, 200)
        self.assertEqual(self.story, [f"key {OTHER}"])
        for members, status, code in (
            ({}, 400, "bad-question"),
            ({"authority": 7}, 400, "bad-question"),
            ({"authority": ""}, 400, "bad-question"),
            ({"authority": "example"}, 404, "unknown-authority"),
            ({"authority": "nowhere"}, 404, "unknown-authority"),
            ({"autority": OTHER}, 400, "bad-question"),
        ):
            for path in ("/rollover", "/deactivate"):
                self.assertEqual(self.refused(path, members)[:2], (status, code), members)
        self.assertEqual(len(self.story), 1)

    def test_exact(self) -> None:
        """
        One whose URL is a part of another one's is meant by its own.
        """
        self.among(CA, CA + "/2")
        self.store.save(CA, OURS)
        self.assertEqual(self.ask("POST", "/rollover", {"authority": CA}).status, 200)
        self.assertEqual(self.story, [f"key {CA}"])

    def test_none(self) -> None:
        """
        Where there is no account none is made for this.
        """
        for account in (None, Account(b"key")):
            if account is not None:
                self.store.save(CA, account)
            for path in ("/rollover", "/deactivate"):
                status, code, message = self.refused(path)
                self.assertEqual((status, code), (409, "no-account"))
                self.assertIn(CA, message)
        self.assertEqual(self.story, [])

    def test_refused(self) -> None:
        """
        What the authority, the disk or an order has against it is told in its own
        words.
        """
        self.store.save(CA, OURS)
        problem = Problem("urn:ietf:params:acme:error:serverInternal", "no", 500)
        for why, status, code in (
            (AccountBusy(CA, 3), 409, "busy"),
            (AccountNotKept(CA, "no space"), 500, "not-kept"),
            (AuthorityUnreachable(CA, "refused"), 503, "away"),
            (AuthorityProblem("changing the key", problem), 502, "authority"),
        ):
            self.outcome = why
            for path in ("/rollover", "/deactivate"):
                self.assertEqual(self.refused(path), (status, code, str(why)))

    def test_unreadable(self) -> None:
        """
        An account that cannot be read is told of.
        """

        def load(directory: str) -> Account | None:
            raise OSError("no right")

        self.patch(self.store, "load", load)
        self.assertEqual(self.refused("/rollover")[:2], (500, "unusable"))
        self.assertEqual(self.ask("GET", "").status, 500)
