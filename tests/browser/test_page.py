"""What a person sees in a real browser."""

import json
from typing import Any

from playwright.sync_api import Browser, expect

from controller.changes import ChangeKind
from shared.messages.event import Event, EventKind, Severity
from tests.browser.changes import add_event, declare_devices, raise_alarm, tell
from tests.browser.conftest import PATIENCE_MS, PERSON, Served, Visit, sign_in, visit
from tests.fleets import Fleet, add_snapshots

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"

expect.set_options(timeout=PATIENCE_MS)

# Notes each word that the link shows from now on.
_NOTE_LINK = """() => {
  window.links = [];
  const link = document.getElementById("link");
  const note = () => window.links.push(link.textContent);
  new MutationObserver(note).observe(link, { childList: true });
}"""


def decision(price: str, stopped: int, **more: Any) -> Event:
    """A decision in the form in which a site tells it."""
    data: dict[str, Any] = {
        "reason": "last_known_price",
        "summary": f"last known price, no forecast {price} USD/MWh",
        "price_usd_per_mwh": price,
        "power_before_w": 6_000,
        "power_after_w": 6_000 - 3_000 * stopped,
        "kept": {"held_by_operator": 1},
        "assignments": [
            {
                "device": f"miner-{number + 1:02}",
                "setpoint": {"kind": "stop"},
                "reason": "unprofitable",
                "breakeven_usd_per_mwh": "88.1000",
                "threshold_usd_per_mwh": "88.1000",
            }
            for number in range(stopped)
        ],
    }
    return Event(EventKind.DECISION, Severity.INFO, data | more)


