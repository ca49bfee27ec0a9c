"""
A model folder as the files of its repository, and the card: what it is, how to use it, how well it does.

The figures are those of `rarecase.json`, which stands in the folder since the model was trained. What else lies in the
folder stays where it is: only files that belong to a model are published, and no pickle.
"""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from rarecase.core.errors import ModelError, flag
from rarecase.core.shipped import shipped
from rarecase.data.counts import rarest
from rarecase.hub.commit import Files
from rarecase.hub.ids import split_revision
from rarecase.learn.hyperparameters import MODELS
from rarecase.learn.record import RECORD, ModelRecord
from rarecase.models.checkpoint import PACKAGED, PACKAGED_ID, PICKLED, local_folder
from rarecase.publish.cards import code, plain, render, table

TAGS = ["rarecase", "active-learning", "content-moderation"]
UNPUBLISHED = "unpublished"
_UNKNOWN = 100_000  # from there on, a tokenizer says that it does not know how many tokens the model reads

_CLASSIFIER = (
    r"(generation_)?config\.json|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
    r"|tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|chat_template\.jinja"
    r"|vocab\.(json|txt)|merges\.txt|bpe\.codes|[\w.]+\.model"
)
_ENCODER = rf"{_CLASSIFIER}|modules\.json|config_sentence_transformers\.json|sentence_bert_config\.json"
_MODULE = r"\d+_\w+/(config\.json|model\.safetensors)"
_BELONGS = {
    "finetune": re.compile(_CLASSIFIER),
    "frozen": re.compile(rf"head\.(json|safetensors)|encoder/({_ENCODER}|{_MODULE})"),
}
_BELONGS["setfit"] = _BELONGS["frozen"]


@dataclass(frozen=True)
class DatasetRef:
    """
    The data set on the Hub that a model was trained and measured on.

    Args:
        repo_id (`str`): `owner/name`.
        config (`str`): whose split `test` it was measured on.
        revision (`str`): the commit.
    """

    repo_id: str
    config: str
    revision: str


@dataclass(frozen=True)
class Model:
    """
    What a model folder says of itself.

    Args:
        kind (`str`): `finetune`, `frozen` or `setfit`.
        names (`tuple[str, ...]`): the classes, in order.
        base (`str`, *optional*): the Hub id of the model it was made from, without its revision.
        longest (`int`, *optional*): the tokens of a text that it reads.
        record (`ModelRecord`, *optional*): how it was made and how well it does.
    """

    kind: str
    names: tuple[str, ...]
    base: str | None
    longest: int | None
    record: ModelRecord | None


def model_files(folder: Path, *, repo_id: str, license: str, dataset: DatasetRef | None = None) -> Files:
    """
    What is to stand in the repository of a model.

    Args:
        folder (`Path`): a model folder, of whichever learner.
        repo_id (`str`): `owner/name`, where it goes.
        license (`str`): its id, as the Hub names it.
        dataset (`DatasetRef`, *optional*): what it was trained and measured on, where that is on the Hub.

    Returns:
        `Files`: weights, configuration, tokenizer and record as they lie in the folder, and the card.

    Raises:
        `ModelError`: where the folder holds no classifier, a pickled file, code of the model's own, or the record of
            another model.

    Example:
        >>> files = model_files(Path("guard"), repo_id="acme/guard", license="apache-2.0")
        >>> sorted(files)[:3]
        ['README.md', 'config.json', 'model.safetensors']
    """
    model, files = own_files(folder)
    return {**files, "README.md": model_card(model, repo_id, license, dataset).encode()}


def own_files(folder: Path) -> tuple[Model, Files]:
    """
    What a model folder says of itself, and the files of it that are published.

    Raises:
        `ModelError`: as `model_files`.
    """
    model = read_model(folder)
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    pickled = [name for name in found if Path(name).suffix in PICKLED]
    if pickled:
        raise ModelError(
            f"{folder}: {pickled[0]} is a pickled file, which can run code when loaded, and is never published; "
            "delete it, or save the model again"
        )
    pattern = _BELONGS[model.kind]
    return model, {name: path for name, path in found.items() if name == RECORD or pattern.fullmatch(name)}


