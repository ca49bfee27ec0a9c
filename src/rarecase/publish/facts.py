"""
What a config says of itself: counted from its rows alone, so that nobody has to be believed.

The numbers go into the release.json of a repository, and its card is made of that file. There is no text of the data
among them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np
from datasets import Dataset

from rarecase.data.arrow import require
from rarecase.data.counts import class_count_std, class_counts
from rarecase.data.parquet import num_bytes
from rarecase.data.schema import GENERATED, HUMAN, features
from rarecase.generate import accepted


def config_facts(splits: Mapping[str, Dataset], names: Sequence[str]) -> dict[str, Any]:
    """
    What the card says of one config.

    Args:
        splits (`Mapping[str, Dataset]`): each with the columns of `schema.features`, every row labelled.
        names (`Sequence[str]`): the classes, in order.

    Returns:
        `dict`: `splits` (of each `rows`, `class_counts`, `class_count_std`, `human` and `generated` rows, `not_used`:
        variations that failed a check, and `num_bytes`), `annotators` (`names`, `items` that somebody labelled,
        `votes`, `pairs` of votes on one item, and Cohen's `kappa` over them in percent, null where there is none) and
        `generators` (of each `generator`, null where it is unknown, `rows` and `prompt_hashes`).

    Raises:
        `MissingColumnError`: where a column is not there.
        `DataError`: where a row has no label.

    Example:
        >>> config_facts({"train": train}, ["harmful", "not-harmful"])["annotators"]["kappa"]
        71.2
    """
    rows = list(chain.from_iterable(map(_provenance, splits.values())))
    return {
        "splits": {name: _split_facts(split, names) for name, split in splits.items()},
        "annotators": _annotators(rows),
        "generators": _generators(rows),
    }


def info(names: Sequence[str], splits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """
    The `dataset_info` of one config in the front matter of a card, without its name.

    It says the features once more: datasets 3 knows none of the list type that the Parquet files name, and reads them
    by this.

    Args:
        names (`Sequence[str]`): the classes, in order.
        splits (`Mapping[str, Mapping]`): of each split `rows`, `num_bytes` and `file_bytes`.

    Example:
        >>> info(["harmful", "not-harmful"], facts["configs"]["cluster"]["splits"])["splits"][0]["num_examples"]
        600
    """
    return {
        "features": features(names)._to_yaml_list(),
        "splits": [
            {"name": name, "num_bytes": split["num_bytes"], "num_examples": split["rows"]}
            for name, split in splits.items()
        ],
        "download_size": sum(split["file_bytes"] for split in splits.values()),
        "dataset_size": sum(split["num_bytes"] for split in splits.values()),
    }


def _provenance(split: Dataset) -> list[dict[str, Any]]:
    read = ["origin", "annotator", "generator", "prompt_hash", "votes"]
    require(split, *read)
    return split.select_columns(read).to_list()


def _split_facts(split: Dataset, names: Sequence[str]) -> dict[str, Any]:
    counts, origins = class_counts(split, names), split["origin"][:]
    return {
        "rows": len(split),
        "class_counts": counts,
        "class_count_std": class_count_std(counts),
        "human": origins.count(HUMAN),
        "generated": origins.count(GENERATED),
        "not_used": len(split) - len(accepted(split)),
        "num_bytes": num_bytes(split),
    }


def _annotators(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    votes = [[vote for vote in row["votes"] or [] if None not in (vote["annotator"], vote["label"])] for row in rows]
    people = {vote["annotator"] for vote in chain.from_iterable(votes)} | {row["annotator"] for row in rows}
    kappa, pairs = _kappa(votes)
    return {
        "names": sorted(people - {None}, key=lambda name: (len(name), name)),  # A2 before A10
        "items": sum(bool(given) or row["annotator"] is not None for given, row in zip(votes, rows, strict=True)),
        "votes": sum(map(len, votes)),
        "kappa": kappa,
        "pairs": pairs,
    }


def _kappa(votes: Iterable[Sequence[Mapping[str, Any]]]) -> tuple[float | None, int]:
    """
    Cohen's kappa is of two people; of several pairs of people it is the mean, weighted by the items that they share.
    Two people who only ever gave one and the same label have none: chance alone would have them agree.
    """
    from sklearn.metrics import cohen_kappa_score

    shared = defaultdict(list)
    for given in votes:
        said = {vote["annotator"]: vote["label"] for vote in given}  # who voted twice meant the later one
        for (one, label), (other, opposed) in combinations(sorted(said.items()), 2):
            shared[one, other].append((label, opposed))
    defined = [labels for labels in shared.values() if len(set(chain.from_iterable(labels))) > 1]
    pairs = sum(map(len, shared.values()))
    if not defined:
        return None, pairs
    kappas = [cohen_kappa_score(*zip(*labels, strict=True)) for labels in defined]
    return 100 * float(np.average(kappas, weights=list(map(len, defined)))), pairs


def _generators(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    written = defaultdict(list)
    for row in rows:
        if row["origin"] == GENERATED:
            written[row["generator"]].append(row["prompt_hash"])
    return [
        {"generator": name, "rows": len(hashes), "prompt_hashes": sorted(set(hashes) - {None})}
        for name, hashes in sorted(written.items(), key=lambda item: (item[0] is None, item[0] or ""))
    ]
