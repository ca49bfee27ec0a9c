"""What a fitted learner is computed with: in which numeric type, and by torch or by onnxruntime."""

import importlib
from typing import Literal, get_args

from rarecase.core.errors import ConfigError, did_you_mean
from rarecase.learn.hyperparameters import Precision
from rarecase.learn.learner import Learner
from rarecase.models.encoder import SentenceEncoder

Backend = Literal["torch", "onnx"]


def require_backend(dtype: Precision, backend: Backend) -> None:
    """Raises `ConfigError` where a backend is unknown, not installed, or does not compute in this type."""
    known = get_args(Backend)
    if backend not in known:
        raise ConfigError(
            f"backend {backend!r} is unknown{did_you_mean(backend, known)} (there are: {', '.join(known)})"
        )
    if backend == "torch":
        return
    if dtype != "fp32":
        raise ConfigError(f"dtype {dtype} with the backend onnx: expected fp32; leave one of the two out")
    try:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"the backend onnx needs {name}; pip install 'rarecase[onnx]', or leave the backend out"
        ) from error


def compute_by(learner: Learner, dtype: Precision, backend: Backend) -> None:
    """Has the transformer of a loaded learner computed so; it is not to be fitted or saved afterwards."""
    encoder = learner.encoder
    if dtype == "bf16" and isinstance(encoder, SentenceEncoder):
        import torch

        encoder.model.to(torch.bfloat16)
    if backend == "torch":
        return
    from rarecase.learn.finetune import Finetune
    from rarecase.models.onnx import OnnxTransformer

    if isinstance(learner, Finetune):
        network = learner.network.to("cpu")
        body = OnnxTransformer(learner.model, network.base_model, learner.tokenizer)
        setattr(network, network.base_model_prefix, body)
    # Without this attribute it has no transformer.
    elif isinstance(encoder, SentenceEncoder) and hasattr(encoder.model[0], "auto_model"):
        first = encoder.model.to("cpu")[0]
        first.model = OnnxTransformer(encoder.name, first.auto_model, first.tokenizer)