def test_a_wrong_password_is_refused_and_the_right_one_let_in(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    page = visit(context, served.address).page
    page.fill("#name", PERSON)
    page.fill("#password", "not the password")
    page.click("#password-step button")
    expect(page.get_by_role("alert")).to_have_text("Name or password is not right.")
    sign_in(page)
    expect(page.locator("h2")).to_have_text("Site A")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#password")).to_be_visible()
    page.goto(served.address)
    expect(page.locator("#password")).to_be_visible()
    context.close()


def test_the_site_its_figures_and_its_devices_are_shown(visited: Visit) -> None:
    page = visited.page
    expect(page.locator("[data-field=power]")).to_have_text("3.20 kW")
    expect(page.locator("[data-field=price]")).to_have_text("41.50 $/MWh")
    expect(page.locator("[data-field=hashing]")).to_have_text("1 of 1")
    miner = page.get_by_role("row", name="miner-01")
    expect(miner.get_by_role("cell").nth(0)).to_have_text("mining")
    expect(miner.get_by_role("cell").nth(1)).to_have_text("3.00 kW")
    expect(page.locator(".chart canvas")).to_be_visible()
    expect(page.locator("[data-field=span]")).to_contain_text("power 3.20 kW")
    expect(page.locator(".u-legend")).to_contain_text("3.20 kW")
    expect(page.locator(".nodes")).to_contain_text("a-01 online")


def test_an_unknown_value_is_a_dash(served: Served, visited: Visit) -> None:
    page = visited.page
    meter = page.get_by_role("row", name="meter-01")
    expect(meter.get_by_role("cell").nth(0)).to_have_text("unknown")
    cells = page.get_by_role("row", name="miner-01").get_by_role("cell")
    expect(cells.nth(2)).to_have_text("102 TH/s")
    add_snapshots(served.storage, Fleet.of(served.storage), 2, served.clock.now_ms(), first_seq=50)
    tell(served, ChangeKind.TELEMETRY, "2")
    expect(cells.nth(2)).to_have_text("–")
    expect(cells.nth(3)).to_have_text("–")


def test_a_decision_and_an_alarm_appear_without_a_reload(served: Served, visited: Visit) -> None:
    page = visited.page
    page.evaluate("window.sameDocument = true")
    expect(page.locator(".decisions")).to_have_text("None yet.")
    add_event(served, decision("95.1000", 1))
    first = page.locator(".decisions > li").first
    expect(first).to_contain_text("Last known price, no forecast")
    expect(first).to_contain_text("price 95.10 $/MWh · 6.00 kW → 3.00 kW")
    expect(first).to_contain_text("1 to stop: unprofitable (break-even 88.10 $/MWh)")
    expect(first).to_contain_text("miner-01")
    expect(first).to_contain_text("1 stay: held by operator")
    raise_alarm(served, "too hot")
    expect(page.locator(".alarms li").first).to_contain_text("too hot")
    expect(page.locator(".alarms li").first).to_contain_text("warning")
    expect(page.locator("[data-field=alarms]")).to_have_text("1")
    assert page.evaluate("window.sameDocument") is True


def test_decisions_that_move_nothing_become_one_entry(served: Served, visited: Visit) -> None:
    items = visited.page.locator(".decisions > li")
    add_event(served, decision("95.1000", 2))
    expect(items).to_have_count(1)
    expect(items.first).to_contain_text("95.10 $/MWh")
    for price in ("95.2000", "131.1900", "4052.1800"):
        add_event(served, decision(price, 0))
    expect(items.first).to_contain_text("price 95.20 to 4,052.18 $/MWh · 3 times no change")
    expect(items).to_have_count(2)
    expect(items.nth(1)).to_contain_text("2 to stop: unprofitable")


def test_a_safe_mode_is_told_in_its_own_words(served: Served, visited: Visit) -> None:
    told = Event(
        EventKind.DECISION,
        Severity.WARNING,
        {
            "reason": "safe_mode_stale_price",
            "summary": "safe mode: prices are stale: no change",
            "price_usd_per_mwh": None,
            "assignments": [],
        },
    )
    add_event(served, told)
    first = visited.page.locator(".decisions > li").first
    expect(first).to_contain_text("Safe mode: prices are stale")
    expect(first).not_to_contain_text("$/MWh")


def test_hostile_text_is_shown_and_not_run(served: Served, visited: Visit) -> None:
    page = visited.page
    raise_alarm(served, HOSTILE)
    data = {
        "reason": HOSTILE,
        "summary": HOSTILE,
        "detail": HOSTILE,
        "kept": {HOSTILE: 1},
        "assignments": [
            {
                "device": HOSTILE,
                "setpoint": {"kind": "preset", "name": HOSTILE},
                "reason": HOSTILE,
            }
        ],
    }
    add_event(served, Event(EventKind.DECISION, Severity.INFO, data))
    declare_devices(served, [HOSTILE], family=HOSTILE)
    expect(page.locator(".alarms li").first).to_contain_text(HOSTILE)
    first = page.locator(".decisions > li").first
    for part in (".facts", ".detail", ".names", ".kept"):
        expect(first.locator(part)).to_contain_text(HOSTILE)
    expect(first.locator(".moves li").first).to_contain_text(f"1 to preset {HOSTILE}: {HOSTILE}")
    expect(page.locator(".devices tbody")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert "taken" not in page.title()


def test_a_thousand_devices_are_searched_and_their_rows_stay(
    served: Served, visited: Visit
) -> None:
    page = visited.page
    expect(page.get_by_role("row", name="miner-01")).to_be_visible()
    page.evaluate("document.querySelector('.devices tbody tr').dataset.same = 'yes'")
    declare_devices(served, [f"rack-{number:04}" for number in range(1_000)])
    rows = page.locator(".devices tbody tr")
    expect(rows).to_have_count(1_002)
    expect(page.locator(".devices tbody tr[data-same=yes]")).to_have_count(1)
    page.get_by_role("searchbox", name="Find a device").fill("RACK-0042")
    expect(page.locator(".devices tbody tr:visible")).to_have_count(1)
    page.get_by_role("searchbox", name="Find a device").fill("")
    page.get_by_role("button", name="mining 1").click()
    expect(page.locator(".devices tbody tr:visible")).to_have_count(1)
    expect(page.get_by_role("button", name="mining 1")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("searchbox", name="Find a device").fill("no such")
    expect(page.locator(".nothing")).to_have_text("No device fits the filter.")


def test_an_empty_controller_says_so(served: Served, browser: Browser) -> None:
    context = browser.new_context()
    seen = visit(context, served.address)
    sign_in(seen.page)
    expect(seen.page.locator("#empty")).to_have_text("No site is configured yet.")
    context.close()
    assert seen.complaints == []


def test_a_lost_controller_is_told_and_found_again(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    page = visit(context, served.address).page
    sign_in(page)
    expect(page.locator("[data-field=power]")).to_have_text("3.20 kW")
    served.stop()
    expect(page.locator("#link")).to_have_text("lost")
    expect(page.locator("#notice")).to_contain_text("No connection to the controller")
    expect(page.locator("[data-field=power]")).to_have_text("3.20 kW")
    raise_alarm(served, "while nobody looked")
    served.start()
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator(".alarms")).to_contain_text("while nobody looked")
    context.close()


def test_a_refresh_that_failed_is_made_up_for(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    page = visit(context, served.address).page
    sign_in(page)
    expect(page.locator("#link")).to_have_text("live")
    page.route("**/overview", lambda route: route.fulfill(status=503, body="busy"))
    page.evaluate(_NOTE_LINK)
    tell(served, ChangeKind.TELEMETRY, "1")
    expect(page.locator("#link")).to_have_text("lost")
    for _ in range(2):
        with page.expect_request("**/overview"):
            pass
    assert page.evaluate("window.links") == ["lost"]
    page.unroute("**/overview")
    expect(page.locator("#link")).to_have_text("live")
    context.close()


def test_a_session_that_was_ended_elsewhere_leads_to_the_sign_in(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    page = visit(context, served.address).page
    sign_in(page)
    context.clear_cookies()
    tell(served, ChangeKind.NODE, "a-01")
    expect(page.locator("#password")).to_be_visible()
    context.close()


def test_values_are_read_as_people_read_them(visited: Visit) -> None:
    shown = visited.page.evaluate(
        """async () => {
          const f = await import("/static/format.js");
          return [f.power(null), f.power(0), f.power(999.7), f.power(3_200), f.power(999_996),
            f.price(null), f.price("-17.5"), f.price("4964.84"), f.hashrate(2_580),
            f.efficiency(3_000, 0), f.efficiency(3_000, 100), f.efficiency(null, 100)];
        }"""
    )
    assert json.loads(json.dumps(shown)) == [
        "–",
        "0 W",
        "1.00 kW",
        "3.20 kW",
        "1.00 MW",
        "–",
        "-17.50 $/MWh",
        "4,964.84 $/MWh",
        "2.58 PH/s",
        "–",
        "30.0 J/TH",
        "–",
    ]


def test_the_chart_draws_no_line_where_nothing_was_measured(visited: Visit) -> None:
    times, words = visited.page.evaluate(
        """async () => {
          const { withGaps, described } = await import("/static/chart.js");
          const point = (minute) => ({
            time: new Date(minute * 60_000).toISOString(),
            power_w: minute * 100,
            price_usd_per_mwh: minute === 61 ? "-5.0000" : "4964.8400",
          });
          const points = [0, 1, 2, 3, 60, 61].map(point);
          const shown = withGaps(points, 60_000);
          return [shown.map((p) => p.power_w), described(points)];
        }"""
    )
    assert times == [0, 100, 200, 300, None, 6_000, 6_100]
    assert "price -5.00 to 4,964.84 $/MWh, highest at 01-01 00:00" in words
