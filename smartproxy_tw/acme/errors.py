"""
Why there is no certificate, named by who can mend it.

All of them are L{IssuanceFailed}, and the text of each is what an operator
reads: what was wanted, what came instead, what to do.  Whatever the authority
said stays at hand as values.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..values import dataclass

__all__ = [
    "AccountBusy",
    "AccountNotKept",
    "AuthorityNonsense",
    "AuthorityNotTrusted",
    "AuthorityProblem",
    "AuthorityUndecided",
    "AuthorityUnreachable",
    "ChallengeNotServed",
    "ExternalAccountUnusable",
    "HeldBack",
    "IssuanceFailed",
    "NoChallengeUsable",
    "PreflightFailed",
    "Problem",
    "ProfileNotOffered",
    "TooManyNames",
]

#: What the types of ACME's own problems begin with (RFC 8555 section 6.7).
ERRORS = "urn:ietf:params:acme:error:"


@dataclass(frozen=True, slots=True)
class Problem:
    """
    A problem document (RFC 7807, RFC 8555 section 6.7).

    @ivar type: A URN; L{word} is its short form.
    @ivar detail: For people; control characters are escaped already.
    @ivar status: Of HTTP, or 0 where none was told.
    @ivar name: The identifier it is about, or L{None}.
    @ivar subproblems: What it consists of (RFC 8555 section 6.7.1).
    """

    type: str
    detail: str
    status: int = 0
    name: str | None = None
    subproblems: tuple[Problem, ...] = ()

    @property
    def word(self) -> str:
        """
        The type without the prefix that ACME's own types share, for instance
        C{"rateLimited"}.
        """
        return self.type.removeprefix(ERRORS)

    def __str__(self) -> str:
        about = f"{self.name}: " if self.name else ""
        text = f"{about}{self.detail or 'no detail was given'} ({self.word})"
        if self.subproblems:
            text += " [" + "; ".join(str(each) for each in self.subproblems) + "]"
        return text


class IssuanceFailed(Exception):
    """
    There is no certificate.

    @ivar retryAfter: The authority wants to be left alone for so many seconds,
        or L{None} when it said nothing of that.
    @ivar advice: What else is known of the cause, for people; empty: nothing.
    """

    retryAfter: float | None = None
    advice: str = ""

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} {self.advice}" if self.advice else text


class AuthorityProblem(IssuanceFailed):
    """
    The authority understood, and refuses.  Mended by whoever the problem's
    type points to: often the operator (DNS, a firewall), sometimes time.

    @ivar problem: What it said.
    @ivar byName: For an order that failed at some of its names: what it said
        of each; otherwise empty.
    """

    def __init__(
        self,
        doing: str,
        problem: Problem,
        *,
        byName: Iterable[tuple[str, Problem]] = (),
        retryAfter: float | None = None,
    ) -> None:
        """
        @param doing: What was being done, to stand after "while".
        @param problem: What the authority said.
        @param byName: What it said of each name.
        @param retryAfter: Seconds.
        """
        self.problem = problem
        self.byName = dict(byName)
        self.retryAfter = retryAfter
        # Problems of names that do not say which name they are about get it here.
        said = "; ".join(str(each) if each.name else f"{name}: {each}" for name, each in self.byName.items())
        text = f"The certificate authority refused while {doing}: {said or problem}."
        if retryAfter is not None:
            text += f" It asks to wait {retryAfter:.0f} s."
        super().__init__(text)

    @property
    def type(self) -> str:
        """
        The problem's type, a URN.
        """
        return self.problem.type

    @property
    def detail(self) -> str:
        """
        What the authority says to people.
        """
        return self.problem.detail

    @property
    def status(self) -> int:
        """
        The status of its answer, or 0.
        """
        return self.problem.status

    @property
    def subproblems(self) -> tuple[Problem, ...]:
        """
        What the problem consists of.
        """
        return self.problem.subproblems


class AuthorityUnreachable(IssuanceFailed):
    """
    Nothing, or nothing whole, came back in time.  Mended by time, or by the
    operator (network, address of the directory).

    @ivar url: What was asked.
    """

    def __init__(self, url: str, why: str, *, retryAfter: float | None = None) -> None:
        """
        @param url: What was asked.
        @param why: What happened, without a full stop.
        @param retryAfter: Seconds.
        """
        self.url = url
        self.retryAfter = retryAfter
        super().__init__(
            f"The certificate authority cannot be reached at {url}: {why}."
            " It is asked again by itself; if this lasts, check the network and acme.directory."
        )


class AuthorityNotTrusted(AuthorityUnreachable):
    """
    Whoever answers there cannot prove to be the authority.  Mended by the
    operator.
    """

    def __init__(self, url: str, why: str) -> None:
        """
        @param url: What was asked.
        @param why: What is wrong with its certificate, or with the file of
            those to trust, without a full stop.
        """
        self.url = url
        IssuanceFailed.__init__(
            self,
            f"The certificate authority at {url} is not trusted: {why}."
            " For a private authority set acme.ca_file to the PEM file that vouches for it;"
            " otherwise check the clock and who stands between.",
        )


class AuthorityNonsense(IssuanceFailed):
    """
    An answer that RFC 8555 does not allow.  Mended by whoever runs what
    answers there, or by a correct C{acme.directory}.

    @ivar url: What was asked.
    """

    def __init__(self, url: str, why: str) -> None:
        """
        @param url: What was asked.
        @param why: What is wrong with the answer, without a full stop.
        """
        self.url = url
        super().__init__(
            f"The answer from {url} is not one of an ACME certificate authority: {why}."
            " Check that acme.directory is the URL of an ACME v2 directory."
        )


class AuthorityUndecided(IssuanceFailed):
    """
    The authority keeps answering that it has not decided.  Mended by time.
    """

    def __init__(self, what: str, seconds: float, *, retryAfter: float | None = None) -> None:
        """
        @param what: What is undecided.
        @param seconds: How long it was waited for.
        @param retryAfter: Seconds that it asked for last.
        """
        self.retryAfter = retryAfter
        super().__init__(
            f"The certificate authority has not decided about {what} after {seconds:.0f} s; given up for now."
        )


class NoChallengeUsable(IssuanceFailed):
    """
    The authority offers no proof for a name that can be given here.  Mended by
    the operator.

    @ivar name: The name.
    """

    def __init__(self, name: str, offered: Iterable[str], usable: Iterable[str]) -> None:
        """
        @param name: The name to be proved.
        @param offered: The kinds of challenge that the authority offers.
        @param usable: Those that can be answered here.
        """
        self.name = name
        super().__init__(
            f"{name} cannot be proved: the certificate authority offers"
            f" {', '.join(offered) or 'nothing'}, and what can be answered here is"
            f" {', '.join(usable) or 'nothing'}. Check acme.challenges, the ports that routes listen on,"
            " and acme.dns, which wildcards need."
        )


class ChallengeNotServed(IssuanceFailed):
    """
    An answer could not be put where the authority looks; it was not told of
    it.  Mended here.
    """

    def __init__(self, name: str, why: str) -> None:
        """
        @param name: The name to be proved.
        @param why: What the data path, or who keeps the DNS, said, without a full stop.
        """
        super().__init__(f"The answer that proves {name} could not be presented: {why}.")


class AccountNotKept(IssuanceFailed):
    """
    The account could not be read or written; no request that needs it was
    made.  Mended by the operator.
    """

    def __init__(self, directory: str, why: str) -> None:
        """
        @param directory: Whose account it is.
        @param why: What the store said, without a full stop.
        """
        super().__init__(
            f"The account for {directory} could not be kept: {why}."
            " No certificate is asked for without it; check the state directory's owner, space and rights."
        )


class ExternalAccountUnusable(IssuanceFailed):
    """
    The authority wants accounts to be bound to one that it knows already (RFC
    8555 section 7.3.4), and what is configured does not do.  Mended by the
    operator.
    """

    def __init__(self, directory: str, why: str) -> None:
        """
        @param directory: Who wants that.
        @param why: What is in the way, without a full stop.
        """
        super().__init__(
            f"No account can be registered at {directory}: {why}."
            " Set acme.external_account (for one of acme.fallbacks: its own external_account) to the"
            " key_id and the hmac_key_file (or hmac_key) that this authority gave you."
        )


class ProfileNotOffered(IssuanceFailed):
    """
    The authority does not have the kind of certificate that is wanted of it; it
    was not asked for another.  Mended by the operator.
    """

    def __init__(self, directory: str, wanted: str, offered: Iterable[str]) -> None:
        """
        @param directory: Whose it is.
        @param wanted: What is configured.
        @param offered: What there is.
        """
        super().__init__(
            f"The certificate authority at {directory} has no profile {wanted!r}; it has"
            f" {', '.join(offered) or 'none'}. Set acme.profile to one that it has, or leave it out."
        )


class HeldBack(IssuanceFailed):
    """
    The authority is not asked, for it said that it wants to be left alone.
    Mended by time.
    """

    def __init__(self, why: str, seconds: float) -> None:
        """
        @param why: What it said, without a full stop.
        @param seconds: For so long.
        """
        self.retryAfter = seconds
        super().__init__(f"The certificate authority is not asked for {seconds:.0f} s: {why}.")


class PreflightFailed(IssuanceFailed):
    """
    No order was placed, for it was seen beforehand that it would fail.  Mended by the
    operator.

    @ivar byName: What is in the way of each name.
    @ivar isForbidden: Whether it is that this authority may not issue, and nothing
        else.
    """

    def __init__(self, byName: Iterable[tuple[str, str]], *, isForbidden: bool = False) -> None:
        """
        @param byName: For each name a text that begins with it, without a full stop.
        @param isForbidden: See L{PreflightFailed.isForbidden}.
        """
        self.byName = dict(byName)
        self.isForbidden = isForbidden
        why = ". ".join(self.byName.values())
        super().__init__(f"No order was placed, for it would fail (acme.preflight is strict): {why}.")


class AccountBusy(IssuanceFailed):
    """
    Orders are under way, and would be spoiled by what was to be done with the
    account.  Mended by time.
    """

    def __init__(self, directory: str, count: int) -> None:
        """
        @param directory: Whose account it is.
        @param count: How many orders are under way.
        """
        super().__init__(
            f"The account for {directory} is in use, {count} orders are under way:"
            " nothing was changed. Try again when they have ended."
        )


class TooManyNames(IssuanceFailed):
    """
    The authority takes fewer names in one order than there are.  Mended here: they
    are divided anew.
    """

    def __init__(self, directory: str, count: int, most: int) -> None:
        """
        @param directory: Who said so.
        @param count: How many there are.
        @param most: How many it takes.
        """
        super().__init__(
            f"The certificate authority at {directory} does not take {count} names in one order."
            f" They are divided among certificates for {most} at most."
        )
