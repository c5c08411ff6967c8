"""What stops a step of the ceremony."""


class CeremonyError(Exception):
    """A step that was not taken; nothing was changed."""
