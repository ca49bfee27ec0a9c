"""
Thinned-out copies of a learner: what `Learner.sample` draws.

A draw is one network: a unit that is dropped is dropped for every text and every token (Gal and Ghahramani, 2016,
*Dropout as a Bayesian Approximation*, drop rows of the weights; Kirsch et al., 2019, *BatchBALD*, section 3 call this
consistent). So a text's probabilities in a draw depend on the seed alone, not on the texts it shares a batch with.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from rarecase.core.randomness import generator

if TYPE_CHECKING:
    import torch

DRAWS = 10


def kept(width: int, rate: float, seed: int, draw: int, layer: str) -> np.ndarray:
    """
    What each unit of a layer is multiplied by: 0 where it is dropped, else 1 / (1 - rate).

    Args:
        width (`int`): how many units.
        rate (`float`): the share that is dropped, below 1.
        seed (`int`): the seed of the run.
        draw (`int`): which thinned-out copy.
        layer (`str`): the layer's name.

    Returns:
        `np.ndarray`: float32, shape `(width,)`.

    Example:
        >>> kept(384, 0.1, seed=0, draw=0, layer="head").mean().round(1)
        np.float32(1.0)
    """
    rng = generator(seed, "dropout", draw, layer)
    return np.where(rng.random(width) < rate, 0.0, 1.0 / (1.0 - rate)).astype(np.float32)


def dropout_layers(network: "torch.nn.Module") -> dict[str, "torch.nn.Dropout"]:
    """
    The layers of a network that leave out some of their units, by name; without one, every draw is alike.

    Example:
        >>> len(dropout_layers(network))
        20
    """
    import torch

    layers = {name: module for name, module in network.named_modules() if isinstance(module, torch.nn.Dropout)}
    return {name: module for name, module in layers.items() if 0 < module.p < 1}


@contextmanager
def thinned(network: "torch.nn.Module", seed: int, draw: int) -> Iterator[None]:
    """
    The network thinned out, inside the `with`: each of its dropout layers, at its own rate. Attention weights keep
    all: their units are tokens, of which every text has others.

    Args:
        network (`torch.nn.Module`): in `eval` mode.
        seed (`int`): the seed of the run.
        draw (`int`): which thinned-out copy.

    Example:
        >>> with thinned(network, seed=0, draw=3):
        ...     logits = network(**batch).logits
    """
    import torch

    def thin(layer: str) -> Any:
        def hook(module: torch.nn.Module, _: Any, output: torch.Tensor) -> torch.Tensor:
            if output.ndim > 3:  # attention: (rows, heads, tokens, tokens)
                return output
            mask = kept(output.shape[-1], float(module.p), seed, draw, layer)  # type: ignore[arg-type]
            return output * torch.from_numpy(mask).to(output)

        return hook

    hooks = [module.register_forward_hook(thin(name)) for name, module in dropout_layers(network).items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
