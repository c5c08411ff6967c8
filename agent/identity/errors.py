"""What keeps a host from getting or renewing its identity."""


class EnrolmentError(Exception):
    """It did not work; the message is for the person at the host."""


class UnreachableError(EnrolmentError):
    """The controller did not answer, or not as it should: worth trying again."""


class RefusedError(EnrolmentError):
    """The controller said no: trying again with the same changes nothing."""


class ClockSkewError(EnrolmentError):
    """This host's clock is far from the controller's: no certificate can be judged by it."""


class ForeignControllerError(EnrolmentError):
    """Who answers is not the controller whose authority was pinned."""
