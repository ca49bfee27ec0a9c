"""
The head of `frozen` and `setfit` as the last two modules of a sentence-transformers model: `Normalize`, then `Dense`
without an activation, so that `SentenceTransformer(folder).encode(texts)` gives the logits.

In the first layout of a model folder the encoder was in `encoder/`, and the head in `head.safetensors`.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rarecase.core.documents import parse_json, read_document
from rarecase.learn.folders import ENCODER, FIRST_HEAD
from rarecase.models.encoder import HEAD_MODULES

MODULES = "modules.json"  # the modules of a sentence-transformers model, in order
WEIGHTS = "model.safetensors"


def head_files(encoder: Path, weight: np.ndarray, bias: np.ndarray) -> dict[str, bytes]:
    """The files that make a saved encoder one with this head, `(classes, dim)` and `(classes,)`, by their names."""
    from safetensors.numpy import save

    modules: list[dict[str, Any]] = parse_json(read_document(encoder / MODULES))
    for name, kind in zip(HEAD_MODULES, ("Normalize", "Dense"), strict=True):
        place = len(modules)
        # The first name of the module's class, which old and new versions of the library know.
        type_ = f"sentence_transformers.models.{kind}"
        modules.append({"idx": place, "name": name, "path": f"{place}_{kind}", "type": type_})
    classes, width = weight.shape
    activation = "torch.nn.modules.linear.Identity"
    config = {"in_features": width, "out_features": classes, "bias": True, "activation_function": activation}
    folder = modules[-1]["path"]
    return {
        MODULES: _json(modules),
        f"{folder}/config.json": _json(config),
        f"{folder}/{WEIGHTS}": save({"linear.weight": weight, "linear.bias": bias}),
    }


def encoder_folder(folder: Path) -> Path:
    """The folder in a model folder that `load_encoder` loads the encoder from."""
    return folder / ENCODER if (folder / FIRST_HEAD).is_file() else folder


def read_head(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The weight and the bias in a model folder of either layout; any error where they are missing or damaged."""
    from safetensors.numpy import load_file

    if (folder / FIRST_HEAD).is_file():
        tensors = load_file(folder / FIRST_HEAD)
        return tensors["weight"], tensors["bias"]
    last = parse_json(read_document(folder / MODULES))[-1]
    if last["name"] != HEAD_MODULES[-1] or not re.fullmatch(r"\d+_Dense", last["path"]):
        raise ValueError("the last module is no head")
    tensors = load_file(folder / last["path"] / WEIGHTS)
    return tensors["linear.weight"], tensors["linear.bias"]


def in_todays_layout(folder: Path, files: Mapping[str, Path]) -> dict[str, Path | bytes]:
    """The files of a model folder of the first layout by the names, and with the contents, that `save` gives today."""
    kept = {name.removeprefix(f"{ENCODER}/"): path for name, path in files.items() if name != FIRST_HEAD}
    return {**kept, **head_files(folder / ENCODER, *read_head(folder))}


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=2).encode()
