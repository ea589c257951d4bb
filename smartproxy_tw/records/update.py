"""
Records by dynamic updates of a zone (RFC 2136), signed by TSIG (RFC 8945).

An update adds just one record, or removes just that one, so whatever else is at
the name stays: the record for C{example.com} and that for C{*.example.com} are
side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from zope.interface import implementer

from ..config.texts import sharedSecret
from ..interfaces import IRecords
from .errors import RecordFailed
from .places import Place, Places
from .questions import Questions

if TYPE_CHECKING:
    from dns.message import Message
    from dns.tsig import Key
    from dns.update import UpdateMessage

    from ..config.model import DynamicUpdate
    from ..facts import DNS01
    from .lookup import Ask

__all__ = ["Updates"]

#: So many records are seen to at a time.
_AT_ONCE = 8

#: What a refusal is likely to come from, by its name (RFC 2136 section 2.2).
_HINTS = {
    "REFUSED": "is the key, or this machine, allowed to change this zone there",
    "NOTAUTH": "does it have this zone as its primary, and does it know the key by this name and algorithm",
    "NOTZONE": "is acme.dns.zone right",
    "SERVFAIL": "its own log tells more; can it write its zone file and journal",
}


@implementer(IRecords)
class Updates:
    """
    Changes zones.
    """

    def __init__(self, reactor: Any, settings: DynamicUpdate, ask: Ask | None = None) -> None:
        """
        @param reactor: Connects and tells the time.
        @param settings: Whom to ask, and signed by what.
        @param ask: Asks one server; by default over the network.
        """
        self._settings = settings
        self._ask = ask or Questions(reactor).ask
        self._places = Places(reactor, settings, self._ask)
        self._turns = DeferredSemaphore(_AT_ONCE)

    def present(self, record: DNS01) -> Deferred[None]:
        """
        Add a record, and wait until all servers have it.
        """
        return self._inTurn(self._present, record)

    def withdraw(self, record: DNS01) -> Deferred[None]:
        """
        Remove a record.
        """
        return self._inTurn(self._withdraw, record)

    def recall(self, record: DNS01) -> Deferred[None]:
        """
        It is in the zone still.
        """
        return succeed(None)

    def _inTurn(self, deed: Any, record: DNS01) -> Deferred[None]:
        done: Deferred[None] = self._turns.run(lambda: Deferred.fromCoroutine(deed(record)))
        return done

    async def _present(self, record: DNS01) -> None:
        place = await self._places.find(record)
        await self._change(place, record, isAdded=True)
        await self._places.whenSeen(place, record)

    async def _withdraw(self, record: DNS01) -> None:
        await self._change(await self._places.recall(record), record, isAdded=False)

    async def _change(self, place: Place, record: DNS01, *, isAdded: bool) -> None:
        from dns.rcode import NOERROR, to_text

        answer: Message = await self._ask(self._update(place, record, isAdded), self._settings.server)
        if answer.rcode() != NOERROR:
            word = to_text(answer.rcode())
            hint = f": {_HINTS[word]}?" if word in _HINTS else ""
            verb = "add" if isAdded else "remove"
            raise RecordFailed(
                f"{self._settings.server} answers {word} when asked to {verb} the record at {place.owner} in"
                f" the zone {place.zone}{hint}"
            )

    def _update(self, place: Place, record: DNS01, isAdded: bool) -> UpdateMessage:
        from dns.name import from_text
        from dns.update import UpdateMessage

        update = UpdateMessage(from_text(place.zone))
        owner = from_text(place.owner)
        if isAdded:
            update.add(owner, self._settings.ttl, "TXT", record.value)
        else:
            update.delete(owner, "TXT", record.value)
        if self._settings.keyName is not None:
            update.use_tsig(self._key(self._settings.keyName))
        return update

    def _key(self, name: str) -> Key:
        from dns.tsig import Key

        text, file = self._settings.keySecret or "", self._settings.keySecretFile
        if file is not None:
            try:
                with open(file, encoding="ascii", errors="replace") as opened:
                    text = opened.read()
            except OSError as why:
                raise RecordFailed(f"the key in {file} cannot be read ({why})") from why
        try:
            return Key(name, sharedSecret(text), self._settings.keyAlgorithm)
        except ValueError as why:
            raise RecordFailed(f"the key {name} of acme.dns cannot be used: it {why}") from None
