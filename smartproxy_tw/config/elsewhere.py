"""
Parts of the language that are imported when somebody has written something of theirs.

A section takes as long to import, and to be compiled by pydantic, as some modules of
Twisted; most files say nothing of security, of the DNS or of health checks.  So a module
whose sections not every file has is named here rather than imported::

    if TYPE_CHECKING:
        from . import protection
    else:
        protection = elsewhere("protection")

    class Route(Section):
        security: protection.Security | None = None

and is imported with the first value that stands under such a key.  What is wrong with
that is told as ever, with its whole path.  C{isinstance} imports nothing: of what is not
imported there is no value.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

__all__ = ["elsewhere"]

#: What sections have from L{Section<smartproxy_tw.config.section.Section>}, and unions of kinds from here.
_STRICT = ConfigDict(strict=True)


class _Part:
    """
    One name of such a module: a section, a union, or a function.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._adapter: TypeAdapter[Any] | None = None

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.meant()(*arguments, **named)

    def __instancecheck__(self, value: object) -> bool:
        module = sys.modules.get(self._module)
        return module is not None and isinstance(value, getattr(module, self._name))

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        # What is said of an annotation, unlike what is said of a type, may be a reference in JSON Schema.
        return handler.generate_schema(Annotated[Any, _Said(self)])

    def meant(self) -> Any:
        """
        What stands there.
        """
        return getattr(import_module(self._module), self._name)

    def adapted(self) -> TypeAdapter[Any]:
        """
        Pydantic's view of it.
        """
        if self._adapter is None:
            meant = self.meant()
            kind = getattr(meant, "__origin__", meant)
            isSection = isinstance(kind, type) and issubclass(kind, BaseModel)
            self._adapter = TypeAdapter(meant, config=None if isSection else _STRICT)
        return self._adapter


class _Said:
    """
    How a value of it is read, and described.
    """

    def __init__(self, part: _Part) -> None:
        self._part = part

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validated)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found: Any = self._part.adapted().core_schema
        if found["type"] == "model" and "ref" not in found:
            # Pydantic has taken it for the whole, which nothing refers to.
            kind = found["cls"]
            found = {**found, "ref": f"{kind.__module__}.{kind.__qualname__}:{id(kind)}"}
        return handler(core_schema.definitions_schema(found, []))

    def _validated(self, value: Any) -> Any:
        return self._part.adapted().validate_python(value)


class _Module:
    """
    A module of this room.
    """

    def __init__(self, name: str) -> None:
        self._name = f"{__package__}.{name}"

    def __getattr__(self, name: str) -> _Part:
        if name.startswith("__"):
            raise AttributeError(name)
        part = _Part(self._name, name)
        setattr(self, name, part)
        return part


def elsewhere(name: str) -> Any:
    """
    Name a module.

    @param name: Its name in this room.
    @return: What stands for it: its attributes can be used in annotations of a
        L{Section<smartproxy_tw.config.section.Section>}, with C{isinstance}, and called.
    """
    return _Module(name)
