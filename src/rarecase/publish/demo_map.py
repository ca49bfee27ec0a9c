"""The map of a demo Space: texts that mean similar things lie close. It has classes and strategies, and no text."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from datasets import Dataset, Features, Value, concatenate_datasets

from rarecase.core import randomness
from rarecase.core.progress import doing
from rarecase.data.arrow import from_columns, matrix, require, rows, with_column
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import GENERATED, canonical_order, label_names, public_id, texts
from rarecase.demo_space.data import MAP_COLUMNS
from rarecase.models.encoder import distinct, encode, load_encoder
from rarecase.publish.dataset import read_release
from rarecase.publish.repository import without_rows
from rarecase.runs.folder import Manifest, RoundFiles, is_begun, stored_sets

REST = 2_000  # unchosen texts that are shown: more would only make the page slow
START = "bootstrap"


def map_table(folder: Path, removed: Collection[str] = ()) -> Dataset:
    """
    The points of the map: `x`, `y`, and, null where unknown, `id`, `label`, `strategy` (null for the rest of the pool)
    and `round`. The same rows give the same table, in whatever order they come.

    Of a run it has what was chosen and labelled in each round, the start set and the rest of the pool; of a release
    the texts of people in the training splits, and those of the other splits as the rest. A text that two strategies
    chose is there twice, in one place. `removed` are hashes (`hash_of`) of ids that are left out.
    """
    of = _of_run if is_begun(folder) else _of_release
    chosen, rest = of(folder, removed)
    known = set(texts(chosen))
    rest = rows(rest, [row for row, text in enumerate(texts(rest)) if text not in known])
    chosen, rest = _once(chosen, "text", "strategy"), _some(_once(rest, "text"))
    points = concatenate_datasets([chosen, rest])
    points = rows(points, np.lexsort([[s or "" for s in points["strategy"][:]], texts(points)]))
    unique, place = distinct(texts(points))
    first = np.unique(place, return_index=True)[1]
    if "embedding" in points.column_names:
        vectors = matrix(points, "embedding")[first]
    else:
        vectors = encode(Dataset.from_dict({"text": unique}), load_encoder())
    with doing("drawing the map"):
        x, y = project(vectors)[place].T
    shown = {"x": x, "y": y} | {name: points[name][:] for name in _KNOWN}
    return from_columns(shown, MAP_COLUMNS)


def project(vectors: np.ndarray) -> np.ndarray:
    """
    A place in the plane for each vector, the same on one machine however many threads it has.

    t-SNE on the first 30 principal components. On the published set the nearest neighbours in the plane tell the class
    of a text with a macro-F1 of 69; two principal components alone give 62.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(vectors) < 5:  # no neighbourhoods to keep
        return np.pad(vectors, ((0, 0), (0, 2)))[:, :2].astype(np.float32)
    components = PCA(min(30, *vectors.shape), random_state=0).fit_transform(vectors)
    perplexity = min(30, (len(vectors) - 1) / 3)
    plane = TSNE(2, init="pca", perplexity=perplexity, max_iter=400, random_state=0).fit_transform(components)
    return plane.astype(np.float32)


_KNOWN = {name: MAP_COLUMNS[name] for name in ("id", "label", "strategy", "round")}


def _of_run(folder: Path, removed: Collection[str]) -> tuple[Dataset, Dataset]:
    """What was chosen or began the run, and the rest of its pool, whose ids are published nowhere else."""
    Manifest.read(folder, "run")
    sets = stored_sets(folder)
    labelled = RoundFiles(folder).tables("labels")
    place = {id_: row for row, id_ in enumerate(sets.pool["id"][:])}
    taken = [place[id_] for table in labelled for id_ in table["id"][:]]
    chosen = [_points(without_rows(sets.bootstrap, removed).table, START)]
    if labelled:
        labels = concatenate_datasets(labelled)
        if "embedding" in sets.pool.column_names:
            labels = with_column(labels, "embedding", matrix(sets.pool, "embedding")[taken])
        chosen.append(_points(without_rows(labels, removed).table))
    rest = rows(sets.pool, np.delete(np.arange(len(sets.pool)), taken))
    return concatenate_datasets(chosen), _points(without_rows(rest, removed).table, ids=False)


def _of_release(folder: Path, removed: Collection[str]) -> tuple[Dataset, Dataset]:
    """The texts of people that were acquired, and those of the other splits."""
    local = read_release(folder)
    chosen, rest = [], []
    for config, paths in local.paths.items():
        for split, path in paths.items():
            table = without_rows(read_parquet(local.folder / path), removed).table
            human = rows(table, [row for row, origin in enumerate(table["origin"][:]) if origin != GENERATED])
            if split == "train":
                chosen.append(_points(human, config))
            else:
                rest.append(_points(human))
    return concatenate_datasets(chosen), concatenate_datasets(rest or [rows(chosen[0], [])])


def _points(table: Dataset, config: str | None = None, *, ids: bool = True) -> Dataset:
    """What a map knows of rows, and still their texts; `config` chose those that name no strategy."""
    require(table, "strategy")
    names, size = label_names(table), len(table)
    columns = {
        "text": texts(table),
        "id": [public_id(id_) for id_ in table["id"][:]] if ids else [None] * size,
        "label": [None if label is None else names[label] for label in table["label"][:]],
        "strategy": [strategy or config for strategy in table["strategy"][:]],
        "round": table["round"][:],
    }
    points = from_columns(columns, Features({"text": Value("string"), **_KNOWN}))
    if "embedding" in table.column_names:
        points = with_column(points, "embedding", matrix(table, "embedding"))
    return points


def _once(points: Dataset, *columns: str) -> Dataset:
    """The first of the rows that are equal in some columns."""
    repeats = points.select_columns([*columns]).to_pandas().duplicated()
    return rows(points, np.flatnonzero(~repeats))


def _some(rest: Dataset) -> Dataset:
    """A draw of the rest, by its texts and not by their order."""
    if len(rest) <= REST:
        return rest
    drawn = randomness.generator(0, "map").choice(len(rest), REST, replace=False)
    return rows(rest, canonical_order(rest)[drawn])
