"""
`rarecase start` draws a start, dev, test and certification set out of a pool of posts, has them labelled, and leaves
the rest as the pool: so the paper begins (section 4.2). The certification set is for calibrating a guard later; no
strategy ever chooses from it.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from datasets import Dataset, Value

from rarecase.core import randomness
from rarecase.core.errors import ConfigError, DataError, WaitingForLabels, flag
from rarecase.core.files import digest, write_folder_beside
from rarecase.core.locks import locked
from rarecase.data.arrow import rows, with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.pool import make_pool
from rarecase.data.read import row_of
from rarecase.data.read.origin import origin
from rarecase.data.schema import canonical_order, conform
from rarecase.data.sets import require_gold, set_aside, taxonomy_of, with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator
from rarecase.runs.folder import Manifest, refuse_used, require_same_settings
from rarecase.runs.parts import annotator_of, columns_of, require_store
from rarecase.settings.checks import check, require_out
from rarecase.settings.config import StartConfig, read_config, write_yaml

SETS = ("bootstrap", "dev", "test", "certify")


def start(config: StartConfig, resume: Path | None) -> tuple[Path, dict[str, int]]:
    """Begins a start folder, or goes on with one; gives it with what `label` counts."""
    with locked(resume or require_out(config.out)):
        folder = resume or begin(config)
        return folder, label(folder, config)


def begin(config: StartConfig) -> Path:
    """Draws the sets, and stores them in `drawn.parquet` of a new start folder before anybody is asked."""
    check(config)
    out = require_out(config.out)
    refuse_used(out)
    if config.pool is None:
        raise ConfigError("--pool is missing: a file, a folder or a data set of the Hub")
    columns = columns_of(config)
    posts, counts = make_pool([config.pool], columns=columns, encoding=config.encoding)
    print(f"pool: {counts}", file=sys.stderr)
    if config.annotator != "gold":  # people label from scratch, whatever is there
        posts = with_column(posts, "label", [None] * len(posts), Value("string"))
    found = [label for label in posts["label"][:] if label is not None]
    taxonomy = taxonomy_of(config.taxonomy, found)
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


def label(folder: Path, config: StartConfig) -> dict[str, int]:
    """
    Has the drawn sets labelled, writes them, and gives their sizes; rows left empty go back to the pool.

    Raises `WaitingForLabels` where people have to fill in `to_label.csv` first, `DataError` where they have left out
    all texts of a set, and `RunFolderError` where the settings are not those of the folder.
    """
    Manifest.read(folder, "start")
    require_same_settings(folder, read_config(folder, StartConfig), config, ("store", "out"))
    if not (folder / "pool.parquet").exists():
        taxonomy = Taxonomy.load(folder / "taxonomy.yaml")
        asked = digest(folder / name for name in ("drawn.parquet", "taxonomy.yaml"))
        with annotator_of(folder, config, taxonomy, f"start {asked}") as annotator:
            _write_sets(folder, config, taxonomy, annotator)
    paths = {name: folder / f"{name}.parquet" for name in (*SETS, "pool")}
    return {name: len(read_parquet(path)) for name, path in paths.items() if path.exists()}


def _drawn(pool: Dataset, sizes: dict[str, int], seed: int) -> Dataset:
    """The posts with the column `set`; the draw uses the rows sorted by text."""
    order = canonical_order(pool)[randomness.generator(seed, "start").permutation(len(pool))]
    names = np.full(len(pool), "pool", dtype=object)
    begun = 0
    for name, size in sizes.items():
        names[order[begun : begun + size]] = name
        begun += size
    return with_column(pool, "set", names.tolist())


def _write_sets(folder: Path, config: StartConfig, taxonomy: Taxonomy, annotator: Annotator) -> None:
    drawn = read_parquet(folder / "drawn.parquet")
    belongs = np.array(drawn["set"][:])
    asked = rows(drawn, np.flatnonzero(belongs != "pool"))
    labeled = annotator.annotate(asked)
    of_set = np.array(labeled["set"][:], dtype=object)
    for name in SETS:
        if getattr(config, name) and name not in of_set:
            if annotator.leaves_out:
                raise DataError(f"{folder}: all texts of the set {name} were left out; begin anew in another --out")
            raise WaitingForLabels(
                f"{folder / 'to_label.csv'}: no row of the set {name} has a label yet; fill in some, "
                f"then go on with: rarecase start --resume {folder}"
            )
    for name in dict.fromkeys(of_set):
        labelled = rows(labeled, np.flatnonzero(of_set == name))
        write_parquet(folder / f"{name}.parquet", conform(labelled, taxonomy.names))
    taken = set((asked if annotator.leaves_out else labeled)["id"][:])
    rest = [row for row, id_ in enumerate(drawn["id"][:]) if id_ not in taken]
    # Last: it says that all is done.
    write_parquet(folder / "pool.parquet", conform(rows(drawn, rest), taxonomy.names))
    annotator.stored(labeled)
