"""How the page is started: what it prints, what it refuses, and what a Space folder says."""

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import labelers
import pytest
from labelers import NAMES, Client, vote
from starlette.testclient import TestClient

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.known_answers import add_known_answers
from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.roles import Everybody
from rarecase.labeling.store.service import Row
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.web import launch, serve
from rarecase.labeling.web.access import AccessControl, SignIn
from rarecase.labeling.web.server import application
from rarecase.labeling.web.sign_in import store_id
from rarecase.labeling.web.site import Site, checked_url

SECRET = "nobody is to read this anywhere"


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    """No Space."""
    for name in ("SPACE_ID", "SYSTEM", "RARECASE_ROLES", "RARECASE_STORE", "RARECASE_SESSION_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_names_and_sessions_outlast_a_restart(tmp_path):
    store = tmp_path / "labels.sqlite"
    labelers.fill(store, labelers.posts(5))
    with labelers.running(store) as url:
        ann = Client(url, "ann")
        cookie = "; ".join(f"{name}={value}" for name, value in ann.http.cookies.items())
    with labelers.running(store) as url:
        assert Client(url, cookie=cookie).say()["me"] == "ann"
        with pytest.raises(AssertionError):
            Client(url, "ann")


def test_a_name_that_was_given_free_is_the_next_browsers(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(2))
    with labelers.running(tmp_path / "labels.sqlite") as url:
        before = Client(url, "ann")
        assert labelers.service(tmp_path / "labels.sqlite").forget("ann")
        assert before.http.get("/config").status_code == 401
        assert Client(url, "ann").say()["me"] == "ann"
        assert before.http.get("/config").status_code == 401


def test_two_stores_have_cookies_of_their_own(tmp_path):
    cookies = set()
    for name in ("one", "two"):
        labelers.fill(tmp_path / name, labelers.posts(2))
        with labelers.running(tmp_path / name) as url:
            cookies |= set(Client(url, "ann").http.cookies)
    assert len(cookies) == 2  # a browser sends those of one port to the other


def test_what_a_batch_says_of_its_classes_goes_before_what_ships(tmp_path):
    service = labelers.service(tmp_path / "labels.sqlite")
    about = {"legal-advice": {"definition": "Ours.", "example": "An example of ours."}}
    service.add("b1", ["legal-advice", "other"], [Row("a", "a text")], about=about)
    with labelers.running(tmp_path / "labels.sqlite") as url:
        assert Client(url, "ann").say()["about"] == about | {"other": {}}


def test_known_answers_qualify_and_calibrate(tmp_path):
    texts = labelers.posts(20)
    labelers.fill(tmp_path / "labels.sqlite", texts[:10])
    service, known = labelers.service(tmp_path / "labels.sqlite"), tmp_path / "known.csv"
    known.write_text("text,label\n" + "".join(f'"{text}",discard\n' for text in texts[10:]))
    add_known_answers(service, known, calibrate=True)
    add_known_answers(service, known, calibrate=True)  # a server that is started again
    with service.state() as state:
        found = [(item.use, item.known) for item in state.items.values() if item.use != "work"]
    assert found == [("qualify", "not-harmful")] * 5 + [("calibrate", "not-harmful")] * 5
    (tmp_path / "other.csv").write_text(f"text,label\n{SECRET},{NAMES[0]}\nb,{SECRET}{SECRET}\n")
    with pytest.raises(DataError, match=r"other\.csv: row 2: label is no class of the store \(self-harm, ") as caught:
        add_known_answers(service, tmp_path / "other.csv", calibrate=False)
    assert SECRET not in str(caught.value)


def test_what_cannot_be_served_is_told_in_one_line(tmp_path, monkeypatch):
    store = str(tmp_path / "labels.sqlite")
    with pytest.raises(ConfigError, match=r"--roles \S+none\.yaml: No such file or directory; expected a YAML file"):
        serve(store, port=0, settings=Settings(), roles=tmp_path / "none.yaml")
    with labelers.running(store) as url, pytest.raises(ConfigError, match=r"Address already in use\); choose another"):
        serve(store, port=int(url.rpartition(":")[2]), settings=Settings())
    with pytest.raises(ConfigError, match=r"labeling\.json names no store, and RARECASE_STORE is not set"):
        launch(tmp_path)
    (tmp_path / "labeling.json").write_text('{"store": "x", "vote": 2}')
    with pytest.raises(ConfigError, match=r"labeling\.json: unknown setting 'vote'; did you mean 'votes'\?"):
        launch(tmp_path)
    monkeypatch.setenv("SPACE_ID", "acme/labeling")
    with pytest.raises(ConfigError, match=r"on a Space the secret RARECASE_ROLES lists who may label"):
        serve(store, port=0, settings=Settings())


@pytest.mark.parametrize("said", [{"SPACE_ID": "a/b"}, {"SYSTEM": "spaces"}, {"SPACE_ID": "a/b", "SYSTEM": "spaces"}])
def test_by_name_alone_nobody_signs_in_on_a_space(tmp_path, said):
    code = (
        "import sys; from rarecase.labeling.web import serve; from rarecase.labeling.store.settings import Settings\n"
    )
    code += "serve(sys.argv[1], port=0, settings=Settings())"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OAUTH_", "OPENID_"))}
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "labels.sqlite")],
        env=environment | said | {"RARECASE_ROLES": "annotators: [ann]", "HF_TOKEN": "hf_secret"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 1
    assert "this Space has no sign-in (OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, OAUTH_SCOPES, OPENID" in result.stderr
    assert "hf_secret" not in result.stderr


def test_the_folder_of_a_space_says_store_settings_and_classes(tmp_path):
    store = tmp_path / "labels.sqlite"
    (tmp_path / "labeling.json").write_text(json.dumps({"store": str(store), "votes": 3}))
    (tmp_path / "taxonomy.yaml").write_text("classes:\n  - {name: odd, definition: What is odd.}\n  - {name: even}\n")
    labelers.fill(store, ["a text"], ["odd", "even"])
    with labelers.launched(tmp_path, tmp_path / "log") as url:
        said = Client(url, "ann").say()["about"]
    assert said == {"odd": {"definition": "What is odd.", "example": ""}, "even": {"definition": "", "example": ""}}
    with labelers.service(store).state() as state:
        assert state.settings == Settings(votes=3)


@pytest.mark.parametrize("where", ["behind the gate", "in the sign-in"])
def test_an_exception_that_nobody_caught_is_logged_without_its_words(caplog, where):
    def who(request):
        if where == "in the sign-in":
            raise ValueError(SECRET)
        return "ann"

    async def fails(scope, receive, send):
        raise ValueError(SECRET)

    sent = []

    async def send(message):
        sent.append(message)

    gate = AccessControl(fails, SignIn(who, frozenset(), lambda app: None, lambda to: ""), Everybody())
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(gate(scope, None, send))
    assert sent[0]["status"] == 500
    assert "ValueError in " in caplog.text
    assert SECRET not in caplog.text + str(sent)


@pytest.mark.parametrize(("headers", "most"), [([], 101), ([(b"content-length", b"1000001")], 0)])
def test_of_a_body_that_is_too_long_no_more_is_read_and_nothing_gets_through(headers, most):
    reached, received, sent = [], [], []

    async def behind(scope, receive, send):
        reached.append(scope)

    async def receive():
        received.append(10_000)
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}  # without end

    async def send(message):
        sent.append(message)

    gate = AccessControl(
        behind, SignIn(lambda request: "ann", frozenset(), lambda app: None, lambda to: ""), Everybody()
    )
    path = "/gradio_api/component_server/"  # what the pages send to
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    asyncio.run(gate(scope, receive, send))
    assert sent[0]["status"] == 413
    assert (reached, len(received)) == ([], most)


