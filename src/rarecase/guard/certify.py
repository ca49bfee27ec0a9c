"""`rarecase guard calibrate` and `plan`: the rows are read, checked and scored, and a certificate is written."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from datasets import Dataset
from scipy.optimize import minimize_scalar

from rarecase.core.errors import ConfigError, DataError, MissingColumnError, ModelError
from rarecase.core.progress import parts
from rarecase.data.arrow import rows
from rarecase.data.pool import make_pool
from rarecase.data.schema import canonical_order, texts
from rarecase.guard.calibrate import Asked, ScoredRows, calibrate
from rarecase.guard.certificate import Certificate, Difference, Rows, model_sha256
from rarecase.guard.guard import PREPROCESSING, Guard, setting
from rarecase.guard.heldout import (
    AS_USUAL,
    SET,
    HeldOut,
    Reading,
    Uses,
    read_held_out,
    read_labelled,
    refuse,
    refuse_strategies,
    together,
)
from rarecase.guard.plan import Plan, plan
from rarecase.learn.backends import Backend
from rarecase.learn.hyperparameters import Precision
from rarecase.learn.record import ModelRecord

DTYPE, BACKEND = "fp32", "torch"
RECALL = 0.9  # of every class that is not harmless, where nothing is asked
_AT_ONCE = 500  # texts that are scored together, and between two steps of the progress line
_FEW = 8  # texts in a smaller batch


@dataclass(frozen=True)
class Prepared:
    """A guard, the rows it is to be certified on with their scores, and what is asked."""

    guard: Guard
    folder: Path
    parts: Sequence[HeldOut]
    held_out: HeldOut
    scored: ScoredRows
    asked: Asked
    harmless: tuple[str, ...]
    known: bool


def prepare(
    folder: Path, held_out: Sequence[str], asked: Asked, dev: str | None = None, reading: Reading = AS_USUAL
) -> Prepared:
    """Loads the guard of a model folder, and reads, checks and scores the rows; `RECALL` is asked where nothing is."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no folder of a model; a certificate is written into one, so download it first")
    guard = Guard.uncertified(str(folder))
    harmless = tuple(name for name, harmful in zip(guard.names, guard.harmful, strict=True) if not harmful)
    harmful = [name for name in guard.names if name not in harmless]
    if not harmful:
        raise ModelError(f"{folder}: no class of the model has an action other than allow, so there is no recall")
    asked = asked if asked.recall else replace(asked, recall=dict.fromkeys(harmful, RECALL))
    asked.check(guard.names, harmless)
    sets = [read_held_out(argument, guard.taxonomy, reading) for argument in held_out]
    together_ = together(sets)
    record = ModelRecord.read(folder)
    trained_on = record.data.among(texts(together_.table)) if record else None
    if trained_on is not None:
        refuse(together_.name, together_.table, np.array(trained_on), "were trained on, or chosen on, by the model")
    unscaled = None
    if dev is not None:
        unscaled, _ = score(guard, texts(together_.table))
        guard.temperature = _temperature(guard, _read_dev(dev, guard, together_, reading))
    probs, windows = score(guard, texts(together_.table))
    labels, unlabelled = np.array(together_.table["label"][:]), together_.unlabelled
    scored = ScoredRows(guard.names, probs, labels, windows, unlabelled, unscaled=unscaled)
    return Prepared(guard, folder, sets, together_, scored, asked, harmless, trained_on is not None)


def certify(prepared: Prepared) -> Certificate:
    """Calibrates, counts the use of the rows, and writes `certificate.json` into the model folder."""
    guard, scored, asked, folder = prepared.guard, prepared.scored, prepared.asked, prepared.folder
    decides = scored.decides(asked)
    if decides:
        settings = dict(_settings(guard, folder, prepared.held_out.table, scored, asked))
        scored = replace(scored, settings=settings)
    otherwise = np.where(scored.windows[:, None] > 1, guard.long_thresholds, guard.thresholds)
    found = calibrate(scored, asked, harmless=prepared.harmless, otherwise=otherwise)
    used = [Uses.read(part) for part in prepared.parts]
    uses = max(use.of(part) for use, part in zip(used, prepared.parts, strict=True))
    earlier = Certificate.read(folder)
    if earlier is not None and earlier.rows.ids_sha256 == prepared.held_out.ids_sha256:
        uses = max(uses, earlier.rows.uses)  # rows on the Hub have nothing beside them
    if decides:  # first: who is stopped here has seen nothing, and the use counts all the same
        uses += 1
        for use, part in zip(used, prepared.parts, strict=True):
            use.add(part)
    held_out = prepared.held_out
    certificate = Certificate(
        confidence=asked.confidence,
        max_alarm=asked.max_alarm,
        preprocessing=PREPROCESSING,
        model_sha256=model_sha256(folder, guard.names),
        dtype=DTYPE,
        backend=BACKEND,
        temperature=guard.temperature,
        differences=tuple(_differences(scored, asked)),
        classes=found.classes,
        not_asked=tuple(one for one in guard.names if one not in asked.recall and one not in prepared.harmless),
        alarm_any=found.alarm_any,
        alarm_certified=found.alarm_certified,
        rows=Rows(held_out.drawn, len(held_out.table), uses, held_out.ids_sha256, prepared.known),
    )
    certificate.write(folder)
    return certificate


