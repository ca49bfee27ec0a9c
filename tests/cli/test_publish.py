"""The flags of `rarecase publish`: what has no effect is refused, and what is named is looked up."""

import io
import json
from pathlib import Path

import pytest
import releases
from datasets import Dataset, load_dataset
from huggingface_hub import HfApi, hf_hub_download
from small import NAMES

from rarecase.cli.main import app
from rarecase.core.errors import ConfigError, HubError
from rarecase.data.release import write_release
from rarecase.data.schema import conform
from rarecase.hub.commit import Target, push


def rarecase(*arguments: str) -> None:
    app(["publish", *map(str, arguments)], exit_on_error=False, print_error=False, result_action="return_value")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["demo", "run", "--repo", "acme/safety-demo", "--license", "mit"], "--license mit: a demo is code"),
        (["demo", "run", "--repo", "acme/safety-demo", "--gated", "auto"], "--gated auto: there are no gated Spaces"),
        (
            ["model", "run", "--repo", "acme/guard", "--license", "mit", "--create-pr", "--tag", "v1"],
            "--tag v1: a pull",
        ),
        (["demo", "run", "--repo", "acme/safety"], "--dataset is missing"),
        (["dataset", "run", "--repo", "acme/safety"], "--license is missing"),
    ],
)
def test_a_flag_without_effect_is_refused(arguments, says):
    with pytest.raises(ConfigError, match=says):
        rarecase(*arguments)


@pytest.mark.parametrize(
    ("what", "says"), [("dataset", "acme/safety"), ("all", "acme/safety, its models and its demo")]
)
def test_all_that_becomes_public_is_named_before_it_does(what, says):
    with pytest.raises(ConfigError, match=f"--public: anybody will be able to read {says}; .*, add --yes"):
        rarecase(what, "run", "--repo", "acme/safety", "--license", "mit", "--public")


def test_the_model_of_a_demo_is_looked_up_and_pinned(fresh_hub, tmp_path):
    data = str(releases.write(tmp_path / "data"))
    rarecase("dataset", data, "--repo", "acme/safety", "--license", "cc-by-4.0")
    demo = ["demo", data, "--repo", "acme/safety-demo", "--model", "acme/guard"]
    with pytest.raises(ConfigError, match="--model acme/guard: not on the Hub"):
        rarecase(*demo)
    made = push(Target(kind="model", repo_id="acme/guard"), lambda _: {"config.json": b"{}"}, "A guard").revision
    rarecase(*demo)
    named = json.loads(Path(hf_hub_download("acme/safety-demo", "demo.json", repo_type="space")).read_text())
    assert named["model"] == f"acme/guard@{made}"


@pytest.mark.parametrize("what", ["dataset", "all"])
@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
def test_a_licence_that_the_hub_does_not_know_is_refused_before_a_repository_is_made(what, flags, fresh_hub, tmp_path):
    data = str(releases.write(tmp_path / "data", 12))
    with pytest.raises(HubError, match=r'acme/safety: the Hub refuses it \(status 400\): .*"license" must be one of'):
        rarecase(what, data, "--repo", "acme/safety", "--license", "cc-by", *flags)
    assert not fresh_hub.log("^(POST (?!/api/validate-yaml)|PUT|DELETE)"), "nothing is made, not even for a moment"


def test_a_dry_run_needs_no_hub(tmp_path, capsys):
    data = str(releases.write(tmp_path / "data", 12))
    rarecase("all", data, "--repo", "acme/safety", "--license", "cc-by-4.0", "--dry-run")
    shown = capsys.readouterr()
    for kind, name in (("dataset", "acme/safety"), ("space", "acme/safety-demo")):
        assert f"{kind} {name}, private: " in shown.out
    warnings = [line for line in shown.err.splitlines() if line.startswith("warning: ")]
    said = "no Hub is within reach; shown as a new repository, its card unchecked"
    assert warnings == [f"warning: {name}: {said}" for name in ("acme/safety", "acme/safety-demo")]


