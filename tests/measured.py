"""An experiment folder as `rarecase experiment` leaves it: logistic regressions on the sample predicted in it."""

import atexit
import csv
import functools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from datasets import Dataset
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from small import NAMES, SAMPLE

from rarecase.core.files import digest
from rarecase.data import arrow, schema
from rarecase.data.counts import class_counts
from rarecase.data.parquet import write_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.cells import Cell, Found
from rarecase.runs.folder import Manifest

DRAWS, FIXED = "FacebookAI/roberta-base", "packaged"  # a learner whose seeds differ, and one without randomness
SETTINGS = ("bootstrap", "human", "human+llm", "human+cheap")
STRATEGIES = ("random", "topn", "coreset", "cluster")
ACQUIRED, VARIATIONS = 40, 2


@functools.cache
def lines(name: str) -> list[dict[str, str]]:
    with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(name: str, rows: slice = slice(None)) -> Dataset:
    """Rows of the sample with the released columns."""
    taken = lines(name)[rows]
    columns = {
        "id": [line["id"] for line in taken],
        "text": [line["text"] for line in taken],
        "label": pa.array([NAMES.index(line["label"]) for line in taken], pa.int64()),
        "origin": [schema.HUMAN] * len(taken),
    }
    return schema.conform(Dataset(pa.table(columns)), NAMES)


def split(place: int) -> Dataset:
    """What a strategy acquired: posts of the pool, and of each its variations."""
    human = table("pool", slice(ACQUIRED * place, ACQUIRED * (place + 1)))
    repeated = np.repeat(np.arange(len(human)), VARIATIONS)
    varied = arrow.to_table(arrow.rows(human, repeated)).to_pydict()
    parents = varied["id"]
    varied |= {
        "id": [f"{parent}-{i % VARIATIONS + 1}" for i, parent in enumerate(parents)],
        "text": [f"{text}, again {i % VARIATIONS}" for i, text in enumerate(varied["text"])],
        "origin": [schema.GENERATED] * len(parents),
        "parent_id": parents,
    }
    both = pa.concat_tables([arrow.to_table(human), pa.table(varied, schema=human.features.arrow_schema)])
    return arrow.from_table(both)


def make_experiment(
    folder: Path,
    *,
    models: Sequence[str] = (DRAWS, FIXED),
    strategies: Sequence[str] = STRATEGIES,
    settings: Sequence[str] = SETTINGS,
    seeds: int = 2,
    overlap: int = 0,
    leave_out_overlap: bool = False,
) -> Path:
    """The folder; the texts of the first `overlap` test rows stand in the start set, too."""
    shared = {name: table(name) for name in ("bootstrap", "dev", "test")}
    if overlap:
        again = arrow.with_column(table("test", slice(overlap)), "id", [f"again-{i}" for i in range(overlap)])
        shared["bootstrap"] = arrow.from_table(
            pa.concat_tables([arrow.to_table(shared["bootstrap"]), arrow.to_table(again)])
        )
    splits = {strategy: split(place) for place, strategy in enumerate(strategies)}
    Taxonomy.default().save(folder / "taxonomy.yaml")
    Manifest("experiment", taxonomy=digest([folder / "taxonomy.yaml"])).write(folder)
    config = {"data": "data", "models": ",".join(models), "strategies": ",".join(strategies), "seed": 0}
    config |= {"settings": ",".join(settings), "seeds": seeds, "reading": None}
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "leave_out_overlap": leave_out_overlap}))
    for name, rows in shared.items():
        write_parquet(folder / f"{name}.parquet", rows)
    for name, rows in splits.items():
        write_parquet(folder / "splits" / f"{name}.parquet", rows)
    for model in models:
        for setting in settings:
            for strategy in ("bootstrap",) if setting == "bootstrap" else strategies:
                for seed in range(seeds):
                    train = train_rows(shared["bootstrap"], splits.get(strategy), setting)
                    run_cell(folder, Cell(strategy, seed, model, setting), train, shared)
    return folder


@functools.cache
def made() -> Path:
    """The folder of an experiment that has ended, made once for all tests: they leave it as it is."""
    folder = Path(tempfile.mkdtemp(prefix="measured-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_experiment(folder / "experiment")


def train_rows(start: Dataset, split: Dataset | None, setting: str) -> Dataset:
    if setting == "bootstrap" or split is None:
        return start
    kept = split if setting == "human+llm" else arrow.rows(split, range(ACQUIRED))
    return arrow.from_table(pa.concat_tables([arrow.to_table(start), arrow.to_table(kept)]))


def run_cell(folder: Path, cell: Cell, train: Dataset, shared: dict[str, Dataset]) -> None:
    """Learns and predicts, as a cell does."""
    scored = []
    rows = tuple(zip(train["text"][:], train["label"][:], strict=True))
    tested = tuple((name, tuple(shared[name]["text"][:])) for name in ("dev", "test"))
    for name, probs in predicted(rows, tested, None if cell.model == FIXED else cell.seed).items():
        told = arrow.with_column(shared[name].select_columns(["id", "label"]), "probs", probs)
        scored.append(arrow.to_table(arrow.with_column(told, "split", [name] * len(probs))))
    write_parquet(cell.folder(folder) / "predictions.parquet", arrow.from_table(pa.concat_tables(scored)))
    Found(train_rows=len(train), class_counts=class_counts(train, NAMES)).write(folder, cell)


@functools.cache
def predicted(train: tuple, tested: tuple, seed: int | None) -> dict[str, np.ndarray]:
    """The probabilities of dev and test; a seed leaves out a third of the words."""
    texts, labels = zip(*train, strict=True)
    encoder = TfidfVectorizer().fit(texts)
    known = np.ones(len(encoder.vocabulary_))
    if seed is not None:
        known[np.random.default_rng(seed).permutation(len(known))[: len(known) // 3]] = 0

    def encode(texts: Sequence[str]) -> Any:
        return encoder.transform(texts).multiply(known).tocsr()

    learner = LogisticRegression(C=10, class_weight="balanced").fit(encode(texts), labels)
    answer = {}
    for name, rows in tested:
        answer[name] = np.zeros((len(rows), len(NAMES)), np.float32)
        answer[name][:, learner.classes_] = learner.predict_proba(encode(rows))
    return answer


def fail(folder: Path, cell: Cell, reason: str) -> None:
    """Makes a cell one that failed."""
    (cell.folder(folder) / "predictions.parquet").unlink(missing_ok=True)
    Found(error=reason).write(folder, cell)
