"""The labeling Space: secrets before files, nothing public, no text, and no token but its own."""

import contextlib
import json
import logging
import re
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path

import demo_spaces as spaces
import pytest
import yaml
from hub_server.server import bound
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

import rarecase
from rarecase.cli.main import command
from rarecase.core.errors import ConfigError, DataError, HubError
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import texts
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.commit import Target
from rarecase.hub.errors import RETRY
from rarecase.labeling.store.store import open_store
from rarecase.publish.labeling import publish_labeling, space_files, space_token
from rarecase.publish.plan import Plan

PLACE = Target(kind="space", repo_id="acme/labeling")
TOKEN = "hf_of_the_space_alone"
ROLES = "owners: [alice]\nannotators: [ann, bob]\n"
HOME = Path(rarecase.__file__).parent


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "run").mkdir()
    Taxonomy.default().save(tmp_path / "run" / "taxonomy.yaml")
    (tmp_path / "roles.yaml").write_text(ROLES)
    return tmp_path / "run"


@pytest.fixture
def publish(folder, monkeypatch, capsys):
    """The command; gives its exit status, what it printed, and what it said."""
    monkeypatch.setenv("SPACE_TOKEN", TOKEN)
    monkeypatch.setattr(RETRY, "wait", lambda seconds: None)
    flags = [
        "--repo",
        "acme/labeling",
        "--roles",
        str(folder.parent / "roles.yaml"),
        "--space-token-env",
        "SPACE_TOKEN",
    ]

    def publish(*more: str) -> tuple[int, str, str]:
        status = command(["publish", "labeling", str(folder), *flags, *more])
        return status, *capsys.readouterr()

    return publish


def standing(hub):
    return hub.app.state.repos["space", "acme/labeling"]


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
    assert {key: about["value"] for key, about in standing(fresh_hub).secrets.items()} == {
        "HF_TOKEN": TOKEN,
        "RARECASE_ROLES": ROLES,
    }
    assert re.findall(r"^(\w+) .* private, ", out, re.MULTILINE) == ["dataset", "space"]
    assert "next: let a run ask there: --annotator people --store hf://datasets/acme/labeling-labels" in err
    assert HfApi().get_space_runtime("acme/labeling").stage == "BUILDING"


def test_nothing_is_public(fresh_hub, publish):
    publish()
    assert HfApi().space_info("acme/labeling").private
    assert not standing(fresh_hub).protected
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
    assert {"app.py", "labeling.json", "taxonomy.yaml", "rarecase/labeling/store/desk.py"} <= set(space["files"])
    assert "Keep this repository private" in labels["card"]
    assert "hf_oauth: true" in space["card"]
    assert TOKEN not in out
    assert not fresh_hub.log("^(POST|PUT|DELETE)")
    assert "README.md:" in publish("--dry-run")[1]


def test_protected_when_asked_and_left_as_it_is_when_not(fresh_hub, publish):
    publish("--visibility", "protected")
    assert standing(fresh_hub).protected
    assert standing(fresh_hub).private
    publish()
    assert standing(fresh_hub).protected
    publish("--visibility", "private")
    assert not standing(fresh_hub).protected
    assert publish("--visibility", "public")[0] != 0


@pytest.mark.parametrize(("repo_id", "kind"), [("acme/labeling", "space"), ("acme/labeling-labels", "dataset")])
def test_what_is_public_already_gets_nothing(fresh_hub, publish, repo_id, kind):
    HfApi().create_repo(repo_id, repo_type=kind, private=False, space_sdk="gradio" if kind == "space" else None)
    before = len(fresh_hub.log("^(POST|PUT)"))
    status, _, err = publish()
    assert status == 2
    assert err.startswith(f"rarecase: {repo_id} is public, and labeling is about texts and names; make it private")
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
    assert set(standing(fresh_hub).secrets) == {"HF_TOKEN", "RARECASE_ROLES"}


