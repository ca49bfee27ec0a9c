"""The labeling page in a browser, and the reviewer's: what people press, and which votes the store has."""

import json
import time
import uuid
from types import SimpleNamespace

import labelers
from labelers import (
    NAMES,
    item,
    keep_told,
    labeling,
    look,
    press,
    saved,
    served,
    shown_kappa,
    signed_in,
    told,
    votes,
    was_told,
)
from sklearn.metrics import cohen_kappa_score

from rarecase.labeling.store.service import Row
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.transaction import QUEUE_LENGTH


def test_two_people_label_by_key_and_a_third_settles_what_they_disagree_on(browser, tmp_path):
    texts = labelers.posts(24)
    with (
        served(tmp_path, texts, settings=Settings(votes=2)) as server,
        labeling(browser, server, "ann") as ann,
        labeling(browser, server, "bob") as bob,
        signed_in(browser, server.url, "eve", to="/settle/") as eve,
    ):
        said = {}
        for number in range(24):
            for page, name, key in ((ann, "ann", number % 6), (bob, "bob", number % 6 if number % 4 else number % 5)):
                said.setdefault(press(page, str(key + 1)), {})[name] = NAMES[key]
        saved(ann), saved(bob)
        ann.get_by_text("Nothing for you at the moment").wait_for()
        assert not ann.locator("#choosing").is_visible()
        assert ann.locator(".tools button:enabled").all_inner_texts() == ["Undo Backspace"]
        ann.keyboard.press("1")
        told(ann, "Not counted: there is no text here.")
        assert votes(server) == said
        expected = f"{cohen_kappa_score([v['ann'] for v in said.values()], [v['bob'] for v in said.values()]):.3f}"
        for page in (ann, bob, eve):
            shown_kappa(page, expected)
        differ = {i for i, given in said.items() if given["ann"] != given["bob"]}
        assert 0 < len(differ) < 24
        for left in range(len(differ), 0, -1):
            eve.get_by_text(f"{left} to review", exact=True).wait_for()
            current = item(eve)
            assert current in differ
            assert sorted(eve.locator(".vote").all_inner_texts()) == sorted(said[current].values())
            assert "ann" not in eve.locator("#settling").inner_text()
            differ.discard(press(eve, "6" if left > 1 else "x"))
        eve.get_by_text("Nothing to review").wait_for()
        decided = server.service.take("b1")
        assert [i.text for i, _ in decided] == texts
        assert [d.label for _, d in decided].count(None) == 1
        shown_kappa(ann, expected)  # a verdict is no vote
        bob.get_by_text("There is nothing to label at the moment").wait_for()


def test_thirty_keys_in_two_seconds_are_votes_on_what_was_on_the_screen(browser, tmp_path):
    with served(tmp_path, labelers.posts(60)) as server, labeling(browser, server) as page:
        begun = page.evaluate(
            "window.REFUSED = 0; const told = document.querySelector('#told');"
            "new MutationObserver(() => REFUSED += told.matches('.refused') ? 1 : 0).observe(told, {childList: true});"
            "performance.now()"
        )
        begin = time.monotonic()
        for number in range(30):
            time.sleep(max(0.0, begin + number / 15 - time.monotonic()))
            page.keyboard.press(str(number % 6 + 1))
        saved(page)
        took = page.evaluate(
            "begun => performance.getEntriesByType('resource')"
            ".filter(({name, startTime}) => name.includes('component_server') && startTime >= begun)"
            ".map(({duration}) => duration)",
            begun,
        )
        pressed = [(i, NAMES[int(key) - 1]) for key, i in page.evaluate("PRESSED")]
        found = {i: given["ann"] for i, given in votes(server).items()}
        # Keys come every 67 ms: those after the end of the queue, while a busy machine answers, may be refused.
        assert len(found) >= 27 - sum(int(max(0, ms - QUEUE_LENGTH * 67) / 67) for ms in took)
        assert found == {i: label for i, label in pressed if i in found}
        page.wait_for_function("refused => REFUSED === refused", arg=30 - len(found))


def test_a_double_click_is_one_vote_and_so_is_a_key_held_down(browser, tmp_path):
    with served(tmp_path, labelers.posts(10)) as server, labeling(browser, server) as page:
        first = item(page)
        keep_told(page)
        page.locator("button[data-key='3']").dblclick()
        was_told(page, "A double click counts once.")
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[2]}}
        second = item(page)
        page.keyboard.down("2")
        for _ in range(5):
            page.keyboard.down("2")  # as a keyboard repeats it
        page.keyboard.up("2")
        was_told(page, "A key that is held down counts once.")
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[2]}, second: {"ann": NAMES[1]}}
        with server.service.state() as state:
            cast = [uuid.UUID(vote.event) for i in (first, second) for vote in state.items[i].votes.values()]
        assert [id_.version for id_ in cast] == [4, 4]


def test_undo_after_undo_goes_back_step_by_step(browser, tmp_path):
    with served(tmp_path, labelers.posts(10)) as server, labeling(browser, server) as page:
        first, second, third = press(page, "1"), press(page, "s"), press(page, "2")
        page.keyboard.press("Backspace")
        page.locator(f"#post[data-item='{third}']").wait_for()
        page.locator("#undo").click()
        page.locator(f"#post[data-item='{second}']").wait_for()
        assert votes(server) == {first: {"ann": NAMES[0]}}
        page.keyboard.press("Backspace")
        page.locator(f"#post[data-item='{first}']").wait_for()
        page.keyboard.press("Backspace")
        told(page, "Not counted: there is nothing to undo.")
        assert votes(server) == {}
        page.locator(f"#post[data-item='{first}']").wait_for()
        again = [press(page, key) for key in "456"]
        assert again[0] == first
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")  # before the first is answered
        page.locator(f"#post[data-item='{again[1]}']").wait_for()
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[3]}}


