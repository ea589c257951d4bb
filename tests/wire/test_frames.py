"""
Tests for L{smartproxy_tw.wire.frames}.
"""

from __future__ import annotations

from hyperframe import frame as hyper
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire import frames


def parsed(data: bytes) -> hyper.Frame:
    """
    Read one frame with hyper's library.
    """
    found, size = hyper.Frame.parse_frame_header(memoryview(data[:9]), strict=True)
    found.parse_body(memoryview(data[9:]))
    assert size == len(data) - 9
    return found


class FrameTests(SynchronousTestCase):
    """
    What we make another implementation reads.
    """

    def test_settings(self) -> None:
        """
        Settings arrive by number and value.
        """
        found = parsed(frames.settings({frames.INITIAL_WINDOW_SIZE: 70000, frames.ENABLE_PUSH: 0}))
        self.assertEqual((type(found), found.stream_id), (hyper.SettingsFrame, 0))
        self.assertEqual(found.settings, {4: 70000, 2: 0})
        self.assertIn("ACK", parsed(frames.SETTINGS_ACK).flags)

    def test_ping(self) -> None:
        """
        PING and its answer carry the same bytes, and differ by a flag.
        """
        for data, flags in ((frames.ping(b"12345678"), set()), (frames.pong(b"12345678"), {"ACK"})):
            found = parsed(data)
            self.assertEqual((found.opaque_data, set(found.flags)), (b"12345678", flags))

    def test_ends(self) -> None:
        """
        RST_STREAM and GOAWAY say why.
        """
        found = parsed(frames.reset(7, frames.CANCEL))
        self.assertEqual((type(found), found.stream_id, found.error_code), (hyper.RstStreamFrame, 7, 8))
        found = parsed(frames.goAway(9, frames.ENHANCE_YOUR_CALM, b"calm"))
        self.assertEqual((found.last_stream_id, found.error_code, found.additional_data), (9, 11, b"calm"))

    def test_windowUpdate(self) -> None:
        """
        A window is opened by a number of bytes.
        """
        found = parsed(frames.windowUpdate(3, frames.MOST_WINDOW))
        self.assertEqual((found.stream_id, found.window_increment), (3, 2**31 - 1))

    def test_frame(self) -> None:
        """
        A frame of any type has its length in front.
        """
        found = parsed(frames.frame(frames.DATA, frames.END_STREAM, 5, b"x" * 300))
        self.assertEqual((found.stream_id, found.data, set(found.flags)), (5, b"x" * 300, {"END_STREAM"}))

    def test_names(self) -> None:
        """
        Codes have names, and those that nobody knows their number.
        """
        self.assertEqual(frames.nameOf(0), "NO_ERROR")
        self.assertEqual(frames.nameOf(frames.HTTP_1_1_REQUIRED), "HTTP_1_1_REQUIRED")
        self.assertEqual(frames.nameOf(0xBEEF), "0xbeef")
