"""The counts of a published config, made from its rows alone; no text is among them."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from rarecase.data.acquired import Policy
from rarecase.data.arrow import require
from rarecase.data.counts import class_count_std, class_counts
from rarecase.data.parquet import num_bytes
from rarecase.data.release import Annotators, Config, GeneratedRows, Split
from rarecase.data.schema import GENERATED, HUMAN, is_language_model, label_names
from rarecase.verify.policy import accepted

Votes = Sequence[tuple[str, int]]  # annotator and label, of one text


class DataFile(NamedTuple):
    """A Parquet file of a repository."""

    path: str
    file_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: str, content: bytes) -> "DataFile":
        """The file at a path with this content."""
        return cls(path, len(content), hashlib.sha256(content).hexdigest())


def summarize(
    known: Config, tables: Mapping[str, Dataset], names: Sequence[str], files: Mapping[str, DataFile]
) -> Config:
    """A config with all that its rows and files tell; `tables` and `files` by split; no tables, no splits."""
    for table in tables.values():
        require(table, "origin", "annotator", "generator", "prompt_hash", "votes")
        label_names(table)  # else an error of the counting would show a text
    splits = {name: _split(table, names, files[name], known.policy) for name, table in tables.items()}
    return replace(known, splits=splits, digest=_digest(splits))


def _split(table: Dataset, names: Sequence[str], file: DataFile, policy: Policy) -> Split:
    counts, origins = class_counts(table, names), table["origin"][:]
    return Split(
        rows=len(table),
        class_counts=counts,
        class_count_std=class_count_std(counts),
        human=origins.count(HUMAN),
        generated=origins.count(GENERATED),
        not_used=len(table) - len(accepted(table, policy)),
        num_bytes=num_bytes(table),
        annotators=_annotators(table),
        generators=_generators(table),
        **file._asdict(),
    )


def _annotators(table: Dataset) -> Annotators:
    annotators: list[str | None] = table["annotator"][:]
    # A language model is none of the people: it has no vote, and no part in their agreement.
    labelled_by = [None if is_language_model(name) else name for name in annotators]
    votes: list[Votes] = []
    for cast in table["votes"][:]:
        pairs = [(vote["annotator"], vote["label"]) for vote in cast or []]
        votes.append([pair for pair in pairs if None not in pair and not is_language_model(pair[0])])
    people = {name for name, _ in chain.from_iterable(votes)} | {name for name in labelled_by if name is not None}
    kappa, compared = _kappa(votes)
    return Annotators(
        names=tuple(sorted(people, key=lambda name: (len(name), name))),  # A2 before A10
        items=sum(bool(cast) or name is not None for cast, name in zip(votes, labelled_by, strict=True)),
        votes=sum(map(len, votes)),
        kappa=kappa,
        pairs=compared,
        by_model=dict(sorted(Counter(name for name in annotators if name and is_language_model(name)).items())),
    )


def _kappa(votes: Iterable[Votes]) -> tuple[float | None, int]:
    """
    Cohen's kappa of two people; of several pairs of people the mean, weighted by the texts they share.

    Two people who only ever gave one and the same label have none: they would agree by chance alone.
    """
    from sklearn.metrics import cohen_kappa_score

    shared = defaultdict(list)
    for cast in votes:
        latest = dict(cast)  # a second vote of a person replaces the first
        for (one, label), (other, opposed) in combinations(sorted(latest.items()), 2):
            shared[one, other].append((label, opposed))
    defined = [labels for labels in shared.values() if len(set(chain.from_iterable(labels))) > 1]
    pairs = sum(map(len, shared.values()))
    if not defined:
        return None, pairs
    kappas = [cohen_kappa_score(*zip(*labels, strict=True)) for labels in defined]
    return 100 * float(np.average(kappas, weights=list(map(len, defined)))), pairs


def _generators(table: Dataset) -> tuple[GeneratedRows, ...]:
    written = defaultdict(list)
    for origin, generator, prompt in zip(*(table[c][:] for c in ("origin", "generator", "prompt_hash")), strict=True):
        if origin == GENERATED:
            is_hash = re.fullmatch("[0-9a-f]{1,64}", prompt or "")  # else it may be Markdown, on the card
            written[generator].append(prompt if is_hash else None)
    return tuple(
        GeneratedRows(name, len(hashes), tuple(sorted(hash_ for hash_ in set(hashes) if hash_)))
        for name, hashes in sorted(written.items(), key=lambda item: (item[0] is None, item[0] or ""))
    )


def _digest(splits: Mapping[str, Split]) -> str:
    """One hash over the files of a config, for the head of the card (see `rarecase.data.release`)."""
    hashes = [f"{name} {split.sha256}" for name, split in sorted(splits.items())]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:32]
