"""The labeling page and the adjudicator's in a browser: what people press, what they see, and what the store says."""

import contextlib
import json
import time
from types import SimpleNamespace

import labelers
import pytest
from hub_server.server import bound
from labelers import NAMES
from sklearn.metrics import cohen_kappa_score

from rarecase.labeling.store.hand import AHEAD
from rarecase.labeling.store.state import Settings
from rarecase.labeling.store.store import open_store

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
HOSTILE = (
    "<img src=x onerror='window.RAN=1'><b>bold</b><script>window.RAN=2</script>",
    "${window.RAN=3} `tick` {{value}} {{{value}}} @children {% raw %}",
    "</textarea></main><script>window.RAN=4</script>&lt;i&gt; &amp; \\u003cb\\u003e",
    "\u202eturned\u202c \u2067and\u2069  two  spaces\nand a second line \u200f",
    "\u05e9\u05dc\u05d5\u05dd \u202d\u202e\u202e\u202e never closed",
)
# Each key that goes down, and the text that was on the screen then.
WATCH = """window.PRESSED = []; addEventListener('keydown',
  e => PRESSED.push([e.key, document.querySelector('#post')?.dataset.item ?? null]), true);"""


@contextlib.contextmanager
def served(tmp_path, texts, names=NAMES, settings=None, **said):
    store = tmp_path / "labels.sqlite"
    labelers.fill(store, texts, names, **said)
    with labelers.running(store, settings or Settings(votes=1)) as url:
        yield SimpleNamespace(url=url, desk=labelers.desk(store))


@contextlib.contextmanager
def signed_in(browser, url, name, to="/", **options):
    """The page in a browser of its own; at the end it has asked nobody else for anything, nor complained."""
    context = browser.new_context(viewport=SIZES["desktop"], **options)
    context.add_init_script(WATCH)
    page = context.new_page()
    wrong = []
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else wrong.append(r.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url + to, wait_until="domcontentloaded")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Sign in").click()
    yield page
    assert page.evaluate("window.RAN") is None
    assert wrong == []
    context.close()


@contextlib.contextmanager
def labeling(browser, server, name="ann", **options):
    with signed_in(browser, server.url, name, **options) as page:
        page.locator("#post[data-item]").wait_for()
        yield page


def item(page):
    return page.locator("#post").get_attribute("data-item")


def press(page, key):
    """Presses a key, and waits until the text that it is about is gone."""
    page.locator("#post[data-item]").wait_for()
    before = item(page)
    page.keyboard.press(key)
    page.wait_for_function("before => document.querySelector('#post').dataset.item !== before", arg=before)
    return before


def told(page, text):
    page.locator("#told", has_text=text).wait_for()


def keep_told(page):
    """Keeps all that is told from now on: an answer of the server may take its place within milliseconds."""
    page.evaluate(
        "window.TOLD = []; const told = document.querySelector('#told');"
        "new MutationObserver(() => TOLD.push(told.textContent)).observe("
        "told, {childList: true, characterData: true, subtree: true})"
    )


def was_told(page, text):
    page.wait_for_function("text => TOLD.some(line => line.includes(text))", arg=text)


def saved(page):
    page.wait_for_function("document.querySelector('#unflushed').textContent === '0'")


def votes(server):
    """Of each item that has any, who said what."""
    with server.desk.state() as state:
        return {i.id: {v.person: v.label for v in i.votes.values()} for i in state.items.values() if i.votes}


def shown_kappa(page, wanted):
    page.wait_for_function("wanted => document.querySelector('#kappa').textContent === wanted", arg=wanted)


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
        assert votes(server) == said
        expected = f"{cohen_kappa_score([v['ann'] for v in said.values()], [v['bob'] for v in said.values()]):.3f}"
        for page in (ann, bob, eve):
            shown_kappa(page, expected)
        differ = {i for i, given in said.items() if given["ann"] != given["bob"]}
        assert 0 < len(differ) < 24
        for left in range(len(differ), 0, -1):
            eve.get_by_text(f"{left} to settle", exact=True).wait_for()
            current = item(eve)
            assert current in differ
            assert sorted(eve.locator(".vote").all_inner_texts()) == sorted(said[current].values())
            assert "ann" not in eve.locator("#settling").inner_text()
            differ.discard(press(eve, "6" if left > 1 else "x"))
        eve.get_by_text("Nothing to settle").wait_for()
        decided = server.desk.take("b1")
        assert [i.text for i, _ in decided] == texts
        assert [d.label for _, d in decided].count(None) == 1
        shown_kappa(ann, expected)  # a verdict is no vote
        bob.get_by_text("Everything is labelled").wait_for()


