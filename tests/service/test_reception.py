"""
Tests for L{smartproxy_tw.service.reception}.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.changes import Changes
from smartproxy_tw.config.model import Admin as Settings
from smartproxy_tw.config.model import Config, Metrics
from smartproxy_tw.facts import Address
from smartproxy_tw.service.accounts import AccountInquiries
from smartproxy_tw.service.admin import Admin
from smartproxy_tw.service.doors import Doors
from smartproxy_tw.service.events import Events
from smartproxy_tw.service.farewell import Farewell
from smartproxy_tw.service.inquiries import Inquiries
from smartproxy_tw.service.loudness import Loudness
from smartproxy_tw.service.metrics import Exporter
from smartproxy_tw.service.overview import Overview
from smartproxy_tw.service.reception import Reception
from smartproxy_tw.service.reloads import Reloads
from smartproxy_tw.service.status import CertificateStatus
from smartproxy_tw.service.upgrades import Upgrades
from smartproxy_tw.service.upstreams import Upstreams
from smartproxy_tw.testing.fakes import FakePlane, Story

from .configurations import configuration

ADMIN, METRICS = Settings("/nowhere/admin.sock"), Metrics(Address("127.0.0.1", 9100))


class Subject:
    """
    A proxy that only has a configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def reload(self, asker: str) -> Deferred[Changes]:
        raise AssertionError(f"{asker} asked for nothing here")

    def preview(self) -> Deferred[Changes]:
        raise AssertionError("nobody asked for this")


class FakeComposition:
    """
    As much of a life as the doors need.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.life: Any = self
        self.storage: Any = self
        self.accounts = object()
        self.issuers: dict[str, Any] = {}
        self.berths: Any = None
        self.diverted: dict[str, float] = {}


class FakeCertificates:
    """
    One, which is as it should be.
    """

    def statuses(self) -> Any:
        return iter([CertificateStatus("a", "auto", ("a.test",), "valid", 9.0)])


class ReceptionTests(SynchronousTestCase):
    """
    The doors that there are, and who is behind them.
    """

    def setUp(self) -> None:
        self.config = configuration(os.path.abspath(self.mktemp()), None)
        self.plane = FakePlane(Story())
        self.completed: list[str] = []

    def doors(self, admin: Settings | None, metrics: Metrics | None, issuers: Any = ()) -> Doors | None:
        """
        Those of a life with that configuration.
        """
        config = replace(self.config, admin=admin, metrics=metrics)
        composition = FakeComposition(config)
        composition.issuers.update(issuers)

        def complete(status: CertificateStatus) -> CertificateStatus:
            self.completed.append(status.key)
            return status

        reception = Reception(
            Clock(),
            Subject(config),
            Events(),
            lambda: succeed(None),
            complete,
            None,
            lambda asker: succeed(7),
        )
        make = reception.serving(cast(Any, composition))
        return cast("Doors | None", make(cast(Any, FakeCertificates()), self.plane))

    def parties(self, doors: Doors | None) -> list[type]:
        """
        Who is behind the admin socket.
        """
        assert doors is not None
        admin = doors._doors[0]
        assert isinstance(admin, Admin)
        return [type(each) for each in admin._parties]

    def test_none(self) -> None:
        """
        Who is not to be asked has no door.
        """
        self.assertIsNone(self.doors(None, None))

    def test_each(self) -> None:
        """
        There is a door for each that the configuration has, the admin socket first.
        """
        for admin, metrics, wanted in (
            (ADMIN, None, [Admin]),
            (None, METRICS, [Exporter]),
            (ADMIN, METRICS, [Admin, Exporter]),
        ):
            doors = self.doors(admin, metrics)
            assert doors is not None
            self.assertEqual([type(each) for each in doors._doors], wanted)

    def test_parties(self) -> None:
        """
        Whatever a proxy can be asked has somebody who takes it, metrics last; accounts
        where there is an authority to have them at.
        """
        found = self.parties(self.doors(ADMIN, None))
        self.assertEqual(found[:-1], [Overview, Upstreams, Inquiries, Reloads, Farewell, Upgrades, Loudness])
        self.assertEqual(found[-1].__name__, "Metrics")

        class Issuer:
            def changeKey(self) -> None: ...

            def deactivate(self) -> None: ...

        found = self.parties(self.doors(ADMIN, None, {"https://ca.example/": Issuer()}))
        self.assertEqual(found[7], AccountInquiries)

    def test_completed(self) -> None:
        """
        The figures are of certificates as the proxy itself tells of them.
        """
        doors = self.doors(None, METRICS)
        assert doors is not None
        exporter = doors._doors[0]
        assert isinstance(exporter, Exporter)
        asking = exporter._desk.answer("GET", "/metrics", {}, b"", "somebody")
        text = "".join(map(str, self.successResultOf(Deferred.fromCoroutine(asking)).text))
        self.assertIn('certificate="a"', text)
        self.assertEqual(self.completed, ["a"])
