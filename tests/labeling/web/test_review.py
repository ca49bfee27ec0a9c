"""The adjudicator's page, and whose verdict it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import labelers
import pytest
from labelers import NAMES, Client, press, signed_in, told, vote

from rarecase.labeling.store.service import Row
from rarecase.labeling.store.settings import Settings


def disputed(url, count):
    """Ann and Bob differ on so many texts."""
    for name, label in (("ann", 0), ("bob", 1)):
        client = Client(url, name)
        for _ in range(count):
            client.say(vote(client.say()["queue"][0]["item"], NAMES[label]))


@pytest.fixture
def reviewing(browser, tmp_path) -> Callable:
    """Opens Eve's page, where so many texts wait for her, and gives the page, its address, and who reviewed what."""

    @contextmanager
    def opened(count: int) -> Iterator[tuple]:
        store = tmp_path / "labels.sqlite"
        labelers.fill(store, labelers.posts(count))
        service = labelers.service(store)

        def judges() -> dict[str, str]:
            with service.state() as state:
                return {item.id: item.verdict.reviewer for item in state.items.values() if item.verdict}

        with labelers.running(store, Settings(votes=2)) as url:
            disputed(url, count)
            with signed_in(browser, url, "eve", to="/settle/") as page:
                yield page, url, judges

    return opened


def lose_the_answer(route):
    route.fetch()
    route.abort()


def fay_signs_in(page, url):
    """In another tab of the same browser, of which this page learns nothing."""
    page.context.request.post(f"{url}/logout")
    page.context.request.post(f"{url}/sign-in", form={"name": "fay"})


def test_a_verdict_never_becomes_that_of_whoever_signs_in_later(reviewing):
    with reviewing(3) as (page, url, judges):
        first = press(page, "3")
        assert judges() == {first: "eve"}
        other = page.context.new_page()
        other.context.request.post(f"{url}/logout")
        other.goto(url, wait_until="domcontentloaded")
        other.get_by_label("Your name").fill("fay")
        other.keyboard.press("Enter")
        other.get_by_text("labelled by you").wait_for()
        page.locator("#me", has_text="eve").wait_for()
        page.keyboard.press("3")  # in the tab that says it is Eve's
        told(page, "Not counted: fay is signed in now.")
        assert judges() == {first: "eve"}
        page.locator("#me", has_text="fay").wait_for()
        second = press(page, "3")
        assert judges() == {first: "eve", second: "fay"}


def test_a_verdict_that_had_no_answer_is_not_sent_again_in_anothers_name(reviewing):
    with reviewing(1) as (page, url, judges):
        page.locator("#post[data-item]").wait_for()
        page.route("**/component_server/", lambda route: route.abort())
        page.keyboard.press("3")
        told(page, "Not counted yet.")
        fay_signs_in(page, url)
        page.unroute("**/component_server/")
        page.keyboard.press("3")
        told(page, "Not counted: fay is signed in now.")
        assert judges() == {}
        press(page, "3")
        assert list(judges().values()) == ["fay"]


def test_a_wrong_key_is_taken_back_and_after_a_refresh_too(reviewing):
    with reviewing(3) as (page, _, judges):
        page.locator("#post[data-item]").wait_for()
        page.keyboard.press("Backspace")
        told(page, "Not counted: there is nothing to undo.")
        first, second = press(page, "3"), press(page, "x")
        assert press(page, "Backspace") not in (first, second)
        assert (labelers.item(page), judges()) == (second, {first: "eve"})  # what was undone is shown
        told(page, "Undone.")
        page.reload(wait_until="domcontentloaded")
        assert press(page, "Backspace") == second
        assert (labelers.item(page), judges()) == (first, {})
        assert press(page, "s") == first  # put off, decided later and taken back, it is shown all the same
        press(page, "1")
        press(page, "1")
        assert press(page, "2") == first
        page.get_by_text("Nothing to review.").wait_for()
        page.get_by_role("button", name="Undo").click()
        page.locator(f"#post[data-item='{first}']").wait_for()


def test_what_was_put_off_is_shown_again_in_that_order(tmp_path):
    store = tmp_path / "labels.sqlite"
    labelers.fill(store, labelers.posts(3))
    with labelers.running(store, Settings(votes=2)) as url:
        disputed(url, 3)
        eve, shown = Client(url, "eve"), []
        for _ in range(6):
            shown.append(eve.settle(later=shown[-3:], now=shown[-1:])["dispute"]["item"])
        assert len({*shown[:3]}) == 3
        assert shown[3:] == shown[:3]


def test_what_was_put_off_and_is_shown_again_stays_when_another_text_comes(reviewing, tmp_path):
    with reviewing(2) as (page, _, judges):
        first, second = press(page, "s"), press(page, "s")
        assert labelers.item(page) == first
        assert press(page, "s") == first
        assert press(page, "3") == second
        service = labelers.service(tmp_path / "labels.sqlite")
        service.add("b2", NAMES, [Row("r0", "one more text")])
        for name, label in (("ann", 0), ("bob", 1)):
            service.vote(name, service.queue(name).queue[0]["item"], NAMES[label])
        page.get_by_text("2 to review", exact=True).wait_for()
        assert press(page, "3") == first
        assert judges() == {first: "eve", second: "eve"}


def test_an_undo_without_an_answer_is_one_and_never_anothers(reviewing):
    with reviewing(2) as (page, url, judges):
        first, second = press(page, "3"), press(page, "3")

        page.route("**/component_server/", lose_the_answer)
        page.keyboard.press("Backspace")
        told(page, "Not counted yet.")
        page.unroute("**/component_server/")
        page.keyboard.press("Backspace")
        told(page, "Undone.")
        assert judges() == {first: "eve"}
        assert labelers.item(page) == second
        fay_signs_in(page, url)
        page.keyboard.press("Backspace")
        told(page, "Not counted: fay is signed in now.")
        page.keyboard.press("Backspace")
        told(page, "Not counted: there is nothing to undo.")
        assert judges() == {first: "eve"}


def test_a_decision_whose_answer_was_lost_is_taken_back_after_the_one_before_was_refused(reviewing):
    with reviewing(4) as (page, _, judges):
        first = press(page, "3")
        page.locator("#post[data-item]").wait_for()
        second = labelers.item(page)
        page.route("**/component_server/", lose_the_answer)
        page.keyboard.press("3")
        told(page, "Not counted yet.")
        page.unroute("**/component_server/")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # it asks how things are
        page.locator(f"#post:not([data-item='{second}'])").wait_for()
        third = press(page, "3")
        press(page, "Backspace")
        assert (labelers.item(page), judges()) == (third, {first: "eve", second: "eve"})
        page.keyboard.press("Backspace")
        told(page, "is not your last one")
        assert labelers.item(page) == third
        assert press(page, "Backspace") == third
        assert (labelers.item(page), judges()) == (second, {first: "eve"})


def test_a_raw_verdict_in_anothers_name_is_refused(tmp_path):
    store = tmp_path / "labels.sqlite"
    labelers.fill(store, labelers.posts(1))
    with labelers.running(store, Settings(votes=2)) as url:
        disputed(url, 1)
        eve = Client(url, "eve")
        item = eve.settle()["dispute"]["item"]
        verdict = labelers.act("settle", item=item, label=NAMES[2])
        for raw in (verdict, {"undo": "", "event": verdict["event"]}):
            refused = eve.settle(me="fay", **raw)["told"]
            assert (refused["accepted"], refused["reason"]) == (False, "eve is signed in now")
        assert eve.settle(me="eve", **verdict)["told"]["accepted"]