def test_without_its_secrets_it_gets_no_files(fresh_hub, publish):
    fresh_hub.fault("/secrets", 500, times=100)
    status, _, err = publish()
    assert status == 2
    assert "the Hub is in trouble (status 500); repeat the command" in err
    assert HfApi().get_space_runtime("acme/labeling").stage == "NO_APP_FILE"


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
        space_token("SPACE_TOKEN")


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
    HfApi().upload_file(path_or_fileobj=b"{", path_in_repo="labeling.json", repo_id=PLACE.repo_id, repo_type="space")
    status, _, err = publish()
    assert status == 2
    assert err.startswith("rarecase: acme/labeling: its labeling.json cannot be read; delete it there, and publish")


def known(folder: Path, count: int, label: str = "discard") -> list[str]:
    """A file of texts whose answer is known, by an alias of the shipped classes."""
    lines = [f"text {i},{label}" for i in range(count)]
    (folder.parent / "known.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    return ["--qualify", str(folder.parent / "known.csv")]


def checks() -> dict[str, list[tuple[str, str]]]:
    """What a page that begins anew finds: of each use the texts and their answers."""
    store = open_store(STORE)
    with store.desk.state() as state:
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
    assert not fresh_hub.log("^(POST|PUT|DELETE)")


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
        ("\udcff", "no UTF-8; expected a YAML file"),
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
        publish_labeling(tmp_path, PLACE, roles=tmp_path / "roles.yaml", token=TOKEN, send=Plan())


def test_who_may_not_write_there_is_told(fresh_hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with pytest.raises(HubError, match=r"^acme/labeling-labels: this token may not write there \(403\)"):
        publish_labeling(folder, PLACE, roles=folder.parent / "roles.yaml", token=TOKEN)


def test_the_space_names_its_data_set_and_signs_people_in(folder):
    files = space_files(folder, "acme/labeling", {})
    assert json.loads(files["labeling.json"]) == {"store": "hf://datasets/acme/labeling-labels"}
    head, card = files["README.md"].decode().removeprefix("---\n").split("\n---\n", 1)
    facts = yaml.safe_load(head)
    assert facts.pop("sdk_version").startswith("6.")
    assert re.fullmatch(r"3\.\d+", facts.pop("python_version"))
    assert facts == {
        "title": "labeling",
        "sdk": "gradio",
        "app_file": "app.py",
        "hf_oauth": True,
        "license": "apache-2.0",
        "tags": ["rarecase", "not-for-all-audiences"],
    }
    assert "**Content warning.**" in card
    assert "--annotator people --store hf://datasets/acme/labeling-labels" in card


def test_the_package_goes_along(folder):
    files = space_files(folder, "acme/labeling", {})
    others = {name for name in files if not name.startswith("rarecase/")}
    assert others == {"README.md", "app.py", "requirements.txt", "labeling.json", "taxonomy.yaml"}
    assert {f"rarecase/{path.relative_to(HOME).as_posix()}" for path in HOME.rglob("*.py")} <= files.keys() - others


def test_the_requirements_are_those_of_the_package_and_all_from_the_registry(folder):
    lines = space_files(folder, "acme/labeling", {})["requirements.txt"].read_text().splitlines()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    known = {line.casefold() for line in (*project["dependencies"], *project["optional-dependencies"]["app"])}
    assert {line for line in lines if not line.startswith("#")} <= known


def test_who_publishes_needs_nothing_of_what_the_page_needs():
    script = (
        "import sys; import rarecase.publish.labeling; print({'sqlalchemy', 'gradio', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_no_text_of_the_data_is_in_the_space():
    run = spaces.run()
    files = space_files(run, "acme/labeling", {})
    contents = (content if isinstance(content, bytes) else content.read_bytes() for content in files.values())
    everything = b"\n".join(contents).decode("utf-8", "replace")
    posts = {
        text for path in run.glob("*.parquet") if path.name != "gold.parquet" for text in texts(read_parquet(path))
    }
    assert len(posts) > 150
    assert [text for text in posts if len(text) > 12 and text in everything] == []


@contextlib.contextmanager
def running(hub, folder: Path, log: Path, python: str = sys.executable, **environment: str) -> Iterator[str]:
    """The address of the Space while `python app.py` runs, as on the Hub; what it says goes to `log`."""
    held = bound()
    port = held.getsockname()[1]
    held.close()
    inherited = {name: value for name, value in hub.environment.items() if name != "PYTHONPATH"}
    space = {"SYSTEM": "spaces", "SPACE_ID": "acme/labeling", "GRADIO_SERVER_PORT": str(port)}
    sign_in = {"OAUTH_CLIENT_ID": "id", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "openid profile"}
    sign_in["OPENID_PROVIDER_URL"] = hub.url
    secrets = {key: about["value"] for key, about in standing(hub).secrets.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "app.py"],
            cwd=folder,
            env={**inherited, **space, **sign_in, **secrets, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(1200):
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=10):
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"no answer within two minutes:\n{log.read_text()}")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def published(publish, monkeypatch, tmp_path: Path) -> Path:
    """
    The Space as it stands on the Hub, in an empty folder, with one vote an item; carol, of the same organisation, gave
    it her token.
    """
    monkeypatch.setenv("SPACE_TOKEN", "hf_carol")
    status, _, err = publish()
    assert status == 0, err
    folder = Path(snapshot_download("acme/labeling", repo_type="space", local_dir=tmp_path / "space"))
    settings = json.loads((folder / "labeling.json").read_text())
    (folder / "labeling.json").write_text(json.dumps({**settings, "votes": 1}))
    return folder


def serves(hub, url: str) -> None:
    """Nobody gets in who is not signed in, and the Space has found its data set and written to it."""
    for path in ("/", "/config", "/settle/", "/gradio_api/info"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url + path, timeout=60)
        assert refused.value.code == 401
    for _ in range(600):
        files = HfApi().list_repo_files("acme/labeling-labels", repo_type="dataset")
        if any(path.startswith("events/") for path in files):  # its settings
            break
        time.sleep(0.1)
    else:
        raise AssertionError("nothing was written within a minute")
    assert {commit.title for commit in HfApi().list_repo_commits("acme/labeling-labels", repo_type="dataset")} >= {
        "Add events"
    }


def test_the_folder_alone_runs(fresh_hub, publish, monkeypatch, tmp_path):
    folder = published(publish, monkeypatch, tmp_path)
    with running(fresh_hub, folder, tmp_path / "log") as url:
        serves(fresh_hub, url)
    assert "hf_carol" not in (tmp_path / "log").read_text()


def test_it_does_not_run_without_roles(fresh_hub, publish, monkeypatch, tmp_path):
    folder = published(publish, monkeypatch, tmp_path)
    with (
        pytest.raises(AssertionError, match="RARECASE_ROLES says who may label"),
        running(fresh_hub, folder, tmp_path / "log", RARECASE_ROLES=""),
    ):
        pass


@pytest.mark.slow
def test_the_folder_alone_runs_on_nothing_but_its_requirements(fresh_hub, publish, monkeypatch, tmp_path):
    folder = published(publish, monkeypatch, tmp_path)
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", "gradio[oauth]", "-r", "requirements.txt"]
    subprocess.run(command, cwd=folder, check=True)
    installed = subprocess.run([python, "-c", "import rarecase"], cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'rarecase'" in installed.stderr
    with running(fresh_hub, folder, tmp_path / "log", python) as url:
        serves(fresh_hub, url)
    subprocess.run([python, "-c", USES_ALL], cwd=folder, check=True)


USES_ALL = """
from rarecase.labeling.store.agreement import agreement
from rarecase.labeling.store.desk import Desk
from rarecase.labeling.store.log import Log
from rarecase.labeling.store.state import Settings
desk = Desk(Log("labels.sqlite"))
desk.add("b", ["x", "y"], [{"row": str(n), "text": str(n)} for n in range(4)])
desk.start(Settings(votes=2, consensus="model"))
for person in ("ann", "bob"):
    while queue := desk.queue(person).queue:
        desk.vote(person, queue[0]["item"], "xy"[(person == "bob") ^ int(queue[0]["text"]) % 2])
assert len(desk.decisions("b")) + len(desk.disputes("eve")) == 4
with desk.state() as state:
    votes = [{v.person: v.label for v in item.votes.values()} for item in state.items.values()]
assert agreement(votes, ["x", "y"]).alpha is not None
"""
