"""A release.json that somebody else wrote to the Hub: one line, and nothing is pushed beside it."""

import json
from pathlib import Path

import pytest
import releases
from huggingface_hub import hf_hub_download

from rarecase.cli.main import command
from rarecase.hub.commit import Target, push

DEEP = "[" * 100_000 + "]" * 100_000
REPO = Target(kind="dataset", repo_id="acme/safety")
DAMAGED = "; it was changed, or is damaged"


def changed(path: str, value: object):
    """The release with another value at a path of names."""

    def change(release: dict) -> str:
        *names, last = path.split("/")
        found = release
        for name in names:
            found = found[name]
        found[last] = value
        return json.dumps(release)

    return change


SPLIT = "configs/bootstrap/splits/train"  # of a config that the next push leaves as it is
HOSTILE = {
    "a list": (lambda release: "[1, 2]", "format None, expected 1"),
    "no JSON": (lambda release: "\x00 no JSON", "invalid JSON at character 1" + DAMAGED),
    "lists in lists": (lambda release: DEEP, "nested too deeply" + DAMAGED),
    "lists in a field": (lambda release: f'{json.dumps(release)[:-1]}, "more": {DEEP}}}', "nested too deeply"),
    "a number of 5,000 digits": (lambda release: '{"format": ' + "9" * 5000 + "}", "a number of too many digits"),
    "half a character": (changed("title", "\ud800"), "half a character"),
    "configs of lists": (changed("configs", {"cluster": [1]}), "configs.*: list, expected dict"),
    "a default of no config": (changed("default", "other"), "default names no config"),
    "a file outside": (changed(f"{SPLIT}/path", "../../secret.parquet"), "names a file outside of its folder"),
    "an absolute file": (changed(f"{SPLIT}/path", "/etc/passwd"), "names a file outside of its folder"),
    "an address": (changed(f"{SPLIT}/path", "http://127.0.0.1/a.parquet"), "names a file outside of its folder"),
    "no such file": (changed(f"{SPLIT}/path", "bootstrap/other.parquet"), "names a data file that is not there"),
    "no classes": (changed("classes", []), "lacks classes, splits or settings" + DAMAGED),
    "counts of no class": (changed(f"{SPLIT}/class_counts", {}), "lacks classes, splits or settings"),
    "no splits": (changed("configs/bootstrap/splits", {}), "lacks classes, splits or settings"),
    "a run without settings": (changed("configs/bootstrap/acquired", {"by": "run"}), "lacks classes, splits or set"),
    "numbers for hashes": (changed("removed", [1, 2]), "removed[0]: int, expected str"),
}


@pytest.fixture
def published(fresh_hub, tmp_path):
    data = releases.write(tmp_path / "data", 12)
    assert command(["publish", "dataset", str(data), "--repo", "acme/safety", "--license", "mit"]) == 0
    return data


def test_what_it_holds_is_one_line_and_nothing_is_pushed(published, fresh_hub, capsys):
    release = Path(hf_hub_download("acme/safety", "release.json", repo_type="dataset")).read_text()
    for name, (change, says) in HOSTILE.items():
        content = change(json.loads(release)).encode()
        push(REPO, lambda _, content=content: {"release.json": content}, "Change it")
        capsys.readouterr()
        status = command(["publish", "dataset", str(published), "--repo", "acme/safety", "--license", "mit"])
        (line,) = capsys.readouterr().err.splitlines()
        assert status == 2, name
        assert line.startswith("rarecase: acme/safety: release.json"), name
        assert says in line, name
        stored = hf_hub_download("acme/safety", "release.json", repo_type="dataset")
        assert Path(stored).read_bytes() == content, name


def test_a_cache_that_cannot_be_written_is_one_line(published, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    arguments = ["publish", "dataset", str(published), "--repo", "acme/safety", "--license", "mit", "--dry-run"]
    capsys.readouterr()
    assert command(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"rarecase: acme/safety: {tmp_path / 'file'}")
    assert "Not a directory; correct that and repeat the command (what is read is kept in HF_HOME, which may" in said
    assert said.count("\n") == 1


def test_a_cache_on_a_full_disk_is_one_line(published, small_disk, monkeypatch, capsys):
    disk = small_disk("16k")
    (disk / "full").write_bytes(bytes(12_000))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(disk / "hub"))
    capsys.readouterr()
    assert command(["publish", "remove", "--repo", "acme/safety", "--ids", "a"]) == 2
    said = capsys.readouterr().err
    assert "no space left on the disk" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "line", ["publish remove --repo acme/safety --ids a", "publish demo {} --repo acme/safety-demo --dry-run"]
)
def test_neither_rows_nor_a_demo_are_taken_from_it(line, published, fresh_hub, capsys):
    push(REPO, lambda _: {"release.json": DEEP.encode()}, "Change it")
    capsys.readouterr()
    assert command(line.format(published).split()) == 2
    assert "rarecase: acme/safety: release.json: nested too deeply" in capsys.readouterr().err
