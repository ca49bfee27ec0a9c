"""
What is generation good for? The published protocol with consistent labels: seed s draws 100 of the 400 originals that
people labelled, and each arm learns from the start set, these labels and what it adds to them.

    rarecase import-published published --reading consistent --out consistent
    python benchmarks/generation.py write consistent --generator-url URL --generator-model qwen --out grown
    python benchmarks/generation.py fit consistent --learner frozen --out grown
    python benchmarks/generation.py fit consistent --learner finetune --out grown
    python benchmarks/generation.py fit consistent --learner finetune --model mpnet --seeds 0-4 --out grown
    python benchmarks/generation.py eye consistent --out grown       # whose column `good` somebody then fills in
    python benchmarks/generation.py report consistent --out grown

Every learner has the same human labels and the same number of updates. Its rate (of `frozen`: C) is chosen once for an
arm, on dev, with a draw of its own. The checks are made once over all 400, and the learner asked by them is `frozen`,
fitted on the start set. Each step goes on where it was ended; replies and cells hold posts, so they stay where --out
is, outside of the repository.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from datasets import ClassLabel, Dataset, concatenate_datasets
from generation_report import RARE, report

from rarecase.core.files import read_json, require_new, write_json
from rarecase.core.locks import locked
from rarecase.core.randomness import generator
from rarecase.data import arrow, schema
from rarecase.data.acquired import Policy
from rarecase.data.counts import class_counts
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.read import read_argument
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.metrics import metrics
from rarecase.evaluate.predictions import predictions_of
from rarecase.experiment.cells import Cell, Found
from rarecase.experiment.grid import run_grid
from rarecase.experiment.published import STRATEGIES, VARIATIONS
from rarecase.generate.writer import Writer
from rarecase.hub.ids import name_of
from rarecase.learn import FitOptions, Learner, make_learner
from rarecase.llm import LanguageModel
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.replies import Replies
from rarecase.models.encoder import load_encoder
from rarecase.verify.checks import Verifier
from rarecase.verify.judge import Judge
from rarecase.verify.policy import accepted, is_accepted

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from perturbations import perturbed

TAXONOMY, HARMLESS = Taxonomy.default(), "not-harmful"
DRAWN, TUNED_ON = 100, 1_000  # originals of a seed, and the seed whose draw the rates are chosen with
TEMPERATURE = 0.9
UPDATES, RATES = 100, {"packaged": 2e-4}
RATE = 5e-5  # of a larger encoder; these, their half and their double are what is chosen from
HARMLESS_SENTENCES = Path(__file__).with_name("looks_harmful.csv")
HIDDEN = ("typo", "swapped")  # how harmful titles are changed
LOOKED_AT = {"strict": 40, "majority alone": 30, "neither": 30}  # variations judged by eye, by what takes them


@dataclass(frozen=True)
class Arm:
    """What is learned from beside the human labels: a table of variations, the policy, and class weights."""

    table: Literal["variations", "published", "contrasts"] | None = None
    policy: Policy = "none"
    weights: Literal["none", "balanced"] = "none"


ARMS = {
    "none": Arm(),
    "unverified": Arm("variations"),
    "majority": Arm("variations", "majority"),
    "strict": Arm("variations", "strict"),
    "published": Arm("published"),
    "contrasts": Arm("contrasts", "majority"),
    "weights": Arm(weights="balanced"),
    "weights+unverified": Arm("variations", "none", "balanced"),
    "weights+majority": Arm("variations", "majority", "balanced"),
    "weights+strict": Arm("variations", "strict", "balanced"),
    "weights+contrasts": Arm("contrasts", "majority", "balanced"),
}


@dataclass(frozen=True)
class Data:
    """The start set, dev and test, the 400 originals, and the published variations of these."""

    start: Dataset
    dev: Dataset
    test: Dataset
    posts: Dataset
    published: Dataset

    @classmethod
    def read(cls, release: str) -> "Data":
        """From a release of the published set."""
        every = concatenate_datasets([_read(f"{release}:{name}", "train") for name in STRATEGIES])
        is_post = np.array([parent is None for parent in every["parent_id"][:]])
        shared = (_read(f"{release}:bootstrap", split) for split in ("train", "dev", "test"))
        return cls(*shared, *(arrow.rows(every, np.flatnonzero(of)) for of in (is_post, ~is_post)))

    def drawn(self, seed: int) -> Dataset:
        """The originals of a seed."""
        order = generator(seed, "originals").permutation(len(self.posts))
        return arrow.rows(self.posts, np.sort(order[:DRAWN]))


def _read(argument: str, split: str) -> Dataset:
    table = with_classes(read_argument(argument, split), TAXONOMY, lambda label: argument)
    return schema.conform(table, TAXONOMY.names)


def write(data: Data, model: LanguageModel, out: Path) -> None:
    """Asks for variations and contrasts of all originals, and writes the tables with what the checks found."""
    encoder = load_encoder()
    first = make_learner("frozen", "packaged", TAXONOMY.names, FitOptions(), seed=0).fit(data.start, data.dev)

    def probabilities(texts: Sequence[str]) -> np.ndarray:
        return arrow.matrix(first.score(schema.as_table(texts)), "probs")

    judge, held_out = Judge(model, TAXONOMY, data.start, seed=0), [*schema.texts(data.dev), *schema.texts(data.test)]
    for name, template in (("variations", "variation"), ("contrasts", "contrast")):
        writer = Writer(model, TAXONOMY, seed=0, temperature=TEMPERATURE, template=template)
        made = writer.generate(data.posts, VARIATIONS)
        verifier = Verifier(judge=judge, wording=writer.template.prompt.wording)
        write_parquet(out / f"{name}.parquet", verifier.check(made, data.posts, held_out, probabilities, encoder))


def train_of(name: str, data: Data, seed: int, out: Path) -> Dataset:
    """The training rows of an arm: the start set, the labels of the originals of a seed, and what it adds to them."""
    arm, drawn = ARMS[name], data.drawn(seed)
    if arm.table is None:
        return concatenate_datasets([data.start, drawn])
    table = data.published if arm.table == "published" else read_parquet(out / f"{arm.table}.parquet")
    parents = set(drawn["id"][:])
    own = [row for row, parent in enumerate(table["parent_id"][:]) if parent in parents]
    more = schema.conform(accepted(arrow.rows(table, own), arm.policy), TAXONOMY.names)
    return concatenate_datasets([data.start, drawn, more])


def learners_of(kind: str, model: str, arm: Arm, seed: int) -> list[Learner]:
    """Learners that are not fitted, one for each rate."""
    options = FitOptions(class_weights=arm.weights)
    if kind == "finetune":
        learning_rate = RATES.get(model, RATE)
        options = replace(options, precision="bf16", updates=UPDATES, learning_rate=learning_rate, max_length=50)
    return list(make_learner(kind, model, TAXONOMY.names, options, seed=seed).variants())


def rate_of(kind: str, model: str, name: str, data: Data, out: Path) -> int:
    """The place of the rate that is best on dev for an arm, of equals the first."""
    path = out / "rates" / f"{kind}-{name_of(model)}-{name}" / "rate.json"
    with locked(path.parent, f"another process, which chooses the rate of {name}"):
        if not path.exists():
            learners, found = learners_of(kind, model, ARMS[name], TUNED_ON), []
            train, dev = map(learners[0].prepare, (train_of(name, data, TUNED_ON, out), data.dev))
            for learner in learners:
                guesses = arrow.matrix(learner.fit(train, dev).score(dev), "probs").argmax(axis=1)
                found.append(metrics(arrow.matrix(dev, "label"), guesses, TAXONOMY.names)["macro_f1"])
            write_json(path, {"dev_macro_f1": found, "rate": int(np.argmax(found))})
        return read_json(path)["rate"]


def asked(data: Data) -> dict[str, Dataset]:
    """What a learner is asked: test, harmful titles of it as people mistype them, and harmless sentences."""
    harmful = arrow.rows(data.test, np.flatnonzero(arrow.matrix(data.test, "label") != TAXONOMY.index(HARMLESS)))
    tables = {"test": data.test}
    for kind in HIDDEN:
        tables[kind] = arrow.with_column(harmful, "text", perturbed(kind, schema.texts(harmful)))
    with HARMLESS_SENTENCES.open(encoding="utf-8", newline="") as file:
        sentences = list(csv.DictReader(file))
    for use in ("look", "last"):
        texts = [row["text"] for row in sentences if row["use"] == use]
        columns = {"id": [f"{use}-{n}" for n in range(len(texts))], "text": texts, "label": [HARMLESS] * len(texts)}
        table = Dataset.from_dict(columns).cast_column("label", ClassLabel(names=list(TAXONOMY.names)))
        tables[use] = schema.conform(table, TAXONOMY.names)
    return tables


def fit(kind: str, model: str, arms: Sequence[str], seeds: Sequence[int], data: Data, out: Path) -> None:
    """Runs the cells that are not done, and keeps what each predicts; several processes may do so at once."""
    prepare = learners_of(kind, model, ARMS["none"], 0)[0].prepare  # so that `frozen` embeds these once
    tables = {split: prepare(table) for split, table in asked(data).items()}

    def run_cell(cell: Cell, place: Path) -> Found:
        rate, train = rate_of(kind, model, cell.strategy, data, out), train_of(cell.strategy, data, cell.seed, out)
        fitted = learners_of(kind, model, ARMS[cell.strategy], cell.seed)[rate].fit(train, data.dev)
        predicted = predictions_of({split: fitted.score(table) for split, table in tables.items()})
        write_parquet(place / "predictions.parquet", predicted)
        return Found(train_rows=len(train), class_counts=class_counts(train, TAXONOMY.names), fit={"rate": rate})

    run_grid(out, [Cell(arm, seed, name_of(model), kind) for seed in seeds for arm in arms], run_cell)


def eye(data: Data, out: Path) -> None:
    """Writes variations for somebody to judge, who is not shown what the checks found: a draw, and all of the rare."""
    require_new(out / "eye.csv")  # somebody may have judged what is in it
    table = read_parquet(out / "variations.parquet")
    checks, texts = table["checks"][:], schema.texts(table)
    taken = [sum(is_accepted(own, policy) for policy in ("strict", "majority")) for own in checks]  # 2, 1 or 0
    rng, rows = generator(0, "eye"), set[int]()
    for by_how_many, number in zip((2, 1, 0), LOOKED_AT.values(), strict=True):
        there = [row for row, of in enumerate(taken) if of == by_how_many and texts[row]]
        rows |= {there[place] for place in rng.permutation(len(there))[:number]}
    rare = TAXONOMY.index(RARE)
    every = {row for row, label in enumerate(table["label"][:]) if label == rare and texts[row]}
    posts = dict(zip(data.posts["id"][:], schema.texts(data.posts), strict=True))
    ids, parents, labels = table["id"][:], table["parent_id"][:], table["label"][:]
    order = sorted(rows | every)
    with (out / "eye.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "drawn", "label", "post", "variation", "good"])
        for row in (order[place] for place in rng.permutation(len(order))):
            label = TAXONOMY.names[labels[row]]
            writer.writerow([ids[row], int(row in rows), label, posts[parents[row]], texts[row], ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("write", "fit", "eye", "report"))
    parser.add_argument("data", help="the release of the published set, in the consistent reading")
    parser.add_argument("--out", type=Path, default=Path("generation"))
    parser.add_argument("--generator-url", default="http://127.0.0.1:8101/v1")
    parser.add_argument("--generator-model", default="qwen")
    parser.add_argument("--learner", choices=("frozen", "finetune"), default="frozen")
    parser.add_argument("--model", default="packaged")
    parser.add_argument("--seeds", default="0-9", help="the first and the last, such as 0-9")
    parser.add_argument("--arms", default=",".join(ARMS))
    given = parser.parse_args()
    data = Data.read(given.data)
    first, last = map(int, given.seeds.split("-"))
    if given.step == "write":
        replies = Replies(given.out / "replies.sqlite")
        write(data, Endpoint(given.generator_url, given.generator_model, replies=replies, seed=0), given.out)
    elif given.step == "fit":
        arms = given.arms.split(",")
        fit(given.learner, given.model, arms, range(first, last + 1), data, given.out)
    elif given.step == "eye":
        eye(data, given.out)
    else:
        print(report(given.out, list(ARMS)))


if __name__ == "__main__":
    main()
