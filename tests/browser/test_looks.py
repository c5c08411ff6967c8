"""The page fits, and can be read and used by everybody."""

from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from shared.messages.event import Event, EventKind, Severity
from tests.browser.changes import add_event, declare_devices, raise_alarm
from tests.browser.conftest import PATIENCE_MS, Served, Visit, sign_in, visit
from tests.fleets import Fleet

expect.set_options(timeout=PATIENCE_MS)

# Each visible text with less contrast on what lies behind it than `least` (WCAG 2.2, 1.4.3).
_FAINT = """(least) => {
  const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) faint.push(`${texts.currentNode.data}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""

# The innermost elements that reach over the right edge.
_WIDE = """(width) => [...document.querySelectorAll("body *")]
  .filter((element) => !element.closest(".scroll") && !element.closest(".uplot"))
  .filter((element) => element.getBoundingClientRect().right > width + 0.5)
  .map((element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 40)}`)
"""


def fill(served: Served) -> None:
    """Long names and every kind of entry."""
    declare_devices(served, ["a-very-long-name-of-a-miner-in-a-container-with-no-space-in-it-001"])
    raise_alarm(served, "the outlet's temperature is above what its maker allows " * 3)
    data = {
        "reason": "safe_mode_stale_price",
        "summary": "safe mode",
        "price_usd_per_mwh": "4964.8400",
        "power_before_w": 78_600,
        "power_after_w": 3_480,
        "kept": {"did_not_follow_last_write": 3},
        "assignments": [
            {"device": f"miner-{n:02}", "setpoint": {"kind": "stop"}, "reason": "safe_mode_stop"}
            for n in range(20)
        ],
    }
    add_event(served, Event(EventKind.DECISION, Severity.WARNING, data))


def opened(served: Served, browser: Browser, width: int, scheme: Literal["light", "dark"]) -> Visit:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    seen = visit(context, served.address)
    assert seen.page.evaluate(_FAINT, 4.5) == []
    sign_in(seen.page)
    expect(seen.page.get_by_role("row", name="miner-01")).to_be_visible()
    expect(seen.page.locator(".alarms time")).to_be_visible()
    expect(seen.page.locator(".decisions time").first).to_be_visible()
    expect(seen.page.locator(".chart canvas")).to_be_visible()
    return seen


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_all_its_text_is_readable(
    served: Served,
    fleet: Fleet,
    browser: Browser,
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    fill(served)
    seen = opened(served, browser, width, scheme)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    for cell in seen.page.get_by_role("row", name="miner-01").get_by_role("cell").all():
        expect(cell).to_be_visible()
    assert seen.page.evaluate(_WIDE, width) == []
    assert seen.page.evaluate(_FAINT, 4.5) == []
    seen.page.context.close()
    assert seen.complaints == []


def test_the_schemes_differ(served: Served, fleet: Fleet, browser: Browser) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = visit(context, served.address).page
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert len(grounds) == 2


def test_the_page_is_used_by_keyboard_and_named_for_readers(visited: Visit) -> None:
    page = visited.page
    expect(page.get_by_role("row", name="miner-01")).to_be_visible()
    expect(page.get_by_role("region", name="Devices")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Efficiency")).to_be_visible()
    expect(page.get_by_role("rowheader", name="miner-01")).to_be_visible()
    expect(page.get_by_role("img", name="Site power and electricity price")).to_be_visible()
    for link in ("Sites", "Approvals", "Security", "Account", "Users"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=link)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign out")).to_be_focused()
    width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
    assert width >= 2
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox", name="Find a device")).to_be_focused()
