"""Security events on the page: a strip where something is open, a page to look into it."""

from playwright.sync_api import expect
from sqlalchemy import select

from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.storage.tables import security_events
from tests.browser.conftest import PATIENCE_MS, Served, Visit
from tests.browser.test_looks import _FAINT, _WIDE

expect.set_options(timeout=PATIENCE_MS)

HOSTILE = "<img src=x onerror=alert(1)>"


def tell(served: Served, subject: str = "site-a-01", kind: str = "publish_refused") -> None:
    """An event as the broker's watch writes it."""
    with served.storage.write() as conn:
        report(
            conn,
            kind=SecurityKind(kind),
            subject=subject,
            detail={"topic": HOSTILE},
            now_ms=served.clock.now_ms(),
        )


def test_what_is_noticed_shows_at_once_and_is_acknowledged_with_a_note(
    served: Served, visited: Visit
) -> None:
    page = visited.page
    expect(page.locator("#security")).to_be_hidden()
    tell(served)
    tell(served, HOSTILE, "oversized_message")
    expect(page.locator("#security")).to_have_text("2 security events are open, 1 critical")
    page.click("#security a")
    events = page.locator("#events > li")
    expect(events).to_have_count(2)
    assert page.locator("#events img").count() == 0
    grave = events.filter(has_text="site-a-01")
    expect(grave).to_contain_text("published to a topic that is not its own")
    grave.locator("input").fill("our own test")
    grave.get_by_role("button", name="Acknowledge").click()
    expect(events).to_have_count(1)
    page.get_by_role("button", name="All").click()
    expect(events).to_have_count(2)
    expect(page.locator("#events")).to_contain_text("our own test")
    with served.storage.read() as conn:
        notes = list(conn.scalars(select(security_events.c.note).order_by(security_events.c.id)))
    assert notes == ["our own test", None]


def test_news_does_not_take_away_a_note_that_is_being_written(
    served: Served, visited: Visit
) -> None:
    page = visited.page
    tell(served)
    page.goto(f"{served.address}/security")
    events = page.locator("#events > li")
    expect(events).to_have_count(1)
    page.locator("#events input").fill("half a note")
    tell(served, "site-b-01")
    page.wait_for_timeout(1_500)
    expect(page.locator("#events input").first).to_have_value("half a note")
    page.locator("#events input").first.fill("")
    tell(served, "site-c-01")
    expect(events).to_have_count(3)


def test_the_page_of_security_fits_and_can_be_read(served: Served, visited: Visit) -> None:
    tell(served, "an-unbroken-name-" * 10)
    for kind in ("publish_refused", "oversized_message", "renewed_late"):
        tell(served, "site-a-01", kind)
    page = visited.page
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{served.address}/security")
        expect(page.locator("#events > li")).to_have_count(4)
        assert page.evaluate(_WIDE, width) == []
        assert page.evaluate(_FAINT, 4.5) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(_FAINT, 4.5) == []
