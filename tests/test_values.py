"""
Tests for L{smartproxy_tw.values}.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import typing
from threading import Barrier, Thread
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw import values
from smartproxy_tw.values import postponed

from .test_layers import inFreshInterpreter, moduleNames

#: What both of a pair are made of.
SOURCES: tuple[tuple[dict[str, bool], str], ...] = (
    ({"frozen": True}, "a: int\nb: str = 'x'"),
    ({}, "a: int\nb: list = field(default_factory=list)"),
    ({"frozen": True, "eq": False}, "a: int = 1"),
    ({"frozen": True, "eq": False, "repr": False}, "a: int = 1"),
    ({"frozen": True, "order": True}, "a: int\nb: int = 0"),
    ({"frozen": True}, "'A text.'\na: int = field(default=2, kw_only=True, repr=False)\nb: int = 3"),
    ({"frozen": True}, ""),
    ({"frozen": True}, "b: int\nkind: dataclasses.InitVar[int] = 5\ndef __post_init__(self, kind): pass"),
    ({}, "a: int\n_: dataclasses.KW_ONLY\nb: int = 1\nc: typing.ClassVar[int] = 3"),
    ({"frozen": True}, "a: int\nkinds: ClassVar[int] = 5\n@property\ndef twice(self): return self.a * 2"),
    ({"frozen": True}, "a: int\ndef __post_init__(self):\n object.__setattr__(self, 'a', self.a + 1)"),
    ({"frozen": True}, "a: int\ndef __repr__(self): return 'mine'\ndef __hash__(self): return 7"),
    ({}, "a: int = 1\ndef __eq__(self, other): return True"),
    ({"eq": False}, "a: int = field(default=1, repr=False)\nb: int = field(default=2, kw_only=True)"),
    ({"frozen": True}, "a: int\ndef __eq__(self, other): return True"),
    ({"frozen": True}, "a: int\ndef __setstate__(self, state): object.__setattr__(self, 'a', 7)"),
    ({}, "a: int\ndef __setstate__(self, state): self.a = 7"),
    ({"frozen": True}, "a: int = 1\ndef __init__(self, a=0): object.__setattr__(self, 'a', 9)"),
    ({"frozen": True}, "a: list = field(default_factory=list)\n_factory: int = 1\n_make_a: int = 2"),
    ({"match_args": False}, "a: int = 1"),
    ({}, "a: int = 1\ndef __setattr__(self, name, value): object.__setattr__(self, name, 7)"),
    ({"frozen": True}, "a: int = field(default=1, compare=False)\nb: int = field(init=False, default=4)"),
)


_WRITTEN = {"ClassVar": ClassVar, "dataclasses": dataclasses, "typing": typing}


def written(body: str) -> type:
    """
    A class as it stands in the source.
    """
    text = "from __future__ import annotations\nclass Some:\n " + (body or "pass").replace("\n", "\n ")
    names: dict[str, Any] = {"field": dataclasses.field, "__name__": __name__, **_WRITTEN}
    exec(text, names)
    made: type = names["Some"]
    return made


def pair(options: dict[str, bool], body: str) -> tuple[type, Any]:
    """
    The same class twice, by the library and by us.
    """
    theirs = dataclasses.dataclass(slots=True, **options)(written(body))  # type: ignore[call-overload]
    return theirs, postponed(slots=True, **options)(written(body))


def described(kind: type) -> Any:
    """
    What the library knows of a class.
    """
    return (
        [(each.name, each.type, each.default, each.kw_only, each.init, each.repr) for each in fieldsOf(kind)],
        getattr(kind, "__match_args__", None),
        kind.__slots__,  # type: ignore[attr-defined]
        repr(kind.__dataclass_params__),  # type: ignore[attr-defined]
        str(inspect.signature(kind)),
        kind.__hash__ is None,
        kind.__doc__,
        kind.__qualname__,
        hasattr(kind, "__setstate__"),
        sorted(name for name in vars(kind) if name not in ("__weakref__", "__dict__")),
    )


def fieldsOf(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    """
    Of a class that is one of these.
    """
    return dataclasses.fields(kind)  # type: ignore[arg-type]


def tried(act: Any) -> Any:
    """
    What comes of it, or the kind of error.
    """
    try:
        return act()
    except Exception as why:
        return type(why)


def isCompiled(kind: type) -> bool:
    """
    Whether a value of it was made, or is made at once.
    """
    return not isinstance(vars(kind)["__init__"], values._Later)


@postponed(slots=True, frozen=True)
class Travelling:
    """
    What goes from one process to another.
    """

    a: int
    b: str = "b"


@postponed(slots=True)
class Changing:
    a: int


@postponed(slots=True, frozen=True)
class Further(Travelling):  # type: ignore[misc]
    """
    With one field more.
    """

    c: int = 3


class ValuesTests(SynchronousTestCase):
    """
    Dataclasses, later.
    """

    def test_likeTheLibrary(self) -> None:
        """
        What comes of it is what the library makes, whoever asks first for whatever.
        """
        for options, body in SOURCES:
            theirs, ours = pair(options, body)
            self.assertEqual(described(theirs), described(ours), body)

    def test_valuesLikeTheLibrary(self) -> None:
        """
        So are the values: how they are made, shown, compared, hashed, put in order, changed and
        refused.
        """
        for options, body in SOURCES:
            results = []
            for kind in pair(options, body):
                found: list[Any] = []
                for arguments in ((), (1,), (1, 2), (1, 2, 3)):
                    for named in ({}, {"a": 5}, {"b": 6}, {"z": 0}):
                        made = tried(lambda kind=kind, a=arguments, n=named: kind(*a, **n))
                        found.append(made if isinstance(made, type) else repr(made).partition("0x")[0])
                value = tried(lambda kind=kind: kind(1)) if body else kind()
                if isinstance(value, type):
                    value = kind(b=1)
                other = copy.copy(value)
                found += [
                    value == other,
                    value == 1,
                    tried(lambda v=value, o=other: hash(v) == hash(o)),
                    tried(lambda v=value, o=other: v < o),
                    tried(lambda v=value, o=other: v <= o),
                    # Of what is no field the library's says TypeError where there are slots, until 3.13.
                    isinstance(tried(lambda v=value: setattr(v, "a", 9)), type),
                    isinstance(tried(lambda v=value: setattr(v, "other", 9)), type),
                    isinstance(tried(lambda v=value: delattr(v, "b")), type),
                    tried(lambda v=value: getattr(v, "a", None)),
                    tried(lambda v=value: v.twice),
                    tried(lambda v=value: v.kinds),
                    tried(lambda v=value: dataclasses.asdict(v)),
                    tried(lambda v=value: dataclasses.replace(v, a=8).a),
                    hasattr(value, "__dict__"),
                ]
                results.append(found)
            self.assertEqual(*results, body)

    def test_later(self) -> None:
        """
        Nothing is compiled for a class of which there is no value.
        """
        _, ours = pair(*SOURCES[0])
        self.assertFalse(isCompiled(ours))
        self.assertIsInstance(ours, type)
        self.assertFalse(isinstance(3, ours))
        made = ours(1)
        self.assertTrue(isCompiled(ours))
        self.assertIsInstance(made, ours)

    def test_anythingFirst(self) -> None:
        """
        Whatever is asked of a class first has an answer.
        """
        for ask in (
            lambda kind: kind(1),
            dataclasses.fields,
            dataclasses.is_dataclass,
            lambda kind: kind.__match_args__,
            lambda kind: kind.__dataclass_params__.frozen,
            inspect.signature,
            lambda kind: kind.__new__(kind).__setstate__([1, 2]),
        ):
            _, ours = pair(*SOURCES[0])
            ask(ours)
            self.assertEqual((ours(1), hash(ours(1))), (ours(1), hash(ours(1))))

    def test_match(self) -> None:
        """
        Patterns take them apart.
        """
        _, ours = pair(*SOURCES[0])
        match ours(4):
            case ours(a, b):  # type: ignore[misc]
                self.assertEqual((a, b), (4, "x"))
            case _:
                self.fail("it does not match")

    def test_extended(self) -> None:
        """
        One that extends another has the fields of both, and the slots of the other once.
        """
        value = Further(1, c=2)  # type: ignore[call-arg]
        self.assertEqual(repr(value), "Further(a=1, b='b', c=2)")
        self.assertEqual(Further.__slots__, ("c",))  # type: ignore[attr-defined]
        self.assertEqual(value, Further(1, "b", 2))  # type: ignore[call-arg]
        self.assertNotEqual(value, Travelling(1))  # type: ignore[call-arg]

        class Plain(Travelling):  # type: ignore[misc]
            pass

        _, ours = pair(*SOURCES[0])
        plain = type("Plain", (ours,), {})
        self.assertEqual((plain(1).a, plain(1)), (1, plain(1)))
        self.assertEqual(Plain(2).a, 2)  # type: ignore[call-arg]

    def test_extendedByHand(self) -> None:
        """
        One with methods of its own that ask for those of the other has them, before there is a value of it
        too.
        """
        for options, body in SOURCES[:2]:
            _, ours = pair(options, body)

            class Own(ours):  # type: ignore[misc, valid-type]
                def __init__(self) -> None:
                    super().__init__(4, "z")

            self.assertEqual((Own().a, Own().b), (4, "z"))

    def test_hidden(self) -> None:
        """
        One that is to show nothing of itself shows no more of it than the library has it do where another one
        is extended.
        """
        shown = []
        for make in (dataclasses.dataclass, postponed):
            made: Any = make
            base: Any = made(slots=True, frozen=True)(written("a: int = 1"))

            class Secret(base):  # type: ignore[misc]
                b: int = 2

            shown.append(repr(made(slots=True, frozen=True, repr=False)(Secret)()).rpartition(".")[2])
        self.assertEqual(shown, ["Secret(a=1)"] * 2)

    def test_initializedByHand(self) -> None:
        """
        What was written stays where the library is to make none.
        """
        theirs, ours = pair({"init": False}, "a: int = 1\ndef __init__(self): self.a = 9")
        self.assertEqual((theirs().a, ours().a), (9, 9))

    def test_travel(self) -> None:
        """
        A value that another process has sent is whole before anybody has made one here: equal,
        hashed, shown and protected.
        """
        code = (
            "import copy, pickle, sys; data = bytes.fromhex(sys.argv[1]); "
            "found, other = pickle.loads(data), pickle.loads(data); "
            "assert found == other == copy.copy(found) and found.__class__.__eq__ is not object.__eq__; "
            "assert found.__hash__ is None or hash(found) == hash(other); print(repr(found))"
        )
        for value in (Travelling(1), Further(1), Changing(3)):  # type: ignore[call-arg]
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                data = pickle.dumps(value, protocol)
                self.assertEqual(pickle.loads(data), value)
            ended = inFreshInterpreter(code, data.hex())
            self.assertEqual((ended.stdout.strip(), ended.stderr), (repr(value), ""))

    def test_protected(self) -> None:
        """
        No attribute of a frozen one can be changed, removed or added; what extends one without being one
        may have attributes of its own.
        """
        _, ours = pair(*SOURCES[0])
        value = ours(1)
        for name in ("a", "b", "other"):
            self.assertRaises(dataclasses.FrozenInstanceError, setattr, value, name, 3)
            self.assertRaises(dataclasses.FrozenInstanceError, delattr, value, name)
        plain = type("Plain", (ours,), {})(1)
        plain.other = 5
        self.assertEqual((plain.other, repr(plain)), (5, "Plain(a=1, b='x')"))
        del plain.other
        self.assertRaises(AttributeError, lambda: plain.other)
        self.assertRaises(dataclasses.FrozenInstanceError, setattr, plain, "a", 3)
        self.assertRaises(dataclasses.FrozenInstanceError, delattr, plain, "a")
        self.assertEqual(value, ours(1))

    def test_within(self) -> None:
        """
        One that is within itself can be shown.
        """
        _, ours = pair(*SOURCES[0])
        held: list[Any] = []
        held.append(ours(held))
        self.assertEqual(repr(held[0]), "Some(a=[...], b='x')")

    def test_threads(self) -> None:
        """
        Two threads that need one at the same time both have it.
        """
        for _ in range(20):
            _, ours = pair({"frozen": True}, "a: int\nb: list = field(default_factory=list)")
            barrier = Barrier(3)
            made: list[Any] = []

            def make(kind: type = ours, barrier: Barrier = barrier, made: list[Any] = made) -> None:
                barrier.wait()
                made.append(kind(1))

            threads = [Thread(target=make) for _ in range(3)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            self.assertEqual(made, [ours(1, [])] * 3)

    def test_mistakes(self) -> None:
        """
        What the library does not take is an error of the first who needs it, and of the next.
        """
        for options, body, why in (
            ({}, "a: int = 1\nb: int", "non-default argument 'b'"),
            ({"frozen": True}, "a: int = 1\nb: int", "non-default argument 'b'"),
            ({"frozen": True}, "a: list = []", "mutable default .* use default_factory"),
        ):
            ours = postponed(slots=True, **options)(written(body))
            for _ in range(2):
                with self.assertRaisesRegex((TypeError, ValueError), why):
                    ours()
        for options in ({}, {"frozen": True}):
            base = postponed(slots=True, frozen=not options)(written("a: int"))
            kind = postponed(slots=True, **options)(type("Other", (base,), {"__annotations__": {"b": "int"}}))
            with self.assertRaisesRegex(TypeError, "cannot inherit"):
                kind(1, 2)

    def test_ours(self) -> None:
        """
        All of ours can be compiled, with the slots that they have got.
        """
        count = 0
        for name in moduleNames():
            for kind in list(vars(importlib.import_module(name)).values()):
                if isinstance(kind, type) and kind.__module__ == name and dataclasses.is_dataclass(kind):
                    slots = [each for base in kind.__mro__[::-1] for each in vars(base).get("__slots__", ())]
                    self.assertEqual([each.name for each in dataclasses.fields(kind)], slots, kind)
                    count += 1
        self.assertGreater(count, 200)
