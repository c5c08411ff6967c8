"""Refusals of the domain. The API answers `ConflictError` with 409, `MissingError` with 404."""


class ConflictError(Exception):
    """What was asked does not fit the state of things; nothing was changed."""


class MissingError(Exception):
    """What was named does not exist."""

    def __init__(self, what: str, name: object) -> None:
        super().__init__(f"there is no {what} {str(name)[:80]!r}")
        self.what = what
        self.name = name
