"""
Tests for L{smartproxy_tw.wire.settings}.
"""

from __future__ import annotations

from struct import pack

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.frames import (
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    NO_RFC7540_PRIORITIES,
    PROTOCOL_ERROR,
    Fault,
)
from smartproxy_tw.wire.settings import readSettings

from ..examples import examples


def payload(*values: tuple[int, int]) -> bytes:
    """
    What a SETTINGS frame carries.
    """
    return b"".join([pack(">HL", *each) for each in values])


class SettingsTests(SynchronousTestCase):
    """
    RFC 9113 section 6.5.
    """

    def assertRefused(self, code: int, number: int, value: int, isServers: bool = False) -> None:
        error = self.assertRaises(Fault, readSettings, payload((number, value)), isServers)
        self.assertEqual(error.code, code)
        self.assertIn(str(value), error.reason)

    def test_values(self) -> None:
        """
        What is right is read; what is not known is read as well, and the last of two counts.
        """
        found = readSettings(
            payload((1, 0), (0xABCD, 7), (4, 5), (4, 2**31 - 1), (5, 16384), (6, 2**32 - 1)), False
        )
        self.assertEqual(found, {1: 0, 0xABCD: 7, 4: 2**31 - 1, 5: 16384, 6: 2**32 - 1})
        self.assertEqual(readSettings(b"", True), {})

    def test_length(self) -> None:
        """
        A payload that is no multiple of six bytes is an error of the frame's size.
        """
        error = self.assertRaises(Fault, readSettings, b"12345", False)
        self.assertEqual(error.code, FRAME_SIZE_ERROR)

    def test_flags(self) -> None:
        """
        Settings that are on or off are 0 or 1; a server can't allow pushes.
        """
        for number in (ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES):
            self.assertRefused(PROTOCOL_ERROR, number, 2)
            self.assertEqual(readSettings(payload((number, 1)), False), {number: 1})
        self.assertRefused(PROTOCOL_ERROR, ENABLE_PUSH, 1, True)
        self.assertEqual(readSettings(payload((ENABLE_PUSH, 0)), True), {ENABLE_PUSH: 0})

    def test_window(self) -> None:
        """
        A window above 2^31-1 is an error of the flow's control.
        """
        self.assertRefused(FLOW_CONTROL_ERROR, INITIAL_WINDOW_SIZE, 2**31)

    def test_frameSize(self) -> None:
        """
        Frames may be limited to no less than 16,384 bytes, and no more than 2^24-1.
        """
        self.assertRefused(PROTOCOL_ERROR, MAX_FRAME_SIZE, 16383)
        self.assertRefused(PROTOCOL_ERROR, MAX_FRAME_SIZE, 2**24)
        self.assertEqual(readSettings(payload((MAX_FRAME_SIZE, 2**24 - 1)), False), {5: 2**24 - 1})

    @examples(100)
    @given(st.binary(max_size=60), st.booleans())
    def test_anything(self, data: bytes, isServers: bool) -> None:
        """
        Whatever comes, nothing but a fault escapes.
        """
        try:
            found = readSettings(data, isServers)
        except Fault:
            return
        self.assertLessEqual(len(found), len(data) // 6)
