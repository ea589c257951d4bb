"""
Tests for L{smartproxy_tw.config.defaults}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.defaults import stateDir


class StateDirTests(SynchronousTestCase):
    """
    Where state goes when nobody said so.
    """

    def test_systemd(self) -> None:
        """
        The first of systemd's directories is before anything else.
        """
        environ = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/home/x"}
        self.assertEqual(stateDir(environ, 0), "/var/lib/a")
        self.assertEqual(stateDir(environ, 1000), "/var/lib/a")

    def test_root(self) -> None:
        """
        Root's is the system's.
        """
        self.assertEqual(stateDir({"HOME": "/root", "XDG_STATE_HOME": "/x"}, 0), "/var/lib/smartproxy")

    def test_user(self) -> None:
        """
        A user's follows the XDG specification, which ignores relative paths.
        """
        self.assertEqual(stateDir({"XDG_STATE_HOME": "/x", "HOME": "/h"}, 1000), "/x/smartproxy")
        for environ in (
            {"HOME": "/h"},
            {"HOME": "/h", "XDG_STATE_HOME": "x"},
            {"HOME": "/h", "STATE_DIRECTORY": "x"},
        ):
            self.assertEqual(stateDir(environ, 1000), "/h/.local/state/smartproxy")

    def test_passwd(self) -> None:
        """
        Without $HOME the user database is asked, and if that fails too the
        operator is.
        """
        import pwd

        user = next(
            (entry for entry in pwd.getpwall() if entry.pw_uid != 0 and entry.pw_dir.startswith("/")), None
        )
        if user is not None:
            found = stateDir({}, user.pw_uid)
            home = pwd.getpwuid(user.pw_uid).pw_dir.rstrip("/")
            self.assertEqual(found, f"{home}/.local/state/smartproxy")
        error = self.assertRaises(ValueError, stateDir, {}, 3999999999)
        self.assertIn("say where with state_dir", str(error))
