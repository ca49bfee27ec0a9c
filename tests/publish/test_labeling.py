"""Publishing the labeling Space: secrets before files, nothing public, no text, and no token but its own."""

import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download
from labeling_space import ROLES, SPACE, TOKEN, space_on

from rarecase.core.errors import ConfigError, DataError, HubError
from rarecase.hub.commit import Target, push
from rarecase.labeling.store.label_store import open_store
from rarecase.publish.labeling import publish_labeling
from rarecase.publish.plan import Plan
from rarecase.publish.space_access import space_token


def test_secrets_are_set_before_there_is_anything_to_run(fresh_hub, publish):
    status, out, err = publish()
    assert status == 0, err
    changes = [line["request"] for line in fresh_hub.log("^(POST|PUT|DELETE) /api/(repos|.*/(commit|secrets))")]
    assert changes == [
        "POST /api/repos/create",
        "POST /api/datasets/acme/labeling-labels/commit/main",
        "POST /api/repos/create",
        "POST /api/spaces/acme/labeling/secrets",
        "POST /api/spaces/acme/labeling/secrets",
        "POST /api/spaces/acme/labeling/commit/main",
    ]
    assert {key: about["value"] for key, about in space_on(fresh_hub).secrets.items()} == {
        "HF_TOKEN": TOKEN,
        "RARECASE_ROLES": ROLES,
    }
    assert re.findall(r"^(\w+) .* private, ", out, re.MULTILINE) == ["dataset", "space"]
    assert "next: let a run ask there: --annotator people --store hf://datasets/acme/labeling-labels" in err
    assert HfApi().get_space_runtime("acme/labeling").stage == "BUILDING"


def test_nothing_is_public(fresh_hub, publish):
    publish()
    assert HfApi().space_info("acme/labeling").private
    assert not space_on(fresh_hub).protected
    assert HfApi().dataset_info("acme/labeling-labels").private


def test_a_second_time_there_is_nothing_to_do(fresh_hub, publish):
    publish()
    status, out, _ = publish()
    assert status == 0
    assert len(re.findall(r"private, nothing to do, at ", out)) == 2
    assert len(fresh_hub.log("POST .*/commit/")) == 2


def test_a_dry_run_shows_files_and_cards_and_changes_nothing(fresh_hub, publish):
    status, out, _ = publish("--dry-run", "--format", "json")
    assert status == 0
    labels, space = json.loads(out)
    assert (labels["repo_id"], space["repo_id"]) == ("acme/labeling-labels", "acme/labeling")
    assert labels["private"]
    assert space["private"]
    assert {"app.py", "labeling.json", "taxonomy.yaml", "rarecase/labeling/store/service.py"} <= set(space["files"])
    assert "Keep this repository private" in labels["card"]
    assert "hf_oauth: true" in space["card"]
    assert TOKEN not in out
    assert not fresh_hub.log("^(POST (?!/api/validate-yaml)|PUT|DELETE)")
    assert "README.md:" in publish("--dry-run")[1]


def test_protected_when_asked_and_left_as_it_is_when_not(fresh_hub, publish):
    publish("--visibility", "protected")
    assert space_on(fresh_hub).protected
    assert space_on(fresh_hub).private
    publish()
    assert space_on(fresh_hub).protected
    publish("--visibility", "private")
    assert not space_on(fresh_hub).protected
    assert publish("--visibility", "public")[0] != 0


@pytest.mark.parametrize(("repo_id", "kind"), [("acme/labeling", "space"), ("acme/labeling-labels", "dataset")])
def test_what_is_public_already_gets_nothing(fresh_hub, publish, repo_id, kind):
    HfApi().create_repo(repo_id, repo_type=kind, private=False, space_sdk="gradio" if kind == "space" else None)
    before = len(fresh_hub.log("^(POST|PUT)"))
    status, _, err = publish()
    assert status == 2
    assert err.startswith(f"rarecase: {repo_id} is public, and labeling is about texts and names; make it private")
    assert len(fresh_hub.log("^(POST|PUT)")) == before


@pytest.mark.parametrize(("repo_id", "kind"), [("acme/labeling", "space"), ("acme/labeling-labels", "dataset")])
def test_what_somebody_else_made_is_not_overwritten(fresh_hub, publish, repo_id, kind):
    push(Target(kind=kind, repo_id=repo_id), lambda _: {"app.py": b"", "README.md": b"# Mine"}, "Mine")
    before = len(fresh_hub.log("^(POST|PUT)"))
    status, _, err = publish()
    assert status == 2
    assert err == f"rarecase: {repo_id}: has app.py, which rarecase did not write; name another --repo\n"
    assert len(fresh_hub.log("^(POST|PUT)")) == before


