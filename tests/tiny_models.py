"""
Tiny random checkpoints of the five models in `rarecase.learn.hyperparameters.MODELS`, as they stand on the Hub.

    python tests/tiny_models.py FOLDER    # FOLDER/google-bert/bert-base-cased, …

Two layers, hidden size 32, weights drawn wider; everything else is as in the real repositories: architecture, special
tokens and their ids, the class of the tokenizer, the longest text, a head for masked words instead of one for classes,
and pickled weights beside the safetensors. The vocabularies are trained on the sample that ships with rarecase.
"""

import atexit
import csv
import functools
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from hub_server import Hub, User
from huggingface_hub import HfApi
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertTokenizer,
    DistilBertConfig,
    DistilBertForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaTokenizer,
)

import rarecase
from rarecase.models.checkpoint import quiet

SAMPLE = Path(rarecase.__file__).parent / "sample"
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
# At the usual 0.02, which is for the usual width, every text would come out the same.
SPREAD = {"initializer_range": 0.2}
WORDPIECE = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BPE = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
# What a reader of pickles would run; nothing may ever ask for it.
PICKLED = b"cos\nabort\n(tR."


def bert(vocabulary: dict[str, int]) -> BertForPreTraining:
    """A BERT as Google trained it."""
    return BertForPreTraining(BertConfig(vocab_size=len(vocabulary), **SIZES, **SPREAD))


def distilbert(vocabulary: dict[str, int]) -> DistilBertForMaskedLM:
    """A DistilBERT, which knows no token types."""
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}  # its names for them
    return DistilBertForMaskedLM(DistilBertConfig(vocab_size=len(vocabulary), **sizes, **SPREAD))


def roberta(vocabulary: dict[str, int]) -> RobertaForMaskedLM:
    """A RoBERTa, whose positions begin after the id of its padding: 514 of them for 512 tokens."""
    positions = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    return RobertaForMaskedLM(RobertaConfig(vocab_size=len(vocabulary), **SIZES, **SPREAD, **positions))


def wordpiece(lowercase: bool) -> BertTokenizer:
    """The tokenizer of BERT and DistilBERT."""
    trainer = BertWordPieceTokenizer(lowercase=lowercase)
    trainer.train_from_iterator(texts(), vocab_size=1000, special_tokens=WORDPIECE, show_progress=False)
    return BertTokenizer(vocab=trainer.get_vocab(), do_lower_case=lowercase)


def byte_level() -> RobertaTokenizer:
    """The tokenizer of RoBERTa."""
    trainer = ByteLevelBPETokenizer()
    trainer.train_from_iterator(texts(), vocab_size=1000, special_tokens=BPE, show_progress=False)
    model = json.loads(trainer.to_str())["model"]
    return RobertaTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


def texts() -> list[str]:
    """The texts of the sample."""
    found = []
    for path in sorted(SAMPLE.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += [line["text"] for line in csv.DictReader(file)]
    return found


# Of each: network, tokenizer, and what its tokenizer_config.json says on the Hub, where none names a class.
MODELS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "google-bert/bert-base-cased": (bert, lambda: wordpiece(False), {"do_lower_case": False}),
    "google-bert/bert-base-uncased": (bert, lambda: wordpiece(True), {"do_lower_case": True}),
    "FacebookAI/roberta-base": (roberta, byte_level, {}),
    "distilbert/distilbert-base-cased": (distilbert, lambda: wordpiece(False), {"do_lower_case": False}),
    "distilbert/distilbert-base-uncased": (distilbert, lambda: wordpiece(True), {"do_lower_case": True}),
}


def write(model: str, folder: Path) -> Path:
    """Writes one of the five into `folder`, the same weights each time; equal scores make the vocabulary vary."""
    make, make_tokenizer, said = MODELS[model]
    tokenizer = make_tokenizer()
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        make(tokenizer.get_vocab()).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({**said, "model_max_length": 512}), "utf-8")
    (folder / "pytorch_model.bin").write_bytes(PICKLED)
    return folder


def without_dropout(folder: Path) -> str:
    """A tiny BERT of which several processes come to the same weights."""
    write("google-bert/bert-base-cased", folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def push_all(hub: Hub) -> None:
    """Puts the five under their real ids on a test Hub, where everybody can read them; they stay until its `reset`."""
    owners = tuple({model.split("/")[0] for model in MODELS})
    hub.app.state.tokens = {**hub.app.state.tokens, "hf_owners": User("owners", owners)}
    with hub.in_process("hf_owners"):
        for model, folder in made().items():
            HfApi().create_repo(model, exist_ok=True)
            HfApi().upload_folder(repo_id=model, folder_path=folder)


@functools.cache
def made() -> dict[str, Path]:
    """The five, written once for all tests."""
    root = Path(tempfile.mkdtemp(prefix="tiny-models-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return {model: write(model, root / model) for model in MODELS}


if __name__ == "__main__":
    for name in MODELS:
        print(write(name, Path(sys.argv[1]) / name))
