"""
Verifies passwords, which takes long by design, in threads of its own, so that nobody else
waits for it.

There are few threads and a bounded queue: whoever comes when that is full is told to come
again.  Those who show the same at the same time wait for one and the same answer.  That
somebody was right is remembered for a while, as a digest under a key that is made anew
with each process; that somebody was wrong never is, so that guessing costs its full price.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import partial
from os import urandom
from threading import Thread
from typing import TYPE_CHECKING, Any

from ..config.hashes import kindOf

if TYPE_CHECKING:
    from twisted.python.failure import Failure

__all__ = ["Answer", "Threads", "Verifier", "matches"]

#: What somebody is told: right, or wrong.  An exception: it could not be found out.
Answer = bool | Exception

#: How long it is remembered that somebody was right, in seconds, and of how many.
_REMEMBERED = 300.0
_MOST = 4096

#: Verifications that wait or run at a time, and how many run.
_QUEUE = 64
#: So many may wait for one and the same.
_TOGETHER = 1024
_THREADS = 2

#: bcrypt looks at no more bytes of a password; newer libraries refuse what is longer.
_BCRYPT = 72


def matches(hash: str, password: bytes) -> bool:
    """
    Whether a password is the one that a hash was made of.  Takes long.

    @param hash: As L{kindOf} takes it.
    """
    if kindOf(hash) == "bcrypt":
        import bcrypt

        return b"\0" not in password and bcrypt.checkpw(password[:_BCRYPT], hash.encode("ascii"))
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    try:
        return PasswordHasher().verify(hash, password)
    except VerificationError:
        return False


class Threads:
    """
    A few threads, which are begun when they are needed.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: Is told of results.
        """
        self._reactor = reactor
        self._pool: Any = None

    def do(self, job: Callable[[], bool], done: Callable[[bool | Exception], None]) -> None:
        """
        Do it in one of them.

        @param done: Called in the thread of the reactor.
        """
        if self._pool is None:
            from twisted.python.threadpool import ThreadPool

            self._pool = ThreadPool(0, _THREADS, "passwords")
            # Whatever way the process ends, they do not keep it.
            self._pool.threadFactory = partial(Thread, daemon=True)
            self._pool.start()

        def ended(isGood: bool, result: bool | Failure) -> None:
            outcome: Any = result if isGood else getattr(result, "value", result)
            self._reactor.callFromThread(done, outcome)

        self._pool.callInThreadWithCallback(ended, job)

    def close(self) -> None:
        """
        End them; what is being done is waited for.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()


class Verifier:
    """
    Verifies, and remembers.
    """

    def __init__(
        self,
        do: Callable[[Callable[[], bool], Callable[[bool | Exception], None]], None],
        seconds: Callable[[], float],
        randomness: Callable[[int], bytes] = urandom,
    ) -> None:
        """
        @param do: Does something elsewhere, and never before it returns, as L{Threads.do}.
        @param seconds: The time.
        @param randomness: So many random bytes.
        """
        self._do = do
        self._seconds = seconds
        self._key = randomness(32)
        self._right: dict[bytes, float] = {}
        self._waiting: dict[bytes, list[Callable[[Answer], None]]] = {}

    def mark(self, *parts: bytes) -> bytes:
        """
        What stands for something secret in tables: nobody else can find out what it is of.
        """
        whole = b"".join(len(each).to_bytes(8, "big") + each for each in parts)
        return hmac.digest(self._key, whole, "sha256")

    def isRemembered(self, mark: bytes) -> bool:
        """
        Whether this was right a while ago.
        """
        until = self._right.get(mark)
        if until is None:
            return False
        if until > self._seconds():
            return True
        del self._right[mark]
        return False

    def verify(self, mark: bytes, hash: str, password: bytes, then: Callable[[Answer], None]) -> bool:
        """
        Find it out.

        @param mark: What stands for user, password and hash.
        @param then: Called once, and never before this returns.
        @return: False when too many are asking; C{then} is not called.
        """
        waiting = self._waiting.get(mark)
        if waiting is not None:
            if len(waiting) >= _TOGETHER:
                return False
            waiting.append(then)
            return True
        if len(self._waiting) >= _QUEUE:
            return False
        self._waiting[mark] = [then]
        self._do(lambda: matches(hash, password), lambda outcome: self._found(mark, outcome))
        return True

    def _found(self, mark: bytes, outcome: bool | Exception) -> None:
        if outcome is True:
            while len(self._right) >= _MOST:
                del self._right[next(iter(self._right))]
            self._right[mark] = self._seconds() + _REMEMBERED
        for each in self._waiting.pop(mark, ()):
            each(outcome)
