"""
The layout of the folder of a run, a grid or a start. All other modules ask this one.

    run.json  config.yaml  taxonomy.yaml  {pool,bootstrap,dev,test}.parquet  gold.parquet  embeddings.safetensors
    rounds/NN/{scores,chosen,labels,variations,predictions}.parquet  rounds/NN/metrics.json
    replies.sqlite  data/ (a release folder)  learner/ (the last)

Resuming means: skip a stage whose file exists. Every file is written beside and renamed, so one that exists is whole.
While a process works in the folder there is `.NAME.lock` beside it (`rarecase.core.locks`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from datasets import Dataset
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rarecase.core.errors import DataError, RunFolderError, command_line, flag, listed, shown_id
from rarecase.core.files import digest, read_json, write_beside, write_json
from rarecase.core.processes import on_main
from rarecase.core.progress import Progress
from rarecase.core.typed import from_json
from rarecase.data.arrow import matrix, with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.read.card import refuse_links_out
from rarecase.data.read.origin import Origin
from rarecase.data.release import RELEASE, Release
from rarecase.data.sets import Sets
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.record import RoundRecord
from rarecase.models.encoder import Encoder, embed
from rarecase.settings.config import ExperimentConfig, RunConfig, SimulateConfig, as_begun

FORMAT = 1
EMBEDDINGS = "embeddings.safetensors"
TABLES = ("pool", "bootstrap", "dev", "test")
AGREEMENT = "annotator.json"  # how far the language model that labels agrees with people
LEARNER = "learner"  # the model folder of the last learner
T = TypeVar("T")
STAGES = ("scores", "chosen", "labels", "variations", "predictions")
COUNTED = ("chosen", "labels", "variations")  # which a record counts, and people may edit


class RoundFiles:
    """
    The stages of a run as files: what `rarecase.run` stores them in, and reads them from when it is called again.

    Args:
        folder (`Path` or `str`): the run folder, or the cell of a grid.
        rounds (`int`): how many rounds are expected, for the progress line; it is shown within a `with` block.

    Example:
        >>> RoundFiles("out").numbers("metrics.json")  # the rounds that are done, here none yet
        []
    """

    def __init__(self, folder: Path | str, rounds: int = 0) -> None:
        self.folder = Path(folder)
        self._rounds = rounds
        self._progress: Progress | None = None

    def __enter__(self) -> "RoundFiles":
        self._progress = Progress(self._rounds * len(STAGES) + 1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.close()

    def table(self, number: int, name: str, make: Callable[..., Dataset], *arguments: Any) -> Dataset:
        """The table of a stage: read where its file exists, else made by `make(*arguments)` and written."""
        if self._progress:
            # The scores that a stopping criterion needs after the last round are stored as those of the next.
            self._progress.step(f"round {min(number, self._rounds)} of {self._rounds}: {name}")
        path = self.path(number, f"{name}.parquet")
        if not on_main(path.exists):
            on_main(write_parquet, path, make(*arguments))
        return on_main(self.stored, number, name)

    def record(self, number: int, make: Callable[[], RoundRecord]) -> RoundRecord:
        """The measurements of a round: read where its file exists, of the same tables; else made and written."""
        path = self.path(number, "metrics.json")
        return on_main(self._recorded, number, None if on_main(path.exists) else make())

    def _recorded(self, number: int, made: RoundRecord | None) -> RoundRecord:
        path = self.path(number, "metrics.json")
        files = {name: self.path(number, f"{name}.parquet") for name in COUNTED}
        tables = {name: digest([file]) for name, file in files.items() if file.exists()}
        if made:
            replace(made, tables=tables).write(path)
        record = _whole(path, RoundRecord.read)
        for name, now in tables.items():
            if record.tables.get(name, now) != now:
                later = [f"{stage}.parquet" for stage in STAGES[STAGES.index(name) + 1 :]]
                raise RunFolderError(
                    f"{files[name]}: changed since {path.name} beside it was made; put it back, or remove of this "
                    f"round {listed([*later, path.name])}, and later rounds, and repeat the command (a run: --resume)"
                )
        return record

    def path(self, number: int, name: str) -> Path:
        """Where a round keeps a file."""
        return self.folder / "rounds" / f"{number:02d}" / name

    def numbers(self, name: str) -> list[int]:
        """The rounds that have a file of this name, in order."""
        found = (path.parent.name for path in (self.folder / "rounds").glob(f"*/{name}"))
        return sorted(int(number) for number in found if number.isdecimal())

    def records(self) -> list[RoundRecord]:
        """The measurements of all rounds so far, of the same tables."""
        return [self._recorded(number, None) for number in self.numbers("metrics.json")]

    def tables(self, name: str) -> list[Dataset]:
        """The tables of a stage, of all rounds that have it."""
        return [self.stored(number, name) for number in self.numbers(f"{name}.parquet")]

    def stored(self, number: int, name: str, columns: list[str] | None = None) -> Dataset:
        """The table of a stage that is stored, or some of its columns."""
        return _whole(self.path(number, f"{name}.parquet"), partial(read_parquet, columns=columns))

    def spent(self) -> int:
        """How many labels the run has spent: those that were given, and those that its last round waits for."""
        labelled = self.numbers("labels.parquet")
        waiting = [number for number in self.numbers("chosen.parquet") if number not in labelled]
        return sum(map(len, [*self.tables("labels"), *(self.stored(number, "chosen") for number in waiting)]))


def _whole(path: Path, read: Callable[[Path], T]) -> T:
    """What a file of a round holds."""
    try:
        return read(path)
    except DataError as error:
        raise damaged(path) from error


def damaged(path: Path) -> RunFolderError:
    """The error for a file that is made again once it is removed."""
    return RunFolderError(f"{path}: damaged, or changed; remove it and repeat the command (a run: --resume)")


@dataclass(frozen=True)
class Input:
    """A file or folder outside that a run reads again whenever it goes on."""

    name: str  # for messages (`--model guard`)
    digest: str | None  # of its content; None where it is not on this machine


# What run.json says of each kind of folder, in this order; those of `_OPTIONAL` may be absent.
_KEYS = {
    "start": ("origins",),
    "run": ("strategy", "origins", "inputs", "settings", "data", "embeddings"),
    "grid": ("inputs", "settings", "data", "embeddings"),
    "experiment": ("settings", "taxonomy", "tables", "models"),
}
_RESUMED = ("run", "start")  # called like their commands, which have --resume; the others are repeated
_OPTIONAL = ("origins", "inputs", "embeddings")
_CONFIGS = {"run": RunConfig, "grid": SimulateConfig, "experiment": ExperimentConfig}


@dataclass(frozen=True)
class Manifest:
    """
    `run.json`: the kind of a folder (`run`, `start`, `grid` or `experiment`), and what it was begun with.

    `settings` are those that may not change when it goes on. All digests tell whether a content is still the same: of
    `inputs` (models and tables outside, by the name of their setting, and of a grid the user's own strategies), of the
    tables and the taxonomy (`data`; of an experiment `tables` and `taxonomy`), of the `embeddings`, and of an
    experiment's `models` that are folders.
    """

    kind: str
    strategy: str = ""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    embeddings: str = ""
    taxonomy: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, *kinds: str) -> "Manifest":
        """Raises `RunFolderError` where the folder is none of these kinds, of another format, or incomplete."""
        path, expected = folder / "run.json", " or ".join(kinds)
        if not folder.exists():
            raise RunFolderError(f"{folder}: no such folder; begin a {expected} with --out")
        try:
            found = read_json(path)
        except DataError as error:
            if isinstance(error.__cause__, OSError) and path.exists():
                raise
            found = None
        if not isinstance(found, dict):
            raise RunFolderError(f"{folder} is not the folder of a {expected}: no readable run.json")
        kind, format_ = found.get("kind"), found.get("format")
        if kind not in kinds:
            other = f"a {kind}" if kind in tuple(_KEYS) else "an unknown kind"
            raise RunFolderError(f"{folder} is the folder of {other}, expected a {expected}")
        if format_ != FORMAT:
            raise RunFolderError(
                f"{path}: format {str(format_)[:20]}, this rarecase reads {FORMAT}; "
                "use the rarecase that wrote it, or begin anew in another --out"
            )
        keys = _KEYS[kind]
        missing = next((name for name in keys if name not in (*found, *_OPTIONAL)), None)
        if missing:
            raise RunFolderError(f"{path}: {missing} is missing; begin anew in another --out")
        try:
            manifest = from_json(cls, {name: found[name] for name in ("kind", *keys) if name in found}, str(path))
            if kind in _CONFIGS:
                manifest = replace(manifest, settings=as_begun(manifest.settings, _CONFIGS[kind]))
                _require_known(folder, manifest.settings, _CONFIGS[kind])
                from_json(_CONFIGS[kind], manifest.settings, f"{path}.settings")
        except DataError as error:
            raise RunFolderError(f"{error}; put the file back, or begin anew in another --out") from None
        refuse_links_out(folder)  # it may be somebody else's, and is read, written to and published
        return manifest

    @property
    def config(self) -> Any:
        """The settings; one that was not stored had today's default."""
        return _CONFIGS[self.kind](**self.settings)

    def write(self, folder: Path) -> None:
        """Writes it, last of all that a folder is begun with."""
        known = {name: getattr(self, name) for name in _KEYS[self.kind]}
        values = {name: value for name, value in known.items() if value or name not in ("inputs", "embeddings")}
        write_json(folder / "run.json", {"kind": self.kind, "format": FORMAT, **values})

    def require_same(
        self, folder: Path, config: Any, may_change: Sequence[str], inputs: Callable[[], Mapping[str, Input]]
    ) -> None:
        """Raises `RunFolderError` where the folder is to go on with other settings, tables or models than before."""
        # Not those of config.yaml, which is for people to read, and perhaps to edit.
        require_same_settings(folder, self.settings, config, may_change)
        self.require_data(folder)
        vectors = folder / EMBEDDINGS
        if self.embeddings and vectors.exists() and self.embeddings != digest([vectors]):
            raise damaged(vectors)
        begun = {**self.inputs, **self.models}
        for name, now in inputs().items():  # last, since it reads whole models
            if begun.get(name, now.digest) != now.digest:
                raise RunFolderError(
                    f"{folder}: what {now.name} holds is not what it was begun with; put that back, or begin anew in "
                    "another --out"
                )

    def require_data(self, folder: Path) -> None:
        """Raises `RunFolderError` where the tables or the taxonomy in the folder are not those it was begun with."""
        if self.kind == "experiment":
            tables = {name: digest([folder / f"{name}.parquet"]) for name in self.tables}
            is_same = self.tables == tables and self.taxonomy == digest([folder / "taxonomy.yaml"])
        else:
            is_same = self.data == digest_of_tables(folder)
        if not is_same:
            raise RunFolderError(
                f"{folder}: its tables or its taxonomy.yaml are not those it was begun with; begin anew in another "
                "--out"
            )


def require_same_settings(folder: Path, begun: Mapping[str, Any], asked: Any, may_change: Sequence[str]) -> None:
    """Raises `RunFolderError` naming the first setting that differs; one that was not stored had today's default."""
    before = type(asked)(**begun)
    for name in (entry.name for entry in fields(asked) if entry.name not in may_change):
        old, new = getattr(before, name), getattr(asked, name)
        if old != new:
            begun_with = f"without {flag(name)}" if old is None else f"with {flag(name)} {old}"
            raise RunFolderError(
                f"{folder} was begun {begun_with}, not {new}; leave it as it was, or name another --out"
            )


def _require_known(folder: Path, begun: Mapping[str, Any], config: type[Any]) -> None:
    known = {entry.name for entry in fields(config)}
    if unknown := next((name for name in begun if name not in known), None):
        raise RunFolderError(
            f"{folder}/run.json: unknown setting{shown_id(unknown)}; use the rarecase that wrote it, or begin anew in "
            "another --out"
        )


def is_begun(folder: Path) -> bool:
    """Whether a run, a start, a grid or an experiment was begun in the folder."""
    return (folder / "run.json").is_file()


def model_folder(folder: Path) -> Path:
    """The model folder: the one given, or that of the last learner of a run."""
    return folder / LEARNER if is_begun(folder) else folder


def went_on_after(run: Path) -> int | None:
    """
    The last round in `data/`, where the run went on after it; None where there is no more than in `data/`.

    A run that ended may be begun again with a larger budget; its release is made anew when it ends again.
    """
    path = run / "data" / RELEASE
    configs = Release.read(path).configs if path.is_file() else {}
    released = [scores["round"] for config in configs.values() for scores in config.rounds]
    begun = RoundFiles(run).numbers("chosen.parquet")
    return max(released) if released and begun and begun[-1] > max(released) else None


def refuse_used(folder: Path) -> None:
    """Raises `RunFolderError` where the folder holds something; of what was begun there it says how to go on."""
    if is_begun(folder):
        kind = Manifest.read(folder, *_KEYS).kind
        way = f"go on with: {command_line(kind, '--resume', folder)}" if kind in _RESUMED else "repeat its command"
        raise RunFolderError(f"{folder} holds a {kind} already; name another --out, or {way}")
    refuse_filled(folder)


def refuse_filled(folder: Path) -> None:
    """Raises `RunFolderError` where the folder holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(f"{folder} exists and is not empty; name another --out")


def digest_of_tables(folder: Path) -> str:
    """One hash over what a run learns from and asks for, which may not change while it goes on."""
    names = [*(f"{name}.parquet" for name in (*TABLES, "gold")), "taxonomy.yaml"]
    return digest(folder / name for name in names)


def vectors_of(sets: Sets, encoder: Encoder) -> dict[str, np.ndarray]:
    """The vectors of the texts of each table, which `write_sets` stores."""
    return {name: matrix(embed(table, encoder), "embedding") for name, table in _tables_of(sets).items()}


def _tables_of(sets: Sets) -> dict[str, Dataset]:
    return {name: table for name in TABLES if (table := getattr(sets, name)) is not None}


def write_sets(folder: Path, sets: Sets, vectors: Mapping[str, np.ndarray]) -> None:
    """Writes the taxonomy, the tables, and the vectors of their texts where there are any."""
    sets.taxonomy.save(folder / "taxonomy.yaml")
    for name, table in _tables_of(sets).items():
        write_parquet(folder / f"{name}.parquet", table)
    if sets.gold is not None:
        write_parquet(folder / "gold.parquet", sets.gold)
    if vectors:
        with write_beside(folder / EMBEDDINGS) as temporary:
            save_file(dict(vectors), temporary)


def stored_sets(folder: Path) -> Sets:
    """The tables of a folder, with the column `embedding` where their vectors were stored."""
    tables = {name: read_parquet(path) for name in (*TABLES, "gold") if (path := folder / f"{name}.parquet").exists()}
    vectors = folder / EMBEDDINGS
    try:
        for name, values in (load_file(vectors) if vectors.exists() else {}).items():
            tables[name] = with_column(tables[name], "embedding", values)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise damaged(vectors) from error
    return Sets(taxonomy=Taxonomy.load(folder / "taxonomy.yaml"), **tables)
