"""
What the packaged encoder makes of the same texts, computed once: most runs of the tests read the same few hundred, and
spend most of their time on that.

A list of texts has the same vectors to the last bit each time (`models/encoder.py`), so they are stored, and read
where the list comes again, in the processes of `forks.py` too. Other encoders, fewer tokens of a text, the layers of
this one and several processes at once are computed as they are for a user.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np

from rarecase.core.processes import is_distributed
from rarecase.models.checkpoint import PACKAGED
from rarecase.models.encoder import SentenceEncoder


def remember(folder: Path) -> None:
    """Stores in this folder what `SentenceEncoder.encode` gives, in this process and in those forked from it."""
    encode = SentenceEncoder.encode

    def remembered(self: SentenceEncoder, texts: list[str]) -> np.ndarray:
        layers = "model" in vars(self) and self.model[0].auto_model.config.output_hidden_states
        if self.name != PACKAGED or self.max_length or layers or is_distributed():
            return encode(self, texts)
        path = folder / f"{hashlib.sha256(repr(texts).encode()).hexdigest()}.npy"
        if not path.exists():
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                np.save(file, encode(self, texts))
            os.replace(file.name, path)  # whole or not at all, whatever is killed
        return np.load(path, allow_pickle=False)

    SentenceEncoder.encode = remembered
