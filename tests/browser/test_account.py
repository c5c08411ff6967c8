"""Signing in with a second factor, one's own account, and the administrator's page of users."""

import os
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from controller.access import people
from controller.access.callers import UserKind
from controller.access.passwords import hash_password
from controller.access.permissions import COMPANY, Grant, Role
from tests.accounts import PASSWORD, enter_account
from tests.browser.conftest import PATIENCE_MS, PERSON, Served, Visit, sign_in, visit
from tests.browser.test_looks import _FAINT, _WIDE
from tests.fleets import Fleet

expect.set_options(timeout=PATIENCE_MS)

PICTURES = os.environ.get("BES_TEST_PICTURES")
"""A folder: then the pages are photographed into it."""


def photograph(page: Page, name: str) -> None:
    if PICTURES is not None:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def first_step(page: Page, address: str) -> None:
    """Name and password, as far as the second factor."""
    page.goto(f"{address}/sign-in")
    page.fill("#name", PERSON)
    page.fill("#password", PASSWORD)
    page.click("#password-step button")
    expect(page.locator("#factor-step")).to_be_visible()


def account_page(context: BrowserContext, served: Served, host: str = "127.0.0.1") -> Visit:
    """The account page, signed in."""
    seen = visit(context, f"http://{host}:{served.port}/sign-in")
    sign_in(seen.page)
    seen.page.get_by_role("link", name="Account").click()
    expect(seen.page.locator("#who")).to_have_text("ada of the tests (ada)")
    return seen


def test_an_app_is_set_up_and_then_asked_for(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    seen = account_page(context, served)
    page = seen.page
    page.fill("#totp-begin [name=password]", PASSWORD)
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code for the authenticator app")).to_be_visible()
    app = pyotp.TOTP(page.locator("#totp-secret").inner_text())
    page.fill("#totp-confirm [name=code]", app.now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    photograph(page, "account-1280")
    code = page.locator("#recovery-codes li").first.inner_text()
    assert seen.complaints == []
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.locator("#password-step")).to_be_visible()
    first_step(page, served.address)
    photograph(page, "second-factor-1280")
    page.fill("#code", "000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_have_text("This is not right, or too late.")
    page.fill("#code", code)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#link")).to_have_text("live")
    context.close()


def test_a_passkey_is_registered_and_then_used(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    seen = account_page(context, served, host="localhost")
    page = seen.page
    authenticator = context.new_cdp_session(page)
    authenticator.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    authenticator.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.fill("#passkey-add [name=name]", "This laptop")
    page.fill("#passkey-add [name=password]", PASSWORD)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("#passkeys")).to_contain_text("This laptop")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.locator("#password-step")).to_be_visible()
    first_step(page, f"http://localhost:{served.port}")
    expect(page.locator("#code")).to_be_hidden()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.locator("#link")).to_have_text("live")
    assert seen.complaints == []
    context.close()


def test_a_token_is_made_shown_once_and_ended(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context()
    seen = account_page(context, served)
    page = seen.page
    page.fill("#token-make [name=name]", "the night shift's script")
    page.get_by_role("checkbox", name="fleet.read").check()
    page.fill("#token-make [name=password]", PASSWORD)
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-shown code")).to_contain_text("bes_")
    expect(page.locator("#tokens")).to_contain_text("the night shift's script")
    page.reload()
    expect(page.locator("#tokens")).to_contain_text("the night shift's script")
    expect(page.locator("#token-shown")).to_be_hidden()
    page.locator("#tokens").get_by_role("button", name="End").click()
    expect(page.locator("#tokens")).to_have_text("There is no token.")
    assert seen.complaints == []
    context.close()


def test_an_administrator_adds_somebody_and_grants_him_a_role(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    seen = account_page(context, served)
    page = seen.page
    page.get_by_role("link", name="Users").click()
    page.fill("#user-add [name=name]", "nora")
    page.fill("#user-add [name=display_name]", "Nora of the night shift")
    page.fill("#user-add [name=password]", "a first password of hers")
    page.get_by_role("button", name="Add").click()
    card = page.locator("#users > li").filter(has_text="nora")
    expect(card).to_contain_text("no role")
    card.get_by_role("combobox", name="Role").select_option("operator")
    card.get_by_role("textbox").fill("site:site-a")
    card.get_by_role("button", name="Grant").click()
    expect(card).to_contain_text("operator on site:site-a")
    photograph(page, "users-1280")
    card.get_by_role("button", name="Disable").click()
    expect(card.locator(".badge")).to_have_text("disabled")
    assert seen.complaints == []
    context.close()


def test_who_was_given_a_first_password_is_led_to_change_it_and_to_nothing_else(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    first, own = "a first password of hers", "a password of nora's own"
    with served.storage.write() as conn:
        kept = hash_password(first)
        new = people.NewUser("nora", "Nora", UserKind.PERSON, kept, is_first_password=True)
        user_id = people.add_user(conn, served.clock, new, people.HOST)
        people.grant(conn, served.clock, user_id, Grant(Role.VIEWER, COMPANY), people.HOST)
    context = browser.new_context()
    seen = visit(context, f"{served.address}/sign-in")
    page = seen.page
    for password in (first, own):
        page.fill("#name", "nora")
        page.fill("#password", password)
        page.click("#password-step button")
        if password == first:
            expect(page.locator("#first-password")).to_be_visible()
            expect(page.locator("#totp-begin")).to_be_hidden()
            expect(page.locator("#token-make")).to_be_hidden()
            page.fill("#password-change [name=password]", first)
            page.fill("#password-change [name=new_password]", own)
            page.get_by_role("button", name="Change, and sign out everywhere").click()
            expect(page.locator("#password-step")).to_be_visible()
    expect(page.locator("#link")).to_have_text("live")
    assert seen.complaints == []
    context.close()


def test_who_may_not_see_users_is_not_shown_the_way_there(
    served: Served, fleet: Fleet, browser: Browser
) -> None:
    grants = [Grant(Role.VIEWER, COMPANY)]
    enter_account(served.storage, served.clock, "vera", grants, password=PASSWORD)
    context = browser.new_context()
    page = visit(context, served.address).page
    page.fill("#name", "vera")
    page.fill("#password", PASSWORD)
    page.click("#password-step button")
    expect(page.locator("#link")).to_have_text("live")
    expect(page.get_by_role("link", name="Account")).to_be_visible()
    expect(page.get_by_role("link", name="Users")).to_be_hidden()
    context.close()


@pytest.mark.parametrize("path", ["/account", "/users", "/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_telephone_and_can_be_read(
    served: Served, fleet: Fleet, browser: Browser, path: str, scheme: str
) -> None:
    dark = scheme == "dark"
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme="dark" if dark else "light"
    )
    page = visit(context, served.address).page
    sign_in(page)
    page.goto(f"{served.address}{path}")
    expect(page.get_by_role("link", name="Users")).to_be_visible()
    expect(page.locator("main li, main .site").first).to_be_visible()
    photograph(page, f"{path.strip('/') or 'sites'}-390-{scheme}")
    assert page.evaluate(_WIDE, 390) == []
    assert page.evaluate(_FAINT, 4.5) == []
    context.close()
