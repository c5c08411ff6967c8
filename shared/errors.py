"""The typed error for input that is refused."""


class BadInputError(ValueError):
    """Input that breaks its contract; nothing was changed.

    `field` is the dotted path of the offending field, `problem` says what is wrong with it and
    `allowed` what would have been accepted.
    """

    def __init__(self, field: str, problem: str, allowed: str) -> None:
        super().__init__(f"{field}: {problem} (allowed: {allowed})")
        self.field = field
        self.problem = problem
        self.allowed = allowed
