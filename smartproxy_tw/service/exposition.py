"""
Figures as text for Prometheus, in its format 0.0.4; pure.

U{https://prometheus.io/docs/instrumenting/exposition_formats/}.  The client library of
Prometheus would count in this process, by look-ups of labels for each request, and put
several processes together by files; we have the sums already, so that what is left is
this page of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from math import inf, isnan
from typing import Literal

from ..values import dataclass

__all__ = ["CONTENT_TYPE", "Family", "Kind", "Sample", "exposed", "histogram"]

#: Of HTTP.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


#: What the numbers of a name are.
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One number.

    @ivar value: It.
    @ivar labels: What it is about, each with its name.
    @ivar suffix: What is added to the name of the family.
    """

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """
    All numbers of one name.

    @ivar name: As Prometheus knows it.
    @ivar kind: What they are.
    @ivar help: For people, one sentence.
    @ivar samples: They; taken one by one.  See L{exposed} for L{None}.
    """

    name: str
    kind: Kind
    help: str
    samples: Iterable[Sample | None]


def histogram(
    labels: Mapping[str, str], bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterator[Sample]:
    """
    The numbers of a histogram.

    @param labels: What it is about.
    @param bounds: The upper bounds of its classes, ascending.
    @param counts: How many are in each class, and above the last.
    @param total: The sum of what was observed.
    """
    sum_ = 0
    for bound, count in zip((*bounds, inf), counts, strict=True):
        sum_ += count
        yield Sample(sum_, {**labels, "le": _number(bound)}, "_bucket")
    yield Sample(total, labels, "_sum")
    yield Sample(sum_, labels, "_count")


def exposed(families: Iterable[Family | None]) -> Iterator[str]:
    """
    Lines, each with its end.  A family without numbers has none.

    @param families: Or L{None}, there and among their numbers, where somebody else may
        have his turn: an empty line stands for it.
    """
    for family in families:
        if family is None:
            yield ""
            continue
        isFirst = True
        for sample in family.samples:
            if sample is None:
                yield ""
                continue
            if isFirst:
                isFirst = False
                yield f"# HELP {family.name} {_escaped(family.help)}\n# TYPE {family.name} {family.kind}\n"
            yield f"{family.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _number(value: float) -> str:
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
