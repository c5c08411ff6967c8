"""A terminal that types what a test wants, and what was shown on it."""

import re
from dataclasses import dataclass, field

PASSPHRASE = "a long passphrase"


@dataclass(slots=True)
class FakeTerminal:
    """Types `typed`, by default just what is asked for; `secrets` in order, then `PASSPHRASE`."""

    typed: str | None = None
    secrets: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """See `Terminal`."""
        self.shown.append(text)

    def ask(self, question: str) -> str:
        """See `Terminal`."""
        self.shown.append(question)
        found = re.search(r"type `(.*)`", question)
        assert found is not None
        return found.group(1) + "\n" if self.typed is None else self.typed

    def ask_secret(self, question: str) -> str:
        """See `Terminal`."""
        self.shown.append(question)
        return self.secrets.pop(0) if self.secrets else PASSPHRASE

    @property
    def text(self) -> str:
        """Everything that was shown."""
        return "\n".join(self.shown)
