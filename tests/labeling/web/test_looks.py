"""The labeling page and the reviewer's in a browser: what people see, whatever the texts hold."""

import labelers
import pytest
from labelers import NAMES, SIZES, item, labeling, press, saved, served, signed_in, told, votes

from rarecase.labeling.store.service import Row
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.transaction import QUEUE_LENGTH

HOSTILE = (
    "<img src=x onerror='window.RAN=1'><b>bold</b><script>window.RAN=2</script>",
    "${window.RAN=3} `tick` {{value}} {{{value}}} @children {% raw %}",
    "</textarea></main><script>window.RAN=4</script>&lt;i&gt; &amp; \\u003cb\\u003e",
    "\u202eturned\u202c \u2067and\u2069  two  spaces\nand a second line \u200f",
    "\u05e9\u05dc\u05d5\u05dd \u202d\u202e\u202e\u202e never closed",
)
# Text in sight whose colour is too close to what is behind it, with the ratio of WCAG 2.
PALE = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = found => {
    for (let e = found; e; e = e.parentElement) {
      const colour = channels(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')]
    .filter(e => e.checkVisibility() && !e.disabled && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => {
      const [a, b] = [light(channels(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), e.textContent.trim().slice(0, 40)];
    })
    .filter(([ratio]) => ratio < 4.5);
}"""
# The colours of what the browser draws: boxes to tick, bars to scroll by, the cross that empties a filter.
OWN = "filter => getComputedStyle(filter).colorScheme.replace('normal', 'light')"
# Classes that look unlike most of them.
MARKED = """() => {
  const look = ({borderColor, outlineStyle}) => `${borderColor} ${outlineStyle}`;
  const looks = Array.from(document.querySelectorAll('#classes button'), button => look(getComputedStyle(button)));
  return looks.filter(found => found !== looks.at(-1));
}"""
# How far the head of a table goes with it when it scrolls.
SCROLLED = """wide => {
  wide.style.maxHeight = '6rem';
  wide.scrollTop = 30;
  const top = element => element.getBoundingClientRect().top;
  return wide.scrollTop === 30 ? top(wide.querySelector('thead th')) - top(wide) : null;
}"""
# 151 classes, as many as some sets of intents have.
ACTIONS, KINDS = ("ask", "cancel", "change", "find", "order", "pay"), ("big", "new", "old", "red", "used")
THINGS = ("bicycle", "garden", "letter", "parcel", "ticket")
MANY = [*(f"{action}_{kind}_{thing}" for action in ACTIONS for kind in KINDS for thing in THINGS), "order"]
MANY[50] = "constructor"  # which every object of JavaScript has


def test_a_blurred_text_is_no_vote_until_somebody_looks(browser, tmp_path):
    with served(tmp_path, labelers.posts(5)) as server, labeling(browser, server) as page:
        page.get_by_label("Blur until I look").check()
        assert page.locator("#post.covered").get_attribute("aria-hidden") == "true"
        page.keyboard.press("1")
        told(page, "Not counted: look at the text first (Enter).")
        page.keyboard.press("Enter")
        assert not page.locator("#post.covered").count()
        press(page, "1")
        page.locator("#post.covered[data-item]").wait_for()
        page.reload(wait_until="domcontentloaded")
        page.locator("#post.covered[data-item]").wait_for()
        page.locator("#look").click()
        page.keyboard.press("c")
        page.keyboard.type("a comment")
        page.keyboard.press("Enter")
        told(page, "Comment kept: a reviewer reads it if the text comes to review. Flag (F) sends it there.")
        press(page, "2")
        page.locator("#post.covered[data-item]").wait_for()
        page.keyboard.press("Enter")  # is not to open the comment again
        page.locator("#post:not(.covered)").wait_for()
        saved(page)
        assert len(votes(server)) == 2


def test_before_there_is_anything_the_pages_say_so_and_show_nothing_empty(browser, tmp_path):
    store = tmp_path / "labels.sqlite"
    with labelers.running(store) as url, signed_in(browser, url, "ann", to="/settle/") as page:
        page.get_by_text("Nothing to review.").wait_for()
        assert not page.get_by_text("The columns count pairs of votes").is_visible()
        assert not page.locator("#wide").is_visible()
        page.goto(url, wait_until="domcontentloaded")
        page.get_by_text("There is nothing to label at the moment.").wait_for()
        assert page.locator("#progress").inner_text() == "0 labelled by you, 0 left for you."
        assert page.locator("summary").filter(visible=True).all_inner_texts() == ["Keys"]
        service = labelers.service(store)
        service.add("b1", ["one", "other"], [Row("a", "a text")])
        service.add("known", ["one", "other"], [Row("b", "b text", known="one")], use="qualify")
        labelers.look(page)
        page.get_by_text("1 left for you in the qualification round, which comes first. 0 of 1 decided.").wait_for()
        assert not page.locator("#meanings").is_visible()  # nobody said what they mean
        press(page, "1")
        page.get_by_text("1 labelled by you, 1 left for you. 0 of 1 decided.").wait_for()


def test_after_half_an_hour_of_labeling_a_break_is_suggested(browser, tmp_path):
    with served(tmp_path, labelers.posts(40)) as server, signed_in(browser, server.url, "ann") as page:
        page.clock.install()
        page.reload(wait_until="domcontentloaded")
        page.locator("#post[data-item]").wait_for()
        for minutes in range(0, 30, 4):
            press(page, "1")
            assert not page.locator("#break").is_visible(), minutes
            page.clock.fast_forward(4 * 60_000)
        press(page, "1")
        page.locator("#break").wait_for()
        with page.expect_response(lambda r: "component_server" in r.url and "agreement" in r.json()):
            for key in "12":  # who labels without a rest is told of the agreement all the same
                press(page, key)
                saved(page)
                page.clock.fast_forward(10_000)
        page.get_by_role("button", name="Go on").click()
        assert not page.locator("#break").is_visible()
        for _ in range(3):  # with breaks in between
            page.clock.fast_forward(20 * 60_000)
            press(page, "1")
        assert not page.locator("#break").is_visible()


def test_the_warning_is_there_before_and_after_the_sign_in(browser, tmp_path):
    with served(tmp_path, labelers.posts(3)) as server:
        page = browser.new_page()
        assert page.goto(server.url, wait_until="domcontentloaded").status == 401
        page.get_by_text("Content warning.").wait_for()
        page.close()
        with labeling(browser, server) as page:
            page.get_by_text("Content warning.").wait_for()
            page.get_by_role("button", name="I have read this").click()
            page.reload(wait_until="domcontentloaded")
            page.locator("#post[data-item]").wait_for()
            assert not page.get_by_text("Content warning.").is_visible()


@pytest.mark.parametrize("size", SIZES)
def test_texts_comments_and_classes_are_shown_as_they_are_whatever_they_hold(browser, tmp_path, size):
    texts = [*HOSTILE, "a\ud800b\0c", "long " * 200_000]
    names = [
        "<b onclick='window.RAN=5'>odd</b>",
        "${window.RAN=6} {{x}}",
        "\u202eodd",
        *(f"class {i}" for i in range(9)),
    ]
    with (
        served(tmp_path, texts, names, settings=Settings(votes=2)) as server,
        labeling(browser, server, "ann") as ann,
        labeling(browser, server, "bob") as bob,
        signed_in(browser, server.url, "eve", to="/settle/") as eve,
    ):
        for page in (ann, bob, eve):
            page.set_viewport_size(SIZES[size])
        shown = ["ab\ufffdc".replace("ab", "a").replace("\ufffd", "\ufffdb") if "\0" in t else t for t in texts]
        for place, text in enumerate(shown):
            ann.wait_for_function("text => document.querySelector('#post').textContent === text", arg=text)
            assert ann.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
            ann.keyboard.press("c")
            ann.locator("#said").fill(HOSTILE[place % len(HOSTILE)])
            ann.get_by_role("button", name="Send").click()
            told(ann, "Comment kept: a reviewer reads it if the text comes to review. Flag (F) sends it there.")
            press(ann, "1")
            press(bob, "2")
        told(ann, f"You said {names[0]}.")
        assert ann.locator("#classes .name").all_text_contents() == names
        for place, text in enumerate(shown):
            eve.wait_for_function("text => document.querySelector('#post').textContent === text", arg=text)
            assert eve.locator(".vote").all_text_contents() == names[:2]
            assert eve.locator("#comments li").all_text_contents() == [HOSTILE[place % len(HOSTILE)].strip()]
            assert eve.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
            if place % 2:
                press(eve, "2")
            else:
                before = item(eve)
                eve.locator("#classes button").last.click()  # a class without a key
                eve.wait_for_function("b => document.querySelector('#post').dataset.item !== b", arg=before)
        eve.get_by_text("Nothing to review").wait_for()
        decided = server.service.take("b1")
        assert {d.label for _, d in decided} == {names[1], names[-1]}
        with server.service.state() as state:
            assert state.cleaned == {"nul": 1, "surrogates": 1}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everything_is_legible_and_fits_in_light_and_dark(browser, tmp_path, size, scheme):
    texts = labelers.posts(3 * QUEUE_LENGTH)
    with served(tmp_path, texts, settings=Settings(votes=2), suggestion="legal-advice") as server:
        for name, label in (("bob", 0), ("eve", 1)):
            client = labelers.Client(server.url, name)
            for _ in range(3):
                row = client.say()["queue"][0]
                client.say(labelers.act("comment", item=row["item"], text="a comment"))
                client.say(labelers.vote(row["item"], NAMES[label]))

        def check(page):
            assert page.evaluate(PALE) == []
            assert page.evaluate(MARKED) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]

        phone = size == "phone"
        with signed_in(browser, server.url, "ann", color_scheme=scheme, has_touch=phone, is_mobile=phone) as page:
            page.set_viewport_size(SIZES[size])
            page.locator("#post[data-item]").wait_for()
            check(page)
            assert page.locator("#filter").evaluate(OWN) == scheme
            assert page.locator("nav").bounding_box()["height"] < 40  # one line
            first = page.locator("#classes button").first
            if phone:
                first.tap()
            else:
                first.click()
                page.mouse.move(0, 0)
            told(page, "You said self-harm. The suggestion was legal-advice.")
            check(page)
            page.keyboard.press("9")
            for closed in page.locator("summary").filter(visible=True).all():
                closed.click()
            page.keyboard.press("c")
            check(page)
            page.goto(f"{server.url}/settle/", wait_until="domcontentloaded")
            page.locator("#post[data-item]").wait_for()
            page.locator("#confusion td").first.wait_for()
            check(page)
            assert page.locator("#sideways").is_visible() == phone
            page.get_by_role("button", name="Sign out").click()
            page.get_by_label("Your name").wait_for()
            check(page)


@pytest.mark.parametrize("size", SIZES)
def test_many_classes_have_keys_and_are_found_by_their_names(browser, tmp_path, size):
    with served(tmp_path, labelers.posts(15), MANY, settings=Settings(votes=2)) as server:
        for name, label in (("bob", MANY[40]), ("cid", MANY[50])):
            client = labelers.Client(server.url, name)
            client.say(labelers.vote(client.say()["queue"][0]["item"], label))
        with labeling(browser, server, has_touch=size == "phone") as page:
            page.set_viewport_size(SIZES[size])
            filtering, shown = page.get_by_label("Find one of 151 classes"), page.locator("#classes button:visible")
            keys = page.locator("#classes [data-key]").evaluate_all("found => found.map(({dataset}) => dataset.key)")
            assert len({*keys} - {*"csfx"}) == len(keys) == 31
            assert page.locator("#classes").bounding_box()["height"] < SIZES[size]["height"] * 0.62
            said = {press(page, key): MANY[place] for key, place in (("2", 1), ("a", 9), ("z", 30))}
            for typed, found, count in (
                ("Ticket OLD can", "cancel_old_ticket", 1),
                ("order", "order", 26),
                ("pay-r", "pay_red_bicycle", 17),
            ):
                saved(page)  # an answer that comes late would take the place of what the page says next
                if size == "phone":
                    filtering.tap()
                else:
                    page.keyboard.press("/")
                page.keyboard.type(f"{typed}zz")
                page.get_by_text("No class has these words.", exact=True).wait_for()
                page.keyboard.press("Enter")
                told(page, "Not counted: no class has these words.")
                page.keyboard.press("Backspace")
                page.keyboard.press("Backspace")
                assert shown.locator(".name").all_text_contents()[0] == found
                assert shown.count() == count
                if size == "phone":
                    said[item(page)] = found
                    shown.first.tap()
                    told(page, f"You said {found}.")
                else:
                    said[press(page, "Enter")] = found
                assert (filtering.input_value(), shown.count()) == ("", 151)
            saved(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
            found = votes(server)
            assert {item: given["ann"] for item, given in found.items() if "ann" in given} == said
            page.goto(f"{server.url}/settle/", wait_until="domcontentloaded")
            page.locator("#post[data-item]").wait_for()
            filtering.fill("order old t")
            reviewed = press(page, "Enter")
            assert page.locator("#confusion tbody th").all_text_contents() == [MANY[40], MANY[50]]
            assert page.locator("#confusion td").all_text_contents() == ["0.00", "·", "1", "0.00", "1", "·"]
            assert page.locator("#wide").evaluate(SCROLLED) == 0  # its head stays in sight
            with server.service.state() as state:
                assert state.items[reviewed].verdict.label == "order_old_ticket"
