import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from activity.dial import WORDS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AUTO_ROUTER = "/settings/plugins/auto-router"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Boxes that hold more than they show: they would have to be scrolled, or they hide what the title
# does not say. Code scrolls by itself, fields too, and what is for the ear alone is clipped.
CUT = """() => [...document.querySelectorAll("body *")]
  .filter((box) => !box.closest("pre, input, select, textarea, svg, thead, .visually-hidden"))
  .filter((box) => box.clientWidth && box.scrollWidth > box.clientWidth + 1)
  .filter((box) => getComputedStyle(box).overflowX !== "hidden" || !box.title)
  .map((box) => `${box.localName}.${box.className} ${box.scrollWidth} > ${box.clientWidth}`)"""
# Numbers of the tiles that stand on two lines, or beyond the padding of their tile.
BROKEN_FIGURES = """() => [...document.querySelectorAll(".tile dd, .figure dd")].flatMap((dd) => {
  const text = dd.firstChild;
  const number = text.data.trim();
  const range = document.createRange();
  range.setStart(text, text.data.indexOf(number));
  range.setEnd(text, text.data.indexOf(number) + number.length);
  const fits = range.getBoundingClientRect().right <= dd.getBoundingClientRect().right + 1;
  return range.getClientRects().length === 1 && fits ? [] : [number];
})"""
# Chromium reports the status of the page itself as a failed resource.
EXPECTED = ("404 (Not Found)", "410 (Gone)")


def watch(page):
    """Collect the errors of the console; refusals by the security policy are among them."""
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: line.type == "error" and errors.append(line.text))
    return errors


def faults(page, path):
    """What a visitor could complain about on a page."""
    page.goto(path)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
    axe = [(path, one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]]
    wide = [(path, "wider than the window", by)] if (by := page.evaluate(OVERFLOW)) else []
    wide += [(path, "wider than its box", box) for box in cut(page)]
    headings = page.locator("h1").count()
    return axe + wide + ([] if headings == 1 else [(path, "h1", headings)])


