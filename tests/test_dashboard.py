"""
The dashboard for Grafana that comes along: what it draws is what the proxy tells.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.config.model import Config, Forward, Route, Target
from smartproxy_tw.plane.census import cell
from smartproxy_tw.service.measures import Figures, measures
from smartproxy_tw.service.status import CertificateStatus
from smartproxy_tw.service.usage import Usage

CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent)

_NAME = re.compile(r"\b((?:smartproxy|process)_[a-z0-9_]+)\b")
_LABELS = re.compile(r"\b(?:by \(([a-z_, ]+)\)|([a-z_]+)=~?\")")
#: Those that Prometheus itself adds.
_ADDED = {"job", "instance", "le"}


class DashboardTests(SynchronousTestCase):
    """
    C{docs/grafana-dashboard.json}.
    """

    def setUp(self) -> None:
        file = CHECKOUT / "docs" / "grafana-dashboard.json"
        if not file.exists():
            raise SkipTest(f"no checkout at {CHECKOUT}")
        self.dashboard: dict[str, Any] = json.loads(file.read_text())
        self.panels = [each for each in self.dashboard["panels"] if each["type"] != "row"]
        self.queries = [target["expr"] for panel in self.panels for target in panel["targets"]]
        usage = Usage(0, 0, 0, 0, 0, 0)
        config = Config((Route("a", (1,), Forward((Target("h", 1),)), "http"),), "/nowhere")
        status = CertificateStatus("auto:a", "auto", ("a",), "valid", 1.0, None, 1.0)
        tally = {cell("sent", "-", "a"): 1, cell("requests", 200, "a"): 1, cell("denied", "rate", "a"): 1}
        figures = Figures("1", "3", config, tally, usage, {1: usage}, iter([status]), {"h:1": True})
        self.labels: dict[str, set[str]] = {}
        for family in measures(figures):
            for sample in () if family is None else family.samples:
                assert family is not None
                if sample is not None:
                    self.labels[family.name + sample.suffix] = set(sample.labels)

    def test_exists(self) -> None:
        """
        Every metric that it names exists, and has the labels that it goes by.
        """
        for query in self.queries:
            names = _NAME.findall(query)
            self.assertTrue(names, query)
            for name in names:
                self.assertIn(name, self.labels, query)
            has = _ADDED.union(*(self.labels[name] for name in names))
            for group, single in _LABELS.findall(query):
                for label in filter(None, [*group.split(", "), single]):
                    self.assertIn(label, has, query)

    def test_everything(self) -> None:
        """
        And whatever the proxy tells of itself is drawn somewhere.
        """
        drawn = set(_NAME.findall(" ".join(self.queries) + json.dumps(self.dashboard["templating"])))
        told = {re.sub("_(sum|count)$", "_bucket", name) for name in self.labels}
        told -= {
            "process_virtual_memory_bytes",
            "process_start_time_seconds",
            "smartproxy_upstream_repeats_total",
        }
        self.assertEqual(told - drawn, set())

    def test_documented(self) -> None:
        """
        The manual names all of them, and no others.
        """
        text = (CHECKOUT / "docs" / "operations.rst").read_text()
        text = text[text.index("\nMetrics\n") :]
        named: set[str] = set()
        for row in re.findall(r"(?m)^   \* - (``.*)$", text):
            whole = ""
            for word in re.findall(r"``(?:…)?([a-z0-9_]+)", row):
                if word.startswith(("smartproxy_", "process_")):
                    whole = word
                    named.add(word)
                else:
                    stems = [whole[: -len(whole) + at] for at in range(1, len(whole)) if whole[at] == "_"]
                    found = [stem + word for stem in stems if stem + word in self.labels]
                    self.assertEqual(len(found), 1, (row, word))
                    named.add(found[0])
        told = {name for name in self.labels if not name.endswith(("_bucket", "_sum", "_count"))}
        histograms = {name.removesuffix("_bucket") for name in self.labels if name.endswith("_bucket")}
        self.assertEqual(named, told | histograms)

    def test_whole(self) -> None:
        """
        Its parts have numbers and places of their own, and the source of their data is
        chosen by who looks at it.
        """
        every = self.dashboard["panels"]
        self.assertEqual(len({each["id"] for each in every}), len(every))
        places = {(each["gridPos"]["x"], each["gridPos"]["y"]) for each in every}
        self.assertEqual(len(places), len(every))
        for each in self.panels:
            self.assertEqual(each["datasource"]["uid"], "${datasource}", each["title"])
            self.assertLessEqual(each["gridPos"]["x"] + each["gridPos"]["w"], 24, each["title"])
            self.assertTrue(each["description"].endswith("."), each["title"])
