"""
The record of a model folder, `rarecase.json`: how the model was made, from how many texts, and its metrics.

    {"format": 1, "learner", "model", "precision", "seed", "settings", "names",
     "data": {"configs", "train_rows", "class_counts", "texts"}, "dev": {…}, "test": {…}, "test_digest",
     "guard": {"normalizer", "actions": {CLASS}, "messages": {CLASS}, "thresholds": {CLASS},
               "long_thresholds": {CLASS}, "behaviours": {KIND: {CLASS: {"right", "of"}}}}}

Numbers and names: no text of the data, and no path of the machine it was made on. The same run and seed give the same
bytes.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rarecase.core.documents import parse_json, read_document
from rarecase.core.errors import ConfigError, DataError, ModelError
from rarecase.core.files import write_text
from rarecase.core.typed import from_json
from rarecase.data.counts import class_counts
from rarecase.data.schema import hash_of, label_names, texts
from rarecase.data.taxonomy import Action
from rarecase.evaluate.metrics import AllMetrics
from rarecase.learn.hyperparameters import FitOptions, Settings

if TYPE_CHECKING:
    from datasets import Dataset

RECORD = "rarecase.json"
FORMAT = 1
_CHARACTERS = 8  # of a hash of a text

Measured = Mapping[str, AllMetrics]  # by the name of the set


@dataclass(frozen=True)
class Description:
    """How a learner was made."""

    learner: str  # its kind: `frozen`, `setfit` or `finetune`
    model: str  # what it started from: `packaged`, a Hub id, or the last part of a folder's path
    precision: str  # of training: `fp32` or `bf16`
    seed: int
    settings: Settings  # everything else that decided what was learned, by name
    names: tuple[str, ...]

    def options(self) -> FitOptions:
        """The options that make the same learner again."""
        known = self.settings
        if self.learner == "frozen":
            chosen: Settings = {"tune": bool(known.get("tuned_on_dev"))}  # C is no option
            chosen["max_length"] = known.get("max_length")
        else:
            # A setfit learner that had no pairs made no steps, and 0 cannot be asked for.
            chosen = {one.name: known.get(one.name) or None for one in fields(FitOptions)}
            chosen |= {"precision": self.precision, "tune": False}
        chosen["class_weights"] = known.get("class_weights", known.get("class_weight")) or "none"  # its first name
        return cast(FitOptions, from_json(FitOptions, chosen, "settings"))


@dataclass(frozen=True)
class TrainingData:
    """
    What was learned from.

    `texts` has a hash of each text that was trained or chosen on, 48 bits as eight characters, sorted: by it a text is
    recognised that must not be measured on. It is empty in records of earlier versions.
    """

    configs: tuple[str, ...]
    train_rows: int
    class_counts: dict[str, int]
    texts: str = ""

    def among(self, texts: Sequence[str]) -> list[bool] | None:
        """Which texts were trained or chosen on, however they are cased; None where that is not known."""
        if not self.texts:
            return None
        known = {self.texts[start : start + _CHARACTERS] for start in range(0, len(self.texts), _CHARACTERS)}
        return [_short_hash(text) in known for text in texts]


@dataclass(frozen=True)
class Judged:
    """Of how many sentences a guard was right."""

    right: int
    of: int


@dataclass(frozen=True)
class GuardSettings:
    """
    How a model judges as a guard that has no certificate; what has a default is empty in records of earlier versions.

    `thresholds` are of the classes whose action is not `allow`: the best F1 on validation, 0.5 for a class that has no
    row there. `long_thresholds` are for texts of several windows: at least as high, and so high that of harmless texts
    of 1,000 tokens, put together from validation rows, a tenth at most are flagged; a class that is not in it has the
    other one. `behaviours` says, by kind and class, how it judges the sentences of `rarecase.guard.behaviours` at
    these thresholds, where its classes are theirs.
    """

    normalizer: int  # the version of `rarecase.guard.normalize` that the thresholds belong to
    actions: dict[str, Action]
    messages: dict[str, str]  # of the classes that have one
    thresholds: dict[str, float]
    long_thresholds: dict[str, float] = field(default_factory=dict)
    behaviours: dict[str, dict[str, Judged]] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)  # of OpenAI's moderation endpoint, of each that has one

    def named(self) -> set[str]:
        """The classes that it names."""
        thresholds = {*self.thresholds, *self.long_thresholds}
        judged = chain.from_iterable(self.behaviours.values())
        return {*self.actions, *self.messages, *self.categories, *thresholds, *judged}


@dataclass(frozen=True)
class ModelRecord(Description):
    """The content of `rarecase.json`: how a model was made, and its metrics on dev and test."""

    data: TrainingData
    dev: AllMetrics
    test: AllMetrics
    test_digest: str
    guard: GuardSettings | None = None  # which earlier versions did not write

    @classmethod
    def of(
        cls,
        made: Description,
        configs: Sequence[str],
        train: "Dataset",
        dev: "Dataset",
        test: "Dataset",
        measured: Measured,
        guard: GuardSettings | None = None,
    ) -> "ModelRecord":
        """The record of a learner that learned from `train`, the rows of these configs, and chose on `dev`."""
        hashes = "".join(sorted({_short_hash(text) for table in (train, dev) for text in texts(table)}))
        data = TrainingData(tuple(configs), len(train), class_counts(train, made.names), hashes)
        figures, tested = measured["dev"], measured["test"]
        return cls(**vars(made), data=data, dev=figures, test=tested, test_digest=digest_of(test), guard=guard)

    @classmethod
    def read(cls, folder: Path) -> "ModelRecord | None":
        """The record of a model folder, checked whole; None where it has none."""
        path, way = folder / RECORD, "train the model again, or delete this file"
        if not path.exists():
            return None
        record = read_json_of_model(cls, path, FORMAT, way, "use the rarecase that wrote it")
        try:
            record.options()
        except (ConfigError, DataError) as error:
            raise ModelError(f"{path}: {error}; {way}") from error
        names, measured = set(record.names), (record.dev, record.test)
        by_class = [figures[name] for figures in measured for name in ("precision", "recall", "f1")]
        if any(known.keys() != names for known in (record.data.class_counts, *by_class)) or any(
            [len(row) for row in figures["confusion"]] != [len(names)] * len(names) for figures in measured
        ):
            raise ModelError(f"{path}: its figures are of other classes; {way}")
        known = record.guard
        if known and (known.actions.keys() != names or not names >= known.named()):
            raise ModelError(f"{path}: its guard is of other classes; {way}")
        return record

    def for_others(self) -> "ModelRecord":
        """What is published of it: without the hashes of texts."""
        return replace(self, data=replace(self.data, texts=""))

    def dumps(self) -> str:
        """The text of `rarecase.json`."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> None:
        """Writes `rarecase.json` into a model folder."""
        write_text(folder / RECORD, self.dumps())


def read_json_of_model(kind: Any, path: Path, format_: int, way: str, of_another: str) -> Any:
    """The object in a JSON file of a model folder; a `ModelError` says the way out, and that of another format."""
    try:
        content = parse_json(read_document(path))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: no readable JSON; {way}") from error
    if not isinstance(content, dict) or content.get("format") != format_:
        raise ModelError(f"{path}: of another format, this rarecase reads {format_}; {of_another}")
    try:
        return from_json(kind, content, str(path))
    except DataError as error:
        raise ModelError(f"{error}; {way}") from error


def _short_hash(text: str) -> str:
    """A hash of 48 bits: two thousand texts meet one of a hundred thousand by chance once in a million times."""
    normal = text.casefold().strip().encode(errors="surrogatepass")
    return base64.b64encode(hashlib.blake2b(normal, digest_size=6).digest()).decode()


def digest_of(test: "Dataset") -> str:
    """A hash of a set's texts and label names in any order: tells whether a model was measured on this set."""
    names = label_names(test)
    pairs = sorted(zip(texts(test), (names[label] for label in test["label"][:]), strict=True))
    return hash_of(json.dumps(pairs))
