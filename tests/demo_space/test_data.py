"""What the demo page reads: settings, the data set at its revision, groups of variations, and what is said if not."""

import json
import shutil

import certified
import demo_spaces as space
import pytest
import small
from datasets import Dataset
from huggingface_hub import HfApi
from small import NAMES

from rarecase.core.errors import DataError, ModelError
from rarecase.data.arrow import rows
from rarecase.data.counts import class_counts
from rarecase.data.release import write_release
from rarecase.data.schema import GENERATED, HUMAN, conform
from rarecase.demo_space import page as demo
from rarecase.demo_space.data import (
    DemoSources,
    described,
    groups,
    load_data,
    load_model,
    rarest,
    shown,
)


def told(folder) -> str:
    """All that the page of a Space would send to a browser at first."""
    return json.dumps(demo.page(folder).get_config_file(), default=str)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A Space without anything, and nothing named in the environment."""
    for name in ("RARECASE_DATASET", "RARECASE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def release(folder, name="cluster", count=10):
    train = rows(conform(small.table("pool"), NAMES), range(count))
    write_release(folder, {name: {"train": train}}, default=name, title="Posts")
    return folder


def test_the_environment_goes_before_what_publishing_wrote(alone, monkeypatch):
    assert DemoSources.read(alone) == DemoSources(None, None)
    (alone / "demo.json").write_text('{"dataset": "acme/safety@v1", "model": null}')
    assert DemoSources.read(alone) == DemoSources("acme/safety@v1", None)
    monkeypatch.setenv("RARECASE_DATASET", "acme/other")
    assert DemoSources.read(alone).dataset == "acme/other"


def test_a_release_is_read_with_its_counts_and_rounds():
    data = load_data(str(space.run() / "data"))
    assert (data.title, data.names, list(data.configs)) == ("Acquired by cluster", NAMES, ["bootstrap", "cluster"])
    assert data.counts()["bootstrap"]["train"] == class_counts(small.table("bootstrap"), NAMES)
    assert [r["round"] for r in data.rounds["cluster"]] == [0, 1, 2]
    assert list(data.rounds) == list(data.groups()) == ["cluster"]


def test_a_post_is_grouped_with_its_variations_and_those_without_are_left_out():
    lines = [
        {"id": "b-1", "text": "B again", "label": 1, "origin": GENERATED, "parent_id": "b"},
        {"id": "a", "text": "A", "label": 0, "origin": HUMAN, "parent_id": None},
        {"id": "b", "text": "B", "label": 0, "origin": HUMAN, "parent_id": None},
        {"id": "b-2", "text": "B once more", "label": 0, "origin": GENERATED, "parent_id": "b"},
        {"id": "c-1", "text": "C is not here", "label": 0, "origin": GENERATED, "parent_id": "c"},
    ]
    (group,) = groups(conform(Dataset.from_list(lines), ["x", "y"]), "majority")
    assert (group.original.id, group.original.label) == ("b", "x")
    assert [(post.id, post.label) for post in group.variations] == [("b-1", "y"), ("b-2", "x")]


@pytest.mark.parametrize(
    ("policy", "learned", "note"),
    [
        ("strict", False, "not learned from"),
        ("majority", True, "learned from all the same"),
        ("none", True, "learned from all the same"),
    ],
)
def test_a_variation_is_learned_from_or_not_as_the_policy_says_whatever_it_failed(policy, learned, note):
    checks = [{"check": "judge", "passed": False, "value": None}]
    lines = [
        {"id": "a", "text": "A", "label": 0, "origin": HUMAN, "parent_id": None, "checks": None},
        {"id": "a-1", "text": "A again", "label": 0, "origin": GENERATED, "parent_id": "a", "checks": checks},
    ]
    (group,) = groups(conform(Dataset.from_list(lines), ["x", "y"]), policy)
    assert [(post.failed, post.learned) for post in group.variations] == [(("judge",), learned)]
    assert f"; failed judge, {note}</p>" in demo._cards([group], 0)


def test_the_rarest_class_is_that_of_the_test_set():
    assert rarest({"train": {"x": 1, "y": 5}, "test": {"x": 5, "y": 2}}) == "y"
    assert rarest({"train": {"x": 1, "y": 5}}) == "x"
    assert rarest({"test": {"none": 0, "x": 5, "y": 2}}) == "y"


def test_a_page_names_what_it_shows_and_no_place_on_the_machine(tmp_path):
    assert shown(str(tmp_path)) == tmp_path.name
    assert shown(space.SOURCE) == "acme/safety at 0f1e2d3c"
    assert shown("acme/safety") == "acme/safety"


def test_every_class_has_a_probability():
    model = load_model(str(space.run() / "learner"))
    [verdict] = model.guard.check(["my landlord keeps the deposit"])
    assert list(verdict.scores) == list(NAMES)
    assert sum(verdict.scores.values()) == pytest.approx(1)
    assert model.described == "a logistic regression on the frozen encoder all-MiniLM-L6-v2"


def test_a_data_set_of_the_hub_is_read_at_its_revision(fresh_hub, tmp_path):
    api = HfApi()
    api.create_repo("acme/safety", repo_type="dataset", private=True)
    for count in (10, 30):
        folder = release(tmp_path / str(count), count=count)
        commit = api.upload_folder(repo_id="acme/safety", repo_type="dataset", folder_path=folder)
        if count == 10:
            first = commit.oid
    assert len(load_data(f"acme/safety@{first}").configs["cluster"]["train"]) == 10
    assert len(load_data("acme/safety").configs["cluster"]["train"]) == 30
    with pytest.raises(DataError, match=r"acme/safety has no branch, tag or commit v7: publish the demo again"):
        load_data("acme/safety@v7")


def test_a_private_data_set_without_a_token_asks_for_one(fresh_hub, alone, monkeypatch):
    HfApi().create_repo("acme/safety", repo_type="dataset", private=True)
    HfApi().create_repo("acme/guard", private=True)
    monkeypatch.setenv("RARECASE_DATASET", "acme/safety")
    monkeypatch.setenv("RARECASE_MODEL", "acme/guard")
    monkeypatch.delenv("HF_TOKEN")
    page = told(alone)
    line = "The data set acme/safety is private, or not there: give this Space the secret HF_TOKEN, a token that may"
    assert page.count(line) == 1
    assert "acme/guard: no such folder, and the Hub has no such model (a private one needs HF_TOKEN)" in page


def test_a_data_set_that_is_not_there_and_a_token_that_may_not(fresh_hub):
    with pytest.raises(DataError, match=r"acme/none is not there, or HF_TOKEN may not read it"):
        load_data("acme/none")


def test_a_hub_that_refuses_and_what_is_no_data_set_of_ours(fresh_hub, tmp_path):
    HfApi().create_repo("acme/empty", repo_type="dataset")
    with pytest.raises(DataError, match=r"acme/empty has no release\.json: publish it by rarecase first"):
        load_data("acme/empty")
    with pytest.raises(DataError, match=r"no/such/folder is neither a folder nor an id of the Hub"):
        load_data("no/such/folder")
    with pytest.raises(DataError, match=rf"{tmp_path.name} cannot be read \(FileNotFoundError\)"):
        load_data(str(tmp_path))
    fresh_hub.fault("/datasets/acme/safety/", status=400)
    with pytest.raises(
        DataError, match=r"acme/safety cannot be read from the Hub now \(\w+\): restart this Space later"
    ):
        load_data("acme/safety")


@pytest.mark.parametrize(
    "said",
    [
        '{"version": "1.2.0", "assets": []}',
        '{"format": 1}',
        '{"format": 9, "configs": {}}',
        '{"format": 1, "title": "Posts", "default": "cluster", "configs": ["cluster"]}',
        '{"format": 1, "title": "Posts", "default": "other", "configs": {"cluster": {"rounds": []}}}',
        '{"format": 1, "title": "Posts", "default": "cluster", "configs": {"cluster": {}}}',
        "[1]",
        "no JSON",
    ],
)
def test_a_release_json_of_something_else_does_not_stop_the_page(alone, monkeypatch, said):
    folder = release(alone / "foreign")
    (folder / "release.json").write_text(said)
    monkeypatch.setenv("RARECASE_DATASET", str(folder))
    assert told(alone).count("The data set foreign cannot be read") == 1


@pytest.mark.parametrize(
    "said",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"format": ' + "9" * 5000 + "}",
        '{"format": 1, "title": "Posts", "default": "cluster", "classes": [], "configs": {"cluster": {"rounds": [{'
        '"round": 1, "labels": 1, "class_counts": {}, "class_count_std": 0, "dev": NONE, "test": NONE}]}}}',
    ],
)
def test_a_hostile_release_json_does_not_stop_the_page(alone, monkeypatch, said):
    folder = release(alone / "foreign")
    figures = '{"accuracy": 1, "macro_f1": 1, "f1": {}}'
    (folder / "release.json").write_text(said.replace("NONE", figures))
    monkeypatch.setenv("RARECASE_DATASET", str(folder))
    assert told(alone).count("The data set foreign cannot be read") == 1


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("[1]", "demo.json: list, expected dict"),
        ("no JSON", "demo.json: invalid JSON at character 1; publish the demo again"),
        ("[" * 100_000, "demo.json: nested too deeply; publish the demo again"),
        ('{"dataset": 7}', "demo.json.dataset: int, expected str"),
        ('{"dataset": "../.."}', "demo.json names something else than ORG/NAME@REVISION"),
        ('{"model": "/etc"}', "demo.json names something else than ORG/NAME@REVISION"),
        ('{"dataset": "acme/safety@../../x y"}', "demo.json names something else than ORG/NAME@REVISION"),
    ],
)
def test_hostile_sources_are_a_line_on_the_page(alone, said, line):
    (alone / "demo.json").write_text(said)
    assert told(alone).count(line) == 1


def test_a_map_of_something_else_is_a_line_on_the_page(alone):
    Dataset.from_dict({"x": ["left"], "y": ["right"]}).to_parquet(alone / "map.parquet")
    assert "map.parquet is not a map that rarecase drew: publish the demo again." in told(alone)


def test_a_class_without_variations_is_said_so():
    """Next, pressed before the browser knows the classes of a config just chosen."""
    assert demo._cards([], 0) == '<p role="status">There are no variations of this class.</p>'


def test_a_damaged_file_is_told_without_its_rows(tmp_path):
    folder = release(tmp_path / "data")
    (folder / "cluster" / "train.parquet").write_bytes(b"PAR1 a post of somebody PAR1")
    with pytest.raises(DataError, match=r"^The data set data cannot be read \(\w+\)") as caught:
        load_data(str(folder))
    assert "a post of somebody" not in str(caught.value)


def views(folder) -> list[str]:
    """The tabs of the page."""
    components = demo.page(folder).get_config_file()["components"]
    return [one["props"]["label"] for one in components if one["type"] == "tabitem"]


def test_a_page_without_anything_says_what_to_name(alone):
    assert views(alone) == []
    assert "Nothing is named that could be shown: set RARECASE_DATASET and RARECASE_MODEL to ORG/NAME." in told(alone)


def test_a_view_that_would_be_empty_is_left_out(alone, monkeypatch):
    monkeypatch.setenv("RARECASE_DATASET", str(release(alone / "data")))
    assert views(alone) == ["Results"]
    assert not any(line in told(alone) for line in ("How well", "Nothing is named"))
    monkeypatch.setenv("RARECASE_MODEL", str(space.run() / "learner"))
    assert views(alone) == ["Try it", "Results"]
    assert "How well the learner did" not in told(alone)


@pytest.fixture
def with_model(alone, monkeypatch):
    """A Space of a run's data set and of a copy of its model."""
    monkeypatch.setenv("RARECASE_DATASET", str(space.run() / "data"))
    monkeypatch.setenv("RARECASE_MODEL", str(alone / "model"))
    shutil.copytree(space.run() / "learner", alone / "model")
    return alone


