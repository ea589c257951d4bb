"""
The page of the manual that has all bounds, held against the defaults of the configuration.
"""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path

from pydantic.alias_generators import to_snake
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.config.model import Application, Limits, Pool, Timeouts

CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent.parent)
ROW = re.compile(r"   \* - .*\n     - (.*)\n     - ``([a-z_.]+)``")


class PageTests(SynchronousTestCase):
    """
    The page C{docs/limits.rst}.
    """

    def test_defaults(self) -> None:
        """
        Each timeout and each limit of the whole file is there with its default.
        """
        page = CHECKOUT / "docs" / "limits.rst"
        if not page.exists():
            raise SkipTest(f"no checkout at {CHECKOUT}")
        told = {option: text for text, option in ROW.findall(page.read_text(encoding="utf-8"))}
        for kind, section in ((Timeouts, "timeouts"), (Limits, "limits")):
            for each in fields(kind):
                option = f"{section}.{to_snake(each.name)}"
                self.assertEqual(_number(told[option]), each.default, option)
        self.assertEqual(_number(told["pool.wait"]), Pool(1).wait)
        self.assertEqual(_number(told["body_bytes"]), Application("a:b").bodyBytes)


def _number(text: str) -> int:
    number, _, unit = text.replace("20 000", "20000").partition(" ")
    return 0 if number == "any" else int(number) * {"": 1, "KiB": 1024, "MiB": 1024 * 1024}[unit]
