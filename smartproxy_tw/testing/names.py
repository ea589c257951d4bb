"""
A DNS that is nowhere: zones and their servers in memory, asked as
L{Questions.ask<smartproxy_tw.records.questions.Questions.ask>} asks real ones, by
messages that go through their bytes, signatures included.

    >>> names = FakeNames(key)
    >>> names.has("example.com", "SOA", "ns1.example.com. ops.example.com. 1 2 3 4 5")
    >>> updates = Updates(clock, settings, names.ask)
    >>> names.goesSilent(server)        # and names.lags(server), names.refuses("NOTAUTH")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.errors import ServerSilent
from ..records.questions import read

if TYPE_CHECKING:
    from dns.message import Message
    from dns.tsig import Key

    from ..facts import Address

__all__ = ["FakeNames"]


class FakeNames:
    """
    All the servers of all its zones.

    @ivar asked: Who was asked, and for what, as C{(server, "TXT a.example")}, in
        order.
    """

    def __init__(self, key: Key | None = None) -> None:
        """
        @param key: That updates have to be signed with; L{None}: none is needed.
        """
        self._key = key
        self._records: dict[tuple[str, str], list[str]] = {}
        self._silent: set[Address] = set()
        self._lagging: dict[Address, dict[tuple[str, str], list[str]]] = {}
        self._refusal: str | None = None
        self.asked: list[tuple[Address, str]] = []

    def has(self, name: str, kind: str, *texts: str) -> None:
        """
        Know these records, and none else of their kind there.
        """
        self._records[name, kind] = list(texts)

    def texts(self, name: str) -> list[str]:
        """
        The TXT records that there are.
        """
        return [each.strip('"') for each in self._records.get((name, "TXT"), ())]

    def goesSilent(self, server: Address) -> None:
        """
        Give no answer from there.
        """
        self._silent.add(server)

    def lags(self, server: Address) -> None:
        """
        Answer there as things are now, whatever becomes of them.
        """
        self._lagging[server] = {key: list(texts) for key, texts in self._records.items()}

    def catchesUp(self, server: Address) -> None:
        """
        Answer there as everywhere.
        """
        self._lagging.pop(server, None)

    def refuses(self, word: str | None) -> None:
        """
        Answer every update with this code.
        """
        self._refusal = word

    async def ask(self, question: Message, server: Address) -> Message:
        """
        Be asked.
        """
        from dns.message import from_wire
        from dns.opcode import UPDATE
        from dns.rcode import from_text
        from dns.tsig import BadSignature

        wire = question.to_wire()
        if server in self._silent:
            raise ServerSilent(f"{server} gave no answer within 4.5 s")
        keyring = {} if self._key is None else {self._key.name: self._key}
        try:
            heard = from_wire(wire, keyring=keyring)
        except BadSignature as why:
            raise ServerSilent(f"{server} does not take the signature") from why
        if heard.opcode() == UPDATE:
            refusal = self._refusal
            if self._key is not None and not heard.had_tsig:
                refusal = "REFUSED"
            answer = self._changed(heard, refusal is None)
            answer.set_rcode(from_text(refusal or "NOERROR"))
        else:
            answer = self._answer(heard, server)
        return read(answer.to_wire(), question, server)

    def _changed(self, heard: Message, isTaken: bool) -> Message:
        from dns.message import make_response
        from dns.rdataclass import NONE
        from dns.rdatatype import to_text

        for records in heard.sections[2] if isTaken else ():
            key = records.name.to_text(omit_final_dot=True), to_text(records.rdtype)
            there = self._records.setdefault(key, [])
            for text in (each.to_text() for each in records):
                if records.deleting == NONE:
                    if text in there:
                        there.remove(text)
                elif text not in there:
                    there.append(text)
        return make_response(heard)

    def _answer(self, heard: Message, server: Address) -> Message:
        from dns.message import make_response
        from dns.rdatatype import to_text
        from dns.rrset import from_text_list

        (asked,) = heard.question
        name, kind = asked.name.to_text(omit_final_dot=True), to_text(asked.rdtype)
        self.asked.append((server, f"{kind} {name}"))
        known = self._lagging.get(server, self._records)
        answer = make_response(heard)
        if known.get((name, kind)):
            answer.answer.append(from_text_list(asked.name, 60, "IN", kind, known[name, kind]))
            return answer
        above = asked.name
        while len(above) > 1:
            zone = known.get((above.to_text(omit_final_dot=True), "SOA"))
            if zone:
                answer.authority.append(from_text_list(above, 60, "IN", "SOA", zone))
                break
            above = above.parent()
        return answer