def test_a_vote_is_told_apart_from_a_repeated_one(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(3))
    with labelers.running(tmp_path / "labels.sqlite") as url:
        ann = Client(url, "ann")
        cast = vote(ann.say()["queue"][0]["item"], NAMES[0])
        answers = [ann.say(cast), ann.say(cast), ann.say(cast, cast)]
        assert all(told["accepted"] for answer in answers for told in answer["told"])
        assert answers[-1]["progress"]["done"] == 1


@pytest.mark.parametrize("seconds", [10**400, -(10**400), 1e300, float("inf"), float("nan"), -1, True])
def test_seconds_that_no_clock_has_are_a_vote_all_the_same(tmp_path, seconds):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(1))
    with labelers.running(tmp_path / "labels.sqlite") as url:
        ann = Client(url, "ann")
        cast = vote(ann.say()["queue"][0]["item"], NAMES[0]) | {"seconds": seconds}
        body = {"data": {"acts": [cast]}, "component_id": 0, "fn_name": "say", "session_hash": "x"}
        config = ann.http.get("/config").json()
        body["component_id"] = next(c["id"] for c in config["components"] if c["props"].get("server_fns"))
        answer = ann.http.post("/gradio_api/component_server/", content=json.dumps(body))
        assert answer.json()["told"][0]["accepted"]
    with labelers.service(tmp_path / "labels.sqlite").state() as state:
        (item,) = state.items.values()
    assert 0 <= item.votes["ann"].seconds < 60


