"""What is published together: who names whom, who may see it, and what is refused before anything is sent."""

import json
import shutil
from pathlib import Path

import pytest
import releases
from huggingface_hub import HfApi, ModelCard, hf_hub_download
from small import NAMES

from rarecase.core.errors import ConfigError, ModelError
from rarecase.core.files import write_json
from rarecase.data.arrow import rows
from rarecase.data.parquet import read_parquet
from rarecase.data.release import write_release
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.commit import Target, push
from rarecase.publish.all import publish_all
from rarecase.publish.dataset import publish_dataset
from rarecase.publish.demo import publish_demo
from rarecase.publish.model import publish_model
from rarecase.publish.plan import Plan
from rarecase.publish.references import DatasetRef, dataset_on_hub, model_on_hub
from rarecase.publish.remove import remove
from rarecase.runs.train import train
from rarecase.settings.config import TrainConfig

DATA = Target(kind="dataset", repo_id="acme/safety")
OPEN = Target(kind="dataset", repo_id="acme/safety", public=True)
DEMO = Target(kind="space", repo_id="acme/safety-demo")
GUARD = Target(kind="model", repo_id="acme/safety-guard")
FOREIGN = {"README.md": b"---\nlicense: mit\n---\n# Mine\n", "model.safetensors": b"w" * 10, "app.py": b"print()\n"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return releases.write(tmp_path_factory.mktemp("all") / "data", most=12)


@pytest.fixture(scope="module")
def guard(data) -> Path:
    """A frozen model, measured on the test set of all configs."""
    train(str(data), TrainConfig(config_name="bootstrap", out=data.parent / "guard"))
    return data.parent / "guard"


def fine_tuned(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """What there is to see of a fine-tuned model without a record, from outside."""
    config = {"architectures": ["BertForSequenceClassification"], "id2label": dict(enumerate(names))}
    folder.mkdir()
    write_json(folder / "config.json", config)
    (folder / "model.safetensors").write_bytes(b"w" * 100)
    return folder


def other_test(folder: Path, data: Path, *configs: str) -> Path:
    """A release whose configs have a shorter test set."""
    tables = {
        name: {
            "train": read_parquet(data / "bootstrap" / "train.parquet"),
            "test": rows(read_parquet(data / "test.parquet"), range(8)),
        }
        for name in configs
    }
    write_release(folder, tables, default=configs[0], title="Posts", taxonomy=Taxonomy.default())
    return folder


def private(place: Target) -> bool:
    return HfApi().repo_info(place.repo_id, repo_type=place.kind).private


def there(place: Target) -> bool:
    return HfApi().repo_exists(place.repo_id, repo_type=place.kind)


def read(place: Target, path: str) -> Path:
    return Path(hf_hub_download(place.repo_id, path, repo_type=place.kind))


def test_what_is_published_together_names_each_other(fresh_hub, data, guard):
    pushed = publish_all(data, DATA, "cc-by-4.0", models=[guard])
    assert [(one.kind, one.repo_id, one.private) for one in pushed] == [
        ("dataset", "acme/safety", True),
        ("model", "acme/safety-guard", True),
        ("space", "acme/safety-demo", True),
    ]
    results = ModelCard(read(GUARD, "README.md").read_text()).data.eval_results
    assert {(r.dataset_type, r.dataset_config, r.dataset_revision) for r in results} == {
        ("acme/safety", "bootstrap", pushed[0].revision)
    }
    assert json.loads(read(DEMO, "demo.json").read_text()) == {
        "dataset": f"acme/safety@{pushed[0].revision}",
        "model": f"acme/safety-guard@{pushed[1].revision}",
    }
    again = publish_all(data, DATA, "cc-by-4.0", models=[guard])
    assert not any(one.changed for one in again)


@pytest.mark.parametrize("gated", ["by an earlier push", "by this push", "by nobody"])
def test_the_space_is_never_more_public_than_its_data(fresh_hub, data, gated):
    if gated == "by an earlier push":
        publish_dataset(data, Target(kind="dataset", repo_id="acme/safety", gated="manual"), "cc-by-4.0")
    flag = "manual" if gated == "by this push" else None
    place = Target(kind="dataset", repo_id="acme/safety", public=True, gated=flag)
    plan = Plan()
    publish_all(data, place, "cc-by-4.0", send=plan)
    pushed = publish_all(data, place, "cc-by-4.0")
    found = [(private(DATA), private(DEMO)), tuple(one.private for one in pushed)]
    found += [tuple(planned.private for planned in plan.pushes)]
    assert found == [(False, gated != "by nobody")] * 3


@pytest.mark.parametrize("flags", [{}, {"public": True}])
def test_a_space_that_everybody_sees_stops_data_that_not_everybody_may(fresh_hub, data, flags):
    publish_all(data, OPEN, "cc-by-4.0")
    before = HfApi().dataset_info("acme/safety").sha
    place = Target(kind="dataset", repo_id="acme/safety", public=True, gated="manual")
    line = r"^acme/safety-demo is public, but its data acme/safety is gated, .*`hf repos settings acme/safety-demo "
    with pytest.raises(ConfigError, match=line) as said:
        publish_all(data, place, "cc-by-4.0")
    assert "--public" not in str(said.value)
    assert not HfApi().dataset_info("acme/safety").gated
    HfApi().update_repo_settings("acme/safety", repo_type="dataset", gated="manual")
    with pytest.raises(ConfigError, match=line):
        publish_demo(
            data, Target(kind="space", repo_id="acme/safety-demo", **flags), dataset=dataset_on_hub("acme/safety")
        )
    HfApi().update_repo_settings("acme/safety-demo", repo_type="space", private=True)
    publish_all(data, place, "cc-by-4.0")
    assert (HfApi().dataset_info("acme/safety").sha, private(DEMO)) == (before, True)


def test_a_branch_is_made_of_every_repository_that_is_there(fresh_hub, data):
    publish_all(data, DATA, "cc-by-4.0")
    place = Target(kind="dataset", repo_id="acme/safety", revision="next")
    publish_all(data, place, "cc-by-4.0")
    for one in (DATA, DEMO):
        branches = HfApi().list_repo_refs(one.repo_id, repo_type=one.kind).branches
        assert {ref.name for ref in branches} == {"main", "next"}


def test_a_demo_of_private_data_is_not_made_public(fresh_hub, data):
    pushed = publish_dataset(data, DATA, "cc-by-4.0")
    shown = DatasetRef("acme/safety", "cluster", pushed.revision)
    with pytest.raises(ConfigError, match="acme/safety-demo: --public, but its data acme/safety is private"):
        publish_demo(data, Target(kind="space", repo_id="acme/safety-demo", public=True), dataset=shown)
    assert not there(DEMO)


def test_all_of_them_as_pull_requests_make_nothing_public(fresh_hub, data):
    place = Target(kind="dataset", repo_id="acme/safety", public=True, create_pr=True)
    with pytest.raises(ConfigError, match="--public with --create-pr"):
        publish_all(data, place, "cc-by-4.0")
    assert not there(DATA)


def test_figures_are_those_of_the_config_that_was_measured_on(fresh_hub, data, guard, tmp_path):
    publish_dataset(other_test(tmp_path / "other", data, "another"), DATA, "cc-by-4.0")
    alone = HfApi().dataset_info("acme/safety").sha
    with pytest.raises(ModelError, match="guard: was measured on another test set than that of acme/safety;"):
        dataset_on_hub("acme/safety", guard)
    later = publish_dataset(data, DATA, "cc-by-4.0").revision
    assert dataset_on_hub("acme/safety").config == "another"
    assert dataset_on_hub("acme/safety", guard) == DatasetRef("acme/safety", "bootstrap", later)
    with pytest.raises(ModelError, match=f"than that of acme/safety@{alone}"):
        dataset_on_hub(f"acme/safety@{alone}", guard)
    # A run is measured like a model of its own, and of a model without a record there are no figures.
    run = tmp_path / "run"
    shutil.copytree(guard, run / "learner")
    write_json(run / "run.json", {"kind": "run", "format": 1})
    assert dataset_on_hub("acme/safety", run).config == "bootstrap"
    with pytest.raises(ModelError, match="run: was measured on another test set"):
        dataset_on_hub(f"acme/safety@{alone}", run)
    assert dataset_on_hub("acme/safety", fine_tuned(tmp_path / "tuned")).config == "another"


def test_what_is_not_on_the_hub_is_said(fresh_hub, data):
    with pytest.raises(ConfigError, match=r"--dataset acme/safety: not on the Hub, or this token may not read it"):
        dataset_on_hub("acme/safety")
    sha = publish_dataset(data, DATA, "cc-by-4.0").revision
    with pytest.raises(ConfigError, match="acme/safety@v7: no such branch, tag or commit"):
        dataset_on_hub("acme/safety@v7")
    assert dataset_on_hub(f"acme/safety@{sha}").revision == sha
    with pytest.raises(ConfigError, match="--model acme/guard@v1: not on the Hub, or this token may not read it"):
        model_on_hub("acme/guard@v1")
    made = push(GUARD, lambda _: {"config.json": b"{}"}, "A guard").revision
    assert model_on_hub("acme/safety-guard") == f"acme/safety-guard@{made}"
    with pytest.raises(ConfigError, match="acme/safety-guard@v7: no such branch, tag or commit"):
        model_on_hub("acme/safety-guard@v7")


def test_a_model_that_cannot_be_published_stops_all_of_it(fresh_hub, data, guard, tmp_path):
    pickled, foreign, run = (tmp_path / name for name in ("pickled", "foreign", "run"))
    shutil.copytree(guard, pickled)
    (pickled / "training_args.bin").write_bytes(b"x")
    shutil.copy(guard / "rarecase.json", fine_tuned(foreign))
    shutil.copytree(pickled, run / "learner")
    write_json(run / "run.json", {"kind": "run", "format": 1})
    elsewhere = other_test(tmp_path / "elsewhere", data, "another")
    for folder, model, says in (
        (data, pickled, "training_args.bin is a pickled file"),
        (data, foreign, "its rarecase.json is of another model"),
        (data, run, "training_args.bin is a pickled file"),
        (data, tmp_path / "nowhere", "no such folder"),
        (elsewhere, guard, "was measured on another test set"),
    ):
        with pytest.raises(ModelError, match=says):
            publish_all(folder, DATA, "cc-by-4.0", models=[fine_tuned(tmp_path / f"of-{model.name}"), model])
    with pytest.raises(ConfigError, match="expected folders of different names other than 'demo'"):
        publish_all(data, DATA, "cc-by-4.0", models=[guard, guard])
    assert not there(DATA)


def test_a_model_or_space_of_somebody_else_is_not_overwritten(fresh_hub, data, guard):
    for place in (GUARD, DEMO):
        push(place, lambda _: FOREIGN, "Mine")
    with pytest.raises(ConfigError, match=r"acme/safety-guard: has app\.py, which rarecase did not write; name an"):
        publish_model(guard, GUARD, "mit")
    publish_dataset(data, DATA, "cc-by-4.0")
    with pytest.raises(ConfigError, match=r"acme/safety-demo: has app\.py, which rarecase did not write; name ano"):
        publish_demo(data, DEMO, dataset=dataset_on_hub("acme/safety"))
    for place in (GUARD, DEMO):
        assert read(place, "app.py").read_bytes() == FOREIGN["app.py"]


def test_what_an_earlier_push_left_goes_and_the_rest_stays(fresh_hub, data, guard, tmp_path):
    publish_model(guard, GUARD, "mit")
    extra = {"notes.md": b"# Mine\n", "data.safetensors": b"d" * 10}
    push(GUARD, lambda _: extra, "More")
    pushed = publish_model(fine_tuned(tmp_path / "tuned"), GUARD, "mit")
    assert set(pushed.files) == {"README.md", "config.json", "model.safetensors"}
    assert set(HfApi().list_repo_files("acme/safety-guard")) - {".gitattributes"} == {*pushed.files, *extra}
    publish_dataset(data, DATA, "cc-by-4.0")
    shown = dataset_on_hub("acme/safety")
    first = publish_demo(data, DEMO, dataset=shown)
    push(DEMO, lambda _: {"rarecase/gone.py": b"", "mine.py": b""}, "More")
    publish_demo(data, DEMO, dataset=shown)
    left = set(HfApi().list_repo_files("acme/safety-demo", repo_type="space")) - {".gitattributes"}
    assert left == {*first.files, "mine.py"}


def test_a_row_that_was_taken_down_is_in_no_later_demo(fresh_hub, data):
    publish_all(data, DATA, "cc-by-4.0")
    gone = read_parquet(data / "cluster" / "train.parquet")["id"][3]
    points = read_parquet(read(DEMO, "map.parquet"))
    assert gone in points["id"][:]
    remove("acme/safety", [gone])
    publish_all(data, DATA, "cc-by-4.0")
    later = read_parquet(read(DEMO, "map.parquet"))
    assert gone not in later["id"][:]
    assert len(later) == len(points) - 1
