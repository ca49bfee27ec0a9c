"""
The folder of a run: what it was begun with, and a file for each stage of each round.

    run.json  config.yaml  taxonomy.yaml  {pool,bootstrap,dev,test}.parquet  gold.parquet  embeddings.safetensors
    rounds/NN/{scores,chosen,labels,variations,predictions}.parquet  rounds/NN/metrics.json
    replies.sqlite  data/ (a release folder)  learner/ (the last)

Resuming means: skip a stage whose file exists. Every file is written beside and renamed, so one that exists is whole.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarecase.core.errors import RunFolderError
from rarecase.core.files import write_json
from rarecase.core.progress import Progress
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.settings.config import flag

if TYPE_CHECKING:
    from datasets import Dataset

FORMAT = 1
STAGES = ("scores", "chosen", "labels", "variations", "predictions")


class Stages:
    """
    The stages of one run, each made once.

    Args:
        folder (`Path`): the run folder, or the cell of a grid.
        rounds (`int`): how many rounds are expected, for the progress line.

    Example:
        >>> with Stages(Path("out"), 5) as stages:
        ...     chosen = stages.table(1, "chosen", cluster, scored, 20)
    """

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder = folder
        self._rounds = rounds
        self._progress = Progress(rounds * len(STAGES) + 1)

    def __enter__(self) -> "Stages":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()

    def table(self, number: int, name: str, make: "Callable[..., Dataset]", *arguments: Any) -> "Dataset":
        """The table of a stage: read where its file exists, else made by `make(*arguments)` and written."""
        self.say(number, name)
        path = self.path(number, f"{name}.parquet")
        if not path.exists():
            write_parquet(path, make(*arguments))
        return read_parquet(path)

    def record(self, number: int, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The JSON of a stage: read where its file exists, else made and written."""
        path = self.path(number, f"{name}.json")
        if not path.exists():
            write_json(path, make())
        return json.loads(path.read_text(encoding="utf-8"))

    def path(self, number: int, name: str) -> Path:
        """Where a round keeps a file."""
        return self.folder / "rounds" / f"{number:02d}" / name

    def say(self, number: int, name: str) -> None:
        """Tells the progress line what begins."""
        # What is measured after the last round stands in the folder of the next.
        self._progress.step(f"round {min(number, self._rounds)} of {self._rounds}: {name}")


def asked(folder: Path) -> int:
    """How many labels a run has spent: those that were given, and those that its last round waits for."""
    rounds = (folder / "rounds").glob("*")
    last = (next((p for name in ("labels", "chosen") if (p := r / f"{name}.parquet").exists()), None) for r in rounds)
    return sum(len(read_parquet(path)) for path in last if path is not None)


def mark(folder: Path, kind: str, **facts: Any) -> None:
    """
    Marks a folder as one of ours.

    Args:
        folder (`Path`): being made.
        kind (`str`): `run`, `start` or `grid`.
        facts: what else `run.json` says.
    """
    write_json(folder / "run.json", {"kind": kind, "format": FORMAT, **facts})


def refuse_used(folder: Path) -> None:
    """
    Raises:
        `RunFolderError`: where the folder holds something, naming `--resume` where that is a run.
    """
    if (folder / "run.json").exists():
        raise RunFolderError(
            f"{folder} holds a run already; go on with it by --resume {folder}, or name another --out"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(f"{folder} exists and is not empty; name another --out")


def facts(folder: Path, *kinds: str) -> dict[str, Any]:
    """
    What `run.json` says.

    Raises:
        `RunFolderError`: where the folder is none of these kinds, or of another format.
    """
    path = folder / "run.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not folder.exists():
        raise RunFolderError(f"{folder}: no such folder; a {' or '.join(kinds)} that has none yet is begun with --out")
    if not isinstance(found, dict):
        raise RunFolderError(f"{folder} is no folder of a {' or '.join(kinds)}: no readable run.json")
    if found.get("kind") not in kinds:
        raise RunFolderError(f"{folder} is the folder of a {found.get('kind')}, expected a {' or '.join(kinds)}")
    if found.get("format") != FORMAT:
        raise RunFolderError(
            f"{path}: format {found.get('format')!r}, this rarecase reads {FORMAT}; "
            "use the rarecase that wrote it, or begin anew in another --out"
        )
    return found


def same_settings(folder: Path, begun: Mapping[str, Any], asked: Any, may_change: Sequence[str] = ("out",)) -> None:
    """
    Args:
        folder (`Path`): for the message.
        begun (`Mapping`): the settings it was begun with, as they are stored; one that there was none of yet had what
            is its default now.
        asked (`dataclass`): those it is to go on with.
        may_change (`Sequence[str]`): the settings that have no part in what its files say.

    Raises:
        `RunFolderError`: naming the first setting that differs.
    """
    before = type(asked)(**begun)
    for name in (field.name for field in fields(asked) if field.name not in may_change):
        old, new = getattr(before, name), getattr(asked, name)
        if old != new:
            begun_with = f"without {flag(name)}" if old is None else f"with {flag(name)} {old}"
            raise RunFolderError(
                f"{folder} was begun {begun_with}, not {new}; leave it as it was, or name another --out"
            )
