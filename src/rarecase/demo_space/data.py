"""What the demo page shows, read once when it starts: a data set and a model, of a folder or the Hub at a revision."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from datasets import Dataset, DatasetDict, Features, Value, load_dataset
from datasets.exceptions import DatasetsError
from huggingface_hub import get_token, hf_hub_download
from huggingface_hub.errors import (
    HFValidationError,
    HTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from rarecase.core.documents import parse_json, read_document, reason
from rarecase.core.errors import DataError
from rarecase.core.typed import from_json
from rarecase.data.acquired import Acquired, Policy
from rarecase.data.counts import class_counts
from rarecase.data.counts import rarest as rarest_of
from rarecase.data.read.hub import locate, unlogged
from rarecase.data.release import RELEASE, Release, RoundScores
from rarecase.data.schema import GENERATED, label_names
from rarecase.guard.guard import Guard
from rarecase.hub.ids import split_revision
from rarecase.learn.record import ModelRecord
from rarecase.models.checkpoint import PACKAGED, PACKAGED_ID, local_folder
from rarecase.verify.policy import is_accepted

SETTINGS, MAP = "demo.json", "map.parquet"  # beside app.py
MAP_COLUMNS = Features(  # null where unknown
    {
        "x": Value("float32"),
        "y": Value("float32"),
        "id": Value("string"),
        "label": Value("string"),
        "strategy": Value("string"),
        "round": Value("int32"),
    }
)
LEARNERS = {
    "frozen": "a logistic regression on the frozen encoder {}",
    "setfit": "a logistic regression on the encoder {}, fine-tuned by contrast",
    "finetune": "the fine-tuned transformer {}",
}
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w./-]+)?")


@dataclass(frozen=True)
class DemoSources:
    """`demo.json`: the data set and the model of a demo, each a folder, `ORG/NAME` or `ORG/NAME@REVISION`."""

    dataset: str | None = None
    model: str | None = None

    @classmethod
    def read(cls, space: Path) -> "DemoSources":
        """The sources of a Space, the folder of app.py; RARECASE_DATASET and RARECASE_MODEL come before demo.json."""
        path = space / SETTINGS
        stored = cls.parse(path) if path.is_file() else cls()
        dataset, model = (os.environ.get(f"RARECASE_{name}") for name in ("DATASET", "MODEL"))
        return cls(dataset or stored.dataset, model or stored.model)

    @classmethod
    def parse(cls, path: Path) -> "DemoSources":
        """What demo.json names: of the Hub alone, since no folder of this machine is a Space's to show."""
        try:
            stored: DemoSources = from_json(cls, parse_json(read_document(path)), SETTINGS)
        except (OSError, ValueError) as error:
            raise DataError(f"{SETTINGS}: {reason(error)}; publish the demo again") from None
        if not all(_HUB_ID.fullmatch(name) for name in (stored.dataset, stored.model) if name is not None):
            raise DataError(f"{SETTINGS} names something else than ORG/NAME@REVISION; publish the demo again")
        return stored

    def dumps(self) -> str:
        """The text of demo.json."""
        return json.dumps(asdict(self), indent=2) + "\n"


class Post(NamedTuple):
    """What the page shows of a row."""

    id: str
    text: str
    label: str
    strategy: str | None
    round: int | None
    generator: str | None
    failed: tuple[str, ...]  # the checks
    learned: bool  # whether the policy accepts it, also where it failed a check


class Model(NamedTuple):
    """A guard that answers, and the record of its folder, if it has one."""

    guard: Guard
    record: ModelRecord | None

    @property
    def described(self) -> str:
        """What it is, in words."""
        known = self.record
        return described(known.learner, known.model) if known else described(self.guard.learner.describe().learner)


class Group(NamedTuple):
    """A post and its variations."""

    original: Post
    variations: list[Post]


