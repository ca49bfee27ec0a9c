"""
Monte-Carlo dropout samples of a network: what `Learner.sample` draws.

A unit that is dropped in a sample is dropped for every text and every token (Gal and Ghahramani, 2016, *Dropout as a
Bayesian Approximation*, drop rows of the weights; Kirsch et al., 2019, *BatchBALD*, section 3 call this consistent).
So a text's probabilities in a sample depend on the seed alone, not on the texts it shares a batch with.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from rarecase.core.randomness import generator

if TYPE_CHECKING:
    import torch

DRAWS = 10


def dropout_mask(width: int, rate: float, seed: int, draw: int, layer: str) -> np.ndarray:
    """The factor of each unit of a layer in one sample, float32 `(width,)`: 0 if dropped, else 1 / (1 - rate)."""
    rng = generator(seed, "dropout", draw, layer)
    return np.where(rng.random(width) < rate, 0.0, 1.0 / (1.0 - rate)).astype(np.float32)


def dropout_layers(network: "torch.nn.Module") -> dict[str, "torch.nn.Dropout"]:
    """The layers of a network that drop some of their units, by name; without one, all samples are alike."""
    import torch

    named = network.named_modules()
    return {name: module for name, module in named if isinstance(module, torch.nn.Dropout) and 0 < module.p < 1}


@contextmanager
def dropout_sample(network: "torch.nn.Module", seed: int, draw: int) -> Iterator[None]:
    """
    Inside the `with`, the network is one sample: each of its dropout layers drops units at its own rate. Attention
    weights are not dropped: their units are tokens, of which every text has others.
    """
    import torch

    def masking(layer: str) -> Any:
        def hook(module: torch.nn.Module, _: Any, output: torch.Tensor) -> torch.Tensor:
            if output.ndim > 3:  # attention: (rows, heads, tokens, tokens)
                return output
            mask = dropout_mask(output.shape[-1], float(module.p), seed, draw, layer)  # type: ignore[arg-type]
            return output * torch.from_numpy(mask).to(output)

        return hook

    hooks = [module.register_forward_hook(masking(name)) for name, module in dropout_layers(network).items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
