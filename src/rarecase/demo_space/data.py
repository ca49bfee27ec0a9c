"""
What the demo page shows, read once when it starts: a data set and a model, of a folder or of the Hub at a revision.

Whatever is missing is said in one line on the page, in place of the view that needs it.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from datasets import Dataset, DatasetDict, load_dataset
from datasets.exceptions import DatasetsError
from huggingface_hub import get_token, hf_hub_download
from huggingface_hub.errors import HFValidationError, HTTPError, RemoteEntryNotFoundError
from huggingface_hub.errors import RepositoryNotFoundError as NotFoundError
from huggingface_hub.errors import RevisionNotFoundError as NoRevisionError

from rarecase.core.errors import DataError
from rarecase.data.counts import class_counts
from rarecase.data.counts import rarest as rarest_of
from rarecase.data.read.hub import unlogged
from rarecase.data.release import FORMAT
from rarecase.data.schema import GENERATED, label_names
from rarecase.hub.ids import split_revision
from rarecase.learn import Learner, load_learner

SETTINGS, MAP = "demo.json", "map.parquet"  # beside app.py


class Group(NamedTuple):
    """A post and the variations of it, as rows whose labels are names."""

    original: dict[str, Any]
    variations: list[dict[str, Any]]


@dataclass(frozen=True)
class Data:
    """
    A data set that rarecase published, or a release on this machine.

    Args:
        title (`str`): what it calls itself.
        names (`tuple[str, ...]`): its classes, in order.
        configs (`Mapping[str, DatasetDict]`): the rows, by config and split.
        rounds (`Mapping[str, Sequence[dict]]`): of each config that a run acquired, what its release.json says.
    """

    title: str
    names: tuple[str, ...]
    configs: Mapping[str, DatasetDict]
    rounds: Mapping[str, Sequence[Mapping[str, Any]]]

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Rows by config, split and class."""
        return {
            config: {name: class_counts(split, self.names) for name, split in splits.items()}
            for config, splits in self.configs.items()
        }

    def groups(self) -> dict[str, list[Group]]:
        """The posts with variations of each config that has any, in the order of its rows."""
        found = {config: groups(splits["train"]) for config, splits in self.configs.items() if "train" in splits}
        return {config: some for config, some in found.items() if some}


def setting(space: Path, name: Literal["dataset", "model"]) -> str | None:
    """
    What is to be shown: `RARECASE_DATASET` or `RARECASE_MODEL` of the environment, else what demo.json says.

    Args:
        space (`Path`): the folder of app.py.
        name (`str`): `dataset` or `model`.

    Returns:
        `str`: a folder, `ORG/NAME` or `ORG/NAME@REVISION`; None where nothing is named.
    """
    path = space / SETTINGS
    written = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return os.environ.get(f"RARECASE_{name.upper()}") or written.get(name)


def load_data(source: str) -> Data:
    """
    Reads release.json and the rows of every config.

    Args:
        source (`str`): a release folder, `ORG/NAME` or `ORG/NAME@REVISION`.

    Raises:
        `DataError`: where it cannot be read, saying what to do about it.

    Example:
        >>> load_data("acme/safety@9f0c1d2").names[0]
        'self-harm'
    """
    local = Path(source).is_dir()
    name, revision = (source, None) if local else split_revision(source)
    path = Path(source) / "release.json" if local else _download(name, revision)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError("a release.json of something else, or of a later rarecase")
        with unlogged():
            configs = {config: load_dataset(name, config, revision=revision) for config in facts["configs"]}
        rounds = {config: found["rounds"] for config, found in facts["configs"].items() if found["rounds"]}
        names = label_names(next(iter(configs[facts["default"]].values())))
        return Data(facts["title"], tuple(names), configs, rounds)
    except (DatasetsError, HTTPError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        # Its words could hold a row of the data.
        raise DataError(
            f"The data set {shown(source)} cannot be read ({type(error).__name__}): is it one that rarecase wrote?"
        ) from None


def load_model(source: str) -> Learner:
    """
    Loads a model of either kind and has it read one text, so that what is wrong with it is known before anybody asks.

    Args:
        source (`str`): a folder, `ORG/NAME` or `ORG/NAME@REVISION`.

    Raises:
        `ModelError`: where it cannot be loaded safely.
    """
    learner = load_learner(source)
    probabilities(learner, "a text")
    return learner


def probabilities(learner: Learner, text: str) -> dict[str, float]:
    """
    Example:
        >>> probabilities(learner, "my landlord keeps the deposit")["legal-advice"]
        0.93
    """
    probs = learner.score(Dataset.from_dict({"text": [text]}))["probs"][0]
    return dict(zip(learner.names, map(float, probs), strict=True))


def groups(table: Dataset) -> list[Group]:
    """
    Every post of a table that has variations in it.

    Args:
        table (`Dataset`): the columns of `schema.features`.
    """
    names = label_names(table)
    rows = [{**row, "label": names[row["label"]]} for row in table.to_list()]
    children: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["origin"] == GENERATED and row["parent_id"] is not None:
            children[row["parent_id"]].append(row)
    return [Group(row, children[row["id"]]) for row in rows if row["id"] in children and row["origin"] != GENERATED]


def rarest(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The class with the fewest rows in test, or in what there is instead, of those that have any."""
    return rarest_of(counts.get("test") or next(iter(counts.values())))


def shown(source: str) -> str:
    """
    What a page says of where something comes from: where a folder stands on its machine concerns nobody.

    Example:
        >>> shown("acme/safety@9f0c1d2e4b5a69788796a5b4c3d2e1f00f1e2d3c")
        'acme/safety at 9f0c1d2e'
    """
    if Path(source).exists():
        return Path(source).resolve().name
    name, revision = split_revision(source)
    return f"{name} at {revision[:8]}" if revision else name


def _download(name: str, revision: str | None) -> Path:
    what = f"The data set {name}"
    try:
        return Path(hf_hub_download(name, "release.json", repo_type="dataset", revision=revision))
    except HFValidationError:
        line = f"{what} is neither a folder nor an id of the Hub (ORG/NAME)."
    except NoRevisionError:
        line = f"{what} has no branch, tag or commit {revision}: publish the demo again, or set RARECASE_DATASET."
    except NotFoundError:  # a private one answers as one that is not there; a gated one is among them
        line = f"{what} is not there, or HF_TOKEN may not read it: give this Space another token."
        if get_token() is None:
            line = f"{what} is private, or not there: give this Space the secret HF_TOKEN, a token that may read it."
    except RemoteEntryNotFoundError:
        line = f"{what} holds no release.json: publish it by rarecase first."
    except (HTTPError, OSError) as error:
        line = f"{what} cannot be had from the Hub now ({type(error).__name__}): restart this Space later."
    raise DataError(line)
