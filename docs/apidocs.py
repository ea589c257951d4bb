"""
What pydoctor needs to know to build the reference without a network and without
a false alarm.

Names from elsewhere are looked up in what is installed, not in inventories that
would have to be fetched: a docstring may link to anything that can be imported,
and a link to something that does not exist is still a warning, hence an error.
"""

from __future__ import annotations

import builtins
import pkgutil
import sys
from typing import Any

from pydoctor.model import System as PlainSystem
from pydoctor.sphinx import SphinxInventory

__all__ = ["Installed", "System"]

_TWISTED = "https://docs.twisted.org/en/stable/api/{}.html"
_PYTHON = "https://docs.python.org/3/library/{}"
_ELSEWHERE = {
    "zope": "https://zopeinterface.readthedocs.io/",
    "txacme": "https://txacme.readthedocs.io/",
    "OpenSSL": "https://www.pyopenssl.org/",
    "cryptography": "https://cryptography.io/",
    "treq": "https://treq.readthedocs.io/",
    "pydantic": "https://docs.pydantic.dev/",
    "joserfc": "https://jose.authlib.org/",
    "yaml": "https://pyyaml.org/",
    "josepy": "https://josepy.readthedocs.io/",
    "acme": "https://acme-python.readthedocs.io/",
}


class Installed(SphinxInventory):
    """
    Finds the page of a name by importing it.
    """

    def getLink(self, name: str) -> str | None:
        """
        Where a name of another project is described.

        @param name: Dotted, or that of a builtin.
        @return: A URL, or L{None} when nothing of that name can be imported.
        """
        root = name.partition(".")[0]
        if "." not in name and (name in ("None", "True", "False") or hasattr(builtins, name)):
            return _PYTHON.format("exceptions.html#" if name.endswith("Error") else "functions.html#") + name
        if root == "builtins":
            return self.getLink(name.partition(".")[2])
        if root != "twisted" and root not in _ELSEWHERE and root not in sys.stdlib_module_names:
            return None
        try:
            found = pkgutil.resolve_name(name)
        except (ImportError, AttributeError, ValueError):
            return None
        if root == "twisted":
            isPart = hasattr(found, "__qualname__") and not isinstance(found, type)
            return _TWISTED.format(name.rpartition(".")[0] if isPart else name)
        return _ELSEWHERE.get(root) or _PYTHON.format(f"{root}.html#{name}")


#: Complaints about pydoctor itself rather than about what it reads: its parser of
#: patterns is older than the possessive quantifiers of Python 3.11; it takes every
#: text in an C{Annotated} for a type; and it cannot show a control character.
_ITS_OWN = (
    "Cannot colorize regular expression",
    "syntax error in annotation",
    "bad rendering of constant: SAXParseException",
)


class _ParseErrors(dict[str, set[str]]):
    """
    Remembers just those of docstrings; others are counted as warnings where they
    are said, unless they are left out there.
    """

    def __missing__(self, section: str) -> set[str]:
        found: set[str] = set()
        return self.setdefault(section, found) if section == "docstring" else found


class System(PlainSystem):
    """
    Leaves those complaints out.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.intersphinx = Installed(logger=self.msg)
        self.parse_errors = _ParseErrors()

    def msg(self, section: str, msg: str, *args: Any, **named: Any) -> None:
        """
        Say something, and count it when it is a violation.
        """
        if not any(complaint in msg for complaint in _ITS_OWN):
            super().msg(section, msg, *args, **named)
