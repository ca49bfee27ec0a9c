"""
A model folder as the files of its repository: only those that belong to a model, and no pickle. The figures of its
card are those of `rarecase.json`, written when the model was trained.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from rarecase.core.errors import ModelError
from rarecase.core.shipped import shipped
from rarecase.data.read.card import front_matter
from rarecase.guard.certificate import CERTIFICATE, Certificate, model_sha256
from rarecase.guard.guard import setting, why_void
from rarecase.hub.commit import Files, Push, Pushed, Snapshot, Target, push, refuse_foreign
from rarecase.hub.ids import split_revision
from rarecase.learn.folders import CONFIG, FIRST_HEAD, Head, kind_of
from rarecase.learn.head import MODULES, encoder_folder, in_todays_layout
from rarecase.learn.record import RECORD, ModelRecord
from rarecase.models.checkpoint import PACKAGED, PACKAGED_ID, PICKLED, local_folder, model_json
from rarecase.models.lengths import stated
from rarecase.publish.markdown import TAGS
from rarecase.publish.model_card import Model, model_card
from rarecase.publish.references import DatasetRef
from rarecase.runs.folder import model_folder

_CLASSIFIER = (
    r"(generation_)?config\.json|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
    r"|tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|chat_template\.jinja"
    r"|vocab\.(json|txt)|merges\.txt|bpe\.codes|[\w.]+\.model"
)
_ENCODER = rf"{_CLASSIFIER}|modules\.json|config_sentence_transformers\.json|sentence_bert_config\.json"
_MODULE = r"\d+_\w+/(config\.json|model\.safetensors)"
_BELONGS = {
    "finetune": re.compile(_CLASSIFIER),
    "frozen": re.compile(rf"head\.(json|safetensors)|(encoder/)?({_ENCODER}|{_MODULE})"),
}
_BELONGS["setfit"] = _BELONGS["frozen"]
_STATED = (RECORD, CERTIFICATE)  # what a model of any kind says of itself
# What a model was made from, in files of older libraries: often a path of somebody's machine.
_ORIGIN = {CONFIG: "_name_or_path", "tokenizer_config.json": "name_or_path"}
_ENDPOINT = ("handler.py", "requirements.txt")  # what an Inference Endpoint runs where no `pipeline` can answer


def publish_model(
    folder: Path, target: Target, license: str | None, *, dataset: DatasetRef | None = None, send: Push = push
) -> Pushed:
    """Publishes a trained model, or the last learner of a run; `dataset` is what its figures were measured on."""
    folder = model_folder(folder)
    files = model_files(folder, repo_id=target.repo_id, license=license, dataset=dataset)

    def build(snapshot: Snapshot) -> Files:
        if RECORD not in snapshot.files and TAGS[0] not in _tags(snapshot):
            refuse_foreign(snapshot)
        # What an earlier push left: other weights, or the head of another kind of model, could be loaded instead.
        return {**dict.fromkeys(path for path in snapshot.files if _belongs(path)), **files}

    return send(target, build, f"Add {folder.resolve().name}")


def model_files(folder: Path, *, repo_id: str, license: str | None, dataset: DatasetRef | None = None) -> Files:
    """The files of a model's repository: its own, the card, and of `frozen` and `setfit` what an endpoint runs."""
    model, files = own_files(folder)
    added: Files = {} if model.kind == "finetune" else {name: shipped("model_cards") / name for name in _ENDPOINT}
    # Without the hashes of the texts it learned from: by one, a post could be recognised.
    record: Files = {RECORD: model.record.for_others().dumps().encode()} if model.record else {}
    own = {name: _without_origin(file) if isinstance(file, Path) else file for name, file in files.items()}
    return {**own, **added, **record, "README.md": model_card(model, repo_id, license, dataset).encode()}


