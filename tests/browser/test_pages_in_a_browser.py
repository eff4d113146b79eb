"""The dashboard as people use it: clicked, typed into, without JavaScript, and by those who do not see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from showcase_kinds import OPEN, kinds
from tabs import Watched

pytestmark = pytest.mark.timeout(600)

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def long_log(site: Path) -> str:
    return next(iter(sorted(site.glob("jobs/0*/*-1.html")))).relative_to(site).as_posix()


# -- clicked and typed into


def test_jobs_are_filtered_by_words_and_state_and_the_address_says_how(watched: Watched) -> None:
    page = watched.go("jobs/index.html")
    rows = page.locator("table.jobs tbody tr")
    before = rows.count()
    page.keyboard.press("s")
    page.keyboard.type("unit")
    expect(page.locator("#filter output")).to_have_text(re.compile(r"^\d+ of \d+$"))
    assert 0 < page.locator("table.jobs tbody tr:visible").count() < before
    page.get_by_label("State").select_option("failure")
    assert page.url.endswith("#q=unit&state=failure")
    page.reload()
    assert page.get_by_label("Filter these jobs").input_value() == "unit"
    assert (
        page.locator("table.jobs tbody tr:visible").count()
        == page.locator("tr[data-state=failure]:visible").count()
    )


def test_all_jobs_are_searched_in_the_pieces_of_an_index(watched: Watched) -> None:
    page = watched.go("jobs/index.html")
    page.get_by_role("link", name="Search the jobs of all days").click()
    page.get_by_label("Search all jobs").fill("e2e")
    page.get_by_label("State").select_option("failure")
    expect(page.locator("#search output")).to_have_text(re.compile(r"^\d+ found$"))
    rows = page.locator("#search tbody tr")
    assert rows.count() > 1 and all("e2e" in text for text in rows.all_inner_texts())
    rows.first.get_by_role("link").click()
    expect(page.locator("h1")).to_contain_text("e2e")
    page.go_back()
    expect(page.locator("#search output")).to_have_text(re.compile(r"^\d+ found$"))
    page.get_by_label("Search all jobs").fill("nothing is called so")
    expect(page.locator("#search output")).to_have_text("nothing found")


def test_a_graph_is_searched_chosen_zoomed_moved_and_taken_away(watched: Watched) -> None:
    page = watched.go("packages.html")
    graph = page.locator(".graph").first
    svg, boxes = graph.locator("svg"), graph.locator("a.node")
    assert boxes.count() == 14
    graph.get_by_label("Find a package").fill("payment")
    expect(graph.locator(".chosen")).to_contain_text("payment")
    assert 0 < graph.locator("a.node.far").count() < 14
    boxes.nth(0).click()
    expect(boxes.nth(0)).to_have_attribute("aria-current", "true")
    expect(page.locator("tr.chosen")).to_have_count(1)
    boxes.nth(0).click()
    expect(graph.locator(".far")).to_have_count(0)
    graph.get_by_role("button", name="Fit").click()
    whole = svg.get_attribute("viewBox")
    graph.get_by_role("button", name="Larger").click()
    assert svg.get_attribute("viewBox") != whole
    graph.get_by_role("button", name="Fit").click()
    at = boxes.nth(1).bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + 20, at["y"] + 10)
    page.mouse.down()
    page.mouse.move(at["x"] + 60, at["y"] + 50, steps=4)
    page.mouse.up()
    after = boxes.nth(1).bounding_box()
    assert after is not None and after["x"] - at["x"] == pytest.approx(40, abs=3)
    expect(graph.locator("[aria-current]")).to_have_count(0)
    for name, begins in (("Save as SVG", b"<svg"), ("Save as PNG", b"\x89PNG")):
        with page.expect_download() as waiting:
            graph.get_by_role("button", name=name).click()
        data = Path(waiting.value.path()).read_bytes()
        assert data.startswith(begins) and b"light-dark" not in data
        assert len(data) > 5000


def test_a_graph_is_walked_through_by_the_keyboard(tab: Watched) -> None:
    page = tab.go("packages.html")
    graph = page.locator(".graph").first
    graph.locator("a.node").nth(3).focus()
    page.keyboard.press("Enter")
    expect(graph.locator("[aria-current]")).to_have_count(1)
    before = graph.locator("svg").get_attribute("viewBox")
    page.keyboard.press("+")
    assert graph.locator("svg").get_attribute("viewBox") != before
    page.keyboard.press("Escape")
    expect(graph.locator("[aria-current]")).to_have_count(0)


def test_a_log_has_anchors_groups_the_next_failure_and_a_download(watched: Watched, site: Path) -> None:
    failed = next(
        each for each in sorted(site.glob("jobs/0*/*.html")) if "undefined reference" in each.read_text()
    )
    page = watched.go(failed.relative_to(site).as_posix() + "#L3")
    expect(page.locator("#L3")).to_be_visible()
    page.locator("#L7 a").click()
    assert page.url.endswith("#L7")
    page.locator("h1").click()
    page.keyboard.press("f")
    expect(page.locator(".log .found")).to_contain_text("undefined reference")
    page.keyboard.press("g")
    expect(page.locator("#L2")).to_be_hidden()
    page.get_by_label("Search the log").fill("git.example.org")
    page.keyboard.press("Enter")
    expect(page.locator("#L2")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    assert "undefined reference" in Path(waiting.value.path()).read_text()


def test_a_log_on_several_pages_is_searched_through_all_of_them(watched: Watched, site: Path) -> None:
    page = watched.go(long_log(site))
    page.get_by_label("Search the log").fill("module 5990 of")
    page.keyboard.press("Enter")
    expect(page.locator(".log .found")).to_contain_text("module 5990 of")
    assert not page.url.endswith("-1.html")
    page.keyboard.press("Enter")
    expect(page.locator(".tools output")).to_have_text("nothing further")


def test_the_look_that_was_chosen_stays(tab: Watched) -> None:
    page = tab.go("index.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Show it dark").click()
    assert page.evaluate(ground) != light
    page.get_by_role("link", name="Servers", exact=True).first.click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(ground) != light


def test_the_first_key_leads_past_the_navigation(tab: Watched) -> None:
    page = tab.go("index.html")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


@pytest.mark.parametrize(("hours", "said"), [(0, ""), (1.5, "1 h 30 min old"), (9, "may be down")])
def test_a_page_says_how_old_it_is_by_how_often_it_is_made(tab: Watched, hours: float, said: str) -> None:
    page = tab.page
    page.add_init_script(f"Date.now = () => Date.parse(window.bnetBuilt) + {hours * 3600_000};")
    tab.go("jobs/index.html")
    stale = page.locator("#stale")
    expect(stale).to_have_text(re.compile(said)) if said else expect(stale).to_be_hidden()
    assert ("dead" in (stale.get_attribute("class") or "")) == (hours > 2)


# -- without JavaScript, and by those who do not see it


def test_without_javascript_all_is_there(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = Watched(context, f"file://{site}")
    page = tab.go("packages.html")
    boxes = page.locator(".graph").first.locator("a.node")
    assert boxes.count() == 14
    boxes.nth(0).click()
    assert re.search(r"#p1-\d+$", page.url)
    for path, text in (
        ("index.html", "Running"),
        ("servers/dune.html", "The last fourteen days"),
        ("jobs/search.html", "takes JavaScript"),
        (long_log(site), "compiling module 3"),
        ("history.html", "Commits by job"),
        ("cache.html", "By server"),
    ):
        expect(tab.go(path).locator("main")).to_contain_text(text)
    tab.check()
    context.close()


def test_axe_finds_nothing_on_any_page_light_or_dark(browser: Browser, site: Path) -> None:
    context = browser.new_context(viewport=DESK, bypass_csp=True)  # axe is put into the page
    page, axe, found = context.new_page(), Axe(), []
    page.set_default_timeout(60_000)
    for name, path in kinds(site).items():
        page.emulate_media(color_scheme="light")
        page.goto(f"file://{path}")
        page.evaluate(OPEN)
        told = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        page.emulate_media(color_scheme="dark")  # which changes colours and nothing else
        told += axe.run(
            page, options={"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
        ).response["violations"]
        for each in told:
            found.append(f"{name}: {each['id']}: {[node['html'][:120] for node in each['nodes'][:3]]}")
    context.close()
    assert not found, "\n".join(found)


def test_on_a_desk_every_page_can_be_seen_in_the_navigation(tab: Watched) -> None:
    page = tab.go("index.html")
    for wide in (720, 1024, 1280):
        page.set_viewport_size({"width": wide, "height": 800})
        assert page.evaluate(
            "(bar => bar.scrollWidth <= bar.clientWidth)(document.querySelector('.top nav'))"
        )


def test_on_a_phone_no_page_is_wider_than_it(browser: Browser, site: Path) -> None:
    context = browser.new_context(viewport=PHONE)
    page, wide = context.new_page(), []
    for name, path in kinds(site).items():
        page.goto(f"file://{path}")
        page.evaluate(OPEN)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append((name, _widest(page)))
    context.close()
    assert not wide


def _widest(page: Page) -> str:
    return str(
        page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
            ".slice(0, 3).map(e => e.outerHTML.slice(0, 100)).join(' | ')"
        )
    )
