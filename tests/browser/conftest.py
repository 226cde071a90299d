"""A real Chromium on a live server, and data for every page to show.

The data is made before the browser starts: Playwright's event loop runs in this thread from then
on, and Django refuses queries beside one.
"""

import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from activity.models import Generation, Rejection
from routing.models import AutoRouterSettings
from tests.factories import (
    DECISION,
    PASSWORD,
    make_attempt,
    make_generation,
    make_key,
    make_model,
    make_user,
)

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture
def generation(transactional_db) -> Generation:
    """One request of ada, who has a key, settings and a pool of models; grace has nothing yet."""
    make_user(username="grace")
    user = make_user(username="ada", is_staff=True)
    key = make_key(user, limit=Decimal(5), limit_reset="monthly")
    make_model("anthropic/claude-haiku-4.5")
    make_model("openai/gpt-5")
    AutoRouterSettings.objects.create(user=user, allowed_models=["anthropic/*", "nobody/*"])
    lines = [{"class": "prompt", "quantity": 120, "price": "0.000001", "cost": "0.00012"}]
    row = make_generation(
        user, key_id=key.pk, decision=DECISION, cost=Decimal("0.00012"), cost_lines=lines
    )
    make_attempt(row)
    statuses = ["failed", "cancelled", "interrupted"]
    [make_generation(user, status=status) for status in statuses]
    Rejection.objects.create(
        day=row.created_at.date(),
        key_id=key.pk,
        user_id=user.pk,
        code=403,
        error_type="key_limit_exceeded",
        count=12,
    )
    return row


@pytest.fixture
def paths(generation) -> list[str]:
    """Every page of a signed-in user."""
    return [
        "/activity",
        "/activity?model=nobody/*&status=nonsense",
        f"/activity/{generation.pk}",
        "/settings/plugins",
        "/settings/plugins/auto-router",
        "/settings/keys",
        "/settings/keys/new",
        f"/settings/keys/{generation.key_id}",
        f"/settings/keys/{generation.key_id}/delete",
        "/account/password",
        "/sign-in/link/used-up",
        "/nowhere",
    ]


@pytest.fixture
def chromium(live_server, generation) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, live_server) -> Callable[..., Page]:
    """Opens a page of a new visitor; takes what a Playwright context takes."""

    def open_page(**options) -> Page:
        return chromium.new_context(base_url=live_server.url, **options).new_page()

    return open_page


@pytest.fixture
def signed_in(open_page) -> Callable[..., Page]:
    def signed_in(username: str = "ada", **options) -> Page:
        page = open_page(**options)
        page.goto("/sign-in")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/activity")
        return page

    return signed_in