def test_a_purge_is_asked_for_and_can_be_looked_at_before(fresh_hub, tmp_path, monkeypatch, capsys):
    data = str(releases.write(tmp_path / "data", 12))
    rarecase("dataset", data, "--repo", "acme/safety", "--license", "cc-by-4.0", "--tag", "v1")
    name = load_dataset("acme/safety", "cluster")["train"]["id"][2]
    purge = ["remove", "--repo", "acme/safety", "--id", name, "--purge"]
    before = HfApi().dataset_info("acme/safety").sha
    capsys.readouterr()

    rarecase(*purge, "--dry-run")
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "acme/safety: 1 row and 0 variations"
    assert {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in shown[1:] if "file" not in line} == {
        "row": name,
        "tag": "v1",
        "history": "2 commits, squashed into one",
    }
    rarecase(*purge, "--dry-run", "--format", "json")
    plan = json.loads(capsys.readouterr().out)
    assert (plan["rows"], plan["tags"], plan["commits"]) == ([name], ["v1"], 2)
    assert plan["files"] == ["README.md", "class_counts.png", "cluster/train.parquet", "release.json"]
    assert plan["old_files"] == ["class_counts.png", "cluster/train.parquet"]
    rarecase(*purge[:-1], "--dry-run", "--format", "json")
    assert json.loads(capsys.readouterr().out)["old_files"] == []

    with pytest.raises(ConfigError, match=r"--purge: .* acme/safety will be gone for good; .* add --yes"):
        rarecase(*purge)
    monkeypatch.setattr("sys.stdin", None)  # as it is where it was closed
    with pytest.raises(ConfigError, match=r"--purge: .* without a terminal to confirm it in, add --yes"):
        rarecase(*purge)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    with pytest.raises(ConfigError, match="--purge: not confirmed; nothing was removed"):
        rarecase(*purge)
    assert HfApi().dataset_info("acme/safety").sha == before
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    rarecase(*purge)
    assert "Continue? [y/N]" in capsys.readouterr().err
    rarecase(*purge, "--yes")  # again, and nobody is asked
    assert not HfApi().revision_exists("acme/safety", before, repo_type="dataset")


class Terminal(io.StringIO):
    """Somebody who answers on a terminal."""

    def isatty(self) -> bool:
        return True


def test_ids_with_commas_are_taken_down_and_the_demo_is_named(fresh_hub, tmp_path, capsys):
    lines = {"id": ["a,b", "a", "b", "c"], "text": list("wxyz"), "label": [0, 1, 2, 3]}
    write_release(
        tmp_path / "data", {"odd": {"train": conform(Dataset.from_dict(lines), NAMES)}}, default="odd", title="x"
    )
    rarecase("dataset", str(tmp_path / "data"), "--repo", "acme/safety", "--license", "cc-by-4.0")
    space = Target(kind="space", repo_id="acme/safety-demo")
    push(space, lambda _: {"app.py": b"", "demo.json": b"{}"}, "Add the demo")
    rarecase("remove", "--repo", "acme/safety", "--id", "a,b", "--ids", "c")
    assert load_dataset("acme/safety")["train"]["id"][:] == ["a", "b"]
    assert "acme/safety-demo shows an older revision; publish it again" in capsys.readouterr().err
    rarecase("remove", "--repo", "acme/safety", "--id", "b")
    assert load_dataset("acme/safety")["train"]["id"][:] == ["a"]
    with pytest.raises(ConfigError, match="--ids is empty"):
        rarecase("remove", "--repo", "acme/safety")


def test_the_language_is_what_the_publisher_says(fresh_hub, tmp_path):
    data, about = str(releases.write(tmp_path / "data")), tmp_path / "about.yaml"
    flags = ["dataset", data, "--repo", "acme/safety", "--license", "cc-by-4.0"]
    rarecase(*flags)
    card = Path(hf_hub_download("acme/safety", "README.md", repo_type="dataset")).read_text()
    assert "\nlanguage:" not in card
    about.write_text("language: en, de\ntitle: Floods\n")
    rarecase(*flags, "--about", str(about))
    card = Path(hf_hub_download("acme/safety", "README.md", repo_type="dataset")).read_text()
    assert "\nlanguage:\n- en\n- de\n" in card
    assert "\npretty_name: Floods\n" in card
    about.write_text("titel: Floods\n")
    with pytest.raises(ConfigError, match=r"key 'titel' is unknown; did you mean 'title'\?; expected .* title, descr"):
        rarecase(*flags, "--about", str(about))
