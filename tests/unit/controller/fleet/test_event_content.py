"""What an event says, and what is wrong with one that says nothing."""

import pytest

from controller.fleet.event_content import RowKind, read_content, why_malformed
from shared.errors import BadInputError
from shared.messages.event import Event, EventKind, Severity
from shared.messages.reply import Reply, ReplyState


def test_rows_are_of_the_kinds_that_nodes_send_or_malformed() -> None:
    assert {kind.value for kind in RowKind} == {kind.value for kind in EventKind} | {"malformed"}


def test_each_kind_adds_what_the_controller_acts_on() -> None:
    alarm = Event(EventKind.ALARM, Severity.INFO, {"code": "too-hot", "raised": True})
    assert read_content(alarm.encode()).code == "too-hot"
    reply = Reply("c" * 32, 1, ReplyState.DONE)
    told = Event(EventKind.REPLY, Severity.INFO, reply.to_data())
    assert read_content(told.encode()).reply == reply
    plain = read_content(Event(EventKind.AGENT, Severity.INFO, {"what": "started"}).encode())
    assert (plain.code, plain.reply, plain.gap) == (None, None, None)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (Event(EventKind.ALARM, Severity.INFO, {"code": "x"}), "raised"),
        (Event(EventKind.ALARM, Severity.INFO, {"code": "x", "raised": True, "text": 1}), "text"),
        (Event(EventKind.ALARM, Severity.INFO, {"code": "x" * 81, "raised": True}), "code"),
        (Event(EventKind.GAP, Severity.INFO, {}), "first"),
    ],
)
def test_a_malformed_event_is_refused_and_its_field_named(event: Event, field: str) -> None:
    with pytest.raises(BadInputError) as refused:
        read_content(event.encode())
    assert field in refused.value.field
    assert why_malformed(event.encode()) == str(refused.value)


def test_what_can_be_read_but_was_kept_as_malformed_is_said_to_be_so() -> None:
    fine = Event(EventKind.AGENT, Severity.INFO, {"what": "started"})
    assert "can be read" in why_malformed(fine.encode())
