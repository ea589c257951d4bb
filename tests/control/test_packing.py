"""
Tests for L{smartproxy_tw.control.packing}.
"""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass
from ipaddress import ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import model, security
from smartproxy_tw.config.model import (
    TLS,
    Acme,
    Application,
    Auto,
    Block,
    ClientCertificates,
    Config,
    DynamicUpdate,
    FileTree,
    Forward,
    Pool,
    Redirect,
    Respond,
    Route,
    Target,
    TLSPolicy,
    UpstreamTLS,
)
from smartproxy_tw.control.packing import packed, packing, unpacking
from smartproxy_tw.control.state import Adopt, Change, Install, Present, Release, UseTable, Withdraw
from smartproxy_tw.facts import HTTP01, TLSALPN01, Address, Credential
from smartproxy_tw.routing.steps import finish

from ..examples import examples

_SECURE = TLS("terminate", Auto(("a.test",)), TLSPolicy("1.3", clients=ClientCertificates("require", "/ca")))

ROUTES = (
    Route("a", (80, 81), Block(), "tcp"),
    Route("b", (443,), Respond(201, (("X-A", "b"),), "body"), "http", ("a.test",), "/u/:id", _SECURE, 7, 12),
    Route("c", (80,), Redirect("https://{domain}{path}", 301), "http", ("*.b.test", "*")),
    Route(
        "d", (1,), Forward((Target("::1", None), Target("/s", 0)), UpstreamTLS("x", False), Pool(3)), "tcp"
    ),
    Route("e", (80,), FileTree("/srv", cache=(("*", "no-cache"),), fallback="/a"), "http"),
    Route("f", (80,), Application("a.b:c", "wsgi", '{"a": 1}', ("/srv",), 3), "http"),
)

CHANGES: tuple[Change, ...] = (
    Install("a", Credential(b"chain", b"key")),
    Install("b", Credential(b"c" * 100_000, b"key")),
    Present(HTTP01("a.test", "token", "authorization")),
    Present(TLSALPN01("a.test", Credential(b"proof", b"key"))),
    Withdraw(HTTP01("a.test", "token", "authorization")),
    Adopt(7, 443),
    Release(7),
)


def config(count: int = len(ROUTES), **more: Any) -> Config:
    """
    One with so many routes.
    """
    return Config(tuple(ROUTES[number % len(ROUTES)] for number in range(count)), "/state", **more)


class PackingTests(SynchronousTestCase):
    """
    L{packing} and L{unpacking}.
    """

    def same(self, *changes: Change) -> None:
        """
        They come back as they were.
        """
        self.assertEqual(finish(unpacking(packed(changes))), changes)

    def test_everything(self) -> None:
        """
        Each kind of change comes back as it was, alone and among others.
        """
        full = config(
            trustedProxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
            acme=Acme(dns=DynamicUpdate(Address("::1", 53), keyName="k", zone="a.test", patience=3.0)),
            workers="auto",
        )
        for change in (*CHANGES, UseTable(full), UseTable(Config((), "/x"))):
            self.same(change)
        self.same(*CHANGES, UseTable(full), *CHANGES, UseTable(config()))
        self.same()

    @examples(40)
    @given(st.lists(st.integers(0, 400), max_size=4), st.integers(0, 300))
    def test_anyNumber(self, sizes: list[int], more: int) -> None:
        """
        Whatever the numbers of routes and of changes, none is lost and none goes to
        another table.
        """
        installs = [Install(str(number), Credential(b"c", b"k")) for number in range(more)]
        self.same(*(UseTable(config(size)) for size in sizes), *installs, UseTable(config(sum(sizes))))

    def test_steps(self) -> None:
        """
        What is large is packed and read in steps.
        """
        change = UseTable(config(5000))
        steps = packing((change,))
        self.assertGreater(sum(1 for _ in steps), 20)
        self.assertGreater(sum(1 for _ in unpacking(packed((change,)))), 20)

    def test_beforehand(self) -> None:
        """
        A table that was packed before is not packed again.
        """
        change = UseTable(config(), packed((UseTable(config(1)),)))
        self.assertEqual(finish(unpacking(packed((change,)))), (UseTable(config(1)),))

    def test_nonsense(self) -> None:
        """
        What is no letter is an error.
        """
        for data in (b"nonsense", packed(CHANGES)[:-1]):
            self.assertRaises((pickle.UnpicklingError, EOFError), lambda data=data: finish(unpacking(data)))

    def test_everyKind(self) -> None:
        """
        Every kind of value that a configuration is made of comes back with all its
        fields, also one whose fields go by name alone.
        """
        for kind in [*vars(model).values(), *vars(security).values()]:
            if isinstance(kind, type) and is_dataclass(kind):
                value = object.__new__(kind)
                for number, field in enumerate(fields(kind)):
                    object.__setattr__(value, field.name, (number, field.name))
                ((found,),) = [finish(unpacking(packed((value,))))]  # type: ignore[arg-type]
                self.assertEqual(
                    [getattr(found, each.name) for each in fields(kind)],
                    [getattr(value, each.name) for each in fields(kind)],
                    kind,
                )
