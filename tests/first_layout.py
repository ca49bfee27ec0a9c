"""Model folders of `frozen` and `setfit` as they were saved first: the encoder in `encoder/`, the head beside it."""

import shutil
from pathlib import Path

from safetensors.numpy import save_file

from rarecase.learn.head import read_head
from rarecase.models.encoder import load_encoder

UNCHANGED = ("head.json", "rarecase.json")


def write(saved: Path, folder: Path) -> Path:
    """Writes the learner of a folder of today as one of then."""
    weight, bias = read_head(saved)
    load_encoder(str(saved)).save(folder / "encoder")
    save_file({"weight": weight, "bias": bias}, folder / "head.safetensors")
    for name in UNCHANGED:
        if (saved / name).is_file():
            shutil.copy(saved / name, folder)
    return folder
