"""A label store on the Hub: every vote that was acknowledged and flushed is there once, whatever the Hub answers."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hub_store import NAMES, REPO, ROWS, URL, known, on_hub, vote, votes_on_hub
from huggingface_hub import HfApi, hf_hub_download

from rarecase.cli.main import command
from rarecase.core.errors import ConfigError, DataError, HubError
from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.settings import Settings

COMMIT = f"POST /api/datasets/{REPO}/commit/main"


def test_a_batch_goes_to_the_page_and_its_labels_come_back(machine, page):
    loop = machine("loop")
    given = [vote(page, label=NAMES[number % 2]) for number in range(6)]
    assert loop.service.take("4f1c") is None
    page.sync()
    loop.sync()
    found = loop.service.take("4f1c")
    assert found is not None
    assert [(item.row, item.text, said.label) for item, said in found] == [
        (row.row, row.text, NAMES[number % 2]) for number, row in enumerate(ROWS)
    ]
    assert votes_on_hub() == Counter(given)
    loop.sync()
    page.sync()
    assert page.service.queue("bob").progress["open_for"] == "nothing"
    assert not page.service.undo("ann").accepted


def test_the_repository_is_made_private_and_says_what_it_is(page):
    assert HfApi().dataset_info(REPO).private
    card = Path(hf_hub_download(REPO, "README.md", repo_type="dataset")).read_text()
    assert "Keep this repository private" in card
    assert "viewer: false" in card


def test_a_public_repository_gets_nothing(machine, fresh_hub):
    HfApi().create_repo(REPO, repo_type="dataset", private=False)
    with pytest.raises(ConfigError, match=f"^{REPO} is public, and labeling is about texts and names"):
        machine("page")
    assert not fresh_hub.log("/commit/")


def test_one_made_public_meanwhile_gets_nothing_more(page, fresh_hub):
    HfApi().update_repo_settings(REPO, repo_type="dataset", private=False)
    before = len(fresh_hub.log("/commit/"))
    vote(page)
    with pytest.raises(ConfigError, match="is public"):
        page.sync()
    assert len(fresh_hub.log("/commit/")) == before
    assert page.unflushed() == 1


def test_no_file_is_ever_written_again(page, machine, fresh_hub):
    for _ in range(3):
        vote(page)
        page.sync()
        machine("loop").sync()
    commits = fresh_hub.app.state.repos["dataset", REPO].commits.values()
    versions: dict[str, set[str]] = {}
    for commit in commits:
        for path, file in commit.tree.items():
            versions.setdefault(path, set()).add(file.oid)
    assert [path for path, found in versions.items() if len(found) > 1] == []
    assert {path for path in versions if re.fullmatch(r"events/[0-9a-f-]{36}\.jsonl", path)}


def test_nothing_new_is_no_commit_and_no_download(page, fresh_hub):
    page.sync()
    before = len(fresh_hub.log())
    page.sync()
    later = [line["request"] for line in fresh_hub.log()[before:]]
    assert not [line for line in later if "/commit/" in line or "/resolve/" in line]


@pytest.mark.parametrize("status", [412, 429, 500, 503])
def test_a_commit_that_fails_is_repeated(page, fresh_hub, status):
    event = vote(page)
    fresh_hub.fault(COMMIT, status, times=2)
    assert page.unflushed() == 1
    page.sync()
    assert page.unflushed() == 0
    assert votes_on_hub() == {event: 1}


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("request_", ["/commit/main", "/preupload/", "/tree/", f"GET /api/datasets/{REPO}"])
def test_a_connection_may_be_reset_at_any_request(page, fresh_hub, drop, request_):
    event = vote(page)
    fresh_hub.fault(request_, drop=drop)
    page.sync()
    assert page.unflushed() == 0
    assert votes_on_hub() == {event: 1}


@pytest.mark.parametrize(("status", "drop"), [(500, None), (None, "before"), (None, "after")])
def test_a_download_may_fail_too(page, machine, fresh_hub, status, drop):
    given = [vote(page) for _ in range(3)]
    page.sync()
    fresh_hub.fault("/resolve/.*jsonl", status, drop=drop, times=2)
    loop = machine("loop")
    assert list(known(loop)) == given


def test_two_machines_that_commit_at_once_both_succeed(page, machine):
    loop = machine("loop")
    loop.service.add("second", NAMES, ROWS)
    vote(page)
    threads = [threading.Thread(target=store.sync) for store in (loop, page)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(event["kind"] for event in on_hub()) == {"batch": 2, "item": 12, "settings": 1, "vote": 1}
    assert page.unflushed() == 0


def test_a_hub_in_trouble_is_one_line_and_nothing_is_lost(page, fresh_hub):
    event = vote(page)
    fresh_hub.fault("/commit/", 500, times=100)
    with pytest.raises(HubError, match=rf"^{REPO}: the Hub is in trouble \(status 500\)"):
        page.sync()
    assert page.unflushed() == 1
    fresh_hub.app.faults.clear()
    page.sync()
    assert votes_on_hub() == {event: 1}


def test_a_store_that_nobody_has_made_is_not_made_by_looking(machine, fresh_hub, capsys):
    machine("page").sync()
    assert command(["label", "status", "--store", URL]) == 2
    assert f"--store {URL}: no label store there yet" in capsys.readouterr().err
    assert not HfApi().repo_exists(REPO, repo_type="dataset")
    machine("page").service.start(Settings(votes=1))
    assert command(["label", "status", "--store", URL, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 0


def test_files_of_two_machines_for_one_batch_both_stand_on_the_hub(machine):
    stores = [machine(name) for name in ("one", "two")]
    for store, rows in zip(stores, (ROWS[:3], ROWS[3:]), strict=True):
        store.service.add("qualify", NAMES, [replace(row, known="harmful") for row in rows], use="qualify")
    for store in (*stores, *stores):
        store.sync()
    assert Counter(event["kind"] for event in on_hub()) == {"batch": 2, "item": 6}
    for store in stores:
        with store.service.state() as state:
            assert len(state.items) == 6


def test_what_is_not_installed_is_named_without_the_address(monkeypatch):
    monkeypatch.setitem(sys.modules, "rarecase.labeling.store.events", None)
    with pytest.raises(ConfigError, match=r"^--store needs .* which is not installed") as said:
        open_store("postgresql://ann:secret@127.0.0.1/labels")
    assert "secret" not in str(said.value)


def test_an_empty_disk_knows_every_flushed_vote_once(page, machine):
    page.service.start(Settings(votes=2))
    given = [vote(page) for _ in range(3)]
    page.sync()
    page.service.undo("ann")
    given.append(vote(page, "bob"))
    page.service.flag("ann", page.service.queue("ann").queue[-1]["item"])
    page.sync()
    vote(page, "bob")  # acknowledged, but not flushed: the page says so
    assert page.unflushed() == 1
    fresh = machine("another disk")
    assert set(known(fresh)) == {*given[:2], given[3]}
    assert fresh.unflushed() == 0
    with fresh.service.state() as state, page.service.state() as before:
        assert {p.name: p.alias for p in state.people.values()} == {p.name: p.alias for p in before.people.values()}
        assert state.settings == Settings(votes=2)
    given.append(vote(fresh, "eve"))
    fresh.sync()
    assert set(votes_on_hub().values()) == {1}


def test_a_disk_that_stays_is_gone_on_with_also_while_the_hub_is_away(page, machine, fresh_hub):
    event = vote(page)
    with fresh_hub.down():
        again = machine("page")
        assert "the Hub cannot be reached" in again.trouble
        assert again.unflushed() == 1
        with pytest.raises(HubError, match="the Hub cannot be reached"):
            machine("another disk")
    again.sync()
    assert votes_on_hub() == {event: 1}


def test_imported_votes_that_the_hub_does_not_take_are_an_error_until_it_does(page, fresh_hub, tmp_path, capsys):
    (tmp_path / "votes.csv").write_text("item,annotator,label\np0,fay,harmful\n")
    asked = ["label", "import", str(tmp_path / "votes.csv"), "--store", URL]
    fresh_hub.fault("/commit/", 400, times=10**6)
    assert command(asked) == 2
    told, error = capsys.readouterr().err.splitlines()
    assert told.endswith("1 new votes")
    assert f"{REPO}: the Hub refuses it (status 400)" in error
    fresh_hub.app.faults.clear()
    assert command(asked) == 0
    assert len(votes_on_hub()) == 1


KILLED = """
import os, signal, sys
from rarecase.labeling.store.label_store import open_store
from rarecase.hub import commit
def push(*arguments):
    if sys.argv[1] == "after":
        commit.push(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
store = open_store("hf://datasets/acme/labels", push)
for number in range(3):
    item = store.service.queue("ann").queue[0]["item"]
    assert store.service.vote("ann", item, "harmful", event=f"ann-{item}").accepted
    print(f"ann-{item}", flush=True)
store.sync()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_the_commit_and_begun_again(page, machine, fresh_hub, tmp_path, moment):
    """After the commit, before it is remembered; or with the file chosen, and not yet committed."""
    environment = {**fresh_hub.environment, "RARECASE_STORE": str(tmp_path / "page")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, moment], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    given = done.stdout.split()
    assert len(given) == 3
    assert votes_on_hub() == (Counter(given) if moment == "after" else {})
    again = machine("page")
    assert list(known(again)) == given
    again.sync()
    assert again.unflushed() == 0
    assert votes_on_hub() == Counter(given)


def test_a_file_that_somebody_edited_is_named_and_votes_go_out_all_the_same(page):
    HfApi().upload_file(
        path_or_fileobj=b"a post that nobody may see\n",
        path_in_repo="events/edited.jsonl",
        repo_id=REPO,
        repo_type="dataset",
    )
    event = vote(page)
    with pytest.raises(DataError, match=r"^events/edited\.jsonl line 1: no event of a label store") as said:
        page.sync()
    assert "nobody" not in str(said.value)
    assert page.unflushed() == 0
    HfApi().delete_file("events/edited.jsonl", REPO, repo_type="dataset")
    page.sync()
    assert votes_on_hub() == {event: 1}


@pytest.mark.parametrize("url", ["hf://acme/labels", "hf://datasets/acme", "hf://datasets/a/b/c", "hf://datasets/a b"])
def test_an_address_that_is_none_is_told_the_form(url):
    with pytest.raises(ConfigError, match=f"^--store {url}: expected hf://datasets/OWNER/NAME"):
        open_store(url)


def test_a_place_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RARECASE_STORE", str(tmp_path / "file" / "inside"))
    with pytest.raises(DataError, match=r"cannot be written \(Not a directory\); name another RARECASE_STORE"):
        open_store(URL)


def test_a_database_has_nothing_to_sync(tmp_path):
    store = open_store(str(tmp_path / "labels.sqlite"))
    store.service.add("4f1c", NAMES, ROWS)
    store.service.start(Settings(votes=1))
    vote(store)
    store.start_syncing()
    store.sync()
    assert (store.unflushed(), store.trouble) == (0, "")
    assert {event.kind for event in store.service.log.since(0)} <= {"batch", "item", "settings", "lease", "vote"}
    store.close()
