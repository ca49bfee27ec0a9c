"""What the Hub makes of a repository card, and what it refuses in one."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from hub_server.state import RefusedError

FRONT = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_LICENSES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0
cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0
cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl
gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr
mpl-2.0 odc-by odbl openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
grok2-community gemma unknown other
"""
LICENSES = _LICENSES.split()
SDKS = ["gradio", "docker", "static"]
COLORS = ["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"]
SIZES = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B"]
SIZES += ["10B<n<100B", "100B<n<1T", "n>1T"]
HUB_ID = r"[\w.-]+(/[\w.-]+)?"
SPLIT = r"\w+(\.\w+)*"


def metadata(text: str) -> dict[str, Any]:
    """The front matter of a card; nothing, where there is none that can be read."""
    try:
        loaded = _load(text)
    except yaml.YAMLError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def tags(card: dict[str, Any]) -> list[str]:
    """What a repository is found by."""
    named = ("license", "task_categories", "size_categories", "annotations_creators", "source_datasets")
    plain = [str(tag) for key in ("tags", "language") for tag in _listed(card.get(key))]
    return [*plain, *(f"{key}:{value}" for key in named for value in _listed(card.get(key)))]


def warnings(text: str) -> list[dict[str, str]]:
    if FRONT.match(text):
        return []
    return [{"message": "empty or missing yaml metadata in repo card"}]


def problems(text: str, kind: str) -> list[str]:
    """What the Hub refuses in a card, in its words; nothing, where it takes it."""
    try:
        card = _load(text)
    except yaml.YAMLError as error:
        return [f"Invalid YAML in README.md: {' '.join(str(error).split())}"]
    if card is None:
        return []
    if not isinstance(card, dict):
        return ["Invalid YAML in README.md: metadata must be a mapping"]
    checks = {"model": _model, "dataset": _dataset, "space": _space}[kind]
    return [*_any(card), *checks(card)]


def refuse_invalid(text: str, kind: str) -> None:
    found = problems(text, kind)
    if found:
        body = {
            "error": f"Invalid metadata in README.md.\n{found[0]}",
            "errors": [{"message": line} for line in found],
        }
        raise RefusedError(400, f"Invalid metadata in README.md. {found[0]}", body=body)


def _load(text: str) -> Any:
    front = FRONT.match(text)
    return yaml.safe_load(front.group(1)) if front else None


def _any(card: dict[str, Any]) -> Iterator[str]:
    for place, value in _each("license", card.get("license")):
        if value not in LICENSES:
            yield f'"{place}" must be one of [{", ".join(LICENSES)}]'
    for key in ("tags", "task_categories", "task_ids", "widget"):
        if not isinstance(card.get(key, []), list):
            yield f'"{key}" must be an array'
    for place, value in _each("tags", card.get("tags", [])):
        if not isinstance(value, str):
            yield f'"{place}" must be a string'
    for place, value in _each("language", card.get("language")):
        if not isinstance(value, str) or not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]+)?|code|multilingual", value):
            yield f'"{place}" must only contain lowercase characters; with value "{value}" is not valid'
    for key in ("datasets", "base_model", "models"):
        for place, value in _each(key, card.get(key)):
            if not isinstance(value, str) or not re.fullmatch(HUB_ID, value):
                yield f'"{place}" with value "{value}" is not valid. If possible, use an id from https://hf.co.'


def _model(card: dict[str, Any]) -> Iterator[str]:
    for key in ("pipeline_tag", "library_name"):
        if not isinstance(card.get(key, ""), str):
            yield f'"{key}" must be a string'
    index = card.get("model-index", [])
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for i, model in enumerate(index):
        place = f"model-index[{i}]"
        yield from _strings(place, model, required=("name",))
        results = model.get("results") if isinstance(model, dict) else None
        if not isinstance(results, list):
            yield f'"{place}.results" must be an array'
            continue
        for j, result in enumerate(results):
            yield from _result(f"{place}.results[{j}]", result)


