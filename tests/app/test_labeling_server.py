"""How the page is started: what it prints, what it refuses, and what a Space folder says."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from app import labelers
from app.labelers import NAMES, Client, vote
from rarecase.app.labeling import launch, serve
from rarecase.app.labeling.gate import Gate, SignIn
from rarecase.app.labeling.qualify import add_known
from rarecase.errors import ConfigError, DataError
from rarecase.label.roles import Everybody
from rarecase.label.state import Settings

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
        assert labelers.desk(tmp_path / "labels.sqlite").forget("ann")
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
    desk = labelers.desk(tmp_path / "labels.sqlite")
    about = {"legal-advice": {"definition": "Ours.", "example": "An example of ours."}}
    desk.add("b1", ["legal-advice", "other"], [{"row": "a", "text": "a text"}], about=about)
    with labelers.running(tmp_path / "labels.sqlite") as url:
        assert Client(url, "ann").say()["about"] == about | {"other": {}}


def test_known_answers_qualify_and_calibrate(tmp_path):
    texts = labelers.posts(20)
    labelers.fill(tmp_path / "labels.sqlite", texts[:10])
    desk, known = labelers.desk(tmp_path / "labels.sqlite"), tmp_path / "known.csv"
    known.write_text("text,label\n" + "".join(f'"{text}",discard\n' for text in texts[10:]))
    add_known(desk, known, calibrate=True)
    add_known(desk, known, calibrate=True)  # a server that is started again
    with desk.state() as state:
        found = [(item.use, item.known) for item in state.items.values() if item.use != "work"]
    assert found == [("qualify", "not-harmful")] * 5 + [("calibrate", "not-harmful")] * 5
    (tmp_path / "other.csv").write_text(f"text,label\n{SECRET},{NAMES[0]}\nb,{SECRET}{SECRET}\n")
    with pytest.raises(DataError, match=r"other\.csv: row 2: label is no class of the store \(self-harm, ") as caught:
        add_known(desk, tmp_path / "other.csv", calibrate=False)
    assert SECRET not in str(caught.value)


def test_what_cannot_be_served_is_told_in_one_line(tmp_path, monkeypatch):
    store = str(tmp_path / "labels.sqlite")
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file or directory; --roles takes a YAML file"):
        serve(store, port=0, settings=Settings(), roles=tmp_path / "none.yaml")
    with labelers.running(store) as url, pytest.raises(ConfigError, match=r"Address already in use\); take another"):
        serve(store, port=int(url.rpartition(":")[2]), settings=Settings())
    with pytest.raises(ConfigError, match=r"labeling\.json names no store, and RARECASE_STORE is not set"):
        launch(tmp_path)
    (tmp_path / "labeling.json").write_text('{"store": "x", "vote": 2}')
    with pytest.raises(ConfigError, match=r"labeling\.json: unknown setting 'vote'; did you mean 'votes'\?"):
        launch(tmp_path)
    monkeypatch.setenv("SPACE_ID", "acme/labeling")
    with pytest.raises(ConfigError, match=r"on a Space the secret RARECASE_ROLES says who may label"):
        serve(store, port=0, settings=Settings())


@pytest.mark.parametrize("said", [{"SPACE_ID": "a/b"}, {"SYSTEM": "spaces"}, {"SPACE_ID": "a/b", "SYSTEM": "spaces"}])
def test_by_name_alone_nobody_signs_in_on_a_space(tmp_path, said):
    code = "import sys; from rarecase.app.labeling import serve; from rarecase.label.state import Settings\n"
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
    with labelers.desk(store).state() as state:
        assert state.settings == Settings(votes=3)


def test_an_exception_that_nobody_caught_is_logged_without_its_words(caplog):
    async def fails(scope, receive, send):
        raise ValueError(SECRET)

    sent = []

    async def send(message):
        sent.append(message)

    gate = Gate(fails, SignIn(lambda request: "ann", frozenset(), lambda app: None, lambda to: ""), Everybody())
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(gate(scope, None, send))
    assert sent[0]["status"] == 500
    assert "ValueError in " in caplog.text
    assert SECRET not in caplog.text + str(sent)


def test_a_vote_is_told_apart_from_a_repeated_one(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(3))
    with labelers.running(tmp_path / "labels.sqlite") as url:
        ann = Client(url, "ann")
        cast = vote(ann.say()["queue"][0]["item"], NAMES[0])
        answers = [ann.say(cast), ann.say(cast), ann.say(cast, cast)]
        assert all(told["accepted"] for answer in answers for told in answer["told"])
        assert answers[-1]["progress"]["done"] == 1
