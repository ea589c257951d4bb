"""
What the conditions of routes get to see of a request or a connection: each thing is made
when it is first looked at, and it is kept whether somebody has looked at what another
client with the same bytes would not have.

That is what makes it safe to remember decisions.  A decision follows from the table and
from what was looked at on the way to it, in an order that depends on nothing else.  So one
that was come to without a look at L{Sight.client} and L{Sight.tlsVersion} is the same for
everybody who sends the same head, and one with such a look is nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import unquote_plus

from ..config.clients import Number, numberOf

__all__ = ["Sight"]


def _nothing() -> Iterable[tuple[str, str]]:
    return ()


def _unknown() -> str | None:
    return None


class Sight:
    """
    One request, or one connection.

    @ivar method: As sent; empty for a connection.
    @ivar isPersonal: Whether something was looked at that is not in the head.
    """

    __slots__ = (
        "_address",
        "_fields",
        "_number",
        "_parameters",
        "_query",
        "_readFields",
        "_version",
        "isPersonal",
        "method",
    )

    def __init__(
        self,
        client: str,
        method: str = "",
        query: str = "",
        fields: Callable[[], Iterable[tuple[str, str]]] = _nothing,
        version: Callable[[], str | None] = _unknown,
    ) -> None:
        """
        @param client: The address of the client: for a request that of whom a trusted peer
            speaks for.
        @param query: As L{RequestFacts.query<smartproxy_tw.facts.RequestFacts.query>}.
        @param fields: Gives the header fields: names in lower case, and values.
        @param version: Gives the version of TLS, C{"1.2"} or C{"1.3"}; L{None} where none
            ends here.
        """
        self.method = method
        self.isPersonal = False
        self._address = client
        self._number: Number | None = None
        self._query = query
        self._readFields = fields
        self._version = version
        self._fields: dict[str, list[str]] | None = None
        self._parameters: dict[str, list[str]] | None = None

    @property
    def address(self) -> str:
        """
        The address of the client, as text.
        """
        self.isPersonal = True
        return self._address

    @property
    def client(self) -> Number | None:
        """
        The address of the client, as it is compared; L{None} when it has none.
        """
        self.isPersonal = True
        if self._number is None:
            self._number = numberOf(self._address)
        return self._number

    @property
    def tlsVersion(self) -> str | None:
        """
        The version of TLS; L{None} where none ends here.
        """
        self.isPersonal = True
        return self._version()

    def values(self, name: str) -> list[str]:
        """
        What a header field says.

        @param name: In lower case.
        @return: Each of its values, as it came; none when it did not come.
        """
        if self._fields is None:
            self._fields = _grouped(self._readFields())
        return self._fields.get(name, [])

    def parameters(self, name: str) -> list[str]:
        """
        What a parameter of the query says, its percent encoding undone.

        @param name: Likewise undone.
        @return: Each of its values; none when it is not there.
        """
        if self._parameters is None:
            self._parameters = _grouped(_parametersOf(self._query))
        return self._parameters.get(name, [])


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _parametersOf(query: str) -> Iterable[tuple[str, str]]:
    """
    As forms are sent (C{application/x-www-form-urlencoded}); bytes that are no UTF-8
    become U+FFFD.
    """
    for each in query.split("&"):
        if each:
            name, _, value = each.partition("=")
            yield _decoded(name), _decoded(value)


def _decoded(text: str) -> str:
    # Thousands fit into one query, and the library takes its time also where there is nothing to do.
    return unquote_plus(text) if "%" in text or "+" in text else text