def own_files(folder: Path) -> tuple[Model, Files]:
    """A model folder and what is published of it, in today's layout; a `ModelError` for no model, or a pickle."""
    model = read_model(folder)
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    pickled = [name for name in found if Path(name).suffix in PICKLED]
    if pickled:
        raise ModelError(
            f"{folder}: {pickled[0]} is a pickled file, which can run code when loaded, and is never published; "
            "delete it, or save the model again"
        )
    pattern = _BELONGS[model.kind]
    files = {name: path for name, path in found.items() if name in _STATED or pattern.fullmatch(name)}
    outside = next((name for name, path in files.items() if not path.resolve().is_relative_to(folder.resolve())), None)
    if outside:
        raise ModelError(f"{folder}: {outside} is a link that leads out of it; copy the file into it")
    if FIRST_HEAD not in files:
        return model, files
    try:
        return model, in_todays_layout(folder, files)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: its head or its {MODULES} is damaged ({type(error).__name__}); save the learner again"
        ) from error


def _without_origin(file: Path) -> Path | bytes:
    """A file of a model without what it was made from; as it is where it says nothing of that."""
    if (key := _ORIGIN.get(file.name)) is None or key not in (content := model_json(str(file.parent), file)):
        return file
    return json.dumps({name: value for name, value in content.items() if name != key}, indent=2).encode()


def _belongs(path: str) -> bool:
    """Whether a file of a repository is one that a model of some kind has."""
    return path in (*_STATED, *_ENDPOINT) or any(pattern.fullmatch(path) for pattern in _BELONGS.values())


def read_model(folder: Path) -> Model:
    """A description of a model folder, without loading its weights; a `ModelError` where it has no classifier."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; give one that `rarecase train` or `rarecase run` wrote")
    local_folder(str(folder))
    kind, record = kind_of(folder), ModelRecord.read(folder)
    if kind in ("frozen", "setfit") and (encoder_folder(folder) / MODULES).is_file():
        head = Head.read(folder)
        names, made_from, reader = head.names, head.encoder, encoder_folder(folder)
    elif kind == "finetune" and (names := _names(model_json(str(folder), folder / CONFIG))):
        made_from, reader = record.model if record else "", folder
    else:
        raise ModelError(
            f"{folder}: no classifier in it, expected config.json of one that was trained (finetune) or head.json "
            "beside modules.json (frozen, setfit); make one with `rarecase train`"
        )
    if record and (record.learner, record.names) != (kind, names):
        raise ModelError(f"{folder}: its {RECORD} is of another model; train it again, or delete that file")
    tokenizer = reader / "tokenizer_config.json"
    told = model_json(str(folder), tokenizer).get("model_max_length") if tokenizer.is_file() else None
    return Model(kind, names, _hub_id(made_from), stated(told), record, _certificate(folder, names))


def _certificate(folder: Path, names: tuple[str, ...]) -> Certificate | None:
    """That of a model folder; a `ModelError` where it would not be of the model that is published."""
    certificate = Certificate.read(folder)
    if certificate is None:
        return None
    made = setting(certificate.dtype, certificate.backend)
    if reason := why_void(certificate, model_sha256(folder, names), made):
        raise ModelError(f"{folder}: {reason}; calibrate again with `rarecase guard calibrate`, or delete this file")
    if (folder / FIRST_HEAD).is_file():  # is published in today's layout, whose files have another hash
        raise ModelError(
            f"{folder}: {CERTIFICATE} is of the files of an old layout; save the learner again and calibrate it, or "
            "delete this file"
        )
    return certificate


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes of a classifier, in order; none where it is no classifier, or does not name them."""
    id2label = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})  # transformers leaves its default out
    try:
        if any(name.endswith("ForSequenceClassification") for name in config.get("architectures") or ()):
            names = tuple(id2label[place] for place in sorted(id2label, key=int))
            return names if all(isinstance(name, str) for name in names) else ()
    except (AttributeError, TypeError, ValueError, LookupError):
        pass  # values of other types
    return ()


def _hub_id(made_from: str) -> str | None:
    """What the Hub calls it; None for a folder, of which only the last name is known."""
    name = PACKAGED_ID if made_from == PACKAGED else split_revision(made_from)[0]
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None


def _tags(snapshot: Snapshot) -> list[str]:
    """Those of the card that is there."""
    tags = front_matter(snapshot.read("README.md")).get("tags") if "README.md" in snapshot.files else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
