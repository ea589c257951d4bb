"""
What a route can ask for beyond port, domain and path, ready to be held against a request.

Each condition says whether it holds, and if not, why not: it is one and the same that
decides and that explains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..config.clients import Clients
from ..config.expressions import Expression, expression, shown
from ..config.plugin import plugins

if TYPE_CHECKING:
    from ..config import model
    from .sight import Sight

__all__ = ["Client", "Condition", "Header", "Method", "Parameter", "Version", "holds", "readConditions"]


class Condition(Protocol):
    """
    One thing that a route asks for.

    @ivar fact: What it looks at: C{headers}, C{query}, C{method}, C{client_ip} or
        C{tls_version}, as in the configuration.
    """

    @property
    def fact(self) -> str:
        """See above."""

    def holds(self, sight: Sight) -> bool:
        """
        Whether it is so.
        """

    def objection(self, sight: Sight) -> str:
        """
        Why it is not so, for people: a word, a colon, and the rest.
        """


class _Named(NamedTuple):
    """
    What is common to header fields and parameters.
    """

    name: str
    texts: tuple[str, ...]
    expressions: tuple[Expression, ...]

    def isIn(self, values: Iterable[str]) -> bool:
        """
        Whether one of some values is what is asked for.
        """
        return any(each.matches(value) for value in values for each in self.expressions)

    def why(self, values: list[str]) -> str:
        """
        Why none of them is.
        """
        if not values:
            return f"{self.name} is not there"
        return f"{self.name} is not {shown(self.name, self.texts)}"


class Header(NamedTuple):
    """
    A header field has a value that matches.
    """

    named: _Named
    fact: str = "headers"

    def holds(self, sight: Sight) -> bool:
        """
        Whether one of its values does.
        """
        return self.named.isIn(sight.values(self.named.name))

    def objection(self, sight: Sight) -> str:
        """
        Why none does.
        """
        return f"header: {self.named.why(sight.values(self.named.name))}"


class Parameter(NamedTuple):
    """
    A parameter of the query has a value that matches.
    """

    named: _Named
    fact: str = "query"

    def holds(self, sight: Sight) -> bool:
        """
        Whether one of its values does.
        """
        return self.named.isIn(sight.parameters(self.named.name))

    def objection(self, sight: Sight) -> str:
        """
        Why none does.
        """
        return f"query: {self.named.why(sight.parameters(self.named.name))}"


class Method(NamedTuple):
    """
    The method is one of some.
    """

    methods: tuple[str, ...]
    fact: str = "method"

    def holds(self, sight: Sight) -> bool:
        """
        Whether it is.
        """
        return sight.method in self.methods

    def objection(self, sight: Sight) -> str:
        """
        Which it is, and which it had to be.
        """
        return f"method: {sight.method} is not {' or '.join(self.methods)}"


class Client(NamedTuple):
    """
    The client is one of some.
    """

    clients: Clients
    fact: str = "client_ip"

    def holds(self, sight: Sight) -> bool:
        """
        Whether it is.
        """
        return self.clients.has(sight.client)

    def objection(self, sight: Sight) -> str:
        """
        Who it is, and who it had to be.
        """
        texts = self.clients.texts
        asked = " or ".join(texts[:4]) + (f" or one of {len(texts) - 4} more" if len(texts) > 4 else "")
        if not sight.address:
            return f"client: it needs {asked}, and none is given"
        return f"client: {sight.address} is not {asked}"


class Version(NamedTuple):
    """
    TLS is of one of some versions.
    """

    versions: tuple[str, ...]
    fact: str = "tls_version"

    def holds(self, sight: Sight) -> bool:
        """
        Whether it is.
        """
        return sight.tlsVersion in self.versions

    def objection(self, sight: Sight) -> str:
        """
        Which it is, and which it had to be.
        """
        return f"tls: its version is {sight.tlsVersion}, not {' or '.join(self.versions)}"


def holds(conditions: Iterable[Condition], sight: Sight) -> bool:
    """
    Whether all of some conditions hold.  Each is looked at only when those before it
    hold.
    """
    return all(each.holds(sight) for each in conditions)


def readConditions(asked: model.Conditions) -> tuple[Condition, ...]:
    """
    Read what a route asks for.

    @return: What is in the head comes before what is not, so that as many decisions as
        possible depend on the head alone.
    @raise ValueError: Something in it is none; the message says what.
    """
    return tuple(_reading(asked))


def _reading(asked: model.Conditions) -> Iterator[Condition]:
    if asked.methods:
        yield Method(asked.methods)
    for name, texts in asked.headers:
        yield Header(_named("header", name.lower(), texts))
    for name, texts in asked.query:
        yield Parameter(_named("query parameter", name, texts))
    if asked.clients:
        yield Client(Clients(asked.clients))
    if asked.tlsVersions:
        yield Version(asked.tlsVersions)
    for each in asked.plugins:
        yield plugins().matcher(each)


def _named(what: str, name: str, texts: tuple[str, ...]) -> _Named:
    try:
        return _Named(name, texts, tuple(map(expression, texts)))
    except ValueError as why:
        raise ValueError(f"what the {what} {name!r} has to be {why}") from None
