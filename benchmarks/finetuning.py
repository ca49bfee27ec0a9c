"""
How fast `finetune` trains, as the ratio to `transformers.Trainer` with the same hyper-parameters, its default batching
(`DataCollatorWithPadding`) and precision, with the same rows, in the same run, at a macro-F1 not below Trainer's
(Welch's interval of 95 % over the seeds). Both measure dev after each epoch; neither writes a checkpoint.

    fp32: at least 1.3 x as fast
    bf16: at least 2 x as fast (only where the processor has avx512_bf16)

    python benchmarks/finetuning.py --published ../shared/published
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset, concatenate_datasets
from scipy.stats import ttest_ind
from scoring import NAMES, arguments, bf16_hardware, labelled
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

from rarecase.core.randomness import generator
from rarecase.data import arrow, schema
from rarecase.evaluate.metrics import metrics
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.checkpoint import resolve

FASTER = {"fp32": 1.3, "bf16": 2.0}
SEEDS = (0, 1, 2, 3, 4)
ROWS, EPOCHS, LEARNING_RATE = 600, 3, 1e-4


def macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    return metrics(labels, predictions, NAMES)["macro_f1"]


def with_rarecase(
    precision: Any, train: Dataset, dev: Dataset, test: Dataset, seed: int
) -> Callable[[], Callable[[], float]]:
    def fit() -> Callable[[], float]:
        options = FitOptions(
            precision=precision, epochs=EPOCHS, learning_rate=LEARNING_RATE, class_weights="none", max_length=50
        )
        unfitted = Finetune("packaged", NAMES, options, seed=seed)
        unfitted.settings = replace(unfitted.settings, patience=EPOCHS)
        learner = unfitted.fit(train, dev)
        return lambda: macro_f1(arrow.matrix(test, "label"), arrow.matrix(learner.score(test), "probs").argmax(axis=1))

    return fit


def with_trainer(train: Dataset, dev: Dataset, test: Dataset, seed: int) -> Callable[[], Callable[[], float]]:
    def fit() -> Callable[[], float]:
        set_seed(seed)
        tokenizer = AutoTokenizer.from_pretrained(resolve("packaged"))
        model = AutoModelForSequenceClassification.from_pretrained(resolve("packaged"), num_labels=len(NAMES))

        def tokenized(dataset: Dataset) -> Any:
            columns = tokenizer(schema.texts(dataset), truncation=True, max_length=50)
            return Dataset.from_dict({**columns, "labels": arrow.matrix(dataset, "label")})

        with tempfile.TemporaryDirectory() as folder:
            arguments_ = TrainingArguments(
                folder,
                learning_rate=LEARNING_RATE,
                per_device_train_batch_size=16,
                per_device_eval_batch_size=16,
                num_train_epochs=EPOCHS,
                warmup_steps=0.1,
                lr_scheduler_type="linear",
                eval_strategy="epoch",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                logging_strategy="no",
                seed=seed,
            )
            trainer = Trainer(
                model,
                arguments_,
                train_dataset=tokenized(train),
                eval_dataset=tokenized(dev),
                data_collator=DataCollatorWithPadding(tokenizer),
                compute_metrics=lambda found: {
                    "macro_f1": macro_f1(found.label_ids, found.predictions.argmax(axis=1))
                },
            )
            trainer.train()
        return lambda: macro_f1(
            arrow.matrix(test, "label"), trainer.predict(tokenized(test)).predictions.argmax(axis=1)
        )

    return fit


def main() -> int:
    published = arguments(__doc__)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    bootstrap, dev, titles = (labelled(published, name) for name in ("bootstrap", "dev", "test"))
    rows = generator(0, "benchmark").permutation(len(titles))
    extra = ROWS - len(bootstrap)
    train = concatenate_datasets([bootstrap, titles.select(rows[:extra])])
    test = titles.select(rows[extra:])

    precisions = [name for name in FASTER if name == "fp32" or bf16_hardware()]
    f1: dict[str, list[float]] = {name: [] for name in ("Trainer", *precisions)}
    seconds: dict[str, list[float]] = {name: [] for name in f1}
    for seed in SEEDS:
        fits = {"Trainer": with_trainer(train, dev, test, seed)}
        fits |= {name: with_rarecase(name, train, dev, test, seed) for name in precisions}
        for name, fit in fits.items():
            begun = time.perf_counter()
            evaluate = fit()
            seconds[name].append(time.perf_counter() - begun)
            f1[name].append(evaluate())
            print(f"seed {seed}, {name}: {seconds[name][-1]:.1f} s, macro-F1 {f1[name][-1]:.1f}", flush=True)

    theirs = statistics.median(seconds["Trainer"])
    print(f"{len(train)} rows, {EPOCHS} epochs, medians and means of {len(SEEDS)} seeds")
    print(f"Trainer: {theirs:.1f} s, macro-F1 {statistics.mean(f1['Trainer']):.1f}")
    missed = 0
    for name in precisions:
        ours, reached = statistics.median(seconds[name]), statistics.mean(f1[name])
        ratio = theirs / ours
        low, high = ttest_ind(f1[name], f1["Trainer"], equal_var=False).confidence_interval()
        print(
            f"{name}: {ours:.1f} s, {ratio:.2f} x as fast (at least {FASTER[name]}), macro-F1 {reached:.1f}, "
            f"difference {low:+.1f} to {high:+.1f}"
        )
        missed += int(ratio < FASTER[name] or high < 0)  # numpy's False is no exit code
    return missed


if __name__ == "__main__":
    sys.exit(main())