def test_what_a_page_of_another_store_or_person_sends_is_not_done(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(2))
    with labelers.running(tmp_path / "labels.sqlite") as url:
        ann = Client(url, "ann")
        before = ann.say()
        cast = vote(before["queue"][0]["item"], NAMES[0])
        for whose in ({"me": "bob"}, {"store": "another"}, {"me": "ann", "store": "another"}, {"me": 5}):
            answer = ann.say(cast, **whose)
            assert (answer["told"], answer["progress"]["done"]) == ([], 0)
        assert ann.say(cast, me="ann", store=before["store"])["told"][0]["accepted"]


def test_a_store_is_told_from_others_by_where_it_is(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    monkeypatch.chdir(tmp_path)
    ids = {
        name: store_id(labelers.service(name)) for name in ("one", "one/labels.sqlite", "two", str(tmp_path / "one"))
    }
    assert ids["one"] == ids["one/labels.sqlite"] == ids[str(tmp_path / "one")] != ids["two"]


def test_the_address_of_a_proxy_may_be_given_in_capital_letters(tmp_path):
    store = open_store(str(tmp_path / "labels.sqlite"))
    site = Site(local=True, public=checked_url("http://Olgas-MacBook.local"))
    client = TestClient(application(store, Everybody(), Taxonomy.default(), site), follow_redirects=False)
    for host in ("olgas-macbook.local", "127.0.0.1:7860"):  # the proxy may keep what the browser said, or not
        said = {"Host": host, "Origin": "http://olgas-macbook.local"}
        assert client.post("/sign-in", data={"name": "ann"}, headers=said).status_code == 303
    store.close()


def test_whoever_only_looks_waits_for_no_transaction(tmp_path):
    """GroupCommit of many share a commit, which waits for the disk: a look must not end one before its time."""
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(2))
    store = open_store(str(tmp_path / "labels.sqlite"))
    client = TestClient(application(store, Everybody(), Taxonomy.default()))
    assert client.post("/sign-in", data={"name": "ann"}, follow_redirects=False).status_code == 303
    with ThreadPoolExecutor(1) as pool, store.service.transaction():
        for page in ("", "/settle"):
            config = pool.submit(client.get, f"{page}/config").result(timeout=60).json()
        settle = next(c["id"] for c in config["components"] if c["props"].get("server_fns"))
        body = {"data": {}, "component_id": settle, "fn_name": "settle", "session_hash": "x"}
        answer = pool.submit(client.post, "/settle/gradio_api/component_server/", json=body).result(timeout=60)
        assert answer.json()["left"] == 0
    store.close()