def test_thirty_keys_in_two_seconds_are_votes_on_what_was_on_the_screen(browser, tmp_path):
    with served(tmp_path, labelers.posts(60)) as server, labeling(browser, server) as page:
        page.evaluate(
            "window.REFUSED = 0; const told = document.querySelector('#told');"
            "new MutationObserver(() => REFUSED += told.matches('.refused') ? 1 : 0).observe(told, {childList: true})"
        )
        begin = time.monotonic()
        for number in range(30):
            time.sleep(max(0.0, begin + number / 15 - time.monotonic()))
            page.keyboard.press(str(number % 6 + 1))
        assert time.monotonic() - begin < 2.5
        saved(page)
        page.wait_for_timeout(300)
        pressed = [(i, NAMES[int(key) - 1]) for key, i in page.evaluate("PRESSED")]
        found = {i: given["ann"] for i, given in votes(server).items()}
        assert len(found) >= 27
        assert found == {i: label for i, label in pressed if i in found}
        assert page.evaluate("REFUSED") == 30 - len(found)


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
        told(page, "Not counted: there is nothing to take back.")
        assert votes(server) == {}
        page.locator(f"#post[data-item='{first}']").wait_for()
        again = [press(page, key) for key in "456"]
        assert again[0] == first
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")  # before the first is answered
        page.locator(f"#post[data-item='{again[1]}']").wait_for()
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[3]}}


def test_a_refresh_without_a_connection_loses_no_vote(browser, tmp_path):
    with served(tmp_path, labelers.posts(10)) as server, labeling(browser, server) as page:
        page.route("**/component_server/", lambda route: route.abort())
        first, second = press(page, "1"), press(page, "2")
        told(page, "The server does not answer. Your answers are kept here and sent again.")
        assert page.locator("#unflushed").inner_text() == "2"
        assert votes(server) == {}
        page.reload(wait_until="domcontentloaded")
        page.locator("#unflushed").wait_for()
        page.unroute("**/component_server/")
        told(page, "You said medical-advice.")
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[0]}, second: {"ann": NAMES[1]}}
        assert item(page) not in (first, second)


def test_votes_outlast_a_server_that_is_away(browser, tmp_path):
    store, log = tmp_path / "labels.sqlite", tmp_path / "log"
    labelers.fill(store, labelers.posts(10))
    with labelers.serving(store, log, settings=Settings(votes=1)) as url:
        server = SimpleNamespace(url=url, desk=labelers.desk(store))
        context = browser.new_context()
        page = context.new_page()
        page.goto(url, wait_until="domcontentloaded")
        page.get_by_label("Your name").fill("ann")
        page.keyboard.press("Enter")
        first = press(page, "1")
        saved(page)
    second, third = press(page, "2"), press(page, "3")
    told(page, "The server does not answer.")
    with labelers.serving(store, log, settings=Settings(votes=1), port=int(url.rpartition(":")[2])):
        page.locator("#told", has_text="You said legal-advice.").wait_for()
        saved(page)
        expected = {first: {"ann": NAMES[0]}, second: {"ann": NAMES[1]}, third: {"ann": NAMES[2]}}
        assert votes(server) == expected
        press(page, "4")  # still signed in
        context.close()


def test_what_is_labelled_in_one_tab_is_gone_from_the_other(browser, tmp_path):
    with served(tmp_path, labelers.posts(10)) as server, labeling(browser, server) as page:
        other = page.context.new_page()
        other.goto(server.url, wait_until="domcontentloaded")
        other.locator("#post[data-item]").wait_for()
        first = item(page)
        assert item(other) == first
        press(page, "1")
        other.wait_for_function("first => document.querySelector('#post').dataset.item !== first", arg=first)
        second = press(other, "2")
        page.wait_for_function("second => document.querySelector('#post').dataset.item !== second", arg=second)
        saved(page), saved(other)
        assert votes(server) == {first: {"ann": NAMES[0]}, second: {"ann": NAMES[1]}}


