"""Who gets in where: signed in and not, listed and not, by raw HTTP, by gradio_client and in a browser."""

import contextlib
import json
import uuid
from types import SimpleNamespace

import httpx
import labelers
import pytest
from gradio_client import Client as GradioClient
from gradio_client.exceptions import AuthenticationError
from hub_server.openid import providing
from labelers import NAMES, Client, act, vote

from rarecase.labeling.store.device_codes import hashed

ROLES = "owners: [olga]\nadjudicators: [eve]\nannotators: [ann, bob]\n"
JSON = {"data": [], "fn_index": 0, "session_hash": "abc", "component_id": 1, "fn_name": "say"}
ROUTES = [
    *(
        ("GET", path)
        for path in ("/", "/config", "/config/", "/theme.css", "/robots.txt", "/manifest.json", "/pwa_icon")
    ),
    *(
        ("GET", f"/gradio_api/{path}")
        for path in ("info", "openapi.json", "app_id", "token", "user", "startup-events")
    ),
    *(
        ("GET", f"/gradio_api/{path}")
        for path in ("login_check", "queue/status", "heartbeat/abc", "runs", "deep_link")
    ),
    ("GET", "/gradio_api/queue/data?session_hash=abc"),
    ("GET", "/gradio_api/call/say/1"),
    ("GET", "/gradio_api/file=/etc/hostname"),
    ("GET", "/gradio_api/proxy=http://127.0.0.1/"),
    ("GET", "/static/img/logo.svg"),
    ("GET", "/assets/index.js"),
    ("GET", "/favicon.ico"),
    ("GET", "/monitoring"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/no/such/page"),
    *(("POST", f"/gradio_api/{path}") for path in ("queue/join", "call/say", "call/v2/say", "run/say", "api/say")),
    *(
        ("POST", f"/gradio_api/{path}")
        for path in ("component_server", "component_server/", "upload", "reset", "cancel")
    ),
    ("POST", "/login"),
    ("PUT", "/config"),
    ("HEAD", "/"),
]
EVERY = [(method, page + path) for page in ("", "/settle") for method, path in ROUTES] + [("GET", "/settle")]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A page with a list of names, by name alone."""
    place = tmp_path_factory.mktemp("access")
    labelers.fill(place / "labels.sqlite", labelers.posts(60), suggestion="legal-advice")
    (place / "roles.yaml").write_text(ROLES)
    with labelers.serving(place / "labels.sqlite", place / "log", roles=place / "roles.yaml") as url:
        yield SimpleNamespace(
            url=url, service=labelers.service(place / "labels.sqlite"), log=place / "log", folder=place
        )
    log = (place / "log").read_text()
    assert not any(text in log for text in labelers.posts(60))
    assert "Traceback" not in log


@pytest.fixture(scope="module")
def ann(served):
    """Somebody listed as an annotator."""
    return Client(served.url, "ann")


@pytest.fixture(scope="module")
def olga(served):
    """The owner."""
    return Client(served.url, "olga")


def statuses(http, routes):
    """How each route answers; one that goes on for ever counts by its head."""
    found = {}
    for method, path in routes:
        with http.stream(method, path, json=JSON if method == "POST" else None) as answer:
            found[method, path] = answer.status_code
    return found


def refused(found):
    return [route for route, status in found.items() if status != 401]


def test_without_a_session_no_route_answers(served):
    with httpx.Client(base_url=served.url, timeout=60) as http:
        assert refused(statuses(http, EVERY)) == []
        assert http.get("/health").text == "ok"
        for cookie in ("rarecase=x", "session=eyJuYW1lIjogImFubiJ9.aaaa.bbbb", "access-token=ann"):
            assert http.get("/config", headers={"Cookie": cookie}).status_code == 401
        page = http.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 401
        assert "Content warning" in page.text
        for path, title in (("/", "Labeling"), ("/settle/", "Review"), ("/settle", "Review")):
            assert f"<title>{title}</title>" in http.get(path, headers={"Accept": "text/html"}).text
    with pytest.raises(AuthenticationError):
        GradioClient(served.url, verbose=False)


def test_a_name_that_is_not_listed_does_not_get_in(served):
    with httpx.Client(base_url=served.url) as http:
        answer = http.post("/sign-in", data={"name": "mallory"})
        assert answer.status_code == 401
        assert "mallory is not on the list" in answer.text
        assert refused(statuses(http, EVERY)) == []
        for name in ("", "a b", "<b>", "x" * 65, "../ann"):
            assert http.post("/sign-in", data={"name": name}).status_code == 400
        with served.service.state() as state:
            assert "mallory" not in state.people


def test_a_name_that_is_bound_to_nothing_is_nobodys(served):
    served.service.bind("olga", hashed(""))  # as somebody may who writes into a shared store
    assert httpx.Client(base_url=served.url).post("/sign-in", data={"name": "olga"}).status_code == 409
    served.service.forget("olga")


def test_a_name_is_that_of_the_first_browser_that_took_it(served):
    first, second = Client(served.url, "bob"), httpx.Client(base_url=served.url)
    answer = second.post("/sign-in", data={"name": "bob"})
    assert answer.status_code == 409
    assert second.get("/config").status_code == 401
    assert first.http.get("/logout").status_code == 405
    assert first.http.get("/config").status_code == 200
    copied = httpx.Client(base_url=served.url, cookies=dict(first.http.cookies))
    assert first.http.post("/logout").status_code == 303
    assert first.http.get("/config").status_code == 401
    assert copied.get("/config").status_code == 401
    assert copied.post("/sign-in", data={"name": "bob"}).status_code == 409
    assert first.http.post("/sign-in", data={"name": "bob"}).status_code == 303
    assert first.say()["me"] == "bob"
    assert oct((served.folder / "labels.sqlite.key").stat().st_mode)[-3:] == "600"


def test_an_annotator_gets_no_route_of_the_adjudicator(served, ann, olga):
    settling = [route for route in EVERY if route[1].startswith("/settle")]
    assert refused(statuses(ann.http, settling)) == []
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        ann.settle()
    page = ann.http.get("/settle/", headers={"Accept": "text/html"})
    assert (page.status_code, "ann may label here, and not review" in page.text) == (401, True)
    assert ann.say()["settles"] is False
    for judge in (Client(served.url, "eve"), olga):
        assert judge.settle()["me"] == judge.say()["me"]


def test_nothing_can_be_called_but_the_two_functions_of_the_pages(ann):
    config = ann.http.get("/config").json()
    assert config["dependencies"] == []
    assert ann.http.get("/gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}
    component = next(c for c in config["components"] if c["props"].get("server_fns"))
    assert component["props"]["server_fns"] == ["say"]
    for name in ("settle", "api_info", "__init__", "postprocess", "get_config"):
        body = {"data": {}, "component_id": component["id"], "fn_name": name, "session_hash": "x"}
        assert ann.http.post("/gradio_api/component_server", json=body).status_code == 404


def test_neither_name_nor_item_nor_lease_can_be_forged(served, ann, olga):
    mine = ann.say()["queue"][0]["item"]
    others = [row["item"] for row in olga.say()["queue"] if row["item"] not in {r["item"] for r in ann.say()["queue"]}]
    with served.service.state() as state:
        nobodys = next(i.id for i in state.items.values() if not i.reservations)
        before = {i.id: dict(i.votes) for i in state.items.values()}
    for forged in (
        vote(nobodys, NAMES[0]),
        vote("0" * 16, NAMES[0]),
        vote(mine, "no class"),
        vote(mine, NAMES[0]) | {"event": "x"},
        vote(mine, NAMES[0]) | {"event": "x" * 10_000},
        vote(mine, NAMES[0]) | {"event": str(uuid.uuid5(uuid.NAMESPACE_DNS, "x"))},  # as those of imported votes
        vote(mine, NAMES[0]) | {"seconds": "long"},
        vote(mine, NAMES[0]) | {"label": None},
        {"kind": "vote"},
        {"kind": "settle", "item": mine, "label": NAMES[0], "event": str(uuid.uuid4())},
        {"kind": "bind", "event": str(uuid.uuid4()), "browser": "x"},
        act("skip", item=nobodys),
        act("flag", item=nobodys),
        act("comment", item=nobodys, text="x"),
        act("decline", classes={"a": 1}),
        *(vote(other, NAMES[0]) for other in others),
    ):
        (told,) = ann.say(forged)["told"]
        assert not told["accepted"], forged
        assert told["suggestion"] is None
    with served.service.state() as state:
        assert {i.id: dict(i.votes) for i in state.items.values()} == before
    named = vote(mine, NAMES[0]) | {"person": "bob", "name": "bob", "me": "bob"}
    assert ann.say(named, {"me": "bob"})["me"] == "ann"
    with served.service.state() as state:
        assert list(state.items[mine].votes) == ["ann"]


def test_what_is_no_act_breaks_nothing(served, ann):
    config = ann.http.get("/config").json()
    known = next(c["id"] for c in config["components"] if c["props"].get("server_fns"))
    for data in (None, [], "x", 5, {"acts": "x"}, {"acts": [[], None, 5]}, {"acts": [], "have": 5}, {"have": [[]]}):
        body = {"data": data, "component_id": known, "fn_name": "say", "session_hash": "x"}
        assert ann.http.post("/gradio_api/component_server", json=body).status_code in (200, 400, 422)
    for body in (
        {"data": {}, "component_id": 10**9, "fn_name": "say", "session_hash": "x"},
        {"data": {}, "component_id": False, "fn_name": "say", "session_hash": "x"},
        {"data": {}, "component_id": known, "fn_name": "say", "session_hash": ["x"]},
        {"data": {}},
        [],
    ):
        assert ann.http.post("/gradio_api/component_server", json=body).status_code in (400, 404, 422)
    for event in (10**400, {"a": [10**30]}):  # which are not said again
        (told,) = ann.say({"kind": "skip", "event": event, "item": "x"})["told"]
        assert (told["event"], told["accepted"]) == (None, False)
    half = {"acts": [act("skip", item="\ud800")]}
    body = json.dumps({"data": half, "component_id": known, "fn_name": "say", "session_hash": "x"})
    assert ann.http.post("/gradio_api/component_server", content=body).status_code == 200
    for path in ("/gradio_api/heartbeat/abc%00", "/settle/%1b[31m", "/%0d%0aX: a"):
        assert ann.http.get(path).status_code == 404
    assert ann.say()["me"] == "ann"


def test_a_body_that_is_too_long_is_refused(served, ann):
    from_nobody = httpx.Client(base_url=served.url, timeout=60)
    call = "/gradio_api/component_server/"
    for size in (1_000_001, 20_000_000):
        for content in (b"x" * size, iter([b"x" * size])):  # the second says no length
            assert ann.http.post(call, content=content).status_code == 413
        assert from_nobody.post(call, content=b"x" * size).status_code == 401
        assert from_nobody.post("/sign-in", content=b"x" * size).status_code == 413
    assert ann.http.post(call, content=b"x" * 1_000_000).status_code == 400  # read, and no JSON


def test_more_acts_at_once_than_a_page_sends_are_refused_as_a_whole(ann):
    def told(count):
        return ann.say(*(act("skip", item="0" * 16) for _ in range(count)))["told"]

    assert len(told(50)) == 50
    with pytest.raises(httpx.HTTPStatusError, match="413"):
        told(51)


def test_the_votes_of_others_are_told_to_nobody_before_their_own(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(2), suggestion="legal-advice")
    with labelers.running(tmp_path / "labels.sqlite") as url:
        ann, bob = Client(url, "ann"), Client(url, "bob")
        item = ann.say()["queue"][0]["item"]
        cast = vote(item, "self-harm")
        assert ann.say(cast)["told"][0]["suggestion"] == "legal-advice"
        row = next(row for row in bob.say()["queue"] if row["item"] == item)
        assert row.keys() == {"item", "text", "names"}
        assert bob.settle()["dispute"] is None
        bob.say(act("flag", item=item))  # now somebody else may get it, and settle it too
        dispute = Client(url, "cid").settle()["dispute"]
        assert (dispute["item"], dispute["flagged"], dispute["votes"]) == (item, True, [])
        # An act that was answered before, sent for another item: it says nothing of that one.
        other = ann.say()["queue"][0]["item"]
        assert ann.say({**cast, "item": other})["told"][0]["suggestion"] is None


def test_what_another_site_sends_is_not_taken(ann):
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        answer = ann.http.post("/gradio_api/component_server", json=JSON, headers={"Origin": origin})
        assert answer.status_code == 403
        assert ann.http.post("/sign-in", data={"name": "ann"}, headers={"Origin": origin}).status_code == 403
    own = str(ann.http.base_url).rstrip("/")
    assert ann.http.post("/gradio_api/component_server", json=JSON, headers={"Origin": own}).status_code != 403


def test_a_page_whose_name_is_made_to_lead_here_gets_nothing(ann):
    for path in ("/health", "/", "/config"):
        assert ann.http.get(path, headers={"Host": "evil.example"}).status_code == 400


def test_files_are_not_taken(ann):
    for name, content in (("a.txt", b"more than a byte"), ("a.txt", b"x"), ("../../a.txt", b"")):
        for path in ("/gradio_api/upload", "/gradio_api/upload/", "/settle/gradio_api/upload"):
            assert ann.http.post(path, files={"files": (name, content)}).status_code in (401, 404)
    for path in ("queue/join", "run/say", "call/say", "api/say", "reset", "cancel", "stream/x"):
        assert ann.http.post(f"/gradio_api/{path}", json=JSON).status_code == 404
    for path in ("heartbeat/x", "dev/reload", "call/say/1", "queue/data", "deep_link", "startup-events"):
        assert ann.http.get(f"/gradio_api/{path}").status_code == 404  # the first two would never end


def test_on_a_space_people_sign_in_with_hugging_face_and_only_the_listed_get_in(browser, tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(5))
    with providing(["ann", "eve", "mallory"]) as provider:
        environment = provider.environment | {"RARECASE_ROLES": ROLES}
        with labelers.serving(tmp_path / "labels.sqlite", tmp_path / "log", **environment) as url:
            with httpx.Client(base_url=url, timeout=60) as http:
                assert refused(statuses(http, EVERY)) == []
                assert http.post("/sign-in", data={"name": "ann"}).status_code == 401
            with through(browser, url, "mallory") as (page, cookie):
                page.get_by_text("mallory is not on the list of this page.").wait_for()
                with httpx.Client(base_url=url, headers={"Cookie": cookie}, timeout=60) as http:
                    assert refused(statuses(http, EVERY)) == []
                with pytest.raises(AuthenticationError):
                    GradioClient(url, headers={"Cookie": cookie}, verbose=False)
            with through(browser, url, "ann") as (page, cookie):
                page.locator("#post[data-item]").wait_for()
                page.keyboard.press("1")
                page.get_by_text("You said self-harm.").wait_for()
                with httpx.Client(base_url=url, headers={"Cookie": cookie}, timeout=60) as http:
                    assert http.get("/config").status_code == 200
                    assert refused(statuses(http, [route for route in EVERY if route[1].startswith("/settle")])) == []
                assert GradioClient(url, headers={"Cookie": cookie}, verbose=False).config["dependencies"] == []
                assert page.goto(f"{url}/settle/", wait_until="domcontentloaded").status == 401
                page.goto(url, wait_until="domcontentloaded")
                page.get_by_role("button", name="Sign out").click()
                page.get_by_role("link", name="Sign in with Hugging Face").wait_for()
                with httpx.Client(base_url=url, headers={"Cookie": cookie}, timeout=60) as http:  # copied before
                    assert refused(statuses(http, EVERY)) == []
            with through(browser, url, "ann") as (page, _):
                page.locator("#post[data-item]").wait_for()
            with through(browser, url, "eve", "/settle/") as (page, cookie):
                page.get_by_text("Nothing to review").wait_for()
    with labelers.service(tmp_path / "labels.sqlite").state() as state:
        assert [list(i.votes) for i in state.items.values()] == [["ann"], [], [], [], []]
    log = (tmp_path / "log").read_text()
    assert "hf_oauth_" not in log
    assert "the-secret-of-a-space" not in log


@contextlib.contextmanager
def through(browser, url, name, to="/"):
    """The page of somebody who came by the provider, and their cookie, which a raw client has to send by itself."""
    context = browser.new_context()
    context.set_default_timeout(labelers.PATIENCE)
    page = context.new_page()
    page.goto(url + to, wait_until="domcontentloaded")
    page.get_by_role("link", name="Sign in with Hugging Face").click()
    page.get_by_role("button", name=name).click()
    page.wait_for_url(lambda address: address.split("?")[0] == url + to)
    # Without an address: asked for those of one without TLS, older browsers' drivers leave out the secure ones.
    yield page, "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in context.cookies())
    context.close()
