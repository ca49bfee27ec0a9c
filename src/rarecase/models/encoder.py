"""
Embeddings: every text once through a fixed sentence encoder.

A text's last bits depend on the texts it shares a batch with, so batches follow from the set of texts alone: each
distinct text is encoded once, in sorted order, and the order of the rows changes nothing.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from datasets import Dataset

from rarecase.core.errors import DataError, ModelError
from rarecase.core.processes import from_all, is_distributed, join, share
from rarecase.core.progress import bar
from rarecase.data import arrow, schema
from rarecase.models.checkpoint import PACKAGED, loading, local_folder, quiet, require_tokenizer, require_weights
from rarecase.models.lengths import Reader, stated, tokens_read

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH_SIZE = 64
# The names of the last modules of a classifier that `frozen` or `setfit` saved: they belong to its head.
HEAD_MODULES = ("normalize", "head")
# Of a T5 the library loads the encoder alone. A decoder layer has a second attention, so with as many layers the
# decoder that the configuration describes too is at most twice as large.
_WITH_DECODER = 3
LONGEST_PROMPT = 2_000  # characters that a model has before each text; instructions have some hundred


class Encoder(Protocol):
    """What turns texts into vectors: the packaged encoder, or one of the user's own."""

    def encode(self, texts: list[str]) -> np.ndarray:
        """
        The vectors of some texts.

        Args:
            texts (`list[str]`): the texts.

        Returns:
            `np.ndarray`: float32, shape `(len(texts), dim)`.
        """
        ...


@runtime_checkable
class SavableEncoder(Encoder, Protocol):
    """An encoder that a learner can be saved with."""

    def save(self, folder: Path) -> None:
        """
        Writes the encoder into a new folder, which `load_encoder` reads.

        Args:
            folder (`Path`): the folder.
        """
        ...


class SentenceEncoder:
    """
    An encoder of the `sentence-transformers` library; its vectors have length 1. Its weights are loaded when the first
    text is to be encoded: a run with stored embeddings may never need them. Of a classifier, the head is left out.
    """

    def __init__(self, name: str, folder: Path, max_length: int | None = None):
        self.name = name
        self.folder = folder
        self.max_length = max_length

    @cached_property
    def model(self) -> "SentenceTransformer":
        """The loaded model."""
        from sentence_transformers import SentenceTransformer

        with loading(self.name):
            require_weights(self.name, self.folder, _WITH_DECODER)
            require_tokenizer(self.name, self.folder)
            model = SentenceTransformer(
                str(self.folder),
                trust_remote_code=False,
                local_files_only=True,
                device=str(join().device) if is_distributed() else None,
                model_kwargs={"use_safetensors": True, "dtype": "float32"},
            )
            if len(model.prompts.get(model.default_prompt_name or "") or "") > LONGEST_PROMPT:
                raise ModelError(f"{self.name}: puts more than {LONGEST_PROMPT:,} characters before each text")
            if [name for name, _ in model.named_children()][-2:] == list(HEAD_MODULES):
                del model[-2:]
            if longest := stated(model.max_seq_length):  # for which the library takes all positions, also of padding
                wanted = longest if self.max_length is None else self.max_length
                model.max_seq_length = tokens_read(self.name, model.tokenizer, model[0], wanted)
            return model

    def reader(self) -> Reader | None:
        """How it reads a text; None where it takes a text of any length."""
        model = self.model
        longest = stated(model.max_seq_length)
        prompt = model.prompts.get(model.default_prompt_name or "") or ""
        return None if longest is None else Reader(model.tokenizer, longest, prompt)

    def encode(self, texts: list[str]) -> np.ndarray:
        """The vectors of some texts, float32, shape `(len(texts), dim)`; see `Encoder`."""
        if not texts:
            return np.zeros((0, self.model.get_embedding_dimension() or 0), np.float32)
        unique, index = distinct(texts)
        own = self._own(unique)
        with self._counted(len(own)) as model, loading(self.name, "used"):
            # The library batches by length; its own bar would also appear where stderr is no terminal.
            vectors = model.encode(
                [unique[place] for place in own],
                batch_size=BATCH_SIZE,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        found = from_all((own, np.asarray(vectors, np.float32)))
        every = np.empty((len(unique), found[0][1].shape[1]), np.float32)
        for places, values in found:
            every[places] = values
        return every[index]

    def _own(self, texts: list[str]) -> np.ndarray:
        """Which texts this process reads: its share of the batches that the library makes."""
        by_length = np.argsort([-len(text) for text in texts], kind="stable")
        batches = [by_length[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)]
        return np.unique(np.concatenate([batches[place] for place in share(len(batches))]))

    def encode_layers(self, texts: list[str]) -> np.ndarray:
        """
        What the upper half of its layers make of some texts, float32, shape `(len(texts), layers * dim)`; of an
        encoder with more than pooling behind its layers, its vectors. Together they tell more than the last layer.
        """
        transformer: Any = self.model[0]
        _, *others = self.model.children()
        if any(type(module).__name__ not in ("Pooling", "Normalize") for module in others):
            return self.encode(texts)
        config = transformer.auto_model.config
        before, config.output_hidden_states = config.output_hidden_states, True
        hook = transformer.register_forward_hook(_upper_layers)
        try:
            return self.encode(texts)
        finally:
            hook.remove()
            config.output_hidden_states = before

    @contextlib.contextmanager
    def _counted(self, texts: int) -> "Iterator[SentenceTransformer]":
        """The model, which may have to be loaded first; a bar counts the texts that it reads, where they are many."""
        with bar(texts, "embedding", " texts", disable=None if texts > BATCH_SIZE else True) as shown:
            model = self.model

            def count(*_: object) -> None:
                shown.update(min(BATCH_SIZE, texts - shown.n))

            hook = model[0].register_forward_hook(count)
            try:
                yield model
            finally:
                hook.remove()

    def save(self, folder: Path) -> None:
        """Writes the encoder as `sentence-transformers` does, with safetensors."""
        with quiet():
            self.model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)


