"""
Tests for L{smartproxy_tw.service.stock}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.stock import Stock, isCovered

SHOP, STAR, BOTH = (Credential(text, b"") for text in (b"shop", b"star", b"both"))


class StockTests(SynchronousTestCase):
    """
    What a store had.
    """

    def setUp(self) -> None:
        self.stock = Stock(
            {"auto:shop.example": SHOP, "auto:*.shop.example": STAR, "auto:blog.example,shop.example": BOTH}
        )

    def test_exact(self) -> None:
        """
        One is found by its identity.
        """
        self.assertEqual(self.stock.get("auto:shop.example"), SHOP)
        self.assertIsNone(self.stock.get("auto:blog.example"))

    def test_standIns(self) -> None:
        """
        Of the valid ones as few as there may be, each for its own names.
        """
        now = 1_800_000_000.0
        signer = Signer.create("A test's root", now=now)

        def issue(*names: str, ended: float = 90.0) -> Credential:
            return signer.issue(names, lifetime=86400.0 * ended, now=now - 86400.0)

        one, two, star, over = issue("a.x", "b.x"), issue("b.x"), issue("*.c.x"), issue("d.x", ended=0.5)
        stock = Stock({"auto:a.x,b.x": one, "auto:b.x": two, "auto:*.c.x": star, "auto:d.x": over})
        wanted = ("a.x", "b.x", "q.c.x", "d.x", "e.x")
        self.assertEqual(
            sorted(stock.standIns(wanted, now), key=lambda found: found[0]),
            [(("a.x", "b.x"), one), (("q.c.x",), star)],
        )
        self.assertEqual(stock.standIns(("d.x",), now), [])

    def test_issuers(self) -> None:
        """
        Each is by the preferred authority, if it is not said to be by another.
        """
        stock = Stock({"auto:a.example": SHOP, "auto:b.example": STAR}, {"auto:b.example": 2})
        self.assertEqual((stock.issuerOf(SHOP), stock.issuerOf(STAR)), (0, 2))

    def test_covering(self) -> None:
        """
        All are found that cover a name, by itself or by a wildcard, once each,
        with what else they cover.
        """
        self.assertEqual(
            self.stock.covering(["shop.example", "blog.example"]),
            [(("shop.example",), SHOP), (("blog.example", "shop.example"), BOTH)],
        )
        self.assertEqual(self.stock.covering(["www.shop.example"]), [(("*.shop.example",), STAR)])
        self.assertEqual(self.stock.covering(["a.b.shop.example", "example"]), [])

    def test_isCovered(self) -> None:
        """
        A wildcard covers one label.
        """
        self.assertTrue(isCovered("a.example", ["*.example"]))
        self.assertTrue(isCovered("a.example", ["b.example", "a.example"]))
        self.assertFalse(isCovered("a.b.example", ["*.example"]))

    def test_put(self) -> None:
        """
        What comes later is found like what was there, in place of what it follows.
        """
        new, newer = Credential(b"new", b""), Credential(b"newer", b"")
        for issuer, credential in enumerate((new, newer), 1):
            self.stock.put("auto:a.example,b.example", credential, issuer)
            self.assertEqual(self.stock.issuerOf(credential), issuer)
            self.assertEqual(self.stock.covering(["b.example"]), [(("a.example", "b.example"), credential)])

    def test_remove(self) -> None:
        """
        What is removed is not found any more; what is not there is no error.
        """
        for _ in range(2):
            self.stock.remove(BOTH.chain)
        self.assertEqual(self.stock.covering(["shop.example", "blog.example"]), [(("shop.example",), SHOP)])
