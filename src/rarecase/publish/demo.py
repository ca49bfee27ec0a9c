"""
The demo Space of a data set: a folder that runs as it is.

Spaces install `requirements.txt` before they copy the repository, so it names packages of the registry alone, and the
package folder of rarecase goes along beside `app.py`. No text of the data does: the page reads the rows from the data
set, and its map has places, classes and strategies.
"""

import json
import sys
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from datasets import Dataset, Features, Value, concatenate_datasets
from huggingface_hub import SpaceCardData

import rarecase
from rarecase.core import randomness
from rarecase.core.shipped import shipped
from rarecase.data.arrow import from_columns, matrix, require, rows, with_column
from rarecase.data.parquet import parquet_bytes, read_parquet
from rarecase.data.schema import GENERATED, canonical_order, label_names, public_id, texts
from rarecase.demo_space.data import MAP, SETTINGS
from rarecase.hub.commit import Files
from rarecase.hub.ids import split_revision
from rarecase.models.encoder import distinct, encode, load_encoder
from rarecase.publish.cards import render
from rarecase.publish.catalog import without
from rarecase.publish.dataset import read_release
from rarecase.runs.folder import Manifest, RoundFiles, stored_sets

GRADIO = "6.31.0"  # what the page was last looked at with; for who publishes without having gradio
REST = 2_000  # texts that nobody chose: more of them would only make the page slow
START = "bootstrap"
NOT_SHIPPED = {"sample", "dataset_card", "model_cards", "spaces", "__pycache__"}
SHIPPED = {".py", ".yaml", ".css", ".js", ".html"}  # and py.typed: whatever else lies there is not the package's


def space_files(
    folder: Path, *, repo_id: str, dataset: str, model: str | None, title: str, removed: Collection[str] = ()
) -> Files:
    """
    Everything that stands in the Space.

    Args:
        folder (`Path`): the run or release that the data set was made from; its map is drawn.
        repo_id (`str`): of the Space, `owner/name`.
        dataset (`str`): what it shows, `owner/name@revision`.
        model (`str`, *optional*): what answers in it, `owner/name@revision`.
        title (`str`): what the Space is called.
        removed (`Collection[str]`): what was taken down from the data set, as `hash_of` of the ids.

    Returns:
        `Files`: path in the repository → its bytes, or the local file that holds them.

    Raises:
        `DataError`: where the folder is neither a run nor a release.

    Example:
        >>> files = space_files(Path("run"), repo_id="acme/safety-demo", dataset="acme/safety@9f0c1d2", model=None,
        ...                     title="Safety")
    """
    template = shipped("spaces") / "demo"
    named = {"dataset": dataset, "model": model}
    front_matter = SpaceCardData(
        title=title,
        sdk="gradio",
        sdk_version=gradio_version(),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file="app.py",
        license="apache-2.0",  # that of the code: no text of the data is in it
        models=[split_revision(model)[0]] if model else None,
        datasets=[split_revision(dataset)[0]],
        tags=["rarecase", "active-learning", "content-moderation", "not-for-all-audiences"],
    )
    card = render(template / "README.md", front_matter, title=title, repo_id=repo_id, **named)
    return {
        "README.md": card.encode(),
        "app.py": template / "app.py",
        "requirements.txt": template / "requirements.txt",
        SETTINGS: (json.dumps(named, indent=2) + "\n").encode(),
        MAP: parquet_bytes(map_table(folder, removed)),
        **package(),
    }


def map_table(folder: Path, removed: Collection[str] = ()) -> Dataset:
    """
    The pool in two dimensions, by t-SNE: texts that mean similar things lie close together.

    Of a run it has what was chosen and labelled in each round, the start set and the rest of the pool; of a release
    the texts of people in the training splits, and those of the other splits as the rest. A text that two strategies
    chose is there twice, in one place.

    Args:
        folder (`Path`): of a run or a release.
        removed (`Collection[str]`): rows that are left out, as `hash_of` of their ids.

    Returns:
        `Dataset`: `x`, `y` (float32), and, null where they are unknown, `id`, `label`, `strategy` (none of the rest;
        `bootstrap` of the start set) and `round`. No text. The same rows give the same table, in whatever order they
        come.

    Raises:
        `DataError`: where the folder is neither.
        `RunFolderError`: where it is that of something else than a run.

    Example:
        >>> map_table(Path("run")).column_names
        ['x', 'y', 'id', 'label', 'strategy', 'round']
    """
    of = _of_run if (folder / "run.json").is_file() else _of_release
    chosen, rest = of(folder, removed)
    chosen, rest = _once(chosen, "text", "strategy"), _some(_without(_once(rest, "text"), set(texts(chosen))))
    points = concatenate_datasets([chosen, rest])
    points = rows(points, np.lexsort([[s or "" for s in points["strategy"][:]], texts(points)]))
    unique, place = distinct(texts(points))
    first = np.unique(place, return_index=True)[1]
    if "embedding" in points.column_names:
        vectors = matrix(points, "embedding")[first]
    else:
        vectors = encode(Dataset.from_dict({"text": unique}), load_encoder())
    x, y = project(vectors)[place].T
    shown = {"x": x, "y": y} | {name: points[name][:] for name in _FACTS}
    return from_columns(shown, Features({"x": Value("float32"), "y": Value("float32"), **_FACTS}))