def _upper_layers(_: object, __: object, features: "dict[str, Any]") -> "dict[str, Any]":
    """The tokens with all vectors of the upper half of the layers, one behind the other, for what pools them."""
    import torch

    states = features["all_layer_embeddings"]  # the first is what goes into the first layer
    return {**features, "token_embeddings": torch.cat(states[len(states) // 2 :], dim=-1)}


def load_encoder(model: str = PACKAGED, max_length: int | None = None) -> SentenceEncoder:
    """
    A sentence encoder; a plain transformer gets mean pooling.

    Args:
        model (`str`, *optional*, defaults to `packaged`): `packaged` (all-MiniLM-L6-v2, 384 dimensions), a folder or a
            Hub id.
        max_length (`int`, *optional*): tokens of a text that it reads, at most as many as it has positions for; by
            default as many as the model says (`packaged`: 256).

    Raises:
        `ModelError`: if there is no such model, or none that can be loaded safely.

    Example:
        >>> load_encoder().encode(["How do I fix a flat tyre?"]).shape
        (1, 384)
    """
    return SentenceEncoder(model, local_folder(model), max_length)


def embed(dataset: Dataset, encoder: Encoder) -> Dataset:
    """
    The table with the column `embedding`; one that is there already stays as it is.

    Args:
        dataset (`Dataset`): with `text`.
        encoder (`Encoder`): see `load_encoder`.

    Returns:
        `Dataset`: with `embedding`, float32 lists of one length.

    Raises:
        `DataError`: if the column is there and contains a null, a NaN or an infinity.
        `ModelError`: if the encoder returns one.

    Example:
        >>> pool = embed(pool, load_encoder())
    """
    if "embedding" in dataset.column_names:
        require_finite(dataset, "embedding")
        return dataset
    return arrow.with_column(dataset, "embedding", encode(dataset, encoder))


def compare(pool: Dataset, definitions: Sequence[str], encoder: Encoder) -> Dataset:
    """
    How much each text is like the definition of each class, before there is any label.

    Args:
        pool (`Dataset`): column `embedding`, made by this encoder.
        definitions (`Sequence[str]`): one of each class, in the order of the taxonomy.
        encoder (`Encoder`): makes vectors of length 1.

    Returns:
        `Dataset`: the pool with `similarity` (cosine, float32, shape `(rows, classes)`).

    Example:
        >>> pool = compare(embed(pool, encoder), [c.definition for c in taxonomy.classes], encoder)
    """
    classes = arrow.matrix(embed(Dataset.from_dict({"text": list(definitions)}), encoder), "embedding")
    # einsum adds each row up by itself; a matrix product's last bits depend on the row's position in the table.
    return arrow.with_column(pool, "similarity", np.einsum("rd,cd->rc", arrow.matrix(pool, "embedding"), classes))


def encode(dataset: Dataset, encoder: Encoder) -> np.ndarray:
    """The vectors of the texts of a table, float32, shape `(rows, dim)`, all of them finite."""
    vectors = np.asarray(encoder.encode(schema.texts(dataset)), np.float32)
    name = getattr(encoder, "name", type(encoder).__name__)  # which the protocol does not ask for
    if vectors.ndim != 2 or len(vectors) != len(dataset):
        raise ModelError(f"encoder {name}: gave shape {vectors.shape} for {len(dataset)} texts, expected (rows, dim)")
    row = arrow.first_not_finite(vectors)
    if row is not None:
        raise ModelError(
            f"encoder {name}: the vector of {arrow.named_row(dataset, row)} is not finite; "
            "give another model, or drop the row"
        )
    return vectors


def require_finite(dataset: Dataset, column: str) -> np.ndarray:
    """A column of vectors as an array, float32, shape `(rows, dim)`, all of them finite."""
    vectors = arrow.finite(dataset, column)
    if vectors.ndim != 2:
        raise DataError(
            f"column {column!r}: expected a list of numbers in each row; remove it to have it computed again"
        )
    return np.asarray(vectors, np.float32)


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts, sorted, and the index of each text among them: `unique[index[i]] == texts[i]`."""
    unique = sorted(set(texts))
    position = {text: i for i, text in enumerate(unique)}
    return unique, np.fromiter((position[text] for text in texts), np.int64, len(texts))
