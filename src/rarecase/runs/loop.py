"""The loop in memory: tables and a function that labels go in, a training set and a learner come out."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import nan
from typing import Any, TypeVar

from datasets import ClassLabel, Dataset

from rarecase.acquire.find import find_strategy, require_columns
from rarecase.acquire.strategy import Strategy
from rarecase.algorithm import Round, Stages, run
from rarecase.core.errors import ConfigError, DataError, RarecaseError, WaitingForLabels, without_flags
from rarecase.data.arrow import require, rows
from rarecase.data.pool import make_pool
from rarecase.data.read import read_table
from rarecase.data.release import Metrics
from rarecase.data.schema import conform
from rarecase.data.sets import Sets, require_own_ids, taxonomy_of, with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.record import RoundRecord
from rarecase.generate import NoVariations
from rarecase.labeling.annotator import Annotator, Ask, completed
from rarecase.learn import Learner, make_learner
from rarecase.models.encoder import Encoder, load_encoder
from rarecase.runs.parts import require_a_batch
from rarecase.settings.checks import check
from rarecase.settings.config import RunConfig

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class LoopResult:
    """
    What `loop` returns.

    Args:
        train (`Dataset`): the rows to begin with and those that were labelled, with the columns of
            `rarecase.data.schema.features`; `round` is null for the former.
        learner (`Learner`): the last one, fitted on `train`.
        rounds (`list[RoundRecord]`): what each round chose, counted and measured; round 0 is the rows to begin with.
    """

    train: Dataset
    learner: Learner
    rounds: list[RoundRecord]


class _NotStored(Stages):
    """Makes each stage when it is asked for, and keeps none."""

    def table(self, number: int, name: str, make: Any, *arguments: Any) -> Dataset:
        return make(*arguments)

    def record(self, number: int, make: Any) -> RoundRecord:
        return make()


def loop(
    pool: Dataset,
    labeled: Dataset,
    *,
    ask: Ask | Annotator,
    strategy: str | Strategy = RunConfig.strategy,
    learner: str | Learner = RunConfig.learner,
    budget: int = RunConfig.budget,
    batch: int = RunConfig.batch,
    dev: Dataset | None = None,
    test: Dataset | None = None,
    seed: int = 0,
) -> LoopResult:
    """
    Chooses texts of a pool, has them labelled and learns from them, until the budget is spent: Algorithm 1 without
    variations, in memory. `rarecase.run` is the same with every part in your hands, and can be killed and resumed.

    Everything is checked before a learner is trained. As in a pool that is read from a file, a text that comes twice,
    nearly twice, or in another table, too, is left out of the pool. Where `ask` raises an error, what was labelled is
    gone; the same arguments ask for the same texts again.

    Args:
        pool (`Dataset`): the texts to choose from: `text`, and `id` or none; its labels are not looked at. Other
            columns of `rarecase.data.schema.features` are taken for these: rows whose `origin` is `generated` are left
            out.
        labeled (`Dataset`): the rows to begin with, at least one: `text` and `label`, a `ClassLabel` or the names of
            classes. A `ClassLabel` says what classes there are; of names, all those in `labeled`, `dev` and `test`.
        ask (`Callable` or `Annotator`): gets a list of texts, and gives the name of the class of each in a list, in
            their order; None for one that it cannot label, which is then left out for good and costs no budget. Where
            it labels none of a batch, the loop ends.
        strategy (`str` or `Callable`, *optional*): the name of one that ships with rarecase, `module:function`, or a
            function, see `rarecase.acquire.strategy.Strategy`. What is like a class is looked for by the definition
            of the class where it is of the shipped six, else by its name. The embeddings are the packaged encoder's.
        learner (`str` or `Learner`, *optional*): `frozen`, `setfit` or `finetune` with the packaged model, or a
            learner, whose classes are then those of the loop.
        budget (`int`, *optional*): labels in all.
        batch (`int`, *optional*): labels a round.
        dev (`Dataset`, *optional*): likewise labelled; chooses epochs, is never learned from.
        test (`Dataset`, *optional*): likewise; only measured on.
        seed (`int`, *optional*, defaults to 0): decides every draw.

    Returns:
        `LoopResult`: with `train`, `learner` and `rounds`. Figures on a table that is not given are NaN.

    Raises:
        `ConfigError`: where a setting is out of range, a name is unknown, `ask` is no function of a list of texts, or
            returns what is no class.
        `DataError`: naming the table and the row of what is wrong.

    Example:
        >>> def ask(texts):
        ...     return ["financial-advice" if "money" in text else "not-harmful" for text in texts]
        >>> result = loop(pool, labeled, ask=ask, budget=4, batch=2)
        >>> len(result.train) - len(labeled), [record.labels for record in result.rounds]
        (4, [0, 2, 4])
        >>> matrix(result.learner.score(pool), "probs").shape == (len(pool), len(result.learner.names))
        True
    """
    config = RunConfig(budget=budget, batch=batch, seed=seed)
    with _as_arguments():
        check(config)
        chosen = _strategy_of(strategy)
        _require_learner(learner)
        sets = _sets_of(pool, labeled, dev, test, learner)
        require_a_batch(sets, config)
    names = sets.taxonomy.names
    annotator = completed(ask, names)
    encoder = load_encoder()
    records: list[RoundRecord] = []
    try:
        for last in run(
            _NotStored(),
            pool=sets.pool,
            bootstrap=sets.bootstrap,
            dev=sets.dev,
            test=sets.test,
            strategy=chosen,
            learner=_learner_of(learner, names, seed, encoder),
            annotator=annotator,
            generator=NoVariations(),
            encoder=encoder,
            definitions=sets.taxonomy.definitions,
            budget=budget,
            batch=batch,
            seed=seed,
        ):
            records.append(_measured(last, sets))
    except WaitingForLabels:
        if hasattr(ask, "annotate"):  # its message says what people have to do; a function has no more labels to give
            raise
    return LoopResult(conform(last.train, names), last.learner(), records)


@contextmanager
def _as_arguments() -> Iterator[None]:
    """What is wrong with a setting or a table in the words of who calls, for whom there are no flags."""
    try:
        yield
    except RarecaseError as error:
        raise type(error)(without_flags(str(error))) from None


def _strategy_of(strategy: str | Strategy) -> Strategy:
    if isinstance(strategy, str):
        return find_strategy(strategy)
    if not callable(strategy):
        raise ConfigError(f"strategy {type(strategy).__name__}: expected a name, or a function strategy(pool, n, …)")
    require_columns(strategy)
    return strategy


def _require_learner(learner: str | Learner) -> None:
    if isinstance(learner, str):
        make_learner(learner, seed=0)  # which knows the names, and loads nothing yet
        return
    has_all = all(callable(getattr(learner, name, None)) for name in ("prepare", "fit", "score"))
    if isinstance(learner, type) or not has_all or not getattr(learner, "names", ()):
        what = f"the class {learner.__name__}" if isinstance(learner, type) else type(learner).__name__
        raise ConfigError(f"learner is {what}: expected a name, or an object like rarecase.learn.Learner")


def _learner_of(learner: str | Learner, names: tuple[str, ...], seed: int, encoder: Encoder) -> Learner:
    """The learner that is given, or one by its name; `frozen` shares the encoder of the strategies."""
    if not isinstance(learner, str):
        return learner
    if learner == "frozen":
        return make_learner(learner, names=names, seed=seed, encoder=encoder, shared=True)
    return make_learner(learner, names=names, seed=seed)


def _sets_of(
    pool: Dataset, labeled: Dataset, dev: Dataset | None, test: Dataset | None, learner: str | Learner
) -> Sets:
    """The tables, checked and made fit for each other as those of files are; dev and test may be empty."""
    _require("pool", pool, "text")
    given = {"labeled": labeled, "dev": dev, "test": test}
    for name, table in given.items():
        if table is not None:
            _require(name, table, "text", "label")
    tables = {
        name: _read(name, table)
        for name, table in given.items()
        if table is not None and (len(table) or name == "labeled")
    }
    posts = pool.remove_columns([name for name in ("label",) if name in pool.column_names])
    posts, counts = _named("pool", make_pool, [posts], against=list(tables.values()))
    logger.info("pool: %s", counts)
    taxonomy = _taxonomy_of(labeled, tables, learner)

    def row_of(name: str, column: str, value: str) -> str:
        if name == "pool":  # its rows are not those that were given
            return name
        name = "labeled" if name == "bootstrap" else name
        return f"{name} row {tables[name][column][:].index(value)}"

    classed = {name: with_classes(table, taxonomy, partial(row_of, name, "label")) for name, table in tables.items()}
    start = classed["labeled"]
    empty = rows(start, [])
    sets = Sets(
        taxonomy,
        pool=with_classes(posts, taxonomy, str),
        bootstrap=start,
        dev=classed.get("dev", empty),
        test=classed.get("test", empty),
    )
    require_own_ids(sets, row_of)
    return sets


def read_labeled(name: str, table: Dataset) -> Dataset:
    """A labelled table, checked, with the names of classes as labels; errors call it by the name."""
    with _as_arguments():
        _require(name, table, "text", "label")
        return _read(name, table)


def _read(name: str, table: Dataset) -> Dataset:
    return _named(name, read_table, table, split="train", labeled=True)


def _require(name: str, table: Dataset, *columns: str) -> None:
    if not isinstance(table, Dataset):
        raise ConfigError(
            f"{name} is {type(table).__name__}, expected a datasets.Dataset; make one by Dataset.from_pandas, "
            "from_dict or from_list"
        )
    _named(name, require, table, *columns)


def _named(name: str, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """What a function returns; its `DataError` with the name of the table."""
    try:
        return function(*arguments, **options)
    except DataError as error:
        raise type(error)(f"{name}: {error}") from None


def _taxonomy_of(labeled: Dataset, tables: Mapping[str, Dataset], learner: str | Learner) -> Taxonomy:
    if not isinstance(learner, str):
        return Taxonomy.from_names(learner.names)
    feature = labeled.features["label"]
    if isinstance(feature, ClassLabel):
        return Taxonomy.from_names(feature.names)
    return taxonomy_of(None, *(table["label"][:] for table in tables.values()))


def _measured(round_: Round, sets: Sets) -> RoundRecord:
    """The record of a round, with NaN in place of figures on a table without rows, which would be 0."""
    names = sets.taxonomy.names
    unknown: Metrics = {"accuracy": nan, "macro_f1": nan, "f1": dict.fromkeys(names, nan)}
    return replace(
        round_.record,
        dev=round_.record.dev if len(sets.dev) else unknown,
        test=round_.record.test if sets.test else unknown,
    )
