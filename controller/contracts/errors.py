"""What a contract, a draft or a signing rule refuses, and why."""

from shared.errors import BadInputError


class ContractError(BadInputError):
    """Input that breaks a rule of contracts; nothing was changed."""


class TermsError(ContractError):
    """Parameters that make no contract."""


class UnknownNameError(ContractError):
    """A template, part, path or participant that there is not."""


class DraftError(ContractError):
    """A request from which no transaction can be drafted."""


class NotYetError(DraftError):
    """A path that is not open yet: `earliest_height` is the first block that may have the spend."""

    def __init__(self, path: str, tip_height: int, earliest_height: int) -> None:
        wait = earliest_height - tip_height - 1
        super().__init__(
            path, f"closed for {wait} blocks more", f"block {earliest_height} or later"
        )
        self.earliest_height = earliest_height
        self.wait_blocks = wait


class InsufficientCoinsError(DraftError):
    """The coins that the path may spend do not pay for outputs and fee."""

    def __init__(self, available_sat: int, needed_sat: int) -> None:
        super().__init__("coins", f"{available_sat} sat to spend", f"at least {needed_sat} sat")
        self.available_sat = available_sat
        self.needed_sat = needed_sat


class LimitExceededError(DraftError):
    """What a transaction needs is beyond a limit: `limit` names it, `figure` is what it needs."""

    def __init__(self, limit: str, figure: int, allowed: int, *, is_minimum: bool = False) -> None:
        bound = "at least" if is_minimum else "at most"
        super().__init__(limit, str(figure), f"{bound} {allowed}")
        self.limit = limit
        self.figure = figure
        self.limit_value = allowed


class UnsatisfiedError(ContractError):
    """Signatures or preimages that the path asks for are missing."""


class SigningRefusedError(ContractError):
    """A transaction that may not be signed after what was signed before; `rule` names why."""

    def __init__(self, rule: str, problem: str, allowed: str) -> None:
        super().__init__("transaction", f"{rule}: {problem}", allowed)
        self.rule = rule