def cut(page):
    """The boxes whose content does not fit, with all that can be opened open."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    return page.evaluate(CUT)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_is_accessible_fits_and_logs_no_error(signed_in, paths, scheme, width):
    page = signed_in(color_scheme=scheme, viewport={"width": width, "height": 800})
    errors = watch(page)

    found = [fault for path in paths for fault in faults(page, path)]

    assert found == []
    assert [error for error in errors if not error.endswith(EXPECTED)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_sign_in_is_accessible_and_fits(open_page, scheme, width):
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    errors = watch(page)

    assert faults(page, "/sign-in") == []
    assert errors == []


@pytest.mark.parametrize("width", [320, 1280])
def test_the_first_visit_is_accessible_and_fits(signed_in, width):
    page = signed_in("grace", viewport={"width": width, "height": 800})
    errors = watch(page)

    assert faults(page, "/activity") == []
    assert faults(page, AUTO_ROUTER) == []
    assert errors == []


@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_of_a_new_key_is_accessible_and_copies_it(signed_in, width):
    page = signed_in(
        viewport={"width": width, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.goto("/settings/keys/new")
    page.get_by_label("Name").fill("Notebook")
    page.get_by_role("button", name="Create key").click()
    secret = page.locator("#secret").inner_text()

    page.get_by_role("button", name="Copy the key").click()

    assert page.evaluate("navigator.clipboard.readText()") == secret
    assert page.evaluate(OVERFLOW) == 0
    assert Axe().run(page).violations_count == 0


def test_the_preview_follows_the_typing(signed_in):
    page = signed_in()
    errors = watch(page)
    page.goto(AUTO_ROUTER)
    count = page.locator("#preview-count")
    expect(count).to_have_text("Matches 1 of 2 models")

    page.get_by_label("Allowed models").fill("openai/*\nanthropic/*")
    expect(count).to_have_text("Matches 2 of 2 models")
    page.get_by_label("Excluded models").fill("*")
    expect(count).to_have_text("Matches 0 of 2 models")
    expect(page.locator("#preview")).to_contain_text("No model is left")

    assert errors == []


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_names_of_any_length_push_no_figure_out_of_sight(long_names, signed_in, paths, width):
    page = signed_in(viewport={"width": width, "height": 800})

    found = [(path, box) for path in [*paths, long_names] if page.goto(path) for box in cut(page)]

    assert found == []


@pytest.mark.parametrize("width", [320, 1280])
def test_the_index_of_the_admin_fits(long_names, signed_in, width):
    page = signed_in(viewport={"width": width, "height": 800})

    page.goto("/admin/")

    expect(page.get_by_role("heading", name="Newest errors")).to_be_visible()
    assert [box for box in cut(page) if box.startswith(("td", "table", "section"))] == []


@pytest.mark.parametrize("width", [320, 375, 640, 768, 1280])
@pytest.mark.parametrize("path", ["/activity", "/admin/"])
def test_no_figure_breaks_or_leaves_its_box(large_sums, signed_in, path, width):
    page = signed_in(viewport={"width": width, "height": 800})

    page.goto(path)

    assert page.get_by_text("$1,011,250.12").count()
    assert page.evaluate(BROKEN_FIGURES) == []
    assert page.evaluate(OVERFLOW) == 0


@pytest.mark.parametrize("width", [320, 375, 640, 1280])
def test_clear_stands_beside_apply(signed_in, width):
    page = signed_in(viewport={"width": width, "height": 800})

    page.goto("/activity?status=failed")

    apply = page.get_by_role("button", name="Apply").bounding_box()
    clear = page.get_by_role("link", name="Clear", exact=True).bounding_box()
    assert apply["y"] == clear["y"]
    assert cut(page) == []


def test_fifty_requests_are_a_short_page_on_a_phone(fifty_requests, signed_in):
    page = signed_in(viewport={"width": 320, "height": 800})

    page.goto("/activity")

    assert page.locator(".generation").count() == fifty_requests
    assert page.locator(".generation").first.bounding_box()["height"] <= 150
    assert page.evaluate("document.documentElement.scrollHeight") < 9000


def test_the_mark_of_an_almost_certain_candidate_is_in_its_bar(signed_in, generation):
    page = signed_in()

    page.goto(f"/activity/{generation.pk}")
    page.evaluate("document.querySelector('.quality__mark').setAttribute('x', 99.9)")

    right = "document.querySelector('{}').getBoundingClientRect().right"
    mark, bar = (page.evaluate(right.format(one)) for one in (".quality__mark", ".quality__bar"))
    assert mark <= bar


def test_slider_number_and_words_stay_in_step(signed_in):
    page = signed_in()
    page.goto(AUTO_ROUTER)
    slider, number = page.get_by_role("slider"), page.get_by_role("spinbutton")

    slider.press("Home")
    expect(number).to_have_value("0")
    expect(slider).to_have_attribute("aria-valuetext", f"0, {WORDS[0]}")
    number.fill("10")
    expect(slider).to_have_value("10")
    expect(page.locator("#dial-words-now")).to_have_text(WORDS[10])

    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    expect(number).to_have_value("10")


@pytest.mark.parametrize(
    ("javascript", "control", "keys"),
    [
        (True, "spinbutton", ["ControlOrMeta+a", "2"]),
        (False, "spinbutton", ["ControlOrMeta+a", "2"]),
        (True, "slider", ["Home", "ArrowRight", "ArrowRight"]),
    ],
)
def test_enter_in_the_dial_saves(signed_in, javascript, control, keys):
    page = signed_in(java_script_enabled=javascript)
    page.goto(AUTO_ROUTER)

    for key in [*keys, "Enter"]:
        page.get_by_role(control).press(key)

    expect(page.get_by_role("status").first).to_contain_text("Saved")
    expect(page.get_by_role("spinbutton")).to_have_value("2")


def test_the_colours_change_at_once_and_stay(signed_in):
    page = signed_in(color_scheme="light")
    canvas = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(canvas)

    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(canvas)
    page.reload()

    assert dark != light
    assert page.evaluate(canvas) == dark
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


def test_everything_works_without_javascript(signed_in):
    page = signed_in(java_script_enabled=False)
    page.goto(AUTO_ROUTER)

    page.get_by_label("Allowed models").fill("openai/*")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".preview")).to_contain_text("Matches 1 of 2 models")
    page.get_by_role("spinbutton").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("spinbutton")).to_have_value("3")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="ada").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_what_only_a_script_can_do_is_not_shown_without_one(signed_in, generation):
    page = signed_in(java_script_enabled=False)

    page.goto(f"/activity/{generation.pk}")

    expect(page.locator("[data-copy]")).to_be_hidden()


def test_the_keyboard_alone_is_enough_to_reach_a_request(open_page, generation):
    page = open_page()
    page.goto("/sign-in")
    expect(page.locator("input[name=username]")).to_be_focused()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/activity")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.get_by_role("link", name=generation.routed_model).last.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Why this model")).to_be_visible()


def test_a_double_click_sends_a_form_once(signed_in):
    page = signed_in()
    page.goto("/settings/keys/new")
    send = "() => new SubmitEvent('submit', { bubbles: true, cancelable: true })"
    form = page.locator("main form")

    goes = form.evaluate(f"(form) => [1, 2].map(() => form.dispatchEvent(({send})()))")

    assert goes == [True, False]


def test_one_button_of_a_form_does_not_hold_back_the_other(signed_in):
    page = signed_in()
    page.goto(AUTO_ROUTER)
    press = """(form) => ["Preview", "Save", "Preview"].map((text) => {
      const submitter = [...form.querySelectorAll("button:not([aria-hidden])")]
        .find((one) => one.textContent === text);
      const options = { bubbles: true, cancelable: true, submitter };
      return form.dispatchEvent(new SubmitEvent("submit", options));
    })"""

    goes = page.locator("main form").evaluate(press)

    assert goes == [True, True, False]


def test_the_preview_says_that_one_was_signed_out(signed_in):
    page = signed_in()
    page.goto(AUTO_ROUTER)
    page.context.clear_cookies(name="sessionid")

    page.get_by_label("Allowed models").fill("openai/*")

    expect(page.locator("#preview")).to_contain_text("You were signed out")
    expect(page.locator("#preview-count")).not_to_contain_text("Matches")


@pytest.mark.parametrize("width", [320, 1280])
def test_the_link_of_a_request_is_large_enough_to_tap(signed_in, generation, width):
    page = signed_in(viewport={"width": width, "height": 800})

    link = page.get_by_role("link", name=generation.routed_model).first

    assert link.bounding_box()["height"] >= 24


def test_forced_colours_show_where_one_is(signed_in):
    page = signed_in(forced_colors="active")
    line = "(one) => getComputedStyle(one).textDecorationLine"

    current = page.get_by_role("link", name="Activity", exact=True)
    other = page.get_by_role("link", name="Settings", exact=True)

    assert current.evaluate(line) != other.evaluate(line)


def test_a_request_in_the_admin_fits(signed_in, generation):
    page = signed_in(viewport={"width": 1280, "height": 800})

    page.goto(f"/admin/activity/generation/{generation.pk}/change/")

    expect(page.get_by_role("heading", name="attempts")).to_be_visible()
    assert page.evaluate(OVERFLOW) == 0
