"""What a person sees in a real browser."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import insert

from controller.changes import ChangeKind, record_change
from controller.storage import tables
from shared.messages.event import Event, EventKind, Severity
from tests.browser.conftest import PATIENCE_MS, Served, Visit, sign_in, visit
from tests.fleets import EVENTS, TELEMETRY, Fleet, add_rollups, add_snapshots, enter_fleet

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def fleet(served: Served) -> Fleet:
    """A site with a miner and a meter that reports now."""
    now_ms = served.clock.now_ms()
    fleet = enter_fleet(served.storage, now_ms)
    add_snapshots(served.storage, fleet, 3, now_ms - 3_000)
    add_rollups(served.storage, fleet.whole, "power_w", [3_200.0] * 5, now_ms - 600_000)
    return fleet


@pytest.fixture
def visited(served: Served, fleet: Fleet, browser: Browser) -> Iterator[Visit]:
    """The page, signed in, at 1280 pixels; nothing may have gone wrong on it in the end."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    seen = visit(context, served.address)
    sign_in(seen.page)
    yield seen
    context.close()
    assert seen.complaints == []
    assert seen.hosts == {served.address.removeprefix("http://")}


def test_a_wrong_token_is_refused_and_the_right_one_let_in(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    page = visit(context, served.address).page
    page.fill("#token", "not the token")
    page.click("button")
    expect(page.get_by_role("alert")).to_have_text("This is not the token.")
    sign_in(page)
    expect(page.locator("h2")).to_have_text("Site A")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#token")).to_be_visible()
    page.goto(served.address)
    expect(page.locator("#token")).to_be_visible()
    context.close()


def test_the_site_its_figures_and_its_devices_are_shown(visited: Visit) -> None:
    page = visited.page
    expect(page.locator("[data-field=power]")).to_have_text("3.20 kW")
    expect(page.locator("[data-field=price]")).to_have_text("41.50 $/MWh")
    expect(page.locator("[data-field=hashing]")).to_have_text("1 of 1")
    miner = page.locator("tr", has_text="miner-01")
    expect(miner.locator("td").nth(0)).to_have_text("mining")
    expect(miner.locator("td").nth(1)).to_have_text("3.00 kW")
    expect(page.locator(".chart canvas")).to_be_visible()


def test_an_unknown_value_is_a_dash(served: Served, visited: Visit) -> None:
    meter = visited.page.locator("tr", has_text="meter-01")
    expect(meter.locator("td").nth(0)).to_have_text("unknown")
    miner = visited.page.locator("tr", has_text="miner-01")
    add_snapshots(served.storage, Fleet.of(served.storage), 2, served.clock.now_ms(), first_seq=50)
    tell(served, ChangeKind.TELEMETRY, "2")
    expect(miner.locator("td").nth(2)).to_have_text("–")


def test_a_decision_an_alarm_and_a_lost_node_appear_without_a_reload(
    served: Served, visited: Visit
) -> None:
    page = visited.page
    page.evaluate("window.sameDocument = true")
    add_event(
        served,
        Event(
            EventKind.DECISION,
            Severity.INFO,
            {
                "reason": "last_known_price",
                "summary": "last known price 95.10 USD/MWh: 1 to stop",
                "assignments": [
                    {"device": "miner-01", "setpoint": {"kind": "stop"}, "reason": "unprofitable"}
                ],
            },
        ),
    )
    decision = page.locator(".decisions li").first
    expect(decision).to_contain_text("last known price 95.10 USD/MWh")
    expect(decision).to_contain_text("1 to stop: unprofitable")
    raise_alarm(served, "too hot")
    expect(page.locator(".alarms li").first).to_contain_text("too hot")
    expect(page.locator("[data-field=alarms]")).to_have_text("1")
    assert page.evaluate("window.sameDocument") is True


def test_hostile_text_is_shown_and_not_run(served: Served, visited: Visit) -> None:
    page = visited.page
    raise_alarm(served, HOSTILE)
    data = {"reason": HOSTILE, "summary": HOSTILE, "assignments": []}
    add_event(served, Event(EventKind.DECISION, Severity.INFO, data))
    with served.storage.write() as conn:
        conn.execute(
            insert(tables.devices).values(
                node="a-01",
                name=HOSTILE,
                kind="sensor",
                family=HOSTILE,
                facts={},
                declared=True,
                first_seen_ms=0,
            )
        )
    tell(served, ChangeKind.NODE, "a-01")
    expect(page.locator(".alarms li").first).to_contain_text(HOSTILE)
    expect(page.locator(".decisions .detail").first).to_have_text(HOSTILE)
    expect(page.locator(".devices tbody")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert "taken" not in page.title()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_is_readable(
    served: Served,
    fleet: Fleet,
    browser: Browser,
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    seen = visit(context, served.address)
    sign_in(seen.page)
    expect(seen.page.locator("tr", has_text="miner-01")).to_be_visible()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert contrast(seen, "body") >= 7
    assert contrast(seen, ".card th", ".card") >= 4.5
    context.close()
    assert seen.complaints == []


def test_a_session_that_was_ended_elsewhere_leads_to_the_sign_in(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    page = visit(context, served.address).page
    sign_in(page)
    context.clear_cookies()
    tell(served, ChangeKind.NODE, "a-01")
    expect(page.locator("#token")).to_be_visible()
    context.close()


def contrast(seen: Visit, text: str, ground: str = "body") -> float:
    """The contrast ratio of a text's colour on a ground's (WCAG 2.2, 1.4.3)."""
    script = """([text, ground]) => {
      const parts = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number);
      const light = (colour) => {
        const [r, g, b] = parts(colour).map((part) => {
          const share = part / 255;
          return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const a = light(getComputedStyle(document.querySelector(text)).color);
      const b = light(getComputedStyle(document.querySelector(ground)).backgroundColor);
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }"""
    ratio: float = seen.page.evaluate(script, [text, ground])
    return ratio


def tell(served: Served, kind: ChangeKind, subject: str) -> None:
    """Commits a change that the stream tells."""
    with served.storage.write() as conn:
        record_change(conn, served.clock, kind, "a-01", subject)


def add_event(served: Served, event: Event) -> None:
    """Commits an event of the node, and the change that tells of it."""
    now_ms = served.clock.now_ms()
    with served.storage.write() as conn:
        number = conn.execute(
            insert(tables.events).values(
                node="a-01",
                stream=EVENTS,
                seq=now_ms,
                device=event.device,
                kind=event.kind.value,
                severity=event.severity.value,
                time_ms=now_ms,
                received_ms=now_ms,
                body=event.encode(),
            )
        ).inserted_primary_key
        assert number is not None
        record_change(conn, served.clock, ChangeKind.EVENT, "a-01", str(number[0]))


def raise_alarm(served: Served, text: str) -> None:
    """Commits an alarm of the miner, and the change that tells of it."""
    with served.storage.write() as conn:
        conn.execute(
            insert(tables.alarms).values(
                node="a-01",
                stream=TELEMETRY,
                device="miner-01",
                code="hot",
                severity="warning",
                text=text,
                raised_ms=served.clock.now_ms(),
            )
        )
        record_change(conn, served.clock, ChangeKind.ALARM, "a-01", "hot")
