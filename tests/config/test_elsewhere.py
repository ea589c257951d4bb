"""
Tests for L{smartproxy_tw.config.elsewhere}.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, Tag, ValidationError
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import lastingsection, protection, tlssection
from smartproxy_tw.config.elsewhere import elsewhere
from smartproxy_tw.config.schema import _Generator
from smartproxy_tw.config.section import TAG, Section, byShape

from ..examples import examples
from ..test_layers import inFreshInterpreter, moduleNames

if TYPE_CHECKING:
    later, laterTLS, lasting = protection, tlssection, lastingsection
else:
    later, laterTLS = elsewhere("protection"), elsewhere("tlssection")
    lasting = elsewhere("lastingsection")


class Near(Section):
    """
    With sections that are imported.
    """

    cors: protection.Cors | None = None
    tls: tlssection.ForwardTLS | None = None
    sockets: lastingsection.WebSocketOption | None = None
    several: list[protection.RouteLimits] = Field(default_factory=list)
    either: (
        Annotated[
            Annotated[str, Tag(TAG + "text")] | Annotated[protection.RateLimit, Tag(TAG + "mapping")],
            byShape("has to be a text or a mapping"),
        ]
        | None
    ) = None


class Far(Section):
    """
    With the same sections, named.
    """

    cors: later.Cors | None = None
    tls: laterTLS.ForwardTLS | None = None
    sockets: lasting.WebSocketOption | None = None
    several: list[later.RouteLimits] = Field(default_factory=list)
    either: (
        Annotated[
            Annotated[str, Tag(TAG + "text")] | Annotated[later.RateLimit, Tag(TAG + "mapping")],
            byShape("has to be a text or a mapping"),
        ]
        | None
    ) = None


WORDS = st.sampled_from(
    ("origins", "methods", "mode", "terminate", "passthrough", "certificate", "auto", "idle", "body_bytes")
    + ("bodyBytes", "requests", "per", "window", "https://a.example", "never", "cert", "key", "max_age")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99) | st.floats(-1, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FILES = st.fixed_dictionaries({}, optional=dict.fromkeys(Near.model_fields, VALUES))

#: Right and wrong ones, at every place.
CHOSEN: tuple[dict[str, Any], ...] = (
    {},
    {"cors": {"origins": "https://a.example"}, "tls": {"mode": "passthrough"}},
    {"cors": {"origins": ["x"], "nothing": 1, "credentials": 1}, "several": [{"body_bytes": 1}, {"b": 2}]},
    {"cors": 3, "tls": {"mode": "x"}, "sockets": 1, "several": [3], "either": []},
    {"tls": {"mode": "terminate", "certificate": {"cert": "", "other": 1}}, "sockets": {"idle": -1}},
    {"sockets": True, "either": {"requests": 0}},
    {"sockets": "true", "either": {"requests": 5, "window": "x"}},
)


def read(kind: type[Section], value: Any) -> Any:
    """
    What comes of it, or what is wrong with it.
    """
    try:
        return str(kind.model_validate(value))
    except ValidationError as why:
        return [{**each, "ctx": repr(each.get("ctx"))} for each in why.errors(include_url=False)]


class ElsewhereTests(SynchronousTestCase):
    """
    Parts of the language that are imported when they are met.
    """

    def test_chosen(self) -> None:
        """
        A value is read, or refused with the same words at the same place, as if the section were
        imported.
        """
        for value in CHOSEN:
            self.assertEqual(read(Far, value), read(Near, value), value)

    @examples(300)
    @given(FILES)
    def test_any(self, value: dict[str, Any]) -> None:
        """
        So is any other.
        """
        self.assertEqual(read(Far, value), read(Near, value))

    def test_described(self) -> None:
        """
        To JSON Schema it makes no difference.
        """
        near, far = (kind.model_json_schema(schema_generator=_Generator) for kind in (Near, Far))
        for each in (near, far):
            del each["title"], each["description"]
        self.assertEqual(json.dumps(near), json.dumps(far))

    def test_kinds(self) -> None:
        """
        C{isinstance} tells what is one, and what else is asked of a module is had from it.
        """
        made = later.RouteLimits(bodyBytes=3)
        self.assertIs(type(made), protection.RouteLimits)
        self.assertIsInstance(made, later.RouteLimits)
        self.assertNotIsInstance(made, (later.Cors, later.Security))
        self.assertIsInstance(made, (later.Cors, later.RouteLimits))
        self.assertRaises(AttributeError, lambda: later.NothingLikeIt(1))

    def test_nothingImported(self) -> None:
        """
        Neither naming a module nor C{isinstance} imports it.
        """
        code = (
            "import sys; from smartproxy_tw.config.elsewhere import elsewhere; "
            "named = elsewhere('protection'); assert not isinstance(3, named.Cors); "
            "named.Cors | None; sys.exit('smartproxy_tw.config.protection' in sys.modules)"
        )
        ended = inFreshInterpreter(code)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_whatIsWritten(self) -> None:
        """
        A file brings the sections that it has something of, and no others.
        """
        code = (
            "import sys; from smartproxy_tw.config.loading import loads; "
            "loads(sys.argv[1], 'yaml', '/'); room = 'smartproxy_tw.config.'; "
            "print(*sorted(each.removeprefix(room) for each in sys.modules if each.startswith(room)))"
        )
        plain = "routes: [{match: {ports: 8}, action: {type: forward, targets: 9%s}%s}]\n%s"
        sections = {name.rpartition(".")[2] for name in moduleNames() if ".config." in name}
        sections = {name for name in sections if name.endswith("section")} | {"protection", "spread", "code"}
        found = {}
        for written in (
            ("", "", ""),
            ("", ", security: {ip_allow_list: 1.2.3.4}", ""),
            (", health: {active: {type: tcp}}", "", ""),
            ("", "", "acme: {email: a@b.example}"),
            ("", "", "timeouts: {head: 4}"),
        ):
            ended = inFreshInterpreter(code, plain % written)
            self.assertEqual(ended.stderr, "")
            found["".join(written)] = sections & set(ended.stdout.split())
        least = found.pop("")
        self.assertEqual(least, {"actionsection", "routesection", "section", "targetsection"})
        self.assertEqual(
            [each - least for each in found.values()],
            [{"protection"}, {"spread"}, {"acmesection", "dnssection"}, {"limitsection"}],
        )
