"""
`rarecase start` draws a start, dev, test and certification set out of a pool of posts, has them labelled, and leaves
the rest as the pool: so the paper begins (section 4.2). The certification set is for calibrating a guard later; no
strategy ever chooses from it.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from datasets import Dataset, Value

from rarecase.core import randomness
from rarecase.core.errors import ConfigError, DataError, RunFolderError, WaitingForLabels, command_line, flag, listed
from rarecase.core.files import digest, write_folder_beside
from rarecase.core.locks import locked
from rarecase.core.progress import say
from rarecase.data.arrow import rows, with_column
from rarecase.data.counts import class_counts
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.pool import make_pool
from rarecase.data.read import row_of
from rarecase.data.read.origin import origin
from rarecase.data.schema import HUMAN, canonical_order, conform
from rarecase.data.sets import require_gold, set_aside, taxonomy_of, with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator
from rarecase.labeling.people import people
from rarecase.runs.annotation import annotator_of, require_store
from rarecase.runs.folder import Manifest, refuse_used, require_same_settings
from rarecase.runs.parts import columns_of
from rarecase.settings.checks import check, require_out
from rarecase.settings.config import START_MAY_CHANGE, RunConfig, StartConfig, class_names, read_config, write_yaml

SETS = ("bootstrap", "dev", "test", "certify")
FEW = 10  # test texts of a class: with fewer, a single one is more than ten points of its recall


def start(config: StartConfig, resume: Path | None) -> tuple[Path, dict[str, int]]:
    """Begins a start folder, or goes on with one; gives it with what `label` counts."""
    with locked(resume or require_out(config.out)):
        if resume is not None:
            go_on(resume, config)
        folder = resume or begin(config)
        counted = label(folder, config)
        if not _only_certifies(counted):
            _say_what_is_few(folder)
        return folder, counted


def _say_what_is_few(folder: Path) -> None:
    """Says which classes dev lacks, and the test set has so few texts of that their figures will be uncertain."""
    names = Taxonomy.load(folder / "taxonomy.yaml").names
    dev = class_counts(read_parquet(folder / "dev.parquet"), names)
    if none := [name for name, count in dev.items() if not count]:
        say(
            f"no text in the dev set: {listed(none)}; their F1 there will be 0, and macro-F1 so much lower; a larger "
            "--dev has some"
        )
    counts = class_counts(read_parquet(folder / "test.parquet"), names)
    if few := [f"{name} ({count})" for name, count in counts.items() if count < FEW]:
        say(f"few texts in the test set: {listed(few)}; their F1 will be uncertain, less so with a larger --test")


def next_step(folder: Path, config: StartConfig, counted: Mapping[str, int]) -> str:
    """The command that begins a run with these sets and with whoever labelled them, or that certifies on them."""
    if _only_certifies(counted):
        return command_line("guard", "calibrate", "MODEL", "--heldout", folder)
    words: list[object] = ["run", "--start", folder]
    if config.annotator != RunConfig.annotator:
        words += ["--annotator", config.annotator]
    if config.store is not None:
        words += ["--store", config.store]
    if counted["pool"] < RunConfig.batch:
        words += ["--batch", counted["pool"]]
    return command_line(*words, "--out", "RUN")


def _only_certifies(counted: Mapping[str, int]) -> bool:
    """Whether the folder was drawn to certify a guard alone: the other sets have one text each, the least there is."""
    return counted.get("certify", 0) > 0 and counted["bootstrap"] == counted["dev"] == counted["test"] == 1


def begin(config: StartConfig) -> Path:
    """Draws the sets, and stores them in `drawn.parquet` of a new start folder before anybody is asked."""
    check(config)
    out = require_out(config.out)
    refuse_used(out)
    if config.pool is None:
        raise ConfigError("--pool is missing: a file, a folder or a data set of the Hub")
    columns, own = columns_of(config), _named_classes(config)
    if config.annotator != "gold":
        _say_classes(own or Taxonomy.default())  # before the pool is read, which may take a while
    posts, counts = make_pool([config.pool], columns=columns, encoding=config.encoding)
    if config.annotator != "gold":  # people label from scratch, whatever is there
        posts = posts.remove_columns([name for name in ("votes", "reading") if name in posts.column_names])
        posts = with_column(posts, "label", [None] * len(posts), Value("string"))
    found = [label for label in posts["label"][:] if label is not None]
    taxonomy = own or taxonomy_of(None, found)
    if config.annotator == "gold":
        _say_classes(taxonomy)
    print(f"pool: {counts}", file=sys.stderr)
    where = partial(row_of, config.pool, "pool", "label", columns=columns, encoding=config.encoding)
    pool, gold = set_aside(with_classes(posts, taxonomy, lambda label: f"--pool {where(label)}"))
    if config.annotator == "gold":
        require_gold(pool, gold, "--annotator gold", "use --annotator file")
    sizes = {name: getattr(config, name) for name in SETS}
    if sum(sizes.values()) >= len(pool):
        wanted = ", ".join(f"{flag(name)} {size}" for name, size in sizes.items())
        raise ConfigError(
            f"{wanted}: together {sum(sizes.values())}, expected fewer than the {len(pool)} posts of the pool"
        )
    require_store(config)
    with write_folder_beside(out) as folder:
        write_yaml(folder / "config.yaml", config)
        taxonomy.save(folder / "taxonomy.yaml")
        write_parquet(folder / "drawn.parquet", _drawn(pool, sizes, config.seed))
        if gold is not None:
            write_parquet(folder / "gold.parquet", gold)
        Manifest("start", origins=dict.fromkeys(("pool", *SETS), origin(config.pool))).write(folder)
    return out


def go_on(folder: Path, config: StartConfig) -> None:
    """Checks the settings that a start is to go on with, and takes over the classes where they name others."""
    check(config)
    Manifest.read(folder, "start")
    begun = read_config(folder, StartConfig)
    require_same_settings(folder, begun, config, START_MAY_CHANGE)
    taxonomy, named = Taxonomy.load(folder / "taxonomy.yaml"), _named_classes(config)
    kept = before = StartConfig(**begun)
    if named is not None and named != taxonomy:
        if reason := _why_classes_stay(folder, config, taxonomy):
            given = flag("classes" if config.classes else "taxonomy")
            raise RunFolderError(
                f"{folder}: {reason}, so its classes stay {listed(taxonomy.names)}; leave {given} out, or begin anew "
                "in another --out"
            )
        named.save(folder / "taxonomy.yaml")  # which decides; config.yaml is for people to read
        kept = replace(kept, classes=config.classes, taxonomy=config.taxonomy)
        taxonomy = named
    if not (folder / "pool.parquet").exists():
        kept = replace(kept, store=config.store or kept.store)  # where a run finds who labelled
        _say_classes(taxonomy)
    if kept != before:
        write_yaml(folder / "config.yaml", kept)


def _why_classes_stay(folder: Path, config: StartConfig, taxonomy: Taxonomy) -> str | None:
    """Why other classes can no longer be had; None where they can, and then nobody is asked by these any more."""
    if config.annotator == "gold":
        return "the labels of its pool are stored"
    if any((folder / f"{name}.parquet").exists() for name in (*SETS, "pool")):
        return "labels of it are stored"
    if config.annotator == "people":
        with people(folder, config.store, taxonomy, _context(folder)) as asking:
            if not asking.withdraw(_asked(read_parquet(folder / "drawn.parquet"))):
                return "people have labelled texts of it"
    return None


def _named_classes(config: StartConfig) -> Taxonomy | None:
    """The classes that the settings name."""
    if config.classes is not None:
        return Taxonomy.from_names(class_names(config.classes))
    return None if config.taxonomy is None else Taxonomy.load(config.taxonomy)


def _say_classes(taxonomy: Taxonomy) -> None:
    others = " (--classes or --taxonomy for your own)" if taxonomy == Taxonomy.default() else ""
    print(f"classes to label by: {listed(taxonomy.names)}{others}", file=sys.stderr)


def _context(folder: Path) -> str:
    """What tells the texts of this start apart from those of others in a label store."""
    return f"start {digest(folder / name for name in ('drawn.parquet', 'taxonomy.yaml'))}"


def _asked(drawn: Dataset) -> Dataset:
    """The posts of the sets."""
    return rows(drawn, np.flatnonzero(np.array(drawn["set"][:]) != "pool"))


def label(folder: Path, config: StartConfig) -> dict[str, int]:
    """Has the drawn sets labelled, writes them, and gives their sizes; rows left empty go back to the pool."""
    if not (folder / "pool.parquet").exists():
        taxonomy = Taxonomy.load(folder / "taxonomy.yaml")
        with annotator_of(folder, config, taxonomy, _context(folder)) as annotator:
            _write_sets(folder, config, taxonomy, annotator)
    paths = {name: folder / f"{name}.parquet" for name in (*SETS, "pool")}
    return {name: len(read_parquet(path)) for name, path in paths.items() if path.exists()}


def _drawn(pool: Dataset, sizes: dict[str, int], seed: int) -> Dataset:
    """The posts with the column `set`; the draw uses the rows sorted by text."""
    order = canonical_order(pool)[randomness.generator(seed, "start").permutation(len(pool))]
    names = np.full(len(pool), "pool", dtype=object)
    drawn = np.repeat([*sizes], [*sizes.values()])
    names[order[: len(drawn)]] = drawn
    return with_column(pool, "set", names.tolist())


def _write_sets(folder: Path, config: StartConfig, taxonomy: Taxonomy, annotator: Annotator) -> None:
    drawn = read_parquet(folder / "drawn.parquet")
    asked = _asked(drawn)
    # A pool is what people wrote, as in `rarecase.algorithm`; beside what a run acquires it has to be said.
    asked = with_column(asked, "origin", [HUMAN] * len(asked))
    labeled = annotator.annotate(asked)
    of_set = np.array(labeled["set"][:], dtype=object)
    for name in SETS:
        if getattr(config, name) and name not in of_set:
            if annotator.leaves_out:
                raise DataError(f"{folder}: all texts of the set {name} were left out; begin anew in another --out")
            raise WaitingForLabels(
                f"{folder / 'to_label.csv'}: no row of the set {name} has a label yet; fill in some, "
                f"then go on with: {command_line('start', '--resume', folder)}"
            )
    for name in dict.fromkeys(of_set):
        labelled = rows(labeled, np.flatnonzero(of_set == name))
        write_parquet(folder / f"{name}.parquet", conform(labelled, taxonomy.names))
    taken = set((asked if annotator.leaves_out else labeled)["id"][:])
    rest = [row for row, id_ in enumerate(drawn["id"][:]) if id_ not in taken]
    # Last: it says that all is done.
    write_parquet(folder / "pool.parquet", conform(rows(drawn, rest), taxonomy.names))
    annotator.stored(labeled)
