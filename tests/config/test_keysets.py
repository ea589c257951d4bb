"""
Tests for L{smartproxy_tw.config.keysets}.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.keysets import kindFor, readKeys

from ..examples import examples
from .protections import KEY

_JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.binary(max_size=8).map(lambda data: data.decode("latin-1"))
    | st.sampled_from(["RSA", "EC", "OKP", "oct"]),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(
            st.sampled_from(["keys", "kty", "n", "e", "crv", "x", "y", "kid", "d"]), below, max_size=5
        )
    ),
    max_leaves=12,
)


@cache
def rsa() -> dict[str, Any]:
    """
    A public key.
    """
    return dict(RSAKey.generate_key(2048).as_dict(private=False))


class KeysTests(SynchronousTestCase):
    """
    L{readKeys}.
    """

    def test_families(self) -> None:
        """
        A key serves for its own algorithms only.
        """
        keys = readKeys(KEY)
        for algorithm, isFor in (
            ("ES256", True),
            ("ES384", False),
            ("RS256", False),
            ("HS256", False),
            ("EdDSA", False),
        ):
            self.assertEqual(bool(keys.fitting(algorithm, None)), isFor, algorithm)
        self.assertEqual(kindFor("PS256"), "RSA")

    def test_set(self) -> None:
        """
        Of a set those fit that have the name, or none, and are meant for it; what is unknown or
        secret is left out.
        """
        one = {**rsa(), "kid": "a", "use": "sig"}
        two = {**rsa(), "kid": "b", "alg": "RS512"}
        three = {**rsa(), "kid": "c", "use": "enc"}
        four = rsa()
        secret = OctKey.generate_key(256).as_dict(private=True)
        private = ECKey.generate_key("P-256").as_dict(private=True)
        keys = readKeys(json.dumps({"keys": [one, two, three, four, secret, private, {"kty": "AKP"}, 5]}))

        def names(algorithm: str, kid: str | None) -> list[str | None]:
            return [each.get("kid") for each in keys.fitting(algorithm, kid)]

        self.assertEqual(names("RS256", None), ["a", None])
        self.assertEqual(names("RS512", "b"), ["b", None])
        self.assertEqual(names("RS256", "b"), [None])
        self.assertEqual(names("RS256", "x"), [None])
        self.assertEqual(names("HS256", None), [])
        self.assertEqual(names("ES256", None), [])

    @examples(200)
    @given(st.one_of(st.binary(max_size=60).map(lambda data: data.decode("latin-1")), _JSON.map(json.dumps)))
    def test_anything(self, text: str) -> None:
        """
        Whatever is there, it is keys or it is told to be none.
        """
        try:
            readKeys(text)
        except ValueError as why:
            self.assertRegex(str(why), "^(is|has) ")
