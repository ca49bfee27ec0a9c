"""The card of a trained model, compared whole with `model_card.md`, and the files that stand beside it on the Hub."""

import copy
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import releases
import tiny_models
from datasets import Dataset
from huggingface_hub import ModelCard
from small import NAMES
from transformers import pipeline

from rarecase.core.errors import ModelError
from rarecase.data.arrow import matrix
from rarecase.guard.behaviours import SENTENCES
from rarecase.hub.commit import Target, push
from rarecase.learn import load_learner
from rarecase.learn.record import ModelRecord
from rarecase.models.checkpoint import resolve
from rarecase.publish.model import model_files, read_model
from rarecase.publish.model_card import Model, model_card
from rarecase.publish.references import DatasetRef
from rarecase.runs.train import train
from rarecase.settings.config import TrainConfig

GOLDEN = Path(__file__).with_name("model_card.md")
DATASET = DatasetRef("acme/safety", "cluster", "0123456789abcdef0123456789abcdef01234567")
PLACEHOLDER = r"\{(\w+:[\w/-]+)\}"
SETTINGS = {"learner": "finetune", "model": "FacebookAI/roberta-base", "epochs": 3, "learning_rate": 3e-3, "seed": 1}


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    return releases.write(tmp_path_factory.mktemp("release") / "data")


@pytest.fixture(scope="module")
def guard(hub, release, tmp_path_factory) -> Path:
    """A fine-tuned model, its base from the Hub."""
    out = tmp_path_factory.mktemp("models") / "guard"
    tiny_models.push_all(hub)
    with hub.in_process():
        train(str(release), TrainConfig(config_name="bootstrap,cluster", precision="fp32", out=out, **SETTINGS))
    return out