def test_who_is_signed_out_meanwhile_signs_in_again_and_loses_nothing(browser, tmp_path):
    with served(tmp_path, labelers.posts(10)) as server, labeling(browser, server) as page:
        page.context.request.get(f"{server.url}/logout")
        first = press(page, "1")
        page.get_by_role("link", name="Sign in again: nothing is lost.").click()
        page.get_by_label("Your name").fill("ann")
        page.keyboard.press("Enter")
        page.locator("#post[data-item]").wait_for()
        saved(page)
        assert votes(server) == {first: {"ann": NAMES[0]}}


def test_what_one_person_answered_never_becomes_anothers(browser, tmp_path):
    with served(tmp_path, labelers.posts(4), settings=Settings(votes=2)) as server, labeling(browser, server) as page:
        page.route("**/component_server/", lambda route: route.abort())
        first = press(page, "1")
        other = page.context.new_page()
        for name in ("bob", "ann"):
            other.goto(f"{server.url}/logout", wait_until="domcontentloaded")
            other.get_by_label("Your name").fill(name)
            other.keyboard.press("Enter")
            other.locator("#post[data-item]").wait_for()
            if name == "bob":
                page.unroute("**/component_server/")
                page.locator("#me", has_text="bob").wait_for()
                assert votes(server) == {}
        saved(other)
        assert votes(server) == {first: {"ann": NAMES[0]}}


def as_other(page, server, name):
    """Signs somebody in with another tab of the same browser."""
    page.context.request.get(f"{server.url}/logout")
    page.context.request.post(f"{server.url}/sign-in", form={"name": name})


def look(page):
    """Lets the page see at once how things stand."""
    page.evaluate("dispatchEvent(new Event('online'))")


def test_what_one_person_wrote_never_becomes_anothers_and_is_not_lost(browser, tmp_path):
    with served(tmp_path, labelers.posts(4), settings=Settings(votes=2)) as server, labeling(browser, server) as page:
        first = item(page)
        page.route("**/component_server/", lambda route: route.abort())
        page.keyboard.press("c")
        page.locator("#said").fill("a word on it")
        page.get_by_role("button", name="Send").click()
        page.get_by_text("Classes I'd rather not see").click()
        page.get_by_role("checkbox", name="self-harm").check()
        told(page, "The server does not answer.")
        as_other(page, server, "bob")
        page.unroute("**/component_server/")
        look(page)
        page.locator("#me", has_text="bob").wait_for()
        press(page, "1")  # Bob's own goes out meanwhile
        saved(page)
        assert not page.get_by_role("checkbox", name="self-harm").is_checked()
        page.keyboard.press("c")
        page.locator("#said").fill("begun by Bob")
        as_other(page, server, "ann")
        look(page)
        page.locator("#me", has_text="ann").wait_for()
        page.get_by_role("button", name="Send").click()
        saved(page)
        page.locator("#declined :checked").wait_for()
        with server.desk.state() as state:
            assert [i.comments for i in state.items.values() if i.comments] == [[("ann", "a word on it")]]
            assert state.items[first].comments
            assert {p.name: set(p.declined) for p in state.people.values()} == {"ann": {"self-harm"}, "bob": set()}