@pytest.mark.parametrize("debug", [False, True])
def test_no_secret_is_printed_or_logged(fresh_hub, publish, monkeypatch, caplog, debug):
    monkeypatch.setattr("huggingface_hub.constants.HF_DEBUG", debug)
    caplog.set_level(logging.DEBUG)
    _, *said = publish()
    said += [caplog.text, str(fresh_hub.log())]
    fresh_hub.fault("/secrets", 400, message=f'"value" with value "{TOKEN}" is not allowed', times=9)
    status, out, err = publish()
    assert status == 2
    assert err == "rarecase: acme/labeling: the Hub refuses it (status 400)\n"
    for told in (*said, out):
        assert TOKEN not in told
        assert "annotators: [ann" not in told
    for path in HfApi().list_repo_files("acme/labeling", repo_type="space"):
        content = Path(hf_hub_download("acme/labeling", path, repo_type="space")).read_bytes()
        assert TOKEN.encode() not in content


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("request_", ["/secrets", "/api/repos/create", "/commit/"])
def test_a_connection_may_be_reset(fresh_hub, publish, drop, request_):
    fresh_hub.fault(request_, drop=drop)
    status, _, err = publish()
    assert status == 0, err
    assert set(space_on(fresh_hub).secrets) == {"HF_TOKEN", "RARECASE_ROLES"}


def test_without_its_secrets_it_gets_no_files(fresh_hub, publish):
    fresh_hub.fault("/secrets", 500, times=100)
    status, _, err = publish()
    assert status == 2
    assert "the Hub is in trouble (status 500); repeat the command" in err
    assert HfApi().get_space_runtime("acme/labeling").stage == "NO_APP_FILE"


@pytest.mark.parametrize("request_", ["/secrets", "/spaces/acme/labeling/commit/"])
def test_what_cannot_be_finished_is_taken_back(fresh_hub, publish, request_):
    fresh_hub.fault(request_, 400)
    status, _, err = publish()
    assert status == 2
    of, gone = "; acme/labeling", ", created for this, is deleted again"
    assert err.endswith(f"{of}{gone}{of}-labels{gone}\n")
    assert not HfApi().repo_exists("acme/labeling", repo_type="space")
    assert not HfApi().repo_exists("acme/labeling-labels", repo_type="dataset")
    publish()
    fresh_hub.fault("/secrets", 400)
    assert "deleted" not in publish()[2]
    assert HfApi().repo_exists("acme/labeling", repo_type="space")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "no such variable is set; expected the name of one that holds a fine-grained token"),
        (" ", "no such variable is set"),
        ("hf_alice", "holds your own token, .* make a fine-grained one"),
    ],
)
def test_the_space_gets_a_token_of_its_own(fresh_hub, publish, monkeypatch, value, says):
    if value is None:
        monkeypatch.delenv("SPACE_TOKEN")
    else:
        monkeypatch.setenv("SPACE_TOKEN", value)
    status, _, err = publish()
    assert status == 2
    assert re.search(f"^rarecase: --space-token-env SPACE_TOKEN: {says}", err)
    assert "hf_alice" not in err
    assert not fresh_hub.log("^(POST|PUT)")
    with pytest.raises(ConfigError):
        space_token("SPACE_TOKEN", "write to the data set of the labels")


def settings() -> dict:
    """What the Space says of how texts are labelled."""
    path = hf_hub_download("acme/labeling", "labeling.json", repo_type="space", force_download=True)
    return json.loads(Path(path).read_text())


STORE = "hf://datasets/acme/labeling-labels"


def test_what_is_said_of_labeling_stays_until_something_else_is(fresh_hub, publish):
    publish("--votes", "3", "--consensus", "majority")
    assert settings() == {"votes": 3, "consensus": "majority", "store": STORE}
    assert len(re.findall(r"private, nothing to do, at ", publish()[1])) == 2
    assert len(re.findall(r"private, nothing to do, at ", publish("--votes", "3")[1])) == 2
    publish("--votes", "1", "--lease", "60")
    assert settings() == {"votes": 1, "consensus": "majority", "store": STORE, "lease": 60.0}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--votes", "0"], "--votes 0: expected at least 1"),
        (["--lease", "0"], "--lease 0.0: expected more than 0 seconds"),
        (["--calibrate-every", "-1"], "--calibrate-every -1: expected at least 0"),
        (["--calibrate-every", "9"], "--calibrate-every needs --qualify FILE"),
        (["--qualify", "none.csv"], "none.csv: no such file"),
    ],
)
def test_settings_that_nobody_can_mean_stop_it_before_anything_is_made(fresh_hub, publish, flags, says):
    status, _, err = publish(*flags)
    assert status == 2
    assert err.startswith(f"rarecase: {says}")
    assert not fresh_hub.log("^(POST|PUT)")


def test_settings_that_were_broken_by_hand_are_said(fresh_hub, publish):
    publish()
    HfApi().upload_file(path_or_fileobj=b"{", path_in_repo="labeling.json", repo_id=SPACE.repo_id, repo_type="space")
    status, _, err = publish()
    assert status == 2
    assert err.startswith("rarecase: acme/labeling: its labeling.json cannot be read; delete it there, and publish")
    HfApi().delete_file("labeling.json", repo_id=SPACE.repo_id, repo_type="space")
    assert publish("--votes", "3")[0] == 0