def project(vectors: np.ndarray) -> np.ndarray:
    """
    Places in the plane: of the same vectors the same on one machine, however many threads it has.

    t-SNE on the first 30 principal components. On the published set the nearest neighbours in the plane tell the class
    of a text with a macro-F1 of 69; two principal components alone give 62.

    Args:
        vectors (`np.ndarray`): shape `(n, dim)`.

    Returns:
        `np.ndarray`: float32, shape `(n, 2)`.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(vectors) < 5:  # no neighbourhoods to keep
        return np.pad(vectors, ((0, 0), (0, 2)))[:, :2].astype(np.float32)
    components = PCA(min(30, *vectors.shape), random_state=0).fit_transform(vectors)
    perplexity = min(30, (len(vectors) - 1) / 3)
    plane = TSNE(2, init="pca", perplexity=perplexity, max_iter=400, random_state=0).fit_transform(components)
    return plane.astype(np.float32)


_FACTS = {"id": Value("string"), "label": Value("string"), "strategy": Value("string"), "round": Value("int32")}


def _of_run(folder: Path, removed: Collection[str]) -> tuple[Dataset, Dataset]:
    """What was chosen or began the run, and the rest of its pool, whose ids are published nowhere else."""
    Manifest.read(folder, "run")
    sets = stored_sets(folder)
    labelled = RoundFiles(folder).tables("labels")
    place = {id_: row for row, id_ in enumerate(sets.pool["id"][:])}
    taken = [place[id_] for table in labelled for id_ in table["id"][:]]
    chosen = [_points(without(sets.bootstrap, removed)[0], START)]
    if labelled:
        labels = concatenate_datasets(labelled)
        if "embedding" in sets.pool.column_names:
            labels = with_column(labels, "embedding", matrix(sets.pool, "embedding")[taken])
        chosen.append(_points(without(labels, removed)[0]))
    rest = rows(sets.pool, np.delete(np.arange(len(sets.pool)), taken))
    return concatenate_datasets(chosen), _points(without(rest, removed)[0], ids=False)


def _of_release(folder: Path, removed: Collection[str]) -> tuple[Dataset, Dataset]:
    """The texts of people that were acquired, and those of the other splits."""
    release = read_release(folder)
    chosen, rest = [], []
    for config, paths in release.paths.items():
        for split, path in paths.items():
            table, *_ = without(read_parquet(release.folder / path), removed)
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
    points = from_columns(columns, Features({"text": Value("string"), **_FACTS}))
    if "embedding" in table.column_names:
        points = with_column(points, "embedding", matrix(table, "embedding"))
    return points


def _once(points: Dataset, *columns: str) -> Dataset:
    """The first of the rows that are equal in some columns."""
    first: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*(points[column][:] for column in columns), strict=True)):
        first.setdefault(key, row)
    return rows(points, list(first.values()))


def _without(points: Dataset, known: set[str]) -> Dataset:
    return rows(points, [row for row, text in enumerate(texts(points)) if text not in known])


def _some(rest: Dataset) -> Dataset:
    """A draw of the rest, by its texts and not by their order."""
    if len(rest) <= REST:
        return rest
    drawn = randomness.generator(0, "map").choice(len(rest), REST, replace=False)
    return rows(rest, canonical_order(rest)[drawn])


def package() -> dict[str, Path]:
    """The package as it is installed, without the sample, whose texts have no part in this."""
    home = Path(rarecase.__file__).parent
    inside = (path for path in sorted(home.rglob("*")) if path.is_file())
    kept = (path for path in inside if path.suffix in SHIPPED or path.name == "py.typed")
    kept = (path for path in kept if not NOT_SHIPPED & set(path.relative_to(home).parts))
    return {f"rarecase/{path.relative_to(home).as_posix()}": path for path in kept}


def gradio_version() -> str:
    """The one that a Space is to run with."""
    try:
        return version("gradio")
    except PackageNotFoundError:
        return GRADIO