def _result(place: str, result: Any) -> Iterator[str]:
    if not isinstance(result, dict):
        yield f'"{place}" must be of type object'
        return
    yield from _strings(f"{place}.task", result.get("task"), required=("type",), optional=("name",))
    dataset = result.get("dataset")
    yield from _strings(
        f"{place}.dataset", dataset, required=("type", "name"), optional=("config", "split", "revision")
    )
    if (
        isinstance(dataset, dict)
        and isinstance(dataset.get("type"), str)
        and not re.fullmatch(HUB_ID, dataset["type"])
    ):
        yield f'"{place}.dataset.type" with value "{dataset["type"]}" fails to match the required pattern'
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        yield f'"{place}.metrics" must be an array with at least 1 item'
        return
    for k, metric in enumerate(metrics):
        yield from _strings(f"{place}.metrics[{k}]", metric, required=("type",), optional=("name", "config"))
        if isinstance(metric, dict) and metric.get("value") is None:
            yield f'"{place}.metrics[{k}].value" is required'


def _dataset(card: dict[str, Any]) -> Iterator[str]:
    for place, value in _each("size_categories", card.get("size_categories")):
        if value not in SIZES:
            yield f'"{place}" must be one of [{", ".join(SIZES)}]'
    configs = card.get("configs", [])
    if not isinstance(configs, list):
        yield '"configs" must be an array'
        return
    names = [config.get("config_name") for config in configs if isinstance(config, dict)]
    if len(set(map(str, names))) < len(names):
        yield '"configs" contains a duplicate value'
    if sum(bool(config.get("default")) for config in configs if isinstance(config, dict)) > 1:
        yield '"configs" must have at most one default'
    for i, config in enumerate(configs):
        yield from _strings(f"configs[{i}]", config, required=("config_name",))
        if isinstance(config, dict):
            yield from _data_files(f"configs[{i}].data_files", config.get("data_files", []))
    if not isinstance(card.get("dataset_info", []), dict | list):
        yield '"dataset_info" must be one of [object, array]'


def _data_files(place: str, files: Any) -> Iterator[str]:
    if isinstance(files, str):
        return
    if not isinstance(files, list):
        yield f'"{place}" must be one of [string, array]'
        return
    for i, entry in enumerate(files):
        if isinstance(entry, str):
            continue
        yield from _strings(f"{place}[{i}]", entry, required=("split",))
        if isinstance(entry, dict) and not re.fullmatch(SPLIT, str(entry.get("split", ""))):
            yield f'"{place}[{i}].split" with value "{entry.get("split")}" fails to match the required pattern'
        if isinstance(entry, dict) and not isinstance(entry.get("path"), str | list):
            yield f'"{place}[{i}].path" must be one of [string, array]'


def _space(card: dict[str, Any]) -> Iterator[str]:
    for key, allowed in {"sdk": SDKS, "colorFrom": COLORS, "colorTo": COLORS}.items():
        if key in card and card[key] not in allowed:
            yield f'"{key}" must be one of [{", ".join(allowed)}]'
    if len(str(card.get("short_description", ""))) > 60:
        yield '"short_description" length must be less than or equal to 60 characters long'
    for key in ("pinned", "hf_oauth"):
        if not isinstance(card.get(key, False), bool):
            yield f'"{key}" must be a boolean'


def _strings(place: str, value: Any, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Iterator[str]:
    """What is wrong with a mapping whose fields of these names are strings."""
    if not isinstance(value, dict):
        yield f'"{place}" is required' if value is None else f'"{place}" must be of type object'
        return
    for key in (*required, *optional):
        if value.get(key) is None:
            if key in required:
                yield f'"{place}.{key}" is required'
        elif not isinstance(value[key], str):
            yield f'"{place}.{key}" must be a string'


def _each(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values of a field that may be one or many, each with its place."""
    if isinstance(value, list):
        yield from ((f"{key}[{i}]", one) for i, one in enumerate(value))
    elif value is not None:
        yield key, value


def _listed(value: Any) -> list[Any]:
    return [one for _, one in _each("", value)]
