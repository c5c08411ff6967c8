"""What can be wrong with a certificate, a request or a list, each as a type of its own.

Every message says what was found and what would have been right, in words for the person at the
host; `IdentityError` catches them all.
"""

from datetime import datetime

from shared.errors import BadInputError


class IdentityError(Exception):
    """An identity that is not accepted."""


class ForeignAuthorityError(IdentityError):
    """No chain leads from the certificate to a root that is pinned here."""


class ChainError(IdentityError):
    """A certificate of the chain breaks the rules of its place in it."""


class WrongPurposeError(IdentityError):
    """A client's certificate used as a server's, or the other way round."""


class WrongNameError(IdentityError):
    """A good certificate of somebody else."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"the certificate is for {found!r}, expected {expected!r}")
        self.found = found
        self.expected = expected


class ExpiredError(IdentityError):
    """The certificate's time is over at the clock that was asked."""

    def __init__(self, subject: str, ended: datetime, now: datetime) -> None:
        super().__init__(
            f"the certificate of {subject} ended {_stamp(ended)}; this host's clock says "
            f"{_stamp(now)}: renew it, or set the clock if that is wrong"
        )
        self.subject = subject
        self.ended = ended
        self.now = now


class NotYetValidError(IdentityError):
    """CLOCK SKEW: the certificate begins after what the clock that was asked says."""

    def __init__(self, subject: str, begins: datetime, now: datetime) -> None:
        super().__init__(
            f"this host's clock says {_stamp(now)}, the certificate of {subject} begins "
            f"{_stamp(begins)}: set the clock"
        )
        self.subject = subject
        self.begins = begins
        self.now = now


class RevokedError(IdentityError):
    """The certificate stands on its issuer's list of revoked ones."""

    def __init__(self, subject: str, serial: int, revoked: datetime) -> None:
        super().__init__(
            f"the certificate of {subject}, serial {serial:x}, was revoked {_stamp(revoked)}"
        )
        self.subject = subject
        self.serial = serial
        self.revoked = revoked


class StaleListError(IdentityError):
    """A revocation list that is absent or past its end: it proves nothing, so nothing is accepted.

    `ended` is None where there is no list at all.
    """

    def __init__(self, issuer: str, ended: datetime | None, now: datetime) -> None:
        if ended is None:
            super().__init__(f"there is no revocation list of {issuer}")
        else:
            super().__init__(
                f"the revocation list of {issuer} ended {_stamp(ended)}, it is {_stamp(now)}"
            )
        self.issuer = issuer
        self.ended = ended
        self.now = now


class ProofError(IdentityError):
    """The key of a certificate was not proven."""


class RotationError(IdentityError):
    """A new root that the pinned ones do not vouch for."""


class MalformedError(BadInputError, IdentityError):
    """PEM, DER or a text form that cannot be read, or is beyond its bound."""


class RequestError(BadInputError, IdentityError):
    """A certificate signing request that is not signed."""


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
