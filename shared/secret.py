"""A secret that shows itself only to who asks for it by name."""

from typing import Final, NoReturn

HIDDEN: Final = "[secret]"


class Secret:
    """Bytes that no log line, traceback, repr, format or JSON shows; `reveal` gives them.

    Compared by identity only, so that nobody compares secrets in variable time by chance; not to be
    copied into a pickle.
    """

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    @classmethod
    def of_text(cls, text: str) -> "Secret":
        """A secret that is text."""
        return cls(text.encode())

    def reveal(self) -> bytes:
        """The secret itself."""
        return self._content

    def reveal_text(self) -> str:
        """The secret itself, as text."""
        return self._content.decode()

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, _spec: str) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")
