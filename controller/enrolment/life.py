"""The life of an enrolment, as a table. Pure.

A token is for one host, once. Where the operator asked to confirm the host's key, presenting the
token only lays the key's fingerprint before him; the certificate is issued when he confirms it.
"""

from enum import StrEnum


class EnrolmentState(StrEnum):
    """Where an enrolment stands."""

    ISSUED = "issued"
    AWAITING_CONFIRMATION = "awaiting confirmation"
    USED = "used"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class EnrolmentEvent(StrEnum):
    """What happens to an enrolment."""

    ADMITTED = "presented"
    LAID_BEFORE_OPERATOR = "presented, to be confirmed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    TIME_IS_UP = "time is up"


TRANSITIONS: dict[EnrolmentState, dict[EnrolmentEvent, EnrolmentState]] = {
    EnrolmentState.ISSUED: {
        EnrolmentEvent.ADMITTED: EnrolmentState.USED,
        EnrolmentEvent.LAID_BEFORE_OPERATOR: EnrolmentState.AWAITING_CONFIRMATION,
        EnrolmentEvent.WITHDRAWN: EnrolmentState.WITHDRAWN,
        EnrolmentEvent.TIME_IS_UP: EnrolmentState.EXPIRED,
    },
    EnrolmentState.AWAITING_CONFIRMATION: {
        EnrolmentEvent.CONFIRMED: EnrolmentState.USED,
        EnrolmentEvent.REFUSED: EnrolmentState.REFUSED,
        EnrolmentEvent.WITHDRAWN: EnrolmentState.WITHDRAWN,
        EnrolmentEvent.TIME_IS_UP: EnrolmentState.EXPIRED,
    },
}
"""A state without a row is terminal; an event without an entry changes nothing."""

OPEN = frozenset(TRANSITIONS)
TERMINAL = frozenset(EnrolmentState) - OPEN


def after(state: EnrolmentState, event: EnrolmentEvent) -> EnrolmentState:
    """The state after an event; the same state where the event changes nothing."""
    return TRANSITIONS.get(state, {}).get(event, state)


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    lines = ["stateDiagram-v2"]
    names = {state: state.name.lower() for state in EnrolmentState}
    lines += [f"    {name}: {state.value}" for state, name in names.items()]
    lines.append(f"    [*] --> {names[EnrolmentState.ISSUED]}")
    for state, row in TRANSITIONS.items():
        lines += [
            f"    {names[state]} --> {names[target]}: {event.value}"
            for event, target in row.items()
        ]
    lines += [f"    {names[state]} --> [*]" for state in EnrolmentState if state in TERMINAL]
    return "\n".join(lines) + "\n"


def diagram_page() -> str:
    """The page `docs/diagrams/enrolment.md`."""
    return (
        "# The life of an enrolment\n\n"
        "Written by `python -m controller.enrolment.life`; a test compares it with the table.\n"
        "The certificate is issued with the step to `used`, once and in the same transaction.\n\n"
        f"```mermaid\n{mermaid()}```\n"
    )


if __name__ == "__main__":
    import sys

    sys.stdout.write(diagram_page())
