"""A token bucket as a value. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `burst` at once and `per_s` a second in the long run.

    Bounds the rows that messages can cause which move nothing: events are never dropped, so
    whoever replays messages could otherwise fill the disk.
    """

    burst: int
    per_s: float
    tokens: float
    at_s: float

    @classmethod
    def full(cls, burst: int, per_s: float, now_s: float) -> "Allowance":
        """A bucket that nothing was taken from."""
        return cls(burst, per_s, float(burst), now_s)

    def take(self, now_s: float) -> tuple["Allowance", bool]:
        """The bucket afterwards and whether one more is allowed; `now_s` is monotonic."""
        grown = self.tokens + max(0.0, now_s - self.at_s) * self.per_s
        tokens = min(float(self.burst), grown)
        allowed = tokens >= 1
        return Allowance(self.burst, self.per_s, tokens - 1 if allowed else tokens, now_s), allowed

    def put_back(self) -> "Allowance":
        """The bucket with one that was taken and not used."""
        return replace(self, tokens=min(float(self.burst), self.tokens + 1))
