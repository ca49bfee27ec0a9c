"""Model folders: the kind of learner in them, and how one is written whole or not at all."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from rarecase.core.documents import parse_json, read_document
from rarecase.core.errors import DataError, ModelError
from rarecase.core.files import write_folder_beside, write_json
from rarecase.core.typed import from_json
from rarecase.learn.hyperparameters import Kind, Settings
from rarecase.learn.record import ModelRecord

HEAD = "head.json"  # of a learner with an encoder and a head: see `Head`
CONFIG = "config.json"  # of a transformers model
# In the first layout of a learner with a head, see `rarecase.learn.head`: its weights, and the folder of its encoder.
FIRST_HEAD, ENCODER = "head.safetensors", "encoder"
FORMAT = 1  # of head.json


def kind_of(folder: Path) -> Kind | None:
    """The kind of learner in a folder, by its files and without loading weights; None if there is none."""
    if any((folder / name).is_file() for name in (HEAD, FIRST_HEAD)):
        return Head.read(folder).learner
    return "finetune" if (folder / CONFIG).is_file() else None


def require_kind(folder: Path, model: str | Path, *kinds: Kind) -> Kind:
    """The kind of learner in a folder; a `ModelError` where there is none, or another than these."""
    kind = kind_of(folder)
    if kind is None:
        raise ModelError(
            f"{model}: no learner in it, expected head.json (frozen, setfit) or config.json (finetune); "
            "make one with `rarecase train`"
        )
    if kinds and kind not in kinds:
        raise ModelError(
            f"{model}: a learner of the kind {kind}, expected {' or '.join(kinds)}; use load_learner, which loads any"
        )
    return kind


class Saved(TypedDict, total=False):
    """The settings of a learner that `head.json` holds."""

    C: float
    class_weights: str | None
    max_length: int | None
    precision: str
    updates: int | None
    updates_run: int
    learning_rate: float


@dataclass(frozen=True)
class Head:
    """The content of `head.json`: the kind of a learner with an encoder and a head, its classes and its settings."""

    learner: Kind
    names: tuple[str, ...]
    encoder: str
    settings: Settings

    @classmethod
    def read(cls, folder: Path) -> "Head":
        """Reads it, checked whole."""
        try:
            content = parse_json(read_document(folder / HEAD))
            if content.pop("format") != FORMAT:
                raise ValueError("another format")
            if "class_weight" in content:  # its first name
                content["class_weights"] = content.pop("class_weight")
            learner = content.pop("learner", "frozen")
            names = from_json(tuple[str, ...], content.pop("names"), "names")
            if not 0 < len(set(names)) == len(names):
                raise ValueError("names that are not distinct")
            encoder = from_json(str, content.pop("encoder", ""), "encoder")
            settings = from_json(Saved, content, "head.json")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError) as error:
            raise ModelError(
                f"{folder}: head.json is missing, damaged or of another format; save the learner again"
            ) from error
        if learner not in ("frozen", "setfit"):
            raise ModelError(
                f"{folder}: head.json is of another learner, expected frozen or setfit; train the model again"
            )
        return cls(learner, names, encoder, settings)

    def write(self, folder: Path) -> None:
        """Writes it into a model folder."""
        content = {"format": FORMAT, "learner": self.learner, "names": self.names, "encoder": self.encoder}
        write_json(folder / HEAD, content | self.settings)


def not_fitted(model: str) -> ModelError:
    """The error of a learner that is asked for what only a fitted one knows."""
    return ModelError(
        f"{model}: the learner has not been fitted; use what fit(train, dev) returns, or load_learner(path)"
    )


@contextlib.contextmanager
def write_learner_beside(folder: Path, record: ModelRecord | None = None) -> Iterator[Path]:
    """Gives an empty folder, which replaces `folder`, if that is empty or a learner, once the block succeeds."""
    known = any((folder / name).is_file() for name in (HEAD, FIRST_HEAD))
    known |= (folder / CONFIG).is_file() and any(folder.glob("*.safetensors"))  # others call a file config.json, too
    if folder.exists() and not (known or (folder.is_dir() and not any(folder.iterdir()))):
        raise ModelError(f"{folder}: contains something other than a learner; choose a new folder, or empty this one")
    with write_folder_beside(folder) as temporary:
        yield temporary
        if record is not None:
            record.write(temporary)
