"""Which failures of the database pass by themselves, so that the same work is tried again."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


def passes(error: DBAPIError) -> bool:
    """A deadlock, a restart, a full disk: not what the database has against the data itself."""
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
