"""
A transformer that is computed by onnxruntime: exported here from the loaded network, and never read from elsewhere.

The export is kept in memory alone: it takes seconds, and a file in a model folder could be of other weights.
"""

import contextlib
import inspect
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from rarecase.core.errors import ModelError
from rarecase.core.progress import doing
from rarecase.models.checkpoint import loading

CLOSE = 1e-3  # to what torch gives, relative to numbers above 1
_EXPORTED = ["one", "this is two"]  # the texts that the network is traced with, and others that it is compared on
_COMPARED = ["a", "some more words than before", "and a third text"]


class OnnxTransformer(torch.nn.Module):
    """
    Takes the place of a transformer in a network: it is called alike, and gives the same tensors, computed by
    onnxruntime on the processor. A `ModelError` says where it cannot be exported, or the export gives other numbers.
    """

    def __init__(self, model: str, transformer: Any, tokenizer: Any):
        super().__init__()
        self.config = transformer.config
        self.device = torch.device("cpu")
        self.signature = inspect.signature(transformer.forward)
        transformer = transformer.to("cpu").eval()

        def tensors(texts: list[str]) -> dict[str, torch.Tensor]:
            return dict(tokenizer(texts, padding=True, return_tensors="pt"))

        given = tensors(_EXPORTED)
        self.inputs = tuple(given)
        with doing("exporting to ONNX"), loading(model, "exported to ONNX; leave --backend out"), torch.no_grad():
            found = transformer(**given)
            self.output = type(found)
            self.outputs = tuple(name for name, value in found.items() if isinstance(value, torch.Tensor))
            self.session = _session(_Tensors(transformer, self.inputs, self.outputs), given)
            given = tensors(_COMPARED)
            expected, exported = transformer(**given), self(**given)
            close = all(
                torch.allclose(exported[name], expected[name], rtol=CLOSE, atol=CLOSE) for name in self.outputs
            )
        if not close:
            raise ModelError(f"{model}: gives other numbers in ONNX than in torch; leave --backend out")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the transformer gives; of its arguments, those that the tokenizer makes are read."""
        bound = self.signature.bind(*args, **kwargs)
        named = {**bound.arguments, **bound.kwargs}
        found = self.session.run(self.outputs, {name: named[name].numpy() for name in self.inputs})
        return self.output(**{name: torch.from_numpy(value) for name, value in zip(self.outputs, found, strict=True)})


class _Tensors(torch.nn.Module):
    """A transformer from tensors to tensors, as an exporter takes it."""

    def __init__(self, transformer: torch.nn.Module, inputs: tuple[str, ...], outputs: tuple[str, ...]):
        super().__init__()
        self.transformer, self.inputs, self.outputs = transformer, inputs, outputs

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.transformer(**dict(zip(self.inputs, given, strict=True)))
        return tuple(found[name] for name in self.outputs)


def _session(network: _Tensors, given: dict[str, torch.Tensor]) -> Any:
    """A session of onnxruntime, of as many threads as torch has; over 2 GB, weights have to be beside the file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        with _without_warnings():
            program: Any = torch.onnx.export(
                network,
                tuple(given.values()),
                dynamo=True,
                input_names=network.inputs,
                output_names=network.outputs,
                dynamic_shapes=(({0: "texts", 1: "tokens"},) * len(given),),
                verbose=False,
            )
        program.save(file, external_data=True)
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """The exporter warns of packages that nothing here needs, and of its own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
