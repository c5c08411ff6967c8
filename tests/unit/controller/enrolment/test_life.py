"""The table of an enrolment's life, and its picture in the documents."""

from pathlib import Path

from controller.enrolment.life import (
    OPEN,
    TERMINAL,
    EnrolmentEvent,
    EnrolmentState,
    after,
    diagram_page,
)

PAGE = Path(__file__).resolve().parents[4] / "docs" / "diagrams" / "enrolment.md"


def test_the_picture_is_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == diagram_page()


def test_an_ended_enrolment_never_changes() -> None:
    for state in TERMINAL:
        assert all(after(state, event) is state for event in EnrolmentEvent)


def test_every_open_enrolment_can_end_by_time_and_be_withdrawn() -> None:
    for state in OPEN:
        assert after(state, EnrolmentEvent.TIME_IS_UP) is EnrolmentState.EXPIRED
        assert after(state, EnrolmentEvent.WITHDRAWN) is EnrolmentState.WITHDRAWN


def test_a_key_is_confirmed_only_where_one_was_presented() -> None:
    confirmed = EnrolmentEvent.CONFIRMED
    assert after(EnrolmentState.ISSUED, confirmed) is EnrolmentState.ISSUED
    assert after(EnrolmentState.AWAITING_CONFIRMATION, confirmed) is EnrolmentState.USED