def test_answers_kept_for_one_store_wait_for_it_when_another_is_served_at_its_address(browser, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for store in (one, two):  # with the same items
        labelers.fill(store, labelers.posts(4))
    servers = {store: SimpleNamespace(desk=labelers.desk(store)) for store in (one, two)}
    with bound() as kept:
        port = kept.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with labelers.serving(one, tmp_path / "log", port=port):
            context = browser.new_context()
            page = context.new_page()
            page.goto(url, wait_until="domcontentloaded")
            page.get_by_label("Your name").fill("ann")
            page.keyboard.press("Enter")
            page.locator("#post[data-item]").wait_for()
            page.route("**/component_server/", lambda route: route.abort())
            first = press(page, "1")
        with labelers.serving(two, tmp_path / "log", port=port):
            page.context.request.post(f"{url}/sign-in", form={"name": "ann"})
            page.unroute("**/component_server/")
            look(page)
            saved(page)
            press(page, "2")  # in the tab that was open
            page.reload(wait_until="domcontentloaded")
            press(page, "3")
            saved(page)
        with labelers.serving(one, tmp_path / "log", port=port):
            page.reload(wait_until="domcontentloaded")
            told(page, "You said self-harm.")
            saved(page)
        context.close()
    assert votes(servers[one]) == {first: {"ann": NAMES[0]}}
    assert {given["ann"] for given in votes(servers[two]).values()} == {NAMES[1], NAMES[2]}


def test_undo_takes_back_nothing_but_what_is_meant(browser, tmp_path):
    settings = Settings(votes=1, lease=1.0)
    with served(tmp_path, labelers.posts(20), settings=settings) as server, labeling(browser, server) as page:

        def too_late(*keys):
            """Presses keys on a text that somebody else has labelled meanwhile."""
            current = item(page)
            page.wait_for_timeout(1100)
            others = (f"other-{i}" for i in range(9))
            other = next(name for name in others if any(r["item"] == current for r in server.desk.queue(name).queue))
            assert server.desk.vote(other, current, NAMES[5]).accepted
            for key in keys:
                page.keyboard.press(key)

        first = press(page, "1")
        saved(page)
        too_late("2", "Backspace")  # before the first is answered
        told(page, "Not counted: what you would take back was not counted")
        assert votes(server)[first] == {"ann": NAMES[0]}
        page.locator("#post[data-item]").wait_for()
        too_late("3")
        told(page, "Not counted: it was kept for you too long")
        page.keyboard.press("Backspace")
        told(page, "Your last answer did not count: there is nothing to take back.")
        assert votes(server)[first] == {"ann": NAMES[0]}
        page.keyboard.press("Backspace")
        page.locator(f"#post[data-item='{first}']").wait_for()
        assert first not in votes(server)


def test_undo_in_one_tab_leaves_alone_what_was_said_in_another(browser, tmp_path):
    with served(tmp_path, labelers.posts(8)) as server, labeling(browser, server) as page:
        other = page.context.new_page()
        other.goto(server.url, wait_until="domcontentloaded")
        other.locator("#post[data-item]").wait_for()
        first = press(page, "1")
        other.wait_for_function("first => document.querySelector('#post').dataset.item !== first", arg=first)
        second = press(other, "2")
        saved(page), saved(other)
        page.keyboard.press("Backspace")
        told(page, "Not counted: what you would take back was not counted, or is not your last answer.")
        assert votes(server) == {first: {"ann": NAMES[0]}, second: {"ann": NAMES[1]}}
        other.keyboard.press("Backspace")
        told(other, "Taken back.")
        assert votes(server) == {first: {"ann": NAMES[0]}}


def test_why_answers_are_not_safe_yet_is_said_on_both_pages_and_to_whoever_serves(
    browser, tmp_path, fresh_hub, monkeypatch
):
    """A Hub that takes nothing for a while; the store on it is this machine's disk until then."""
    store, log = "hf://datasets/acme/labels", tmp_path / "log"
    monkeypatch.setenv("RARECASE_STORE", str(tmp_path / "disk"))
    opened = open_store(store)
    opened.desk.add("b1", NAMES, [{"row": f"r{i}", "text": text} for i, text in enumerate(labelers.posts(4))])
    opened.close()
    environment = {**fresh_hub.environment, "HF_HUB_OFFLINE": "0", "RARECASE_STORE": str(tmp_path / "disk")}
    fresh_hub.fault("/commit/", 400, times=10**6)
    reason = "acme/labels: the Hub refuses it (status 400)"
    with (
        labelers.serving(store, log, settings=Settings(votes=1), **environment) as url,  # which is to go to the Hub
        signed_in(browser, url, "ann") as page,
    ):

        def logged(line):
            for _ in range(300):
                if line in log.read_text():
                    return look(page)
                page.wait_for_timeout(200)
            raise AssertionError(log.read_text())

        press(page, "1")
        logged(f"rarecase: {reason}")
        page.locator("#trouble", has_text=reason).wait_for()
        assert page.locator("#unflushed").inner_text() == "1"
        settling = page.context.new_page()
        settling.goto(f"{url}/settle/", wait_until="domcontentloaded")
        settling.locator("#trouble", has_text=reason).wait_for()
        fresh_hub.app.faults.clear()
        logged("rarecase: labels reach the Hub again")
        saved(page)
        assert page.locator("#trouble").inner_text() == ""
        assert log.read_text().count(reason) == 1


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
        page.get_by_role("button", name="Send").click()
        told(page, "The comment is with the adjudicator.")
        assert item(page) == first
        assert votes(server) == {}
        with server.desk.state() as state:
            assert state.items[first].comments == [("ann", "12 sf")]


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
        eve.get_by_text("Nothing to settle").wait_for()
        assert votes(server) == {third: {"ann": NAMES[0]}, skipped: {"ann": NAMES[1]}}
        assert [decision.label for _, decision in server.desk.take("b1")] == [None, NAMES[1], NAMES[0]]


def test_a_suggestion_shows_up_only_once_the_vote_is_cast(browser, tmp_path):
    with served(tmp_path, labelers.posts(3), suggestion="legal-advice") as server:
        bodies = []
        with signed_in(browser, server.url, "ann") as page:
            page.on("response", lambda r: bodies.append(r.json()) if "component_server" in r.url else None)
            page.locator("#post[data-item]").wait_for()
            page.wait_for_timeout(300)
            assert bodies
            assert not any("suggestion" in json.dumps(body["queue"]) for body in bodies)
            press(page, "2")
            told(page, "You said medical-advice. The model said legal-advice.")
            saved(page)
            page.keyboard.press("Backspace")
            told(page, "Taken back.")
            first = press(page, "3")
            saved(page)
            with server.desk.state() as state:
                assert state.items[first].votes["ann"].seen


def test_what_somebody_would_rather_not_see_goes_to_others(browser, tmp_path):
    store = tmp_path / "labels.sqlite"
    texts = labelers.posts(8)
    rows = [{"row": f"r{i}", "text": t, "suggestion": NAMES[i % 2]} for i, t in enumerate(texts)]
    labelers.desk(store).add("b1", NAMES, rows)
    with labelers.running(store, Settings(votes=1)) as url:
        server = SimpleNamespace(url=url, desk=labelers.desk(store))
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
        press(page, "2")
        saved(page)
        assert len(votes(server)) == 2


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


def test_a_qualification_round_comes_first_and_decides_who_goes_on(browser, tmp_path):
    store, known = tmp_path / "labels.sqlite", tmp_path / "known.csv"
    texts = labelers.posts(8)
    labelers.fill(store, texts[:4])
    known.write_text("text,label\n" + "".join(f'"{text}",legal-advice\n' for text in texts[4:]))
    with labelers.running(store, Settings(votes=1), known) as url:
        server = SimpleNamespace(url=url, desk=labelers.desk(store))
        with labeling(browser, server, "ann") as ann, labeling(browser, server, "bob") as bob:
            for _ in range(4):
                press(ann, "3"), press(bob, "1")
            ann.locator("#post[data-item]").wait_for()
            assert ann.locator("#post").inner_text() in texts[:4]
            bob.get_by_text("The qualification round is over").wait_for()


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
            told(ann, "The comment is with the adjudicator.")
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
        eve.get_by_text("Nothing to settle").wait_for()
        decided = server.desk.take("b1")
        assert {d.label for _, d in decided} == {names[1], names[-1]}
        with server.desk.state() as state:
            assert state.cleaned == {"nul": 1, "surrogates": 1}


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everything_is_legible_and_fits_in_light_and_dark(browser, tmp_path, size, scheme):
    texts = labelers.posts(3 * AHEAD)
    with served(tmp_path, texts, settings=Settings(votes=2), suggestion="legal-advice") as server:
        for name, label in (("bob", 0), ("eve", 1)):
            client = labelers.Client(server.url, name)
            for _ in range(3):
                row = client.say()["queue"][0]
                client.say(labelers.act("comment", item=row["item"], text="a comment"))
                client.say(labelers.vote(row["item"], NAMES[label]))

        def check(page):
            assert page.evaluate(PALE) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]

        with signed_in(browser, server.url, "ann", color_scheme=scheme) as page:
            page.set_viewport_size(SIZES[size])
            page.locator("#post[data-item]").wait_for()
            check(page)
            press(page, "1")
            told(page, "You said self-harm. The model said legal-advice.")
            page.keyboard.press("9")
            for closed in page.locator("summary").filter(visible=True).all():
                closed.click()
            page.keyboard.press("c")
            check(page)
            page.goto(f"{server.url}/settle/", wait_until="domcontentloaded")
            page.locator("#post[data-item]").wait_for()
            page.locator("#confusion td").first.wait_for()
            check(page)
            page.goto(f"{server.url}/logout", wait_until="domcontentloaded")
            page.get_by_label("Your name").wait_for()
            check(page)
