"""A real Chromium on a live server, and data for every page to show.

The data is made before the browser starts: Playwright's event loop runs in this thread from then
on, and Django refuses queries beside one.
"""

import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from activity import candidates
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
    user = make_user(username="ada", is_staff=True, is_superuser=True)
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
def long_names(generation) -> str:
    """The longest of every name that a page may show; gives the page of such a request."""
    user, slug = generation.user, f"{'m' * 90}/{'n' * 100}"
    key = make_key(user, name="k" * 100)
    names = {"routed_model": slug, "provider": "p" * 100, "key_id": key.pk, "key_name": key.name}
    names |= {"requested_model": f"r{slug}", "app": "t" * 100, "end_user": "u" * 256}
    patterns = {"patterns": ["w" * 150 + "/*"], "source": "request"}
    ranked = candidates.store([(slug, 0.81, 0.00123, 0.512, 0.74, 0.87)])
    decision = DECISION | {"allowed": patterns, "candidates": ranked, "chosen": slug}
    tokens = {"prompt_tokens": 1_234_567, "cached_tokens": 99_120, "completion_tokens": 123_456}
    row = make_generation(
        user, decision=decision, cost=Decimal("12.5"), latency_ms=123_456, **names, **tokens
    )
    make_generation(user, status="failed", error_code=502, error_type="e" * 60, **names)
    make_attempt(row, status="failed", http_status=503, error_type="e" * 60, latency_ms=15_000)
    day, code = row.created_at.date(), "f" * 60
    Rejection.objects.create(
        day=day, key_id=key.pk, user_id=user.pk, code=403, error_type=code, count=10**6
    )
    AutoRouterSettings.objects.update(allowed_models=["anthropic/*", "v" * 150 + "/*"])
    make_model(slug)
    return f"/activity/{row.pk}"


@pytest.fixture
def large_sums(generation) -> Generation:
    """A request that cost more than a small tile holds."""
    tokens = {"prompt_tokens": 2_000_000_000, "completion_tokens": 27_993}
    return make_generation(generation.user, cost=Decimal("1011250.121811"), **tokens)


@pytest.fixture
def fifty_requests(generation) -> int:
    """A whole page of requests."""
    others = 50 - Generation.objects.count()
    [make_generation(generation.user, app="Notebook", first_token_ms=312) for _ in range(others)]
    return 50


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