def score(guard: Guard, every: Sequence[str], at_once: int = _AT_ONCE) -> tuple[np.ndarray, np.ndarray]:
    """The scores of texts, and in how many windows each was read, with a line that says how far it is."""
    probs, windows = np.zeros((len(every), len(guard.names))), np.ones(len(every), int)
    for part in parts(len(every), at_once):
        found = guard.scores(every[part])
        probs[part], windows[part] = found.probs, found.windows
    return probs, windows


def _read_dev(argument: str, guard: Guard, held_out: HeldOut, reading: Reading) -> Dataset:
    """Rows to set the temperature on; none of them may be a certification row."""
    dev = read_labelled(argument, "dev", guard.taxonomy, reading)
    dev = rows(dev, np.flatnonzero([label is not None for label in dev["label"][:]]))
    if not len(dev):
        raise DataError(f"{argument}: no row has a label; have them labelled, or name their --label-column")
    shared = np.isin(texts(dev), texts(held_out.table))
    if shared.any():
        raise DataError(
            f"{argument}: {shared.sum():,} of its texts are certification rows too; the temperature needs other ones"
        )
    return dev


def _temperature(guard: Guard, dev: Dataset) -> float:
    """The temperature of the least log loss (Guo et al., 2017); of several windows there is no distribution."""
    probs, windows = score(guard, texts(dev))
    one = windows == 1
    if not one.any():
        raise DataError("--dev: every text is longer than one window; give shorter ones, or leave it out")
    logits = np.log(np.clip(probs[one], 1e-12, None))
    labels = np.array(dev["label"][:])[one]

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(labels)), labels]))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _settings(
    guard: Guard, folder: Path, table: Dataset, scored: ScoredRows, asked: Asked
) -> Iterator[tuple[str, np.ndarray]]:
    """The scores of the positives of all classes asked for, in each other setting; NaN for the other rows."""
    order = canonical_order(table)
    order = order[np.isin(scored.labels[order], _columns(scored, asked))]
    every = texts(rows(table, order))

    def placed(probs: np.ndarray) -> np.ndarray:
        found = np.full(scored.scores.shape, np.nan)
        found[order] = probs
        return found

    yield "batches of one text", placed(score(guard, every, 1)[0])
    yield "smaller batches", placed(score(guard, every, _FEW)[0])

    def computed(dtype: Precision, backend: Backend) -> tuple[str, np.ndarray]:
        other = Guard.uncertified(str(folder), dtype, backend)
        other.temperature = guard.temperature
        return setting(dtype, backend), placed(score(other, every)[0])

    yield computed("bf16", "torch")
    # Where the extra is not installed, or a model cannot be exported, the certificate is not of a guard in onnx.
    with contextlib.suppress(ConfigError, ModelError):
        yield computed("fp32", "onnx")


def _differences(scored: ScoredRows, asked: Asked) -> Iterator[Difference]:
    """How far scores of the classes asked for are from those of the certificate's own setting."""
    columns = _columns(scored, asked)
    for name, probs in scored.settings.items():
        yield Difference(name, float(np.nanmax(np.abs(probs - scored.scores)[:, columns])))


def _columns(scored: ScoredRows, asked: Asked) -> list[int]:
    return [scored.names.index(name) for name in asked.recall]


@dataclass(frozen=True)
class Draw:
    """The command that draws the texts of a plan."""

    words: Sequence[object]  # what follows `rarecase`; empty where the pool has no text to draw
    texts: int  # how many it draws
    pool: int  # how many texts the pool has


def how_many_more(prepared: Prepared, pool: str | None, reading: Reading = AS_USUAL) -> tuple[Plan, Draw | None]:
    """
    What it takes, and the command that draws the texts: None without a pool, or where none are needed.

    By default the pool is what the start folder of the rows has left.
    """
    found = plan(prepared.scored, prepared.asked, harmless=prepared.harmless)
    start = prepared.held_out.start
    if pool is None and start is not None:
        pool, reading = str(start / "pool.parquet"), AS_USUAL
    if pool is None or not found.texts:
        return found, None
    posts, reading = _read_pool(pool, reading)
    refuse_strategies(pool, posts)
    number = min(found.texts, len(posts) - 4)  # one text for each of the other sets, and one that is left
    if number < 1:
        return found, Draw((), 0, len(posts))
    words: list[object] = ["start", "--pool", pool, "--bootstrap", 1, "--dev", 1, "--test", 1, "--certify", number]
    if start is not None:
        words += ["--taxonomy", start / "taxonomy.yaml"]
    else:
        words += ["--classes", ",".join(prepared.guard.names)]
    encoding = None if reading.encoding == AS_USUAL.encoding else reading.encoding
    named = reading.columns
    for flag, value in (("--encoding", encoding), ("--id-column", named.id), ("--text-column", named.text)):
        words += [] if value is None else [flag, value]
    return found, Draw([*words, "--out", SET], number, len(posts))


def _read_pool(pool: str, reading: Reading) -> tuple[Dataset, Reading]:
    """The posts of a pool, and how it was read: as the rows are, or as usual, which is how `rarecase pool` writes."""
    columns = replace(reading.columns, label=None)  # the posts need no labels
    try:
        return make_pool([pool], columns=columns, encoding=reading.encoding)[0], reading
    except MissingColumnError:
        with contextlib.suppress(MissingColumnError):  # the error names the columns that were asked for
            return make_pool([pool])[0], AS_USUAL
        raise
