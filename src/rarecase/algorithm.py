"""
Algorithm 1 of Hassan, Sicilia and Alikhani (2024): *Active Learner Guided Generation*.

`run` is the whole of it. The command line, the simulations and the tests all run this one function; what is chosen,
who labels, what writes variations and what learns is handed in.

Where we leave the printed algorithm, and what we take where it is silent:

- The paper takes the single most entropic text of each cluster in turn; a strategy here is asked for the whole batch
  of N at once, which for `cluster` is ⌊N/m⌋ from each of the m clusters (section 4.2 of the paper).
- The loop ends when the budget is spent (B > 0), not one batch later (B ≥ 0), or when the pool is empty. Only a label
  that was given costs budget: what annotators leave empty goes back to the pool, but for what they leave out for good
  (`rarecase.labeling.annotator`). Where it is asked for, the loop also ends once more labels would change little
  (`rarecase.acquire.stopping`).
- Retraining starts from the pretrained weights in every round. Epochs are the learner's, chosen on dev.
- m is not given in the paper; the default is N. The clustering is done once, on the fixed encoder's embeddings.
- R, the relation of a variation to its label, is a number of checks and a policy (`rarecase.verify`). A variation
  that is not accepted is kept in the round's file with what was found, and not learned from. One that is accepted is
  learned from and no more: a strategy is shown what people labelled.

Under `accelerate launch` every process runs all of this. Fits, vectors and scores are shared out; a strategy, people
and language models are asked by the main process alone, and the others receive the answers (`core.processes`).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from datasets import Dataset, Value, concatenate_datasets

from rarecase.acquire.clusters import assign_clusters
from rarecase.acquire.stopping import WINDOW, Stopping
from rarecase.acquire.strategy import LEARNERS, Strategy, columns_of, labeled_columns_of, name_of, needs_encoder
from rarecase.core import randomness
from rarecase.core.errors import ConfigError, WaitingForLabels
from rarecase.core.processes import on_main
from rarecase.data.arrow import HELPERS, matrix, rows, with_column, with_columns_from
from rarecase.data.by_id import same_rows, with_columns_of, without
from rarecase.data.counts import class_count_std, class_counts
from rarecase.data.schema import GENERATED, HUMAN, as_table, conform, label_names, public_id, texts
from rarecase.evaluate.metrics import metrics
from rarecase.evaluate.predictions import labels_and_guesses, predictions_of
from rarecase.evaluate.record import RoundRecord, StoppingMeasures
from rarecase.generate import Generator, with_own_ids
from rarecase.labeling.annotator import Annotator, Ask, completed
from rarecase.learn import Learner
from rarecase.models.encoder import Encoder, compare, embed
from rarecase.verify.checks import Verifier


class Stages(Protocol):
    """
    Stores what each stage of a round makes, and gives it back when the run is repeated: that is all of resuming.

    `rarecase.runs.folder.RoundFiles` stores files in a run folder.
    """

    def table(self, number: int, name: str, make: Callable[..., Dataset], *arguments: Any) -> Dataset:
        """
        The table of a stage: the stored one, or else that of `make(*arguments)`, once it is stored.

        Args:
            number (`int`): of the round.
            name (`str`): of the stage: `scores`, `chosen`, `labels`, `variations` or `predictions`.
            make (`Callable`): makes it, from `arguments`.
        """
        ...

    def record(self, number: int, make: Callable[[], RoundRecord]) -> RoundRecord:
        """The measurements of a round, stored likewise."""
        ...


class Retrained:
    """
    G: fitted when it is first asked for, and kept until the loop retrains it; asked for later, it is fitted again.

    So a round whose stages are all stored costs no fit, and rounds that somebody keeps hold no models.
    """

    def __init__(self, learner: Learner, train: Dataset, dev: Dataset) -> None:
        self._learner, self._train, self._dev = learner, train, dev
        self._model: Learner | None = None
        self._is_current = True

    def __call__(self) -> Learner:
        """The fitted model."""
        model = self._model or self._learner.fit(self._train, self._dev)
        self._model = model if self._is_current else None
        return model

    def on(self, train: Dataset) -> "Retrained":
        """G of the next round; this one lets go of its model."""
        self._is_current, self._model = False, None
        return Retrained(self._learner, train, self._dev)


@dataclass(frozen=True)
class Round:
    """
    What one iteration did.

    Args:
        number (`int`): 0 is the start set.
        train (`Dataset`): L after the round.
        record (`RoundRecord`): what was chosen, counted and measured.
        learner (`Callable`): gives G of this round; after the loop has gone on, it is fitted again for each call.
    """

    number: int
    train: Dataset
    record: RoundRecord
    learner: Callable[[], Learner]


def run(
    stages: Stages,
    *,
    pool: Dataset,
    bootstrap: Dataset,
    dev: Dataset,
    test: Dataset,
    strategy: Strategy,
    learner: Learner,
    annotator: Annotator | Ask,
    generator: Generator,
    encoder: Encoder,
    budget: int = 100,
    batch: int = 20,
    clusters: int | None = None,
    variations: int = 5,
    seed: int = 0,
    definitions: Sequence[str] | None = None,
    verifier: Verifier | None = None,
    stop: Stopping | None = None,
) -> Iterator[Round]:
    """
    Runs Algorithm 1, one `Round` after each iteration, the start set as round 0.

    A stage that is stored is read instead of made: a run that was killed, or waits for people, goes on when it is
    called again with the same arguments.

    Args:
        stages (`Stages`): where the stages are stored, such as `RoundFiles(folder)`.
        pool (`Dataset`): U, with `id` and `text`; its labels, if it has any, are not looked at.
        bootstrap (`Dataset`): L to begin with: `id`, `text` and `label`, a `ClassLabel` of the taxonomy, as in dev and
            test.
        dev (`Dataset`): labelled; chooses epochs, is never learned from.
        test (`Dataset`): labelled; only measured on.
        strategy (`Callable`): `strategy(pool, n, *, labeled, seed) -> Dataset`, `labeled` being what people labelled
            of L; see `rarecase.acquire.strategy.Strategy`.
        learner (`Learner`): G.
        annotator (`Annotator` or `Callable`): O; an object with `annotate` is enough, or a function that gives the
            name of the class of each text in a list, and None for one that it cannot label.
        generator (`Generator`): S with its template T.
        encoder (`Encoder`): makes V; called only where the strategy, or R, needs what comes from it.
        budget (`int`): B, labels in all.
        batch (`int`): N, labels a round.
        clusters (`int`, *optional*): m, by default N.
        variations (`int`): k, variations of each labelled text.
        seed (`int`): decides the clustering and the strategy's draws.
        definitions (`Sequence[str]`, *optional*): of each class in order, for strategies that look for one by what it
            means; by default their names.
        verifier (`Verifier`, *optional*): R; by default all checks that need no language model, and the policy
            `majority`.
        stop (`Stopping`, *optional*): what ends the loop before the budget is spent; the pool is scored after every
            round then, whatever the strategy.

    Raises:
        `WaitingForLabels`: where people have to label first.
        `ConfigError`: where the strategy returns other rows than it was asked for, or the annotator is none, or gives
            what is no class.

    Example:
        >>> from rarecase.generate import NoVariations
        >>> def ask(texts):
        ...     return ["financial-advice" if "money" in text else "not-harmful" for text in texts]
        >>> for round_ in run(RoundFiles("out"), pool=pool, bootstrap=start, dev=dev, test=test, strategy=cluster,
        ...                   learner=Frozen("packaged", names, seed=0), annotator=ask, generator=NoVariations(),
        ...                   encoder=load_encoder(), budget=20, batch=10):
        ...     print(round_.number, round_.record.labels)
        0 0
        1 10
        2 20
    """
    names = label_names(bootstrap)
    annotator, R = completed(annotator, names), verifier or Verifier()
    reads = columns_of(strategy) | ({"probs"} if stop else set())
    pool = pool.select_columns([column for column in pool.column_names if column != "label"])
    pool, bootstrap, dev, test = (_released(table, names) for table in (pool, bootstrap, dev, test))
    taken = {id_ for table in (pool, bootstrap, dev, test) for id_ in table["id"][:]}
    seen: deque[Dataset] = deque(maxlen=WINDOW if stop else 0)  # the last probabilities, for `stop`

    def vectorize(dataset: Dataset) -> Dataset:
        return learner.prepare(embed(dataset, encoder) if needs_encoder(strategy) else dataset)

    U, L, dev, test = map(vectorize, (pool, bootstrap, dev, test))  # V ← vectorize U
    # cluster V into {C_1, …, C_m}
    U = _compared(U, reads, clusters or batch, seed, definitions or names, encoder)
    G = Retrained(learner, L, dev)  # G ← bootstrapped model
    S = partial(_vary, generator, variations, taken, R, [*texts(dev), *texts(test)], encoder)

    def after(number: int) -> Round:
        judge = partial(_judged, stop, stages, number, G, U, reads, seen) if stop else None
        return Round(number, L, _measured(stages, number, G, L, len(bootstrap), dev, test, judge), G)

    yield (last := after(number := 0))
    while budget > 0 and len(U) and not last.record.stopped:  # while B ≥ 0 do
        number += 1
        stage = partial(stages.table, number)
        if reads & LEARNERS:
            U = _scored(U, stage("scores", _scores, G, U, reads), seen)  # E_ij ← Entropy(x_ij)
        chosen = stage("chosen", _choose, strategy, U, min(batch, budget), G, L, seed, number)  # x*_i ← argmax_j E_ij
        asked = _unlabeled(U, chosen, number, strategy)
        labels = stage("labels", _annotate, annotator, asked, G, names)  # y*_i ← Annotate O(x*_i)
        on_main(annotator.stored, labels)
        varied = stage("variations", S, labels, G)  # {(x*_ik, y*_ik)} ← Distil S, T_i
        human, generated = with_columns_of(labels, asked, L), R.accepted(varied)  # R(x*_ik, y*_ik)
        added = [human, vectorize(generated)] if len(generated) else [human]
        L = concatenate_datasets([L, *added])  # add (x*_i, y*_i) and {(x*_ik, y*_i)} to L
        U = without(U, asked if annotator.leaves_out else labels)
        G = G.on(L)  # G ← retrain on L
        budget -= len(labels)  # B = B - N
        yield (last := after(number))


def _released(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """The table with all released columns, and with what the encoder made: it spares work."""
    # What a learner made may be of another one, or of an earlier fit.
    kept = [column for column in HELPERS if column in dataset.column_names and column not in LEARNERS]
    return with_columns_from(conform(dataset, names), dataset, kept)


def _compared(
    pool: Dataset, reads: set[str], clusters: int, seed: int, definitions: Sequence[str], encoder: Encoder
) -> Dataset:
    """The pool with its clusters, and its similarity to the classes, where the strategy reads them."""
    if "cluster" in reads:
        pool = assign_clusters(pool, clusters, seed=seed)
    return compare(pool, definitions, encoder) if "similarity" in reads else pool


def _scores(learner: Callable[[], Learner], pool: Dataset, reads: set[str]) -> Dataset:
    return _seen_by(learner(), pool, reads).select_columns(["id", *sorted(reads & LEARNERS)])


def _scored(pool: Dataset, scores: Dataset, seen: deque[Dataset]) -> Dataset:
    """The pool with its scores; `seen` keeps the probabilities alone: features of a large pool take memory."""
    seen.append(scores.select_columns([name for name in ("id", "probs") if name in scores.column_names]))
    return with_columns_of(pool, scores)


def _seen_by(learner: Learner, dataset: Dataset, reads: set[str]) -> Dataset:
    """What `sample` reads are the features that `score` has just made, never those of an earlier round."""
    scored = learner.score(dataset)
    return learner.sample(scored) if "mc_probs" in reads else scored


def _choose(
    strategy: Strategy, pool: Dataset, n: int, learner: Callable[[], Learner], labeled: Dataset, seed: int, number: int
) -> Dataset:
    """
    Text only: a strategy sees no source, no provenance and no label of the pool, and of L what people labelled. Its
    batch is checked before it costs labels.
    """
    n = min(n, len(pool))
    labeled, reads = _by_people(labeled), labeled_columns_of(strategy)
    if reads & LEARNERS:  # only here: a stored choice needs neither them nor the learner
        labeled = _seen_by(learner(), labeled, reads)
    seen = ["id", "text", *(c for c in HELPERS if c in pool.column_names)]
    known = ["id", "text", "label", *(c for c in HELPERS if c in labeled.column_names)]
    of_round = partial(strategy, labeled=labeled.select_columns(known), seed=randomness.integer(seed, "round", number))
    chosen = on_main(of_round, pool.select_columns(seen), n)
    if not isinstance(chosen, Dataset) or "id" not in chosen.column_names:
        raise ConfigError(f"strategy {name_of(strategy)!r} returned no Dataset with the column id of the pool")
    ids = chosen["id"][:]
    if len(ids) != n or len(set(ids)) != n or not set(ids) <= set(pool["id"][:]):
        raise ConfigError(
            f"strategy {name_of(strategy)!r} returned {len(ids)} rows ({len(set(ids))} different), "
            f"expected {n} different rows of the pool it was given"
        )
    return chosen.remove_columns([c for c in HELPERS if c in chosen.column_names and c != "cluster"])


def _by_people(labeled: Dataset) -> Dataset:
    """The rows without the variations, whose labels are those of the posts they were made of."""
    return rows(labeled, [row for row, origin in enumerate(labeled["origin"][:]) if origin != GENERATED])


def _unlabeled(pool: Dataset, chosen: Dataset, number: int, strategy: Strategy) -> Dataset:
    """The chosen rows of the pool, in order of choice, as they go to the annotator."""
    asked = with_column(same_rows(pool, chosen), "round", [number] * len(chosen), Value("int32"))
    asked = with_column(asked, "strategy", [name_of(strategy)] * len(asked))
    # A pool is what people wrote (`make_pool` leaves generated rows out); beside variations it has to be said.
    return with_column(asked, "origin", [HUMAN] * len(asked))


def _annotate(annotator: Annotator, asked: Dataset, learner: Callable[[], Learner], names: Sequence[str]) -> Dataset:
    """A round without a label would choose the same texts again, for ever, unless they are left out."""
    shown = conform(asked, names)
    if annotator.suggests:
        guesses = matrix(learner().score(asked), "probs").argmax(axis=1)
        shown = with_column(shown, "suggestion", [names[guess] for guess in guesses])
    labels = on_main(annotator.annotate, shown)
    if not len(labels) and not annotator.leaves_out:
        raise WaitingForLabels(f"none of the {len(asked)} chosen texts has a label yet; label some, then go on")
    return labels.remove_columns([name for name in ("suggestion",) if name in labels.column_names])


def _vary(
    generator: Generator,
    variations: int,
    taken: Set[str],
    verifier: Verifier,
    held_out: Sequence[str],
    encoder: Encoder,
    labels: Dataset,
    learner: Callable[[], Learner],
) -> Dataset:
    """What S makes, with what R finds of it; the learner, which chose the originals, is shown texts alone."""

    def probabilities(asked: Sequence[str]) -> np.ndarray:
        return matrix(learner().score(as_table(asked)), "probs")

    made = with_own_ids(on_main(generator.generate, labels, variations), taken)
    return verifier.check(made, labels, held_out, probabilities, encoder)


def _measured(
    stages: Stages,
    number: int,
    learner: Callable[[], Learner],
    train: Dataset,
    start: int,
    dev: Dataset,
    test: Dataset,
    judge: Callable[[Dataset], StoppingMeasures] | None,
) -> RoundRecord:
    """Measures G on dev and test, and counts what was acquired: L without the start set, as in the paper's Table 3."""
    names = label_names(train)

    def predict() -> Dataset:
        return predictions_of({"dev": learner().score(dev), "test": learner().score(test)})

    predictions = stages.table(number, "predictions", predict)
    acquired = rows(train, range(start, len(train)))
    human = _by_people(acquired)

    def measure() -> RoundRecord:
        counts = class_counts(acquired, names)
        return RoundRecord(
            round=number,
            chosen=[public_id(i) for i, r in zip(human["id"][:], human["round"][:], strict=True) if r == number],
            labels=len(human),
            class_counts=counts,
            class_count_std=class_count_std(counts),
            found=class_counts(human, names),
            dev=metrics(*labels_and_guesses(predictions, "dev"), names),
            test=metrics(*labels_and_guesses(predictions, "test"), names),
            stopping=judge(human) if judge else None,
        )

    return stages.record(number, measure)


def _judged(
    stop: Stopping,
    stages: Stages,
    number: int,
    learner: Callable[[], Learner],
    pool: Dataset,
    reads: set[str],
    seen: Sequence[Dataset],
    human: Dataset,
) -> StoppingMeasures:
    """What `stop` makes of the pool as the last learners saw it: each one's scores are those of the round after it."""
    if not len(pool):
        return stop.measure([], [])
    latest = stages.table(number + 1, "scores", _scores, learner, pool, reads)
    rounds, first = human["round"][:], max(0, number - WINDOW)
    labels = [rounds.count(n) for n in range(first + 1, number + 1)]
    return stop.measure([*seen, latest], labels)