def test_every_figure_names_its_learner_and_the_models_own_are_shown(with_model):
    learner = "a logistic regression on the frozen encoder all-MiniLM-L6-v2"
    page = told(with_model)
    assert f"<p>It is {learner}.</p>" in page
    assert f"cluster: the figures are those of {learner}; the model that answers is that of the last round." in page
    record = json.loads((with_model / "model" / "rarecase.json").read_text())
    for other in ({"model": "acme/other"}, {"data": {**record["data"], "configs": ["bootstrap", "random"]}}):
        (with_model / "model" / "rarecase.json").write_text(json.dumps({**record, **other}))
        assert f"cluster: the figures are those of {learner}. Another model answers." in told(with_model)
    record["test"]["f1"]["self-harm"], record["model"] = 12.3, "acme/other"
    (with_model / "model" / "rarecase.json").write_text(json.dumps(record))
    page = told(with_model)
    assert "<p>It is a logistic regression on the frozen encoder other.</p>" in page
    assert f"cluster: the figures are those of {learner}. Another model answers." in page
    assert page.count("<td>12.3</td>") == 1
    rows = class_counts(small.table("test"), NAMES)["self-harm"]
    assert f"<td>12.3</td><td>{rows}</td></tr>" in page
    record["test"]["confusion"][0] = [0] * len(NAMES)
    (with_model / "model" / "rarecase.json").write_text(json.dumps(record))
    assert f'<th scope=\\"row\\">{NAMES[0]}</th>' + 3 * "<td>\\u2013</td>" + "<td>0</td></tr>" in told(with_model)


