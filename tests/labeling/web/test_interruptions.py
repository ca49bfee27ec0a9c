"""Answers through reloads, lost connections, other tabs, other people at the same browser: none is lost or moved."""

from types import SimpleNamespace

import labelers
from hub_server.server import bound
from labelers import NAMES, as_other, item, labeling, look, press, saved, served, signed_in, told, votes
from voting import Clock

from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.service import Row
from rarecase.labeling.store.settings import Settings


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
        server = SimpleNamespace(url=url, service=labelers.service(store))
        context = browser.new_context()
        context.set_default_timeout(labelers.PATIENCE)
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
        page.context.request.post(f"{server.url}/logout")
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
            other.context.request.post(f"{server.url}/logout")
            other.goto(server.url, wait_until="domcontentloaded")
            other.get_by_label("Your name").fill(name)
            other.keyboard.press("Enter")
            other.locator("#post[data-item]").wait_for()
            if name == "bob":
                page.unroute("**/component_server/")
                page.locator("#me", has_text="bob").wait_for()
                assert votes(server) == {}
        saved(other)
        assert votes(server) == {first: {"ann": NAMES[0]}}


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
        with server.service.state() as state:
            assert [i.comments for i in state.items.values() if i.comments] == [[("ann", "a word on it")]]
            assert state.items[first].comments
            assert {p.name: set(p.declined) for p in state.people.values()} == {"ann": {"self-harm"}, "bob": set()}


def test_answers_kept_for_one_store_wait_for_it_when_another_is_served_at_its_address(browser, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for store in (one, two):  # with the same items
        labelers.fill(store, labelers.posts(4))
    servers = {store: SimpleNamespace(service=labelers.service(store)) for store in (one, two)}
    with bound() as kept:
        port = kept.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with labelers.serving(one, tmp_path / "log", port=port):
            context = browser.new_context()
            context.set_default_timeout(labelers.PATIENCE)
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


# All at once: no answer of the server comes between two keys.
PRESS = """keys => keys.forEach(key => document.body.dispatchEvent(
    new KeyboardEvent('keydown', {key, code: '', bubbles: true, cancelable: true})))"""


def test_undo_takes_back_nothing_but_what_is_meant(browser, tmp_path):
    clock = Clock()
    with served(tmp_path, labelers.posts(20), clock=clock) as server, labeling(browser, server) as page:

        def too_late(*keys):
            """Presses keys on a text that somebody else has labelled meanwhile."""
            current = item(page)
            clock.now += 601  # the lease
            others = (f"other-{i}" for i in range(9))
            other = next(
                name for name in others if any(r["item"] == current for r in server.service.queue(name).queue)
            )
            assert server.service.vote(other, current, NAMES[5]).accepted
            page.evaluate(PRESS, keys)

        first = press(page, "1")
        saved(page)
        too_late("2", "Backspace")  # before the first is answered
        told(page, "Not counted: the answer that you want to undo was not counted")
        assert votes(server)[first] == {"ann": NAMES[0]}
        page.locator("#post[data-item]").wait_for()
        too_late("3")
        told(page, "Not counted: your reservation expired")
        page.keyboard.press("Backspace")
        told(page, "Your last answer was not counted: there is nothing to undo.")
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
        told(page, "Not counted: the answer that you want to undo was not counted, or is not your last one.")
        assert votes(server) == {first: {"ann": NAMES[0]}, second: {"ann": NAMES[1]}}
        other.keyboard.press("Backspace")
        told(other, "Undone.")
        assert votes(server) == {first: {"ann": NAMES[0]}}


def test_why_answers_are_not_safe_yet_is_said_on_both_pages_and_to_whoever_serves(
    browser, tmp_path, fresh_hub, monkeypatch
):
    """A Hub that takes nothing for a while; the store on it is this machine's disk until then."""
    store, log = "hf://datasets/acme/labels", tmp_path / "log"
    monkeypatch.setenv("RARECASE_STORE", str(tmp_path / "disk"))
    opened = open_store(store)
    opened.service.add("b1", NAMES, [Row(f"r{i}", text) for i, text in enumerate(labelers.posts(4))])
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
