"""The card of a model: the prose is in `model_cards/README.md`; here are the values it is filled with."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from rarecase.core.errors import flag
from rarecase.core.markdown import plain
from rarecase.core.shipped import shipped
from rarecase.data.counts import rarest
from rarecase.guard.certificate import Certificate
from rarecase.guard.wording import explained
from rarecase.learn.hyperparameters import MODELS
from rarecase.learn.record import ModelRecord
from rarecase.models.checkpoint import PACKAGED_ID
from rarecase.publish.markdown import TAGS, code, render, table
from rarecase.publish.references import DatasetRef

UNPUBLISHED = "unpublished"


@dataclass(frozen=True)
class Model:
    """A model folder, without its weights."""

    kind: str  # finetune, frozen or setfit
    names: tuple[str, ...]  # the classes, in order
    base: str | None  # the Hub id of the model it was made from, without its revision
    longest: int | None  # the tokens of a text that it reads
    record: ModelRecord | None
    certificate: Certificate | None = None  # of what a guard of this model finds


def model_card(model: Model, repo_id: str, license: str | None, dataset: DatasetRef | None = None) -> str:
    """The README.md of a model's repository, with every figure that test gives in its `model-index`."""
    record = model.record
    return render(
        shipped("model_cards") / "README.md",
        _front_matter(model, repo_id, license, dataset),
        repo_id=repo_id,
        model=model,
        names=_literal(model.names),
        record=record,
        certificate=list(explained(model.certificate)) if model.certificate else [],
        certified=bool(model.certificate and model.certificate.certified),
        dataset=dataset,
        license=license,
        english=_reads_english(model),
        classes=_classes(model),
        settings=_settings(record) if record else "",
        measures=_measures(record) if record else "",
        on_dev=bool(record and _has_dev(record)),
        by_class=_by_class(record) if record else "",
        untested=bool(record and not all(_support(record).values())),
        confusion=_confusion(record) if record else "",
        rarest=_rarest(record) if record else None,
        behaviours=_behaviours(record) if record else "",
        flags=_flags(record) if record else "",
    )


def _reads_english(model: Model) -> bool:
    """Known of the models of the table alone."""
    return model.base in (*MODELS, PACKAGED_ID)


def _front_matter(model: Model, repo_id: str, license: str | None, dataset: DatasetRef | None) -> ModelCardData:
    return ModelCardData(
        language="en" if _reads_english(model) else None,
        license=license,
        library_name="transformers" if model.kind == "finetune" else "sentence-transformers",
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
        # Without a text of a class nothing is known of it, and a reader of the model-index would take 0 for measured.
        figures += [(type_, f"{name} {of}", by_class[of], None) for of, texts in _support(record).items() if texts]
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


def _literal(names: tuple[str, ...]) -> str:
    """The names as a list in Python, in a block of code that no name can end."""
    return json.dumps(names, ensure_ascii=False).replace("`", "\\u0060")


def _classes(model: Model) -> str:
    header, counts = ["id", "class"], model.record.data.class_counts if model.record else {}
    rows = [[place, plain(name), *([counts[name]] if counts else [])] for place, name in enumerate(model.names)]
    return table([*header, "texts in training"] if counts else header, rows)


def _settings(record: ModelRecord) -> str:
    settings = {name: getattr(record, name) for name in ("learner", "model", "precision", "seed")} | record.settings
    return table(["setting", "value"], [[code(name), _exact(value)] for name, value in settings.items()])


def _exact(value: str | int | float | None) -> str:
    """A setting as it is typed."""
    return plain(value) if isinstance(value, str) else "–" if value is None else f"{value:g}"


def _measures(record: ModelRecord) -> str:
    test = record.test
    dev: Mapping[str, Any] = record.dev if _has_dev(record) else dict.fromkeys(test)
    rows = [
        ["accuracy", dev["accuracy"], test["accuracy"]],
        ["macro precision", dev["macro_precision"], test["macro_precision"]],
        ["macro recall", dev["macro_recall"], test["macro_recall"]],
        ["macro F1", dev["macro_f1"], test["macro_f1"]],
    ]
    return table(["", "validation", "test"], rows)


def _has_dev(record: ModelRecord) -> bool:
    """Whether there was a text to measure on in dev."""
    return any(map(any, record.dev["confusion"]))


def _by_class(record: ModelRecord) -> str:
    by_class = [record.test[figure] for figure in ("precision", "recall", "f1")]
    rows = [
        [plain(name), *(found[name] if texts else None for found in by_class), texts]
        for name, texts in _support(record).items()
    ]
    return table(["class", "precision", "recall", "F1", "texts in test"], rows)


def _confusion(record: ModelRecord) -> str:
    names = list(map(plain, record.names))
    rows = [[name, *counts] for name, counts in zip(names, record.test["confusion"], strict=True)]
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


def _behaviours(record: ModelRecord) -> str:
    """Of how many sentences of each kind and class the guard was right; nothing where it judged none."""
    judged = record.guard.behaviours if record.guard else {}
    names = [name for name in record.names if any(name in by_class for by_class in judged.values())]
    rows = [
        [
            plain(kind),
            *(f"{by_class[name].right} of {by_class[name].of}" if name in by_class else "–" for name in names),
        ]
        for kind, by_class in judged.items()
    ]
    return table(["", *map(plain, names)], rows) if names else ""


def _flags(record: ModelRecord) -> str:
    """The flags of `rarecase train` that train the same model again."""
    options = asdict(record.options())
    tune = " --tune" if options.pop("tune") else ""
    flags = {"config_name": ",".join(record.data.configs), "learner": record.learner, "model": record.model}
    flags |= {"seed": str(record.seed)} | options
    # Without a line break, which could end the code that they are shown as.
    chosen = {name: " ".join(str(value).split()) for name, value in flags.items() if value is not None}
    return " ".join(f"{flag(name)} {shlex.quote(value)}" for name, value in chosen.items()) + tune