def known(folder: Path, count: int, label: str = "discard") -> list[str]:
    """A file of texts whose answer is known, by an alias of the shipped classes."""
    lines = [f"text {i},{label}" for i in range(count)]
    (folder.parent / "known.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    return ["--qualify", str(folder.parent / "known.csv")]


def checks() -> dict[str, list[tuple[str, str]]]:
    """What a page that begins anew finds: of each use the texts and their answers."""
    store = open_store(STORE)
    with store.service.state() as state:
        found = {use: [(item.text, item.known) for item in state.checks(use)] for use in ("qualify", "calibrate")}
    store.close()
    return found


def named(paths: Iterable[str]) -> list[str]:
    """The files of a label store, without what makes their names their own."""
    return sorted(re.sub(r"(-[0-9a-f-]{36})?\.jsonl$", "", path) for path in paths)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A machine that knows nothing of the store."""
    monkeypatch.setenv("RARECASE_STORE", str(tmp_path / "elsewhere"))


@pytest.mark.usefixtures("elsewhere")
def test_texts_with_known_answers_go_into_the_data_set_and_not_into_the_space(fresh_hub, publish, folder):
    flags = [*known(folder, 4), "--calibrate-every", "5"]
    status, _, err = publish(*flags)
    assert status == 0, err
    assert settings()["calibrate_every"] == 5
    stored = named(HfApi().list_repo_files("acme/labeling-labels", repo_type="dataset"))
    assert stored == [".gitattributes", "README.md", "queue/calibrate", "queue/qualify"]
    assert checks() == {
        "qualify": [("text 0", "not-harmful"), ("text 2", "not-harmful")],
        "calibrate": [("text 1", "not-harmful"), ("text 3", "not-harmful")],
    }
    for path in HfApi().list_repo_files("acme/labeling", repo_type="space"):
        content = Path(hf_hub_download("acme/labeling", path, repo_type="space")).read_bytes()
        assert b"text 2" not in content


@pytest.mark.usefixtures("elsewhere")
def test_known_answers_are_there_once_however_often_they_are_published(fresh_hub, publish, folder):
    publish(*known(folder, 2))
    commits = len(fresh_hub.log("POST .*/commit/"))
    for again in ([], known(folder, 2)):
        assert len(re.findall(r"private, nothing to do, at ", publish(*again)[1])) == 2
    assert len(fresh_hub.log("POST .*/commit/")) == commits
    publish(*known(folder, 3))
    assert [text for text, _ in checks()["qualify"]] == ["text 0", "text 1", "text 2"]
    assert len(fresh_hub.log("POST .*/commit/")) == commits + 1


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.usefixtures("elsewhere")
def test_a_connection_reset_while_known_answers_are_sent_leaves_them_there_once(fresh_hub, publish, folder, drop):
    fresh_hub.fault("/datasets/.*/commit/", drop=drop)
    status, _, err = publish(*known(folder, 2))
    assert status == 0, err
    assert [text for text, _ in checks()["qualify"]] == ["text 0", "text 1"]


def test_known_answers_of_a_dry_run_are_shown_and_go_nowhere(fresh_hub, publish, folder):
    status, out, _ = publish(*known(folder, 2), "--dry-run", "--format", "json")
    assert status == 0
    assert named(json.loads(out)[0]["files"]) == ["README.md", "queue/qualify"]
    assert "text 1" not in out
    assert not fresh_hub.log("^(POST (?!/api/validate-yaml)|PUT|DELETE)")


def test_a_known_answer_that_is_no_class_stops_it_before_anything_is_made(fresh_hub, publish, folder):
    status, _, err = publish(*known(folder, 2, label="self-harn"))
    assert status == 2
    assert "known.csv: row 1: label 'self-harn' is no class of the store; did you mean 'self-harm'? (" in err
    assert not fresh_hub.log("^(POST|PUT)")


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ("anotators: [ann]", "unknown role 'anotators'; did you mean 'annotators'?"),
        ("{}", "nobody is named"),
        (None, "No such file or directory; expected a YAML file of who may do what"),
        ("\udcff", "not valid UTF-8; expected a YAML file"),
    ],
)
def test_roles_that_are_none_stop_it_before_anything_is_made(fresh_hub, publish, folder, roles, says):
    file = folder.parent / "roles.yaml"
    if roles is None:
        file.unlink()
    else:
        file.write_bytes(roles.encode(errors="surrogateescape"))
    status, _, err = publish()
    assert status == 2
    assert err.startswith(f"rarecase: --roles {file}: {says}")
    assert not fresh_hub.log("^(POST|PUT)")


def test_a_folder_without_classes_is_refused(fresh_hub, tmp_path):
    (tmp_path / "roles.yaml").write_text(ROLES)
    with pytest.raises(DataError, match="no folder of a run or a start"):
        publish_labeling(tmp_path, SPACE, roles=tmp_path / "roles.yaml", token=TOKEN, send=Plan())


def test_who_may_not_write_there_is_told(fresh_hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with pytest.raises(HubError, match=r"^acme/labeling-labels: this token may not write there \(403\)"):
        publish_labeling(folder, SPACE, roles=folder.parent / "roles.yaml", token=TOKEN)
