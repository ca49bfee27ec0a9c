"""Model folders: whole or not there, and of a known kind."""

import json

import pytest

from rarecase.core.errors import ModelError
from rarecase.learn.folders import Head, kind_of, write_learner_beside


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "learner"
    with write_learner_beside(target) as folder:
        (folder / "config.json").write_text("one")
        (folder / "model.safetensors").touch()
    with pytest.raises(ZeroDivisionError), write_learner_beside(target) as folder:
        (folder / "config.json").write_text(str(1 / 0))
    assert [path.name for path in tmp_path.iterdir()] == ["learner"]
    assert (target / "config.json").read_text() == "one"
    with write_learner_beside(target) as folder:
        (folder / "head.safetensors").write_text("three")
    assert [path.name for path in target.iterdir()] == ["head.safetensors"]


@pytest.mark.parametrize("beside", [(), ("config.json",)])
def test_a_folder_of_something_else_is_left_alone(tmp_path, beside):
    (tmp_path / "thesis.txt").write_text("years of work")
    for name in beside:
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match="contains something other than a learner"), write_learner_beside(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_the_kind_of_a_folder_is_known_by_its_files(tmp_path):
    assert kind_of(tmp_path) is None
    (tmp_path / "config.json").write_text("{}")
    assert kind_of(tmp_path) == "finetune"
    (tmp_path / "head.safetensors").touch()
    for kind in ("frozen", "setfit"):
        Head(kind, ("a", "b"), "packaged", {"C": 3.0}).write(tmp_path)
        assert kind_of(tmp_path) == kind
        assert Head.read(tmp_path) == Head(kind, ("a", "b"), "packaged", {"C": 3.0})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "head.json is missing, damaged or of another format"),
        ({"names": None}, "head.json is missing, damaged or of another format"),
        ({"learner": "finetune"}, "head.json is of another learner, expected frozen or setfit"),
    ],
)
def test_another_head_is_refused(tmp_path, changes, says):
    Head("frozen", ("a", "b"), "packaged", {}).write(tmp_path)
    path = tmp_path / "head.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=says):
        Head.read(tmp_path)
