"""
One seed decides everything: every draw comes from a named child of `numpy.random.SeedSequence(seed)`.

A child is named after what it is for, not after the order of the calls: adding a draw somewhere changes no other draw.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def child(seed: int, *names: str | int) -> np.random.SeedSequence:
    """The seed sequence of one named use of `seed`, such as `"clusters"` or `"batches", epoch`."""
    digest = hashlib.blake2b("\x1f".join(str(name) for name in names).encode(), digest_size=16).digest()
    return np.random.SeedSequence([seed, *np.frombuffer(digest, dtype="<u4").tolist()])


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The numpy generator of one named use of `seed`; see `child`."""
    return np.random.default_rng(child(seed, *names))


def integer(seed: int, *names: str | int) -> int:
    """A 31-bit integer for libraries that take a plain seed (scikit-learn, torch, a language model's server)."""
    return int(child(seed, *names).generate_state(1)[0]) & 0x7FFFFFFF


@contextmanager
def torch_seeded(seed: int, device: "torch.device") -> Iterator[None]:
    """Torch's generators seeded inside the `with`; those of the processor and of `device` are restored after it."""
    import torch

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