def belongs(path: str) -> bool:
    """Whether a file of a repository is one that a model of some kind has."""
    return path == RECORD or any(pattern.fullmatch(path) for pattern in _BELONGS.values())


def read_model(folder: Path) -> Model:
    """
    Reads what a model folder says of itself, without loading the weights.

    Raises:
        `ModelError`: where it holds no classifier, or the record of another one.

    Example:
        >>> read_model(Path("guard")).names
        ('harmful', 'not-harmful')
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; give one that `rarecase train` or `rarecase run` wrote")
    local_folder(str(folder))
    head, config = (_json(folder / name) for name in ("head.json", "config.json"))
    record = ModelRecord.read(folder)
    if head.get("names") and (folder / "head.safetensors").is_file() and (folder / "encoder").is_dir():
        kind, names = head.get("learner", "frozen"), head["names"]
        if kind not in ("frozen", "setfit"):
            raise ModelError(
                f"{folder}: head.json is of another learner, expected frozen or setfit; train the model again"
            )
        made_from, reader = head.get("encoder", ""), folder / "encoder"
    elif any(name.endswith("ForSequenceClassification") for name in config.get("architectures") or []):
        kind, names, made_from, reader = "finetune", _names(config), record.model if record else "", folder
    else:
        raise ModelError(
            f"{folder}: no classifier in it, expected config.json of one that was trained (finetune) or head.json "
            "beside encoder/ (frozen, setfit); make one with `rarecase train`"
        )
    if record and (record.learner, record.names) != (kind, tuple(names)):
        raise ModelError(f"{folder}: its {RECORD} is of another model; train it again, or delete that file")
    longest = _json(reader / "tokenizer_config.json").get("model_max_length", _UNKNOWN)
    return Model(kind, tuple(names), _hub_id(made_from), longest if longest < _UNKNOWN else None, record)


def model_card(model: Model, repo_id: str, license: str, dataset: DatasetRef | None = None) -> str:
    """
    The README.md of a model's repository.

    Args:
        model (`Model`): see `read_model`.
        repo_id (`str`): `owner/name`.
        license (`str`): its id, as the Hub names it.
        dataset (`DatasetRef`, *optional*): what it was trained and measured on.

    Returns:
        `str`: the front matter, with every figure on test in its `model-index`, and the text.

    Example:
        >>> card = model_card(read_model(Path("guard")), "acme/guard", "apache-2.0")
    """
    record = model.record
    return render(
        shipped("model_cards") / "README.md",
        _front_matter(model, repo_id, license, dataset),
        repo_id=repo_id,
        model=model,
        record=record,
        dataset=dataset,
        license=license,
        english=_reads_english(model),
        classes=_classes(model),
        settings=_settings(record) if record else "",
        measures=_measures(record) if record else "",
        by_class=_by_class(record) if record else "",
        confusion=_confusion(record) if record else "",
        rarest=_rarest(record) if record else None,
        flags=_flags(record) if record else "",
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: no readable JSON; save the model again") from error
    return content if isinstance(content, dict) else {}


def _names(config: Mapping[str, Any]) -> list[str]:
    id2label = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})  # transformers leaves its default out
    return [id2label[place] for place in sorted(id2label, key=int)]


def _hub_id(made_from: str) -> str | None:
    """What the Hub calls it; None for a folder, of which only the last name is known."""
    name = PACKAGED_ID if made_from == PACKAGED else split_revision(made_from)[0]
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None


def _reads_english(model: Model) -> bool:
    """Known of the models of the table alone."""
    return model.base in (*MODELS, PACKAGED_ID)


def _front_matter(model: Model, repo_id: str, license: str, dataset: DatasetRef | None) -> ModelCardData:
    return ModelCardData(
        language="en" if _reads_english(model) else None,
        license=license,
        library_name="transformers" if model.kind == "finetune" else "rarecase",
        pipeline_tag="text-classification",
        base_model=model.base,
        datasets=[dataset.repo_id] if dataset else None,
        tags=TAGS,
        model_name=repo_id.split("/")[-1],
        eval_results=_eval_results(model.record, dataset) if model.record else None,
    )


def _eval_results(record: ModelRecord, dataset: DatasetRef | None) -> list[EvalResult]:
    """Every figure on test, as the `model-index` has it: in percent, like all of ours."""
    test = record.test
    figures: list[tuple[str, str, float, dict[str, str] | None]] = [("accuracy", "Accuracy", test["accuracy"], None)]
    for type_, name, macro, by_class in (
        ("precision", "Precision", test["macro_precision"], test["precision"]),
        ("recall", "Recall", test["macro_recall"], test["recall"]),
        ("f1", "F1", test["macro_f1"], test["f1"]),
    ):
        figures.append((type_, f"Macro {name}", macro, {"average": "macro"}))
        figures += [(type_, f"{name} {of}", value, None) for of, value in by_class.items()]
    return [
        EvalResult(
            task_type="text-classification",
            task_name="Text classification",
            dataset_type=dataset.repo_id if dataset else UNPUBLISHED,
            dataset_name=dataset.repo_id if dataset else "the trainer's own test set",
            dataset_config=dataset.config if dataset else None,
            dataset_split="test",
            dataset_revision=dataset.revision if dataset else None,
            metric_type=type_,
            metric_name=name,
            metric_value=round(value, 6),  # further digits are another machine's already
            metric_args=args,
        )
        for type_, name, value, args in figures
    ]


def _classes(model: Model) -> str:
    header, counts = ["id", "class"], model.record.data.class_counts if model.record else {}
    rows: list[list[str | int | float | None]] = [[place, plain(name)] for place, name in enumerate(model.names)]
    if not counts:
        return table(header, rows)
    return table([*header, "texts in training"], [[*row, counts[n]] for row, n in zip(rows, model.names, strict=True)])


def _settings(record: ModelRecord) -> str:
    said = {name: getattr(record, name) for name in ("learner", "model", "precision", "seed")} | record.settings
    return table(["setting", "value"], [[code(name), _exact(value)] for name, value in said.items()])


def _exact(value: str | int | float | None) -> str:
    """A setting as somebody would type it."""
    return plain(value) if isinstance(value, str) else "–" if value is None else f"{value:g}"


def _measures(record: ModelRecord) -> str:
    dev, test = record.dev, record.test
    rows: list[list[str | int | float | None]] = [
        ["accuracy", dev["accuracy"], test["accuracy"]],
        ["macro precision", dev["macro_precision"], test["macro_precision"]],
        ["macro recall", dev["macro_recall"], test["macro_recall"]],
        ["macro F1", dev["macro_f1"], test["macro_f1"]],
    ]
    return table(["", "validation", "test"], rows)


def _by_class(record: ModelRecord) -> str:
    test = record.test
    rows: list[list[str | int | float | None]] = [
        [plain(name), test["precision"][name], test["recall"][name], test["f1"][name], texts]
        for name, texts in _support(record).items()
    ]
    return table(["class", "precision", "recall", "F1", "texts in test"], rows)


def _confusion(record: ModelRecord) -> str:
    names = list(map(plain, record.names))
    rows: list[list[str | int | float | None]] = [
        [name, *counts] for name, counts in zip(names, record.test["confusion"], strict=True)
    ]
    return table(["is ↓ answered →", *names], rows)


def _support(record: ModelRecord) -> dict[str, int]:
    """The texts of each class in test."""
    return dict(zip(record.names, map(sum, record.test["confusion"]), strict=True))


def _rarest(record: ModelRecord) -> dict[str, Any] | None:
    """The class with the fewest texts in test, of those that have any: how many, and how many were found."""
    support = _support(record)
    if not any(support.values()):
        return None
    name = rarest(support)
    place = record.names.index(name)
    return {"name": name, "texts": support[name], "found": record.test["confusion"][place][place]}


def _flags(record: ModelRecord) -> str:
    """The flags of `rarecase train` that say the same again."""
    options = asdict(record.options())
    tune = " --tune" if options.pop("tune") else ""
    said = {"learner": record.learner, "model": record.model, "seed": record.seed, **options}
    chosen = {name: value for name, value in said.items() if value is not None}
    return " ".join(f"{flag(name)} {shlex.quote(str(value))}" for name, value in chosen.items()) + tune
