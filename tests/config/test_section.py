"""
What all sections of the configuration's language have in common.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.document import FromEnvironment
from smartproxy_tw.config.section import (
    Claim,
    Domain,
    Networks,
    OneOrMore,
    Port,
    Section,
    byShape,
    number,
    unique,
)


class _Sample(Section):
    longName: Port = Field(description="A port.")
    isOn: Claim = False


class SectionTests(TestCase):
    """
    A section takes both spellings of a key, and no other key.
    """

    def test_spellings(self) -> None:
        """
        Files have snake_case; the names of SmartProxy are taken too.
        """
        for key in ("long_name", "longName"):
            self.assertEqual(_Sample.model_validate({key: 80}).longName, 80)

    def test_strict(self) -> None:
        """
        A key that nobody knows is refused, and so is text where a number belongs.
        """
        for value in ({"long_name": 80, "other": 1}, {"long_name": "80"}, {"long_name": 0}):
            with self.assertRaises(ValidationError):
                _Sample.model_validate(value)

    def test_environment(self) -> None:
        """
        What stands in the environment is text, and is read as what is wanted.
        """
        written = {"long_name": FromEnvironment("8443", "${PORT}"), "is_on": FromEnvironment("true", "${ON}")}
        made = _Sample.model_validate(written)
        self.assertEqual((made.longName, made.isOn), (8443, True))
        self.assertEqual(number(FromEnvironment("1.5", "${A}")), 1.5)
        self.assertEqual(number(FromEnvironment("x", "${A}")), "x")

    def test_lists(self) -> None:
        """
        One or several, each in its normal form, nothing twice.
        """
        networks: TypeAdapter[object] = TypeAdapter(Networks)
        self.assertEqual(networks.validate_python("10.0.0.1"), "10.0.0.1/32")
        self.assertEqual(networks.validate_python(["::1", "10.0.0.0/8"]), ["::1/128", "10.0.0.0/8"])
        with self.assertRaises(ValidationError):
            networks.validate_python(["10.0.0.1", "10.0.0.1/32"])
        with self.assertRaisesRegex(ValueError, "lists a twice"):
            unique(["a", "b", "a"])

    def test_oneOrMore(self) -> None:
        """
        One text, or a list of them in which each stands once and there is at least one; what is
        neither is told so.
        """
        names: TypeAdapter[object] = TypeAdapter(
            Annotated[OneOrMore[Domain], byShape("has to be a name or a list of names")]
        )
        self.assertEqual(names.validate_python("A.Example"), "a.example")
        self.assertEqual(names.validate_python(["A.example", "b.example"]), ["a.example", "b.example"])
        for value, said in (
            ([], "at least 1 item"),
            (["a.example", "A.example"], "lists a.example twice"),
            (["a.example", 5], "valid string"),
            (5, "has to be a name or a list of names"),
            ({}, "has to be a name or a list of names"),
            (None, "has to be a name or a list of names"),
        ):
            with self.assertRaisesRegex(ValidationError, said):
                names.validate_python(value)
