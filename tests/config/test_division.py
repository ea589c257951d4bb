"""
Tests for L{smartproxy_tw.config.division}.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.division import MOST_NAMES, divide, divided, mostNames
from smartproxy_tw.config.model import (
    LETSENCRYPT,
    LETSENCRYPT_STAGING,
    TLS,
    Acme,
    Authority,
    Auto,
    Internal,
    Several,
)
from smartproxy_tw.config.names import registeredDomain

from ..examples import examples
from ..routing.routes import configure, https

MANY = tuple(f"shop{number}.example" for number in range(230))


def fits(most: int) -> Callable[[Sequence[str]], bool]:
    """
    So many names are small enough.
    """
    return lambda names: len(names) <= most


def fitsLetsEncrypt(names: Sequence[str]) -> bool:
    """
    What one order may be for.
    """
    return len(names) <= mostNames(Authority(), names, {})


#: Names of few registered domains, or of many.
_NAMES = st.builds(
    "{}shop{}.brand{}.example".format, st.sampled_from(["", "*."]), st.integers(0, 400), st.integers(0, 3)
) | st.builds("shop{}.brand{}".format, st.integers(0, 40), st.integers(0, 40))
_SETS = st.lists(_NAMES, min_size=1, max_size=300, unique=True)
_ADDRESSES = st.ip_addresses().map(str)
_LIMITS = st.integers(1, 40)


class DivideTests(SynchronousTestCase):
    """
    The rule.
    """

    @examples(200)
    @given(_SETS, _LIMITS)
    def test_exact(self, names: list[str], limit: int) -> None:
        """
        Every name is in one part, no part is too large, and none is empty.
        """
        parts = divide(names, fits(limit))
        self.assertEqual(sorted(name for part in parts for name in part), sorted(names))
        self.assertLessEqual(max(map(len, parts)), limit)
        self.assertGreaterEqual(min(map(len, parts)), 1)

    @examples(200)
    @given(_SETS, _LIMITS, st.randoms(use_true_random=False))
    def test_orderIsNothing(self, names: list[str], limit: int, chance: Random) -> None:
        """
        The order in which a route lists its names changes nothing but the order.
        """
        before = {frozenset(part) for part in divide(names, fits(limit))}
        chance.shuffle(names)
        parts = divide(names, fits(limit))
        self.assertEqual({frozenset(part) for part in parts}, before)
        listed = [names.index(part[0]) for part in parts]
        self.assertEqual(listed, sorted(listed))

    @examples(400)
    @given(_SETS, _NAMES | _ADDRESSES, _LIMITS)
    def test_oneMore(self, names: list[str], more: str, limit: int) -> None:
        """
        A name that comes changes one part at most, which may become two; and so
        does one that goes, the other way round.
        """
        if more in names:
            names.remove(more)
        self.assertSmallChange(names, more, fits(limit))
        self.assertSmallChange(names, more, fitsLetsEncrypt)

    def assertSmallChange(self, names: list[str], more: str, rule: Callable[[Sequence[str]], bool]) -> None:
        before = {frozenset(part) for part in divide(names, rule)}
        after = {frozenset(part) for part in divide([*names, more], rule)}
        self.assertLessEqual(len(before - after), 1)
        self.assertLessEqual(len(after - before), 2)

    def test_always(self) -> None:
        """
        The parts are the same with every release and on every machine: a changed
        digest would order everything anew.
        """
        names = [f"shop{number}.example" for number in range(8)]
        self.assertEqual(
            divide(names, fits(4)),
            (
                ("shop0.example", "shop3.example", "shop4.example"),
                ("shop1.example", "shop5.example"),
                ("shop2.example", "shop6.example", "shop7.example"),
            ),
        )

    def test_domainsStayTogether(self) -> None:
        """
        Of ninety registered domains with three names each none is in two parts.
        """
        names = [f"{first}shop.brand{number}" for number in range(90) for first in ("a.", "b.", "c.")]
        for part in (parts := divide(names, fits(25))):
            for domain in {registeredDomain(name) for name in part}:
                self.assertEqual(sum(registeredDomain(name) == domain for name in part), 3, part)
        self.assertGreater(len(parts), 10)

    def test_full(self) -> None:
        """
        Parts are about two thirds full: it takes half as many again as the fewest.
        """
        for count in (500, 1000, 2000, 4000):
            parts = divide([f"shop{number}.example" for number in range(count)], fits(100))
            self.assertLessEqual(len(parts), 2 * count / 100, count)


class MostNamesTests(SynchronousTestCase):
    """
    How many names an authority takes.
    """

    def test_letsEncrypt(self) -> None:
        """
        A hundred, and 25 of two profiles, one of which IP addresses imply.
        """
        found = [
            mostNames(Authority(directory=directory, profile=profile), names, {})
            for directory in (LETSENCRYPT, LETSENCRYPT_STAGING)
            for profile, names in (
                (None, ("a.example",)),
                ("classic", ("a.example",)),
                ("tlsserver", ("a.example",)),
                ("shortlived", ("a.example",)),
                (None, ("a.example", "192.0.2.1")),
                ("classic", ("a.example", "192.0.2.1")),
            )
        ]
        self.assertEqual(found, [100, 100, 25, 25, 25, 100] * 2)

    def test_others(self) -> None:
        """
        A hundred of anybody else, whatever the profile is called, until it says
        less; more than a hundred is not believed.
        """
        other = Authority(directory="https://ca.example/dir", profile="tlsserver")
        said = [{}, {"https://ca.example/dir": 25}, {LETSENCRYPT: 3}, {"https://ca.example/dir": 0}]
        self.assertEqual([mostNames(other, MANY, each) for each in said], [100, 25, 100, 1])
        self.assertEqual(mostNames(other, MANY, {"https://ca.example/dir": 5000}), MOST_NAMES)


class DividedTests(SynchronousTestCase):
    """
    Whole configurations.
    """

    def sizes(self, acme: Acme, names: Sequence[str] = MANY, **learned: int) -> list[int]:
        """
        How many names there are on each certificate.
        """
        made = divided(
            configure(https("shops", *names), acme=acme),
            {f"https://{key}.example/dir": each for key, each in learned.items()},
        )
        return [len(each.names) for each in made.autoCertificates]

    def test_few(self) -> None:
        """
        What is small enough stays as it is, the whole configuration too.
        """
        config = configure(
            https("shop", *MANY[:100]), https("own", "a.test", tls=TLS("terminate", Internal(("a.test",))))
        )
        self.assertIs(divided(config), config)

    def test_many(self) -> None:
        """
        What is too much for one is several, each shown for its own names.
        """
        config = divided(configure(https("shops", *MANY)))
        tls = config.routes[0].tls
        assert tls is not None
        several = tls.certificate
        assert isinstance(several, Several)
        self.assertEqual(several.names, MANY)
        self.assertEqual(tls.sources, several.parts)
        for name in MANY:
            part = tls.sourceFor(name)
            assert isinstance(part, Auto)
            self.assertIn(name, part.names)
        self.assertEqual(config.autoCertificates, several.parts)

    def test_smallest(self) -> None:
        """
        The smallest number of all authorities counts.
        """
        few = Authority(directory="https://few.example/dir")
        self.assertGreater(len(self.sizes(Acme(profile="tlsserver"))), 9)
        self.assertLessEqual(max(self.sizes(Acme(profile="tlsserver"))), 25)
        self.assertLessEqual(max(self.sizes(Acme(fallbacks=(few,)), few=7)), 7)

    def test_addresses(self) -> None:
        """
        With IP addresses Let's Encrypt takes 25; the names beside them are on
        certificates of their own, when they are more.
        """
        self.assertEqual(self.sizes(Acme(), ("192.0.2.1", *MANY[:24])), [25])
        self.assertEqual(self.sizes(Acme(), ("192.0.2.1", *MANY[:90])), [1, 90])

    def test_again(self) -> None:
        """
        What was divided is divided anew by other numbers, and put together again.
        """
        config = configure(https("shops", *MANY[:60]))
        small = divided(config, {LETSENCRYPT: 10})
        self.assertGreater(len(small.autoCertificates), 6)
        self.assertEqual(divided(small), config)
        self.assertEqual(divided(small, {LETSENCRYPT: 10}), small)

    def test_shared(self) -> None:
        """
        Two routes with the same names share all the parts.
        """
        routes = https("shops", *MANY), https("api", *reversed(MANY), path="/api/*")
        config = divided(configure(*routes))
        self.assertEqual(len(config.autoCertificates), len(divided(configure(routes[0])).autoCertificates))


class SeveralTests(SynchronousTestCase):
    """
    L{Several} certificates for one route.
    """

    def test_partFor(self) -> None:
        """
        A name has the part that lists it, or else the one with its wildcard; what
        is not among them, or no name at all, has the first.
        """
        first, second = Auto(("a.example", "x.b.example")), Auto(("*.b.example",))
        several = Several((*first.names, *second.names), (first, second))
        for name, part in (
            ("a.example", first),
            ("x.b.example", first),
            ("y.b.example", second),
            ("b.example", first),
            (None, first),
        ):
            self.assertIs(several.partFor(name), part, name)

    def test_pickled(self) -> None:
        """
        It comes to a worker as it was.
        """
        several = Several(("a.example", "b.example"), (Auto(("a.example",)), Auto(("b.example",))))
        copy = pickle.loads(pickle.dumps(several))
        self.assertEqual(copy, several)
        self.assertEqual(copy.partFor("b.example"), several.parts[1])