@pytest.fixture(scope="module")
def frozen(release, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("models") / "frozen"
    train(str(release), TrainConfig(config_name="bootstrap", out=out))
    return out


@pytest.fixture(scope="module")
def contrasted(release, tmp_path_factory) -> Path:
    """A sentence encoder that was fine-tuned by contrast, and its head."""
    out = tmp_path_factory.mktemp("models") / "contrasted"
    train(str(release), TrainConfig(config_name="bootstrap", learner="setfit", updates=2, precision="fp32", out=out))
    return out


@pytest.fixture(scope="module")
def counted(release, guard) -> "Counted":
    return Counted(release, guard)


class Counted(dict[str, str]):
    """What stands in the place of each `{kind:of/what}`: from the Parquet files, and what a `pipeline` answers."""

    def __init__(self, release: Path, guard: Path):
        super().__init__({"revision:dataset": DATASET.revision})
        classify = pipeline("text-classification", str(guard), truncation=True)
        tables = {path: pq.read_table(release / f"{path}.parquet").to_pylist() for path in PATHS}
        learned = [row["label"] for path in ("bootstrap/train", "cluster/train") for row in tables[path]]
        self["rows:train"] = str(len(learned))
        self |= {f"train:{name}": str(learned.count(place)) for place, name in enumerate(NAMES)}
        for split in ("validation", "test"):
            answers = classify([row["text"] for row in tables[split]])
            pairs = [(NAMES[row["label"]], said["label"]) for row, said in zip(tables[split], answers, strict=True)]
            self._figures(split, pairs)
        self._behaviours(classify, json.loads((guard / "rarecase.json").read_text())["guard"]["thresholds"])
        rows = {name: [said for truth, said in pairs if truth == name] for name in NAMES}
        rarest = min(NAMES, key=lambda name: len(rows[name]))
        self |= {"rarest:name": rarest, "rarest:texts": str(len(rows[rarest]))}
        self["rarest:found"] = str(rows[rarest].count(rarest))
        for name in NAMES:
            self[f"rows:{name}"] = str(len(rows[name]))
            self[f"taken:{name}"] = " | ".join(str(rows[name].count(other)) for other in NAMES)

    def _figures(self, split: str, pairs: list[tuple[str, str]]) -> None:
        found = {"accuracy": 100 * sum(truth == said for truth, said in pairs) / len(pairs)}
        for name in NAMES:
            hits = sum(truth == said == name for truth, said in pairs)
            truths, answers = (sum(pair[side] == name for pair in pairs) for side in (0, 1))
            found[f"precision/{name}"] = 100 * hits / answers if answers else 0.0
            found[f"recall/{name}"] = 100 * hits / truths if truths else 0.0
            found[f"f1/{name}"] = 200 * hits / (truths + answers) if truths + answers else 0.0
        for figure in ("precision", "recall", "f1"):
            found[f"macro_{figure}"] = sum(found[f"{figure}/{name}"] for name in NAMES) / len(NAMES)
        self.update({f"{split}:{name}": f"{value:.1f}" for name, value in found.items()})
        if split == "test":
            self.update({f"exact:{name}": str(round(value, 6)) for name, value in found.items()})

    def _behaviours(self, classify: Any, thresholds: dict[str, float]) -> None:
        right = Counter[str]()
        for one in SENTENCES:
            scores = {said["label"]: said["score"] for said in classify(one.text, top_k=None)}
            flagged = any(scores[name] >= threshold for name, threshold in thresholds.items())
            right[f"behaviour:{one.kind.replace(' ', '_')}/{one.about}"] += flagged == one.flagged
        self.update({place: str(count) for place, count in right.items()})


PATHS = ("bootstrap/train", "cluster/train", "validation", "test")


def expected(counted: Counted) -> str:
    """The golden card with what was counted in the place of its placeholders."""
    return re.sub(PLACEHOLDER, lambda found: counted[found[1]], GOLDEN.read_text(encoding="utf-8"))


def card_of(folder: Path, **known: Any) -> str:
    return model_files(folder, repo_id=f"acme/{folder.name}", license="apache-2.0", **known)["README.md"].decode()


def test_the_card_is_the_golden_one_with_the_numbers_of_the_data(guard, counted):
    card, wanted = card_of(guard, dataset=DATASET), expected(counted)
    assert card.splitlines() == wanted.splitlines()
    assert card == wanted


def test_every_placeholder_has_a_number_and_the_golden_card_has_all_that_is_counted(counted):
    asked = set(re.findall(PLACEHOLDER, GOLDEN.read_text(encoding="utf-8")))
    by_class = {f"validation:{figure}/{name}" for figure in ("precision", "recall", "f1") for name in NAMES}
    assert set(counted) - by_class == asked


def numbers(record: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where in a record numbers stand."""
    items = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in items:
        yield from numbers(value, *path, key)
    if isinstance(record, int | float):
        yield path


def record_of(text: str, folder: Path) -> ModelRecord:
    """What is read of a `rarecase.json` with this text."""
    (folder / "rarecase.json").write_text(text)
    record = ModelRecord.read(folder)
    assert record is not None
    return record


def test_a_changed_number_is_another_card(guard, counted, tmp_path):
    model, wanted = read_model(guard), expected(counted)
    written = json.loads((guard / "rarecase.json").read_text())
    not_shown = {("format",), *(path for path in numbers(written) if path[0] == "dev" and len(path) > 2)}
    changed = {path for path in numbers(written) if path[0] != "guard"} - not_shown
    assert len(changed) > 70
    for path in changed:
        content = copy.deepcopy(written)
        place: Any = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] += 1
        record = record_of(json.dumps(content), tmp_path)
        assert model_card(replace(model, record=record), "acme/guard", "apache-2.0", DATASET) != wanted, path


@pytest.mark.parametrize("path", ["bootstrap/train", "validation", "test"])
def test_other_labels_in_the_data_are_another_card(guard, release, counted, tmp_path, path):
    other = shutil.copytree(release, tmp_path / "data") / f"{path}.parquet"
    table = pq.read_table(other)
    labels = [(label + 1) % len(NAMES) for label in table["label"].to_pylist()]
    place = table.column_names.index("label")
    pq.write_table(table.set_column(place, table.field(place), [labels]), other)
    assert card_of(guard, dataset=DATASET) != expected(Counted(tmp_path / "data", guard))


def test_what_is_published_does_not_tell_which_texts_it_learned_from(guard):
    kept = json.loads((guard / "rarecase.json").read_text())
    sent = json.loads(model_files(guard, repo_id="acme/guard", license=None)["rarecase.json"])
    assert len(kept["data"]["texts"]) > 100
    assert sent["data"].pop("texts") == ""
    del kept["data"]["texts"]
    assert sent == kept


def test_the_hub_reads_every_figure_out_of_the_head(guard, frozen):
    for folder, dataset in ((guard, DATASET), (frozen, None)):
        record = json.loads((folder / "rarecase.json").read_text())
        results = ModelCard(card_of(folder, dataset=dataset)).data.eval_results
        found = {result.metric_name: result.metric_value for result in results}
        assert len(results) == len(found) == 4 + 3 * len(NAMES)
        assert found["Accuracy"] == pytest.approx(record["test"]["accuracy"])
        assert found["Macro F1"] == pytest.approx(record["test"]["macro_f1"])
        assert found["Recall self-harm"] == pytest.approx(record["test"]["recall"]["self-harm"])
        assert {(r.dataset_config, r.dataset_split, r.dataset_revision) for r in results} == {
            (dataset.config, "test", dataset.revision) if dataset else (None, "test", None)
        }


def test_a_class_without_a_text_in_test_has_no_figures(guard):
    model = read_model(guard)
    assert "counts as 0 in it" not in model_card(model, "acme/guard", "mit")
    without = [[0] * len(NAMES), *model.record.test["confusion"][1:]]
    record = replace(model.record, test={**model.record.test, "confusion": without})
    card = model_card(replace(model, record=record), "acme/guard", "mit")
    assert f"| {NAMES[0]} | – | – | – | 0 |" in card
    assert "each with equal weight. A class without a text in `test` counts as 0 in it.\n" in card
    named = {result.metric_name for result in ModelCard(card).data.eval_results}
    assert len(named) == 4 + 3 * (len(NAMES) - 1)
    assert not any(name.endswith(NAMES[0]) for name in named)


def test_a_model_that_was_not_measured_says_so(guard, tmp_path):
    shutil.copytree(guard, tmp_path / "guard")
    (tmp_path / "guard" / "rarecase.json").unlink()
    files = model_files(tmp_path / "guard", repo_id="acme/guard", license="mit")
    card = files["README.md"].decode()
    assert "rarecase.json" not in files
    assert "\n## Results\n\nNot measured.\n\n" in card
    assert "\n## Training\n\nHow it was trained is not recorded.\n\n" in card
    said = {"library_name", "license", "model_name", "pipeline_tag", "tags"}
    assert set(ModelCard(card).data.to_dict()) == said
    assert "rarecase train" not in card


USAGE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_usage_of_a_frozen_one_works_without_a_pickle(frozen, fresh_hub):
    files = model_files(frozen, repo_id="acme/frozen", license="mit")
    card = files["README.md"].decode()
    assert ModelCard(card).data.library_name == "sentence-transformers"
    assert ModelCard(card).data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert "pipeline(" not in card
    assert "A `pipeline` of `transformers` cannot" in card
    push(Target(kind="model", repo_id="acme/frozen"), lambda _: files, "A guard")
    code, shown = USAGE.search(card)[1], {}
    exec(code.replace("dict(zip", "shown = dict(zip"), shown)  # with sentence-transformers alone
    bicycle = load_learner(frozen).score(Dataset.from_dict({"text": ["How do I repair a flat bicycle tyre?"]}))
    assert list(shown["shown"]) == list(NAMES)
    assert np.allclose(list(shown["shown"].values()), matrix(bicycle, "probs")[0], rtol=0, atol=1e-6)


def test_the_usage_of_one_that_was_tuned_by_contrast_works_without_a_pickle(contrasted, fresh_hub):
    files = model_files(contrasted, repo_id="acme/contrasted", license="mit")
    assert {"head.json", "4_Dense/model.safetensors", "model.safetensors", "rarecase.json"} <= set(files)
    card = files["README.md"].decode()
    assert ModelCard(card).data.library_name == "sentence-transformers"
    assert ModelCard(card).data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert (
        "a sentence encoder, `sentence-transformers/all-MiniLM-L6-v2`, that was fine-tuned by contrast (SetFit" in card
    )
    assert "stays as it is" not in card
    assert "`updates` batches of `pairs`" in card
    assert "A `pipeline` of `transformers` cannot" in card
    assert (
        "--learner setfit --model packaged --seed 0 --precision fp32 --updates 2 --learning-rate 2e-05 "
        "--class-weights balanced --out" in card
    )
    push(Target(kind="model", repo_id="acme/contrasted"), lambda _: files, "A guard")
    code, shown = USAGE.search(card)[1], {}
    exec(code.replace("dict(zip", "shown = dict(zip"), shown)  # with sentence-transformers alone
    bicycle = load_learner(contrasted).score(Dataset.from_dict({"text": ["How do I repair a flat bicycle tyre?"]}))
    assert np.allclose(list(shown["shown"].values()), matrix(bicycle, "probs")[0], rtol=0, atol=1e-6)


def test_updates_that_were_not_made_are_no_flag(contrasted):
    model = read_model(contrasted)
    none = replace(model.record, settings={**model.record.settings, "updates": 0})  # with a single class
    card = model_card(replace(model, record=none), "acme/contrasted", "mit")
    assert "--precision fp32 --learning-rate 2e-05 --class-weights balanced --out" in card


def test_no_epoch_was_chosen_where_there_was_nothing_to_validate_on(guard):
    model = read_model(guard)
    assert "the epoch with the best macro-F1" in model_card(model, "acme/guard", "mit")
    none = replace(model.record, dev={**model.record.dev, "confusion": [[0] * len(NAMES)] * len(NAMES)})
    assert "the epoch with the best macro-F1" not in model_card(replace(model, record=none), "acme/guard", "mit")


def test_nothing_is_said_to_have_stopped_early_where_the_updates_were_given(guard):
    model = read_model(guard)
    given = {**{name: value for name, value in model.record.settings.items() if name != "epochs"}, "updates": 40}
    card = model_card(replace(model, record=replace(model.record, settings=given)), "acme/guard", "mit")
    assert (
        "of at most eight looks at `validation` on the way the weights with the best macro-F1 were kept, and" in card
    )
    assert "training stopped after" not in card


def test_the_usage_of_a_fine_tuned_one_works(guard, fresh_hub):
    files = model_files(guard, repo_id="acme/guard", license="mit", dataset=DATASET)
    push(Target(kind="model", repo_id="acme/guard"), lambda _: files, "A guard")
    shown: dict[str, Any] = {}
    code = USAGE.search(files["README.md"].decode())[1]
    exec(code.replace('guard("How', 'shown = guard("How'), shown)
    bicycle = load_learner(guard).score(Dataset.from_dict({"text": ["How do I repair a flat bicycle tyre?"]}))
    answers = {answer["label"]: answer["score"] for answer in shown["shown"]}
    assert np.allclose([answers[name] for name in NAMES], matrix(bicycle, "probs")[0], atol=1e-6)


def test_only_what_belongs_to_a_model_is_published(guard, frozen, contrasted, tmp_path):
    for folder in (guard, frozen, contrasted):
        copied = shutil.copytree(folder, tmp_path / folder.name)
        whole = {path.relative_to(copied).as_posix() for path in copied.rglob("*") if path.is_file()}
        for name in ("to_label.csv", "posts.json", "notes.txt", "data.safetensors", "checkpoint-1/model.safetensors"):
            (copied / name).parent.mkdir(exist_ok=True)
            (copied / name).write_bytes(b"nothing for others")
        files = model_files(copied, repo_id="acme/guard", license="mit")
        made = {"README.md"} if folder == guard else {"README.md", "handler.py", "requirements.txt"}
        assert set(files) == whole | made
        as_it_is = files.keys() - made - {"rarecase.json"}
        assert all(files[name] == copied / name for name in as_it_is)


def test_no_text_of_the_data_and_no_path_is_in_any_file(guard, frozen, contrasted, release, tmp_path):
    older = shutil.copytree(guard, tmp_path / "older")
    for name, key in (("config.json", "_name_or_path"), ("tokenizer_config.json", "name_or_path")):
        known = json.loads((older / name).read_text())
        (older / name).write_text(json.dumps({**known, key: str(older)}))  # as transformers 4 did
    texts = [row["text"] for path in PATHS for row in pq.read_table(release / f"{path}.parquet").to_pylist()]
    assert len(texts) > 100
    for folder in (guard, frozen, contrasted, older):
        for name, content in model_files(folder, repo_id="acme/guard", license="mit", dataset=DATASET).items():
            written = content if isinstance(content, bytes) else content.read_bytes()
            for secret in (*texts, str(folder.parent), str(Path.home()), resolve("packaged")):
                assert secret.encode() not in written, name


@pytest.mark.parametrize("name", ["training_args.bin", "1_Pooling/optimizer.pt", "model_head.pkl", "head.joblib"])
def test_a_pickled_file_is_named_and_nothing_is_published(frozen, tmp_path, name):
    copied = shutil.copytree(frozen, tmp_path / "frozen")
    (copied / name).write_bytes(tiny_models.PICKLED)
    with pytest.raises(ModelError, match=f"{name} is a pickled file.*delete it, or save the model again"):
        model_files(copied, repo_id="acme/guard", license="mit")


def test_a_link_out_of_the_folder_is_named_and_nothing_is_published(frozen, tmp_path):
    copied = shutil.copytree(frozen, tmp_path / "frozen")
    (tmp_path / "secret").write_text("of somebody's home")
    (copied / "merges.txt").symlink_to("../secret")
    with pytest.raises(ModelError, match=r"merges\.txt is a link that leads out of it; copy the file"):
        model_files(copied, repo_id="acme/guard", license="mit")


def test_what_is_no_model_is_one_line(guard, frozen, tmp_path):
    def refused(folder: Path) -> str:
        with pytest.raises(ModelError) as raised:
            model_files(folder, repo_id="acme/guard", license="mit")
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert "no such folder; give one that `rarecase train`" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no weights in it" in refused(tmp_path / "empty")
    assert "no classifier in it" in refused(Path(resolve("packaged")))
    foreign = Path(shutil.copytree(guard, tmp_path / "foreign"))
    shutil.copy(frozen / "rarecase.json", foreign)
    assert "its rarecase.json is of another model" in refused(foreign)
    for other in ("later", "finetune"):
        later = Path(shutil.copytree(frozen, tmp_path / other))
        (later / "head.json").write_text((later / "head.json").read_text().replace('"frozen"', f'"{other}"'))
        assert "head.json is of another learner, expected frozen or setfit" in refused(later)
    (foreign / "rarecase.json").write_text('{"format": 9}')
    assert "of another format, this rarecase reads 1" in refused(foreign)
    (foreign / "rarecase.json").write_text("[")
    assert "no readable JSON" in refused(foreign)
    whole = json.loads((guard / "rarecase.json").read_text())
    for part in ("data", "test_digest"):
        (foreign / "rarecase.json").write_text(json.dumps({name: whole[name] for name in whole if name != part}))
        assert f"rarecase.json: {part} is missing" in refused(foreign)
    (foreign / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "theirs.Model"}}))
    assert "names code of the model's own (auto_map)" in refused(foreign)


def test_a_card_takes_any_class_name(guard, tmp_path):
    names = ("a|b", "*bold*", "<b>", "`code`", "two words", "plain")
    text = (guard / "rarecase.json").read_text().replace("self-harm", "a|b").replace("not-harmful", "plain")
    for old, new in zip((*NAMES[1:5], "idiom"), (*names[1:5], "<i>"), strict=True):
        text = text.replace(old, new)
    card = model_card(Model("finetune", names, None, 50, record_of(text, tmp_path)), "acme/guard", "mit")
    assert r"| \<i\> |" in card
    assert r"| 0 | a\|b |" in card
    assert r"| 1 | \*bold\* |" in card
    assert len(ModelCard(card).data.eval_results) == 22
