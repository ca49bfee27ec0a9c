"""
Pictures of every view of the pages, on a phone and on a desktop, in light and dark, for eyes: `make screenshots`
writes them to `screenshots/`. A view that does not come, or is wider than its screen, fails.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import demo_spaces
import labelers
import pytest
from labelers import NAMES, SIZES, labeling, press, saved, served, signed_in, told

from rarecase.labeling.store.settings import Settings

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[1] / "screenshots"
LOOKS = list(itertools.product(SIZES, ("light", "dark")))
MANY = [
    f"{action} {thing}" for action in ("ask about", "cancel", "order") for thing in map("thing {}".format, range(50))
]
TEXTS = labelers.posts(12)


@pytest.fixture(params=LOOKS, ids="-".join)
def look(request):
    """A name for pictures of this screen, and the options of a browser that has it."""
    size, scheme = request.param
    phone = size == "phone"
    return f"{size}-{scheme}", {
        "color_scheme": scheme,
        "has_touch": phone,
        "is_mobile": phone,
        "viewport": SIZES[size],
    }


@pytest.fixture
def picture(look) -> Callable:
    """Writes a picture of the whole page under the name of its view."""
    FOLDER.mkdir(exist_ok=True)
    name, options = look

    def take(page, view: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= options["viewport"]["width"], view
        page.screenshot(path=FOLDER / f"{view}-{name}.png", full_page=True, animations="disabled")

    return take


def test_signing_in(browser, tmp_path, look, picture):
    with served(tmp_path, TEXTS) as server, signed_in(browser, server.url, "ann", **look[1]) as page:
        page.locator("#post[data-item]").wait_for()
        page.get_by_role("button", name="Another device").click()
        page.get_by_text("It works once").wait_for()
        picture(page, "another-device")
        page.get_by_role("link", name="Back to labeling").click()
        page.get_by_role("button", name="Sign out").click()
        picture(page, "sign-in")
        labelers.Client(server.url, "bob")
        page.get_by_label("Your name").first.fill("bob")
        page.get_by_role("button", name="Sign in").first.click()
        page.get_by_text("Signed in on another device already?").wait_for()
        picture(page, "name-is-taken")


def test_labeling(browser, tmp_path, look, picture):
    settings = Settings(votes=2)
    with (
        served(tmp_path, TEXTS[:4], settings=settings, suggestion=NAMES[1]) as server,
        labeling(browser, server, **look[1]) as page,
    ):
        picture(page, "labeling-warned")
        page.get_by_role("button", name="I have read this").click()
        picture(page, "labeling")
        page.get_by_label("Blur until I look").check()
        picture(page, "labeling-blurred")
        page.get_by_label("Blur until I look").uncheck()
        press(page, "1")
        told(page, "You said")
        picture(page, "labeling-answered")
        page.keyboard.press("c")
        page.locator("#said").fill("a comment")
        for closed in page.locator("summary").filter(visible=True).all():
            closed.click()
        picture(page, "labeling-comment")
        page.get_by_role("button", name="Cancel").click()
        for _ in range(2):
            press(page, "2")
        page.keyboard.press("3")
        page.get_by_text("4 labelled by you, 0 left for you.").wait_for()
        saved(page)
        picture(page, "labeling-done")


def test_many_classes(browser, tmp_path, look, picture):
    with served(tmp_path, TEXTS, MANY) as server, labeling(browser, server, **look[1]) as page:
        picture(page, "many-classes")
        page.get_by_label(f"Find one of {len(MANY)} classes").fill("cancel 7")
        picture(page, "many-classes-found")


def test_review(browser, tmp_path, look, picture):
    with served(tmp_path, TEXTS[:6], settings=Settings(votes=2)) as server:
        for name, labels in (("bob", (0, 1, 2, 3, 4, 5)), ("eve", (0, 2, 2, 1, 4, 0))):
            client = labelers.Client(server.url, name)
            for label in labels:
                row = client.say()["queue"][0]
                client.say(labelers.act("comment", item=row["item"], text="a comment"))
                client.say(labelers.vote(row["item"], NAMES[label]))
        with signed_in(browser, server.url, "ann", to="/settle/", **look[1]) as page:
            page.locator("#post[data-item]").wait_for()
            page.locator("#confusion td").first.wait_for()
            picture(page, "review")
            press(page, "1")
            told(page, "Reviewed: self-harm.")
            picture(page, "review-answered")
            press(page, "2")
            page.keyboard.press("3")
            page.get_by_text("Nothing to review").wait_for()
            picture(page, "review-done")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The address of the demo Space of a run."""
    with demo_spaces.of_the_run(tmp_path_factory.mktemp("space")) as running:
        yield running.url


def test_demo_space(browser, demo, look, picture):
    page = browser.new_page(**look[1])
    page.goto(demo, wait_until="domcontentloaded")
    page.get_by_label("A text").fill("Can my landlord keep the deposit over one scratch?")
    picture(page, "demo-first")
    page.get_by_role("button", name="Ask the model").click()
    page.get_by_text("Likeliest:").wait_for()
    picture(page, "demo-asked")
    for tab, there in (
        ("Map", ".scatterlayer .trace"),
        ("Results", ".bartext"),
        ("Variations", "text=Content warning"),
    ):
        page.get_by_role("tab", name=tab).click()
        page.locator(there).filter(visible=True).first.wait_for()
        picture(page, f"demo-{tab.lower()}")
    page.get_by_role("button", name="Show the texts").click()
    page.locator(".card .text").first.wait_for()
    picture(page, "demo-variations-shown")
    page.close()