def test_examples_are_made_up_ones_of_the_classes_that_ship_with_rarecase(with_model):
    page = told(with_model)
    assert page.count("Can my landlord keep the deposit over one scratch?") == 1
    assert "I don't see the point" not in page
    assert "made up for this page" in page


def test_the_page_says_of_which_classes_the_certificate_promises_something(with_model):
    harmful = NAMES[:-1]
    for thresholds, says in (
        ({}, demo.UNCERTIFIED),
        (dict.fromkeys(harmful), demo.REFUSED),
        ({**dict.fromkeys(harmful), harmful[0]: 0.3}, demo.PARTLY),
        (dict.fromkeys(harmful, 0.3), demo.CERTIFIED),
    ):
        if thresholds:
            certified.write(with_model / "model", thresholds)
        assert f". {says}</p>" in told(with_model)


def test_classes_of_ones_own_have_no_examples_and_a_model_without_a_record_no_figures(with_model):
    head = with_model / "model" / "head.json"
    head.write_text(head.read_text().replace("-advice", "-matters").replace("not-harmful", "other"))
    (with_model / "model" / "rarecase.json").unlink()
    page = told(with_model)
    assert "Can my landlord keep the deposit" not in page
    assert "How well the model that answers does" not in page
    assert "nother model answers" not in page
    assert "What answers is a logistic regression on the frozen encoder." in page


@pytest.mark.parametrize(
    ("learner", "model", "words"),
    [
        ("finetune", "FacebookAI/roberta-base", "the fine-tuned transformer roberta-base"),
        ("setfit", "packaged", "a logistic regression on the encoder all-MiniLM-L6-v2, fine-tuned by contrast"),
        ("setfit", None, "a logistic regression on the encoder, fine-tuned by contrast"),
        ("{mine}", "packaged", "{mine}"),
        ("", None, "a learner that is not stated"),
    ],
)
def test_a_learner_is_told_in_words(learner, model, words):
    assert described(learner, model) == words


def test_a_model_that_does_not_load_is_told_before_anybody_asks_it(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(ModelError, match=r"cannot be loaded"):
        load_model(str(tmp_path))


def test_the_page_as_it_is_sent_holds_no_text_of_the_data(alone, monkeypatch):
    run = space.run()
    monkeypatch.setenv("RARECASE_DATASET", str(run / "data"))
    page = told(alone)
    for splits in load_data(str(run / "data")).configs.values():
        assert not any(json.dumps(text)[1:-1] in page for split in splits.values() for text in split["text"])