def test_keys_of_who_types_or_uses_a_shortcut_are_no_votes(browser, tmp_path):
    with served(tmp_path, labelers.posts(10)) as server, labeling(browser, server) as page:
        first = item(page)
        for shortcut in ("Control+1", "Alt+2", "Meta+3", "Control+Backspace"):
            page.keyboard.press(shortcut)
        page.keyboard.press("9")
        told(page, "Not counted: there is no class 9.")
        page.keyboard.press("c")
        page.keyboard.type("12 sfc")
        page.keyboard.press("Backspace")
        page.keyboard.press("Escape")
        assert not page.locator("#commenting").is_visible()
        page.keyboard.press("c")
        assert page.locator("#said").input_value() == "12 sf"
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("3")
        page.keyboard.press("Enter")
        told(page, "Comment kept: a reviewer reads it if the text comes to review. Flag (F) sends it there.")
        assert not page.locator("#commenting").is_visible()
        assert item(page) == first
        assert votes(server) == {}
        with server.service.state() as state:
            assert state.items[first].comments == [("ann", "12 sf\n3")]
        press(page, "4")
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[3]}}


def test_the_keyboard_alone_is_enough_and_each_class_says_what_it_means(browser, tmp_path):
    with served(tmp_path, labelers.posts(10)) as server, labeling(browser, server) as page:
        first = item(page)
        for name in NAMES:
            page.get_by_role("button", name=name, exact=True).wait_for()
        described = page.locator("button[data-key='3']").get_attribute("aria-describedby")
        assert "Asks for legal counsel" in page.locator(f"#{described}").inner_text()
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.dataset.key") == "2":
                break
        page.keyboard.press("Enter")
        told(page, "You said medical-advice.")
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[1]}}
        assert page.locator("#told").get_attribute("aria-live") == "polite"


def test_flagged_and_skipped_texts_go_where_they_belong(browser, tmp_path):
    with (
        served(tmp_path, labelers.posts(3)) as server,
        labeling(browser, server) as page,
        signed_in(browser, server.url, "eve", to="/settle/") as eve,
    ):
        flagged, skipped = press(page, "f"), press(page, "s")
        third = press(page, "1")
        page.locator(f"#post[data-item='{skipped}']").wait_for()
        press(page, "2")
        eve.locator(f"#post[data-item='{flagged}']").wait_for()
        eve.get_by_text("Somebody flagged this text.").wait_for()
        eve.keyboard.press("x")
        eve.get_by_text("Nothing to review").wait_for()
        assert votes(server) == {third: {"ann": NAMES[0]}, skipped: {"ann": NAMES[1]}}
        assert [decision.label for _, decision in server.service.take("b1")] == [None, NAMES[1], NAMES[0]]


def test_a_suggestion_shows_up_only_once_the_vote_is_cast(browser, tmp_path):
    with served(tmp_path, labelers.posts(3), suggestion="legal-advice") as server:
        bodies = []
        with signed_in(browser, server.url, "ann") as page:
            page.on("response", lambda r: bodies.append(r.json()) if "component_server" in r.url else None)
            page.locator("#post[data-item]").wait_for()
            with page.expect_response("**/component_server/"):
                look(page)
            assert bodies
            assert not any("suggestion" in json.dumps(body["queue"]) for body in bodies)
            press(page, "2")
            told(page, "You said medical-advice. The suggestion was legal-advice.")
            saved(page)
            page.keyboard.press("Backspace")
            told(page, "Undone.")
            first = press(page, "3")
            saved(page)
            with server.service.state() as state:
                assert state.items[first].votes["ann"].seen


def test_what_somebody_would_rather_not_see_goes_to_others(browser, tmp_path):
    store = tmp_path / "labels.sqlite"
    texts = labelers.posts(8)
    rows = [Row(f"r{i}", text, NAMES[i % 2]) for i, text in enumerate(texts)]
    labelers.service(store).add("b1", NAMES, rows)
    with labelers.running(store, Settings(votes=1)) as url:
        server = SimpleNamespace(url=url, service=labelers.service(store))
        with labeling(browser, server) as page:
            page.get_by_text("Classes I'd rather not see").click()
            page.get_by_role("checkbox", name="self-harm").check()
            page.get_by_text("4 left for you").wait_for()
            page.keyboard.press("2")  # works beside a checkbox that has the focus
            told(page, "You said medical-advice.")
            page.reload(wait_until="domcontentloaded")
            page.locator("#post[data-item]").wait_for()
            page.get_by_text("Classes I'd rather not see").click()
            assert page.get_by_role("checkbox", name="self-harm").is_checked()
            assert page.locator("#post").inner_text() in texts[1::2]


def test_a_qualification_round_comes_first_and_decides_who_goes_on(browser, tmp_path):
    store, known = tmp_path / "labels.sqlite", tmp_path / "known.csv"
    texts = labelers.posts(8)
    labelers.fill(store, texts[:4])
    known.write_text("text,label\n" + "".join(f'"{text}",legal-advice\n' for text in texts[4:]))
    with labelers.running(store, Settings(votes=1), known) as url:
        server = SimpleNamespace(url=url, service=labelers.service(store))
        with labeling(browser, server, "ann") as ann, labeling(browser, server, "bob") as bob:
            for _ in range(4):
                press(ann, "3"), press(bob, "1")
            ann.locator("#post[data-item]").wait_for()
            assert ann.locator("#post").inner_text() in texts[:4]
            bob.get_by_text("The qualification round is over").wait_for()
