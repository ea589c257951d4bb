"""
Tests for L{smartproxy_tw.guards.bearer}.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.keysets import Keys, readKeys
from smartproxy_tw.config.security import JWTAuth
from smartproxy_tw.guards.bearer import Bearer

from ..examples import examples
from .visiting import Arrival

NOW = 1_800_000_000
SECRET = "0123456789abcdef" * 2


@cache
def key(kind: str) -> Any:
    """
    One of each kind.
    """
    made: Any = {
        "RSA": lambda: RSAKey.generate_key(2048),
        "EC": lambda: ECKey.generate_key("P-256"),
        "OKP": lambda: OKPKey.generate_key("Ed25519"),
        "oct": lambda: OctKey.import_key(SECRET),
    }
    return made[kind]()


def public(kind: str) -> str:
    """
    What is known of it, as PEM.
    """
    found: str = key(kind).as_pem(private=False).decode()
    return found


def token(
    kind: str = "oct", algorithm: str = "HS256", head: dict[str, Any] | None = None, **claims: Any
) -> str:
    """
    A signed one, good for a minute unless said otherwise.
    """
    every = {"exp": NOW + 60, "sub": "alice", **claims}
    kept = {name: value for name, value in every.items() if value is not None}
    registry = JWSRegistry(algorithms=[algorithm])
    return jwt.encode({"alg": algorithm, **(head or {})}, kept, key(kind), registry=registry)


def bearer(value: str) -> list[tuple[str, str]]:
    """
    The field that has it.
    """
    return [("authorization", f"Bearer {value}")]


def encoded(value: Any) -> str:
    """
    A part of a token.
    """
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class BearerTests(SynchronousTestCase):
    """
    L{Bearer}.
    """

    def setUp(self) -> None:
        self.now = float(NOW)

    def guard(self, **settings: Any) -> Bearer:
        """
        One with a secret, unless said otherwise.
        """
        made = {"algorithms": ("HS256",), "secret": SECRET, "leeway": 0.0, **settings}
        return Bearer(JWTAuth(**made), lambda: self.now)

    def refused(self, guard: Bearer, value: str) -> None:
        """
        It is not taken.
        """
        arrival = Arrival(guard, fields=bearer(value))
        self.assertEqual((arrival.status, arrival.reasons), (401, ["bad_token"]), value)
        self.assertIn(
            b'WWW-Authenticate: Bearer realm="restricted", error="invalid_token"\r\n', arrival.answer
        )

    def test_algorithms(self) -> None:
        """
        Each algorithm takes its own tokens.
        """
        for kind, algorithm in (
            ("RSA", "RS256"),
            ("RSA", "PS384"),
            ("EC", "ES256"),
            ("OKP", "EdDSA"),
        ):
            guard = self.guard(algorithms=(algorithm,), secret=None, keys=public(kind))
            self.assertTrue(Arrival(guard, fields=bearer(token(kind, algorithm))).hasPassed, algorithm)
            for other in ("RSA", "EC", "OKP"):
                if other != kind:
                    its = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[other]
                    self.refused(guard, token(other, its))
        self.assertTrue(Arrival(self.guard(), fields=bearer(token())).hasPassed)

    def test_noToken(self) -> None:
        """
        Without a token the client is told what is asked, and nothing more (RFC 6750 section 3.1).
        """
        for fields in ([], [("authorization", "Basic Ym9iOng=")]):
            arrival = Arrival(self.guard(realm="api"), fields=fields)
            self.assertEqual((arrival.status, arrival.reasons), (401, ["no_token"]))
            self.assertIn(b'WWW-Authenticate: Bearer realm="api"\r\n', arrival.answer)

    def test_none(self) -> None:
        """
        A token that says it needs no signature is none.
        """
        guard = self.guard()
        for algorithm in ("none", "None", "NONE", "nOnE", "", None, 5, ["HS256"]):
            body = encoded({"exp": NOW + 60, "sub": "root"})
            for tail in ("", "x", token().rpartition(".")[2]):
                self.refused(guard, f"{encoded({'alg': algorithm})}.{body}.{tail}")

    def test_confusion(self) -> None:
        """
        A public key is not taken for a secret, whatever a token says, and whatever is believed.
        """
        pem = public("RSA")
        forged = jwt.encode(
            {"alg": "HS256"},
            {"exp": NOW + 60},
            OctKey.import_key("x" * 32),
            registry=JWSRegistry(algorithms=["HS256"]),
        )
        head, body, _ = forged.split(".")
        import hmac

        for secret in (pem.encode(), pem.strip().encode(), key("RSA").as_der(private=False)):
            mac = hmac.digest(secret, f"{head}.{body}".encode(), "sha256")
            value = f"{head}.{body}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
            for algorithms in (("RS256",), ("RS256", "ES256")):
                self.refused(self.guard(algorithms=algorithms, secret=None, keys=pem), value)
        self.assertEqual(readKeys(pem).fitting("HS256", None), ())
        # Nor does a set of keys bring a secret in.
        self.assertRaises(ValueError, readKeys, json.dumps({"keys": [{"kty": "oct", "k": "eHg"}]}))

    def test_ownKey(self) -> None:
        """
        A key that a token brings along is not believed.
        """
        mine = RSAKey.generate_key(2048)
        value = jwt.encode(
            {"alg": "RS256", "jwk": mine.as_dict(private=False)},
            {"exp": NOW + 60},
            mine,
            registry=JWSRegistry(algorithms=["RS256"]),
        )
        self.refused(self.guard(algorithms=("RS256",), secret=None, keys=public("RSA")), value)

    def test_tampered(self) -> None:
        """
        A token of which one part was changed is none.
        """
        head, body, signature = token().split(".")
        guard = self.guard()
        self.assertTrue(Arrival(guard, fields=bearer(f"{head}.{body}.{signature}")).hasPassed)
        self.refused(guard, f"{head}.{encoded({'exp': NOW + 60, 'sub': 'root'})}.{signature}")
        self.refused(guard, f"{head}.{body}.{signature[:-2]}")
        self.refused(guard, f"{encoded({'alg': 'HS256', 'x': 1})}.{body}.{signature}")
        self.refused(guard, f"{head}.{body}")

    def test_times(self) -> None:
        """
        It has to have an end, which has not come, and a beginning that has; clocks may differ a
        little where that is said.
        """
        for claims, strict, lenient in (
            ({}, True, True),
            ({"exp": None}, False, False),
            ({"exp": NOW - 5}, False, True),
            ({"exp": NOW - 15}, False, False),
            ({"exp": 10**400}, True, True),
            ({"exp": -(10**400)}, False, False),
            ({"exp": "soon"}, False, False),
            ({"nbf": NOW - 5}, True, True),
            ({"nbf": NOW + 5}, False, True),
            ({"nbf": NOW + 15}, False, False),
        ):
            for leeway, expected in ((0.0, strict), (10.0, lenient)):
                arrival = Arrival(self.guard(leeway=leeway), fields=bearer(token(**claims)))  # type: ignore[arg-type]
                self.assertEqual(arrival.hasPassed, expected, (claims, leeway))

    def test_remembered(self) -> None:
        """
        A token that was good is not good beyond its end.
        """
        guard = self.guard()
        value = token(exp=NOW + 10)
        self.assertTrue(Arrival(guard, fields=bearer(value)).hasPassed)
        self.now += 9
        self.assertTrue(Arrival(guard, fields=bearer(value)).hasPassed)
        self.now += 1
        self.refused(guard, value)
        for number in range(4200):
            guard._good[b"%d" % number] = (0.0, {})
        self.assertTrue(Arrival(guard, fields=bearer(token(exp=NOW + 100))).hasPassed)
        self.assertLessEqual(len(guard._good), 4096)

    def test_parties(self) -> None:
        """
        Issuer and audience have to be one of those that are asked for.
        """
        guard = self.guard(issuers=("a", "b"), audiences=("me", "us"))
        for claims, isGood in (
            ({"iss": "a", "aud": "me"}, True),
            ({"iss": "b", "aud": ["x", "us"]}, True),
            ({"iss": "c", "aud": "me"}, False),
            ({"aud": "me"}, False),
            ({"iss": "a"}, False),
            ({"iss": "a", "aud": []}, False),
            ({"iss": "a", "aud": "mee"}, False),
            ({"iss": ["a"], "aud": "me"}, False),
        ):
            arrival = Arrival(guard, fields=bearer(token(**claims)))  # type: ignore[arg-type]
            self.assertEqual(arrival.hasPassed, isGood, claims)

    def test_scopes(self) -> None:
        """
        Who is known but may not gets 403 and is told what is missing.
        """
        guard = self.guard(scopes=("read", "write"))
        for claims, isGood in (
            ({"scope": "write read other"}, True),
            ({"scp": ["read", "write"]}, True),
            ({"scope": "read"}, False),
            ({"scope": "readwrite"}, False),
            ({}, False),
            ({"scope": 5}, False),
        ):
            arrival = Arrival(guard, fields=bearer(token(**claims)))  # type: ignore[arg-type]
            self.assertEqual(arrival.hasPassed, isGood, claims)
            if not isGood:
                self.assertEqual((arrival.status, arrival.reasons), (403, ["scope"]))
                self.assertIn(b'error="insufficient_scope", scope="read write"\r\n', arrival.answer)

    def test_claims(self) -> None:
        """
        The target is told claims by the proxy and by nobody else.
        """
        guard = self.guard(
            claims=(
                ("sub", "X-User"),
                ("groups", "X-Groups"),
                ("n", "X-N"),
                ("bad", "X-Bad"),
                ("no", "X-No"),
            ),
            passesOn=False,
        )
        lies = [("x-user", "root"), ("x_user", "root"), ("x-no", "root"), ("x-bad", "root"), ("x-kept", "1")]
        value = token(groups=["a", "b"], n={"x": 1}, bad="a\r\nX-Admin: 1")
        for _ in range(2):
            arrival = Arrival(guard, fields=[*bearer(value), *lies])
            self.assertTrue(arrival.hasPassed)
            self.assertEqual(
                arrival.exchange.sent, b'x-kept: 1\r\nx-user: alice\r\nx-groups: a,b\r\nx-n: {"x":1}\r\n'
            )

    def test_places(self) -> None:
        """
        The token may be in a cookie or in the query.
        """
        value = token()
        guard = self.guard(source="cookie", sourceName="session")
        self.assertTrue(Arrival(guard, fields=[("cookie", f"a=b; session={value}")]).hasPassed)
        self.assertTrue(
            Arrival(guard, fields=[("cookie", "a=b"), ("cookie", f'session="{value}"')]).hasPassed
        )
        self.assertEqual(Arrival(guard, fields=bearer(value)).status, 401)
        self.assertEqual(Arrival(guard, fields=[("cookie", f"xsession={value}")]).status, 401)
        guard = self.guard(source="query", sourceName="access_token")
        self.assertTrue(Arrival(guard, query=f"a=b&access%5Ftoken={value}").hasPassed)
        self.assertEqual(Arrival(guard, query=f"token={value}").status, 401)

    def test_ambiguous(self) -> None:
        """
        Where there are two nobody knows which one the target goes by, and nobody passes.  The same
        one twice is one.
        """
        good, other = token(), token(sub="eve")
        scheme = [("authorization", "Basic Ym9iOng=")]
        for fields in (bearer(good) + bearer(other), bearer(good) + scheme, scheme + bearer(good)):
            self.assertEqual(Arrival(self.guard(passesOn=True), fields=fields).status, 401)
        guard = self.guard(source="cookie", sourceName="s")
        for lines in ([f"s={good}; s={other}"], [f"s={good}", f"s={other}"], [f's=""; s={good}']):
            self.assertEqual(Arrival(guard, fields=[("cookie", each) for each in lines]).status, 401)
        self.assertTrue(Arrival(guard, fields=[("cookie", f"s={good}; s={good}")]).hasPassed)
        guard = self.guard(source="query", sourceName="t")
        for query in (f"t={good}&t={other}", f"t={good}&%74={other}", f"t&t={good}", f"t=&t={good}"):
            self.assertEqual(Arrival(guard, query=query).status, 401, query)
        self.assertTrue(Arrival(guard, query=f"t={good}").hasPassed)

    @examples(200)
    @given(
        st.one_of(
            st.binary(max_size=80).map(lambda data: data.decode("latin-1")),
            st.binary(max_size=60).map(lambda data: urlsafe_b64encode(data).decode() + ".e30.x"),
        )
    )
    def test_anything(self, value: str) -> None:
        """
        Whatever is shown, nobody passes and nothing fails.
        """
        self.assertEqual(Arrival(self.guard(), fields=bearer(value)).status, 401)

    def test_deep(self) -> None:
        """
        Neither very long tokens nor deeply nested ones do any harm.
        """
        deep = urlsafe_b64encode(b"[" * 9000).decode()
        for value in ("x" * 100_000, f"{deep}.{deep}.x", "." * 9000):
            self.refused(self.guard(), value)


class _Ring:
    """
    Keys that are fetched when a test says so.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self.keys: Keys | None = None
        self.isOpen = True
        self.looked = 0
        self.waiting: list[Callable[[], None]] = []
        self._told = told

    def look(self) -> None:
        """Counted."""
        self.looked += 1

    def wait(self, then: Callable[[], None]) -> bool:
        """While it is open."""
        if self.isOpen:
            self.waiting.append(then)
        return self.isOpen

    def arrive(self, *keys: Any) -> None:
        """
        They are there.
        """
        self.keys = Keys(keys)
        self._told()
        self.over()

    def over(self) -> None:
        """
        The fetch has ended.
        """
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each()

    def close(self) -> None:
        """Nothing."""


