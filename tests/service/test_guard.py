"""
Tests for L{smartproxy_tw.service.guard}: what a browser, a stranger and a friend send.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.service.guard import Guard

TOKEN = "0123456789abcdef" * 2
HERE = Address("127.0.0.1", 2019)


class GuardTests(SynchronousTestCase):
    """
    One port.
    """

    def told(
        self,
        listen: Address = HERE,
        local: Address = HERE,
        hasBody: bool = False,
        **fields: str | list[str] | None,
    ) -> tuple[int, str] | None:
        """
        The status and the code of a refusal.
        """
        usual = {"host": str(listen), "authorization": f"Bearer {TOKEN}"}
        sent = {name.replace("_", "-"): value for name, value in {**usual, **fields}.items()}

        def values(name: str) -> list[str]:
            found = sent.get(name)
            return [] if found is None else [found] if isinstance(found, str) else found

        objection = Guard(TOKEN, listen).objection(values, hasBody, local)
        return None if objection is None else (objection.status, objection.code)

    def test_friend(self) -> None:
        """
        Who has the token and names the address is answered.
        """
        self.assertIsNone(self.told())
        self.assertIsNone(self.told(host="localhost:2019"))
        self.assertIsNone(self.told(host="LOCALHOST:2019", authorization=f"bearer  {TOKEN} "))
        self.assertIsNone(self.told(hasBody=True, content_type="application/json; charset=utf-8"))
        self.assertIsNone(self.told(Address("::1", 2019), Address("::1", 2019), host="[::1]:2019"))
        self.assertIsNone(
            self.told(Address("0.0.0.0", 2019), Address("10.0.0.1", 2019), host="10.0.0.1:2019")
        )
        mapped = Address("::ffff:127.0.0.1", 2019)
        for host in ("127.0.0.1:2019", "localhost:2019"):
            self.assertIsNone(self.told(Address("::", 2019), mapped, host=host))
        self.assertIsNone(self.told(Address("127.0.0.1", 80), Address("127.0.0.1", 80), host="127.0.0.1"))

    def test_token(self) -> None:
        """
        Nobody is answered without the token, nor with another, two, or another scheme.
        """
        for shown in (
            None,
            "",
            TOKEN,
            "Bearer",
            "Bearer ",
            f"Basic {TOKEN}",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Bearer {TOKEN.upper()}",
            "Bearer \xff\udc80",
            [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        ):
            self.assertEqual(self.told(authorization=shown), (401, "no-token"), shown)

    def test_rebinding(self) -> None:
        """
        A page whose own name points here sends that name, and gets nothing, whatever
        else it has.
        """
        for host in (
            None,
            "",
            "evil.example:2019",
            "127.0.0.1",
            "127.0.0.1:2020",
            "localhost",
            "localhost.evil.example:2019",
            "127.0.0.1:2019.evil.example",
            ["127.0.0.1:2019", "127.0.0.1:2019"],
        ):
            self.assertEqual(self.told(host=host), (403, "wrong-host"), host)
        away = Address("10.0.0.1", 2019)
        self.assertEqual(
            self.told(Address("0.0.0.0", 2019), away, host="localhost:2019"), (403, "wrong-host")
        )

    def test_origin(self) -> None:
        """
        A script of another page is refused; one of the same is not.
        """
        for origin in ("http://evil.example", "https://127.0.0.1:2019", "null", "http://localhost:2019", ""):
            self.assertEqual(self.told(origin=origin), (403, "foreign-origin"), origin)
        self.assertIsNone(self.told(origin="http://127.0.0.1:2019"))
        both = ["http://127.0.0.1:2019", "http://evil.example"]
        self.assertEqual(self.told(origin=both), (403, "foreign-origin"))

    def test_form(self) -> None:
        """
        What a form of another page can send is refused.
        """
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
            self.assertEqual(self.told(hasBody=True, content_type=kind), (415, "no-json"), kind)
