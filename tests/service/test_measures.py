"""
Tests for L{smartproxy_tw.service.measures}: what Prometheus is told.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.model import Config, Dynamic, Forward, Respond, Route, Target
from smartproxy_tw.plane.census import DELAYS, DURATIONS, cell
from smartproxy_tw.service.exposition import exposed
from smartproxy_tw.service.measures import Figures, measures
from smartproxy_tw.service.status import CertificateStatus
from smartproxy_tw.service.usage import Usage

from .test_exposition import Numbers, numbers

OWN = Usage(12.5, 1000, 2000, 7, 1024, 1.7e9)
STATUS = CertificateStatus(
    "auto:a.test", "auto", ("a.test",), "failed", 1.8e9, "no", 1.75e9, failures=3, orders=4
)


class MeasuresTests(SynchronousTestCase):
    """
    L{measures}.
    """

    def setUp(self) -> None:
        forward = Forward((Target("127.0.0.1", 3000), Target("/run/x", 0)))
        routes = (Route("my shop", (80,), forward, "http"), Route("new", (81,), Respond(), "http"))
        self.config = Config(routes, "/nowhere")
        self.tally: dict[str, int] = {
            "open": 2,
            "requests": 5,
            "misses": 1,
            "http2_requests": 3,
            "http2_open": 1,
            "http2_streams": 4,
        }
        self.workers: dict[int, Usage] = {}
        self.statuses = [
            STATUS,
            replace(STATUS, key="internal:", state="valid", expires=None, nextAttempt=None),
        ]

    def told(self) -> Numbers:
        """
        What is told.
        """
        figures = Figures("1.0", "3.11", self.config, self.tally, OWN, self.workers, iter(self.statuses))
        return numbers("".join(exposed(measures(figures))))

    def test_plain(self) -> None:
        """
        What is counted once is one number, from the beginning.
        """
        told = self.told()
        for name, value in (
            ("smartproxy_connections_open", 2),
            ("smartproxy_unrouted_total", 1),
            ("smartproxy_http2_connections_open", 1),
            ("smartproxy_http2_requests_in_flight", 4),
            ("smartproxy_upstream_failures_total", 0),
            ("process_cpu_seconds_total", 12.5),
            ("process_open_fds", 7),
            ("process_max_fds", 1024),
            ("process_start_time_seconds", 1.7e9),
            ("smartproxy_reactor_lag_seconds_count", 0),
        ):
            self.assertEqual(told[name, ()], value, name)
        for protocol, value in (("http/1", 2), ("h2", 3)):
            name = "smartproxy_requests_by_protocol_total"
            self.assertEqual(told[name, (("protocol", protocol),)], value, protocol)
        self.assertEqual(told["smartproxy_build_info", (("python", "3.11"), ("version", "1.0"))], 1)
        self.assertFalse([name for name, _ in told if "worker" in name])

    def test_words(self) -> None:
        """
        Each count of the data path has its own name, and none is told as another.
        """
        names = {
            "connections": "connections_total",
            "overflows": "connections_refused_total",
            "greeting_failures": "greeting_failures_total",
            "refusals": "requests_refused_total",
            "misses": "unrouted_total",
            "upstream_failures": "upstream_failures_total",
            "repeats": "upstream_repeats_total",
            "log_lines_lost": "access_log_lost_lines_total",
        }
        self.tally = {word: number for number, word in enumerate(names, 1)}
        told = self.told()
        for number, name in enumerate(names.values(), 1):
            self.assertEqual(told[f"smartproxy_{name}", ()], number, name)

    def test_nothing(self) -> None:
        """
        A proxy without routes, certificates or anything counted tells what it is, and that
        nothing has happened.
        """
        self.config, self.tally, self.statuses = Config((), "/nowhere"), {}, []
        told = self.told()
        self.assertEqual(told["smartproxy_connections_total", ()], 0)
        self.assertEqual(told["smartproxy_requests_by_protocol_total", (("protocol", "http/1"),)], 0)
        labels = {name for _, pairs in told for name, _ in pairs}
        self.assertEqual(labels, {"version", "python", "protocol", "le"})

    def test_dynamic(self) -> None:
        """
        Where a function gives the targets there is one name for all that it gives.
        """
        source = Dynamic(Reference("shop.targets"))
        self.config = Config((Route("a", (80,), Forward((), dynamic=source), "http"),), "/nowhere")
        self.tally[cell("target_requests", "-", str(source))] = 6
        told = self.told()
        self.assertEqual(told["smartproxy_target_requests_total", (("target", str(source)),)], 6)
        self.assertEqual(
            {dict(pairs)["target"] for _, pairs in told if pairs and pairs[0][0] == "target"}, {str(source)}
        )

    def test_standings(self) -> None:
        """
        What checks have found is told where somebody looks, of each target whether it is
        drained, and nothing of a target that no route has.
        """
        figures = Figures(
            "1.0",
            "3.11",
            self.config,
            {cell("target_in_use", "-", "127.0.0.1:3000"): 4, cell("target_in_use", "-", "gone:1"): 4},
            OWN,
            {},
            iter(()),
            {"127.0.0.1:3000": False},
            ("unix:/run/x", "gone:1"),
        )
        told = numbers("".join(exposed(measures(figures))))
        one, other = (("target", "127.0.0.1:3000"),), (("target", "unix:/run/x"),)
        for name, healthy, draining in (
            ("healthy", 0, None),
            ("draining", 0, 1),
            ("connections_in_use", 4, 0),
        ):
            self.assertEqual(told[f"smartproxy_target_{name}", one], healthy)
            self.assertEqual(told.get((f"smartproxy_target_{name}", other)), draining)
        self.assertFalse([labels for _, labels in told if ("target", "gone:1") in labels])

    def test_routes(self) -> None:
        """
        What a route is counted by has its name, and nothing is told of one that had no
        request, or is not there any more.
        """
        for name in ("my shop", "", "gone"):
            self.tally |= {
                cell("requests", 200, name): 3,
                cell("requests", "5xx", name): 1,
                cell("sent", "-", name): 70,
                cell("received", "-", name): 7,
                cell("streams", "-", name): 2,
                cell("microseconds", "-", name): 2_500_000,
                **{cell("seconds", each, name): 1 for each in range(len(DURATIONS) + 1)},
            }
            self.tally[cell("denied", "rate", name)] = 4
        told = self.told()
        self.assertEqual(
            {dict(labels)["route"] for _, labels in told if "route" in dict(labels)}, {"", "my shop"}
        )
        route = ("route", "my shop")
        for name, labels, value in (
            ("requests_total", (("code", "200"), route), 3),
            ("requests_total", (("code", "5xx"), route), 1),
            ("sent_bytes_total", (route,), 70),
            ("received_bytes_total", (route,), 7),
            ("streams_total", (route,), 2),
            ("denied_total", (("reason", "rate"), route), 4),
            ("request_duration_seconds_sum", (route,), 2.5),
            ("request_duration_seconds_count", (route,), len(DURATIONS) + 1),
            ("request_duration_seconds_bucket", (("le", "0.005"), route), 3),
            ("request_duration_seconds_bucket", (("le", "+Inf"), route), len(DURATIONS) + 1),
        ):
            self.assertEqual(told[f"smartproxy_{name}", labels], value, (name, labels))

    def test_targets(self) -> None:
        """
        Each target of the configuration is there from the beginning, and no other.
        """
        self.tally |= {
            cell("target_failures", "-", "127.0.0.1:3000"): 4,
            cell("target_busy", "-", "127.0.0.1:3000"): 2,
            cell("target_away", "-", "unix:/run/x"): 1,
            cell("target_requests", "-", "10.0.0.9:1"): 1,
        }
        told = self.told()
        for name, target, value in (
            ("failures_total", "127.0.0.1:3000", 4),
            ("requests_in_flight", "127.0.0.1:3000", 2),
            ("failures_total", "unix:/run/x", 0),
            ("passed_over", "unix:/run/x", 1),
            ("repeats_total", "unix:/run/x", 0),
            ("requests_total", "unix:/run/x", 0),
            ("idle_connections", "unix:/run/x", 0),
        ):
            self.assertEqual(told[f"smartproxy_target_{name}", (("target", target),)], value, name)
        self.assertFalse([labels for _, labels in told if "10.0.0.9:1" in dict(labels).values()])

    def test_lag(self) -> None:
        """
        How late things were is a histogram of all processes together.
        """
        self.tally |= {cell("delays", len(DELAYS), "-"): 2, cell("delayed", "-", "-"): 11_000_000}
        told = self.told()
        self.assertEqual(told["smartproxy_reactor_lag_seconds_bucket", (("le", "5"),)], 0)
        self.assertEqual(told["smartproxy_reactor_lag_seconds_count", ()], 2)
        self.assertEqual(told["smartproxy_reactor_lag_seconds_sum", ()], 11)

    def test_workers(self) -> None:
        """
        With workers there is what each of them uses, and how many have died.
        """
        self.workers = {1: OWN, 2: replace(OWN, cpu=1.5)}
        self.tally["worker_restarts"] = 3
        told = self.told()
        self.assertEqual(told["smartproxy_workers", ()], 2)
        self.assertEqual(told["smartproxy_worker_restarts_total", ()], 3)
        self.assertEqual(told["smartproxy_worker_cpu_seconds_total", (("worker", "2"),)], 1.5)
        self.assertEqual(told["smartproxy_worker_resident_memory_bytes", (("worker", "1"),)], 1000)
        self.assertEqual(told["smartproxy_worker_open_fds", (("worker", "1"),)], 7)

    def test_certificates(self) -> None:
        """
        Of each certificate when it ends, when it is tried again, and in which state it
        is.
        """
        told = self.told()
        auto, internal = ("certificate", "auto:a.test"), ("certificate", "internal:")
        for name, labels, value in (
            ("not_after_timestamp_seconds", (auto,), 1.8e9),
            ("next_attempt_timestamp_seconds", (auto,), 1.75e9),
            ("failures", (auto,), 3),
            ("orders_total", (auto,), 4),
            ("state", (auto, ("state", "failed")), 1),
            ("state", (internal, ("state", "valid")), 1),
        ):
            self.assertEqual(told[f"smartproxy_certificate_{name}", labels], value, name)
        self.assertNotIn(("smartproxy_certificate_not_after_timestamp_seconds", (internal,)), told)

    def test_many(self) -> None:
        """
        However much there is of everything, no more than some hundred steps are made
        before somebody else may have his turn.
        """
        forward = Forward((Target("127.0.0.1", 3000),))
        self.config = Config(tuple(Route(f"r{n}", (80,), forward, "http") for n in range(2000)), "/nowhere")
        for number in range(2000):
            self.tally[cell("sent", "-", f"r{number}")] = 1
        self.statuses = [replace(STATUS, key=f"auto:{n}") for n in range(2000)]
        steps = 0

        class Counted(dict[str, int]):
            def get(self, *arguments: Any) -> Any:
                nonlocal steps
                steps += 1
                return super().get(*arguments)

        figures = Figures("1", "3", self.config, Counted(self.tally), OWN, {}, iter(self.statuses))
        most = 0
        for _ in exposed(measures(figures)):
            most, steps = max(most, steps), 0
        self.assertLess(most, 4000)

    def test_types(self) -> None:
        """
        Every name is described once, and says by its end what it is.
        """
        config = replace(self.config, routes=(Route("a", (1,), Forward((Target("h", 1),)), "http"),))
        tally = {cell("sent", "-", "a"): 1, cell("requests", 200, "a"): 1}
        figures = Figures("1", "3", config, tally, OWN, {1: OWN}, iter([STATUS]))
        families = [each for each in measures(figures) if each is not None]
        names = Counter(each.name for each in families)
        self.assertEqual(set(names.values()), {1})
        for each in families:
            self.assertEqual(each.name.endswith("_total"), each.kind == "counter", each.name)
            self.assertTrue(each.help.endswith("."), each.name)
            self.assertTrue(each.name.startswith(("smartproxy_", "process_")), each.name)