class FetchedTests(SynchronousTestCase):
    """
    L{Bearer} with keys from elsewhere.
    """

    def setUp(self) -> None:
        settings = JWTAuth(algorithms=("RS256",), url="https://a.test/keys")
        rings: list[_Ring] = []

        def ring(told: Callable[[], None]) -> Any:
            rings.append(_Ring(told))
            return rings[0]

        self.guard = Bearer(settings, lambda: float(NOW), ring)
        (self.ring,) = rings

    def named(self, kid: str | None) -> Any:
        """
        The public key by some name.
        """
        return RSAKey.import_key({**key("RSA").as_dict(private=False), **({"kid": kid} if kid else {})})

    def arrival(self, kid: str | None = None) -> Arrival:
        """
        Somebody with a token.
        """
        return Arrival(self.guard, fields=bearer(token("RSA", "RS256", {"kid": kid} if kid else None)))

    def test_first(self) -> None:
        """
        The first ones wait for the keys.
        """
        some = [self.arrival() for _ in range(3)]
        self.assertTrue(all(each.isWaiting for each in some))
        self.ring.arrive(self.named(None))
        self.assertTrue(all(each.hasPassed for each in some))
        self.assertTrue(self.arrival().hasPassed)

    def test_none(self) -> None:
        """
        Without keys nobody passes: 503, as it is nothing that the client has done.
        """
        arrival = self.arrival()
        self.ring.over()
        self.assertEqual((arrival.status, arrival.reasons), (503, ["no_keys"]))
        self.ring.isOpen = False
        self.assertEqual(self.arrival().status, 503)

    def test_unknownKey(self) -> None:
        """
        A key that is not known is looked for, and taken when it is there then.
        """
        self.ring.arrive(self.named("old"))
        arrival = self.arrival("new")
        self.assertTrue(arrival.isWaiting)
        self.ring.arrive(self.named("old"), self.named("new"))
        self.assertTrue(arrival.hasPassed)
        arrival = self.arrival("newer")
        self.ring.over()
        self.assertEqual(arrival.status, 401)
        self.ring.isOpen = False
        self.assertEqual(self.arrival("newer").status, 401)
        self.assertTrue(self.arrival("new").hasPassed)

    def test_withdrawn(self) -> None:
        """
        A token that was good is looked at again when there are other keys.
        """
        self.ring.arrive(self.named("old"))
        self.assertTrue(self.arrival("old").hasPassed)
        self.ring.isOpen = False
        self.ring.arrive(self.named("new"))
        self.assertEqual(self.arrival("old").status, 401)
