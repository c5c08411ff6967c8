"""How a decision is told."""

from agent.site.curtailer import decision_events, summary
from agent.site.situation import Assignment, Basis, Decision, Reason
from shared.messages.event import MAX_BODY, EventKind, Severity
from shared.setpoints import Preset, Run, Stop


def decision(changing: int, staying: int, basis: Basis = Basis.FORECAST) -> Decision:
    def name(number: int) -> str:
        return f"{number:04}".ljust(63, "x")

    preset = Preset("p" * 80)
    moved = [
        Assignment(name(n), preset, True, Reason.LOWERED, 10**12, 10**12) for n in range(changing)
    ]
    kept = [
        Assignment(name(changing + n), Run(), False, Reason.PROFITABLE, 1, 1)
        for n in range(staying)
    ]
    return Decision(basis, "", 55_000_000, 10, 5, (*moved, *kept), {"safe_mode": "hold"})


def test_a_decision_on_the_largest_site_fits_its_events_and_loses_no_miner() -> None:
    for changing, staying in ((5_000, 0), (0, 5_000), (400, 1_000), (2_500, 2_500)):
        made = decision(changing, staying)
        events = decision_events(made)
        assert all(len(event.encode()) <= MAX_BODY for event in events)
        named = [row["device"] for event in events for row in event.data["assignments"]]
        assert named == [change.miner for change in made.changes]
        assert sum(events[0].data["kept"].values()) == staying


def test_a_decision_s_event_says_what_it_rests_on() -> None:
    (event,) = decision_events(decision(1, 2))
    assert event.kind is EventKind.DECISION
    assert event.severity is Severity.INFO
    assert event.data["reason"] == "forecast"
    assert event.data["price_usd_per_mwh"] == "55.0000"
    assert event.data["inputs"] == {"safe_mode": "hold"}
    assert len(event.data["kept_names"]["profitable"]) == 2
    (stale,) = decision_events(decision(0, 1, Basis.SAFE_MODE_STALE))
    assert stale.severity is Severity.WARNING


def test_the_summary_counts_moves_by_reason() -> None:
    made = Decision(
        Basis.LAST_PRICE,
        "",
        123_450_000,
        9_000,
        3_000,
        (
            Assignment("a", Stop(), True, Reason.UNPROFITABLE),
            Assignment("b", Stop(), True, Reason.UNPROFITABLE),
            Assignment("c", Run(), False, Reason.PROFITABLE),
        ),
    )
    assert summary(made) == (
        "last known price, no forecast 123.4500 USD/MWh: 2 stop (unprofitable); 9.0 to 3.0 kW"
    )