@dataclass(frozen=True)
class Data:
    """A data set that rarecase published, or a release on this machine."""

    title: str
    names: tuple[str, ...]
    configs: Mapping[str, DatasetDict]
    policies: Mapping[str, Policy]  # which variations are learned from, by config
    rounds: Mapping[str, Sequence[RoundScores]]  # of configs that a run acquired
    learners: Mapping[str, str]  # that these figures are of, in words

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Rows by config, split and class."""
        return {
            config: {name: class_counts(split, self.names) for name, split in splits.items()}
            for config, splits in self.configs.items()
        }

    def groups(self) -> dict[str, list[Group]]:
        """The posts with variations of each config that has any, in the order of its rows."""
        tables = {config: splits["train"] for config, splits in self.configs.items() if "train" in splits}
        found = {config: groups(table, self.policies[config]) for config, table in tables.items()}
        return {config: some for config, some in found.items() if some}


def load_data(source: str) -> Data:
    """Reads release.json and the rows of every config; a `DataError` where it cannot be read."""
    local = Path(source).is_dir()
    name, revision = (source, None) if local else split_revision(source)
    path = Path(source) / RELEASE if local else _download(name, revision)
    try:
        locate(source)
        release = Release.read(path)
        with unlogged():
            configs = {config: load_dataset(name, config, revision=revision) for config in release.configs}
        rounds = {config: found.rounds for config, found in release.configs.items() if found.rounds}
        names = label_names(next(iter(next(iter(configs.values())).values())))
        for scores in chain.from_iterable(rounds.values()):
            if not set(names) <= scores["test"]["f1"].keys():
                raise DataError("the figures are of other classes")
        learners = {config: _learner_of(release.configs[config].acquired) for config in rounds}
        policies = {config: found.policy for config, found in release.configs.items()}
        data = Data(release.heading, tuple(names), configs, policies, rounds, learners)
        data.counts()  # what cannot be shown is known before anything is
        data.groups()
        return data
    except (DataError, DatasetsError, HTTPError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        # Its message could quote a row of the data.
        raise DataError(
            f"The data set {shown(source)} cannot be read ({type(error).__name__}): is it one that rarecase wrote?"
        ) from None


def _learner_of(acquired: Acquired | None) -> str:
    return described(acquired.get("learner", ""), acquired.get("model")) if acquired else described("")


def described(learner: str, model: str | None = None) -> str:
    """A learner of a kind, made from a model, in words."""
    if learner not in LEARNERS:  # of another version, or nobody said it
        return learner or "a learner that is not stated"
    name = PACKAGED_ID if model == PACKAGED else model or ""
    return LEARNERS[learner].format(name.split("/")[-1]).replace(" ,", ",").strip()


def load_model(source: str) -> Model:
    """A model of either kind that has read one text, so that what is wrong with it is known before anybody asks it."""
    guard = Guard.from_pretrained(source)
    guard.check(["a text"])
    return Model(guard, ModelRecord.read(local_folder(source)))


def groups(table: Dataset, policy: Policy) -> list[Group]:
    """Every post of a table that has variations in it, of which a policy says which are learned from."""
    names = label_names(table)
    originals: list[Post] = []
    variations: dict[str, list[Post]] = defaultdict(list)
    for row in table.to_list():
        failed = tuple(check["check"] for check in row["checks"] or [] if check["passed"] is False)
        post = Post(
            id=row["id"],
            text=row["text"],
            label=names[row["label"]],
            strategy=row["strategy"],
            round=row["round"],
            generator=row["generator"],
            failed=failed,
            learned=is_accepted(row["checks"], policy),
        )
        if row["origin"] != GENERATED:
            originals.append(post)
        elif row["parent_id"] is not None:
            variations[row["parent_id"]].append(post)
    return [Group(post, variations[post.id]) for post in originals if post.id in variations]


def rarest(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The class with the fewest rows in test, or in what there is instead, of those that have any."""
    return rarest_of(counts.get("test") or next(iter(counts.values())))


def shown(source: str) -> str:
    """A source as the page names it: of a folder its last name alone, of a revision its first letters."""
    if Path(source).exists():
        return Path(source).resolve().name
    name, revision = split_revision(source)
    return f"{name} at {revision[:8]}" if revision else name


def _download(name: str, revision: str | None) -> Path:
    what = f"The data set {name}"
    try:
        return Path(hf_hub_download(name, RELEASE, repo_type="dataset", revision=revision))
    except HFValidationError:
        line = f"{what} is neither a folder nor an id of the Hub (ORG/NAME)."
    except RevisionNotFoundError:
        line = f"{what} has no branch, tag or commit {revision}: publish the demo again, or set RARECASE_DATASET."
    except RepositoryNotFoundError:  # a private one answers as one that is not there; a gated one is among them
        line = f"{what} is not there, or HF_TOKEN may not read it: give this Space another token."
        if get_token() is None:
            line = f"{what} is private, or not there: give this Space the secret HF_TOKEN, a token that may read it."
    except RemoteEntryNotFoundError:
        line = f"{what} has no release.json: publish it by rarecase first."
    except (HTTPError, OSError) as error:
        line = f"{what} cannot be read from the Hub now ({type(error).__name__}): restart this Space later."
    raise DataError(line)
