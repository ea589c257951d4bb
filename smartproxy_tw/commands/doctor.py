"""
C{smartproxy doctor}: why HTTPS does not work, and what to do.

It goes from what is near to what is far: the configuration, the state directory, the
running proxy, the ports, the open files, the authority and the clock, and then each
name with its DNS, its addresses and its CAA.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from ..preflight.findings import Finding
from . import examination
from .admin import Ask, ProxyAway, asking, socketOf
from .examination import Symptom
from .glance import Paint, plain

if TYPE_CHECKING:
    from ..config.model import Config

__all__ = ["Doctor", "Look"]

#: Where no names are said, so many are looked at.
_MOST_NAMES = 20

#: The proxy has so many seconds to answer.
_SOON = 5.0

_WORDS = {"well": "ok", "bad": "BAD", "unknown": "unknown"}

#: Looks at names and tells what it finds.
Look = Callable[[Sequence[str], Callable[[Iterable[Finding]], object]], object]


class Doctor:
    """
    Tells what it sees as it goes.
    """

    def __init__(self, out: TextIO | None = None, paint: Paint | None = None) -> None:
        """
        @param out: Where it is told.
        @param paint: By what colours.
        """
        self._out = out or sys.stdout
        self._paint = paint or Paint(self._out)
        self.isWell = True

    def tell(self, symptom: Symptom) -> None:
        """
        One more line, and another one with the remedy.
        """
        self.isWell = self.isWell and symptom.value != "bad"
        word = _WORDS[symptom.value].ljust(7)
        paint = {"well": self._paint.good, "bad": self._paint.bad, "unknown": self._paint.calm}[symptom.value]
        print(f"{paint(word)}  {symptom.check}: {symptom.text}", file=self._out, flush=True)
        if symptom.remedy:
            print(f"{'':9}-> {symptom.remedy}", file=self._out, flush=True)

    def refuse(self, file: str, problems: Iterable[str]) -> None:
        """
        The configuration is wrong: nothing else makes sense before that is mended.
        """
        for each in problems:
            self.tell(Symptom("configuration", "bad", plain(each)))
        print(f"{'':9}-> Mend that first: smartproxy check {file}", file=self._out)

    def examine(
        self, config: Config, file: str, names: Sequence[str], look: Look, ask: Ask | None = None
    ) -> bool:
        """
        Look at everything.

        @param config: It is right.
        @param file: What it was read from, as it was named.
        @param names: Which of its names; none: some of them.
        @param look: Looks at those.
        @param ask: Asks the running proxy; by default by its socket.
        @return: Whether nothing is bad.
        """
        self.tell(Symptom("configuration", "well", f"{file} is right"))
        wants = ""
        if ask is None:
            try:
                ask = asking(socketOf(config), _SOON)
            except ProxyAway as why:
                wants = str(why)
        standing, symptoms = examination.proxy(ask, wants)
        for symptom in symptoms:
            self.tell(symptom)
        for symptom in examination.stateDirectory(config.stateDir, standing):
            self.tell(symptom)
        for symptom in examination.ports(config, standing):
            self.tell(symptom)
        self.tell(examination.openFiles(config, standing))
        if config.autoCertificates:
            for each in (config.acme, *config.acme.fallbacks):
                for symptom in examination.authority(each):
                    self.tell(symptom)
            self._lookAt(config, names, look)
        return self.isWell

    def _lookAt(self, config: Config, names: Sequence[str], look: Look) -> None:
        known = list(dict.fromkeys(name for auto in config.autoCertificates for name in auto.names))
        wanted = list(names) or known[:_MOST_NAMES]
        if not look(wanted, self._found):
            self.isWell = False
        left = 0 if names else len(known) - len(wanted)
        if left > 0:
            text = f"{left} more were not looked at"
            self.tell(Symptom("names", "unknown", text, "smartproxy certificates preflight looks at all"))

    def _found(self, findings: Iterable[Finding]) -> None:
        for each in findings:
            self.tell(Symptom(f"{each.check} of {each.name}", each.value, each.text, each.remedy))
