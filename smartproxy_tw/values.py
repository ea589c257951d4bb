"""
Dataclasses that cost an import next to nothing.

C{dataclasses.dataclass} writes the source of some six methods for each frozen class and has
each compiled, at import: it takes sixteen times as long as a class without it.  The hundred
and seventy of them that a proxy knows before its first port is bound were a quarter of its
start, and of most of them it never makes a value.  Here the decorator makes the class, with
its slots, and compiles when somebody asks for it::

    from ..values import dataclass

    @dataclass(frozen=True, slots=True)
    class Verdict: ...

Of a plain class only C{__init__} is worth compiling, for the first value of it; it sets
slots by their descriptors, which takes a frozen one less time than the library's.  Whatever is not as
plain as that is made by the library itself, as soon as there is a value of it.

What comes of it behaves as the library has it, method by method; C{field}, C{fields},
C{replace} and the others are the library's.  To a type checker this I{is}
C{dataclasses.dataclass}.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from inspect import get_annotations
from operator import attrgetter
from reprlib import recursive_repr
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

__all__ = ["dataclass", "postponed"]

#: What the library says of a class.
_ASKED = ("__dataclass_fields__", "__dataclass_params__", "__replace__", "__match_args__")
#: Who makes a value calls the first of these, or the second where it comes from a pickle or a copy; so they
#: stand for all methods.  C{object.__new__} alone does not count as making one.
_MAKING = ("__init__", "__setstate__")

#: A class is compiled once, in whatever thread it is needed; its bases with it.
_lock = RLock()


class _Field(NamedTuple):
    """
    What there is to know of a field of a plain class.
    """

    name: str
    kind: Any
    default: Any
    factory: Any
    isCompared: bool
    isShown: bool
    isKeyword: bool


class _Factory:
    """
    Stands in a signature for a default that is made each time.
    """

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()

#: The fields of those classes that are plain.
_plain: WeakKeyDictionary[type, tuple[_Field, ...]] = WeakKeyDictionary()


class _Later:
    """
    What stands for an attribute of a class that is not compiled yet.
    """

    def __init__(self, compile: Callable[[], None], name: str) -> None:
        self._compile = compile
        self._name = name
        self._owner: type = object

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner

    def __get__(self, value: object, kind: type | None = None) -> Any:
        self._compile()
        # Not by the value: who asks by super() has one of the same name that would be found first.
        found = vars(self._owner).get(self._name, self)
        if found is self:
            return getattr(super(self._owner, kind if value is None else value), self._name)
        get = getattr(type(found), "__get__", None)
        return found if get is None else get(found, value, kind)


class _Compiler:
    """
    Of one class.

    @ivar kind: The class that all know.
    """

    def __init__(self, written: type, options: dict[str, Any]) -> None:
        """
        @param written: The class as it stands in the source.
        @param options: Of the decorator, besides slots.
        """
        self._written: type | None = written
        self._options = options
        annotations = get_annotations(written)
        own = [name for name, kind in annotations.items() if not _marks(kind)]
        namespace = {name: value for name, value in vars(written).items() if name not in own}
        for name in ("__dict__", "__weakref__"):
            namespace.pop(name, None)
        inherited = {name for base in written.__mro__[1:-1] for name in getattr(base, "__slots__", ())}
        namespace["__slots__"] = tuple(name for name in own if name not in inherited)
        fields = _fieldsOf(written, annotations, options)
        later = [name for name in _ASKED if name != "__replace__" or hasattr(dataclasses, "_replace")]
        if fields is None:
            self._waits(namespace, self._borrow, (*later, *_MAKING))
        else:
            self._waits(namespace, self._borrow, later)
            self._waits(namespace, self._initialize, ("__init__",))
            if options.get("repr", True):
                namespace.setdefault("__repr__", _repr)
            if options.get("eq", True):
                if namespace.get("__hash__", self) is None and "__eq__" in namespace:
                    # Nobody has said so: whoever defines the one is taken to have no other.
                    del namespace["__hash__"]
                namespace = _compared(fields, options) | namespace
            if options.get("frozen"):
                namespace |= _PROTECTED
        self.kind: type = type(written)(written.__name__, written.__bases__, namespace)
        self.kind.__qualname__ = written.__qualname__
        if fields is not None:
            _plain[self.kind] = fields

    def _waits(self, namespace: dict[str, Any], compile: Callable[[], None], names: Any) -> None:
        for name in names:
            namespace[name] = _Later(compile, name)

    def _initialize(self) -> None:
        """
        Compile the only method that is worth it.
        """
        with _lock:
            if isinstance(vars(self.kind)["__init__"], _Later):
                self.kind.__init__ = _initializer(self.kind, _plain[self.kind])  # type: ignore[misc]

    def _borrow(self) -> None:
        """
        Have the library make what is missing.
        """
        with _lock:
            written = self._written
            if written is None:
                return
            before = dict(vars(written))
            known: type = dataclasses.dataclass(slots=True, **self._options)(written)
            made = {name: value for name, value in vars(known).items() if value is not before.get(name, self)}
            wanted = (*_ASKED, "__doc__") if self.kind in _plain else made.keys() - {"__slots__"}
            for name in wanted:
                if name in made and name not in made["__slots__"]:
                    setattr(self.kind, name, made[name])
            if self.kind not in _plain:
                # The library makes none that was not asked for, and leaves some that were written.
                for name in (*_ASKED, *_MAKING):
                    if isinstance(vars(self.kind).get(name), _Later):
                        if name in before:
                            setattr(self.kind, name, before[name])
                        else:
                            delattr(self.kind, name)
            self._written = None


def _marks(kind: Any) -> bool:
    """
    Whether an annotation is none of a field.
    """
    word = kind.__name__ if isinstance(kind, type) else str(kind).partition("[")[0]
    return word.rpartition(".")[2] in ("ClassVar", "InitVar", "KW_ONLY")


def _fieldsOf(
    written: type, annotations: dict[str, Any], options: dict[str, Any]
) -> tuple[_Field, ...] | None:
    """
    @return: L{None} where the class is not plain.
    """
    names = vars(written)
    if options.keys() - {"frozen", "eq", "repr"}:
        return None
    if names.keys() & {"__init__", "__post_init__", *_PROTECTED}:
        return None
    found: dict[str, _Field] = {}
    for base in written.__mro__[-2:0:-1]:
        if base in _plain and ("__setattr__" in vars(base)) == bool(options.get("frozen")):
            found.update((each.name, each) for each in _plain[base])
        elif base in _plain or "__dataclass_fields__" in vars(base) or hasattr(base, "__post_init__"):
            return None
    for name, kind in annotations.items():
        if _marks(kind) or name == "self":
            return None
        told = names.get(name, MISSING)
        if isinstance(told, dataclasses.Field):
            if not told.init or told.hash is not None or told.metadata:
                return None
            found[name] = _Field(
                name, kind, told.default, told.default_factory, told.compare, told.repr, told.kw_only is True
            )
        else:
            found[name] = _Field(name, kind, told, MISSING, True, True, False)
    hasDefault = False
    for each in found.values():
        isGiven = each.default is not MISSING or each.factory is not MISSING
        if each.default.__class__.__hash__ is None or (hasDefault and not (isGiven or each.isKeyword)):
            # The library says what is wrong with that.
            return None
        hasDefault = hasDefault or (isGiven and not each.isKeyword)
    return tuple(found.values())


def _initializer(owner: type, fields: tuple[_Field, ...]) -> Any:
    """
    @return: The method.
    """
    # With names that no field can have: a class gives its own name to what begins so.
    scope: dict[str, Any] = {}
    parameters: list[str] = []
    lines: list[str] = []
    for each in sorted(fields, key=lambda each: each.isKeyword):
        name = each.name
        scope[f"__set_{name}"] = getattr(owner, name).__set__
        value = parameter = name
        if each.factory is not MISSING:
            scope[f"__make_{name}"], scope["__factory"] = each.factory, _FACTORY
            parameter, value = f"{name}=__factory", f"__make_{name}() if {name} is __factory else {name}"
        elif each.default is not MISSING:
            scope[f"__usual_{name}"] = each.default
            parameter = f"{name}=__usual_{name}"
        if each.isKeyword and "*" not in parameters:
            parameters.append("*")
        parameters.append(parameter)
        lines.append(f" __set_{name}(self, {value})\n")
    exec(f"def __init__(self, {', '.join(parameters)}):\n{''.join(lines) or ' pass'}", scope)
    made = scope["__init__"]
    made.__qualname__ = f"{owner.__qualname__}.__init__"
    made.__module__ = owner.__module__
    made.__annotations__ = {**{each.name: each.kind for each in fields}, "return": None}
    return made


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """
    @return: What takes values of these attributes.
    """
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _compared(fields: tuple[_Field, ...], options: dict[str, Any]) -> dict[str, Any]:
    """
    How values of a plain class are compared.
    """
    values = _values(tuple(each.name for each in fields if each.isCompared))

    def __eq__(self: Any, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if options.get("frozen") else None}


def _known(kind: type) -> tuple[_Field, ...]:
    """
    The fields of a plain class, or of one that extends it.
    """
    return next(_plain[base] for base in kind.__mro__ if base in _plain)


@recursive_repr()
def _repr(self: Any) -> str:
    # One that extends another, and is to show nothing of itself, has the other's.
    owner = next(base for base in type(self).__mro__ if vars(base).get("__repr__") is _repr)
    told = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in _plain[owner] if each.isShown)
    return f"{self.__class__.__qualname__}({told})"


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in _known(type(self))]


def _setstate(self: Any, state: list[Any]) -> None:
    for each, value in zip(_known(type(self)), state, strict=True):
        object.__setattr__(self, each.name, value)


def _isProtected(kind: type, name: str) -> bool:
    """
    Those that extend a plain class may have attributes besides.
    """
    return kind in _plain or any(each.name == name for each in _known(kind))


def _setattr(self: Any, name: str, value: Any) -> None:
    if _isProtected(type(self), name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _delattr(self: Any, name: str) -> None:
    if _isProtected(type(self), name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


#: What plain classes have that are frozen.
_PROTECTED: dict[str, Any] = {
    "__getstate__": _getstate,
    "__setstate__": _setstate,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
}


def postponed(*, slots: bool, **options: Any) -> Callable[[type], type]:
    """
    As C{dataclasses.dataclass}, later.

    @param slots: True: without them there is nothing here that the library would not do as well.
    @param options: What else is asked of the library.
    """
    assert slots

    def made(written: type) -> type:
        return _Compiler(written, options).kind

    return made


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = postponed
