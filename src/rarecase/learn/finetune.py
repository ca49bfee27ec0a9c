"""A `transformers` sequence classifier, fine-tuned as a whole: the learner `finetune`."""

import copy
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from accelerate import PartialState
from datasets import Dataset
from tqdm import tqdm
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from rarecase.core.errors import ModelError
from rarecase.core.randomness import integer, torch_seeded
from rarecase.data import arrow, schema
from rarecase.evaluate.metrics import metrics
from rarecase.hub.ids import name_of
from rarecase.learn import training
from rarecase.learn.batches import labelled_rows, token_batches, training_rows
from rarecase.learn.dropout import DRAWS, dropout_layers, thinned
from rarecase.learn.folders import write_learner_beside
from rarecase.learn.hyperparameters import WARMUP, FitOptions, Precision, Settings, at_least_one, hyperparameters
from rarecase.learn.record import Description, ModelRecord
from rarecase.learn.tuned import RATES, copies
from rarecase.learn.workers import Labeled, all_or_none, require_main, together
from rarecase.models.checkpoint import loading, local_folder, quiet
from rarecase.models.encoder import distinct

# Tokens of a batch in scoring, with padding: more leaves the processor's cache, fewer leaves a GPU idle.
_BUDGET = {"cpu": 1024}
_BUDGET_ELSEWHERE = 32768
_LONGEST = 512  # of a foreign classifier that does not say how many tokens it reads


class Finetune:
    """
    A sequence classifier that `fit` starts from its pretrained weights each time.

    Training order, dropout and the new head follow from the seed, the texts and their labels: rows in another order,
    or with other ids and sources, give the same weights to the last bit on the same machine's CPU.

    Args:
        model (`str`): `packaged`, a folder or a Hub id.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        options (`FitOptions`): what differs from the model's own, see `rarecase.learn.hyperparameters.MODELS`; the
            precision `bf16` is mixed in training and plain in scoring.
        seed (`int`): the seed of the run.
        gradient_accumulation (`int`, *optional*, defaults to 1): batches whose gradients make one optimiser step.
        patience (`int`, *optional*, defaults to 3): epochs without a better dev macro-F1 before training stops.

    Example:
        >>> learner = Finetune("packaged", taxonomy.names, seed=0).fit(train, dev)
        >>> scored = learner.score(pool)                    # with `probs` and `features`
        >>> learner.save("guard")                           # pipeline("text-classification", "guard") reads it
    """

    def __init__(
        self,
        model: str,
        names: Sequence[str],
        options: FitOptions = FitOptions(),  # noqa: B008 - frozen
        *,
        seed: int,
        gradient_accumulation: int = 1,
        patience: int = 3,
    ):
        at_least_one("gradient_accumulation", gradient_accumulation)
        self.model = model
        self.names = tuple(names)
        self.seed = seed
        self.precision = options.precision_or_best()
        self.settings = hyperparameters(model, options)
        self.gradient_accumulation = gradient_accumulation
        self.patience = patience
        self.history: list[training.Epoch] = []
        self.processes = 1  # that were at the last fit
        self._network: Any = None
        self._scorer: Any = None
        self._tokenizer: Any = None

    def prepare(self, dataset: Dataset) -> Dataset:
        """Nothing of a fine-tuned model outlives a round: the table as it is."""
        return dataset

    def fit(self, train: Dataset, dev: Dataset) -> "Finetune":
        """
        Trains from the pretrained weights and keeps the epoch with the best macro-F1 on `dev`.

        Args:
            train (`Dataset`): with `text` and `label`; a class may lack examples.
            dev (`Dataset`): likewise; without a row every epoch is run and the last one kept.

        Returns:
            `Finetune`: itself.

        Raises:
            `DataError`: where there is no training row, a label is missing or the classes are others.
            `ModelError`: where the model cannot be loaded safely.
            `ConfigError`: in a process of several that is not the main one, see `rarecase.learn.workers`.
        """
        require_main()
        rows, labels = training_rows(train, self.names)
        dev_rows, dev_labels = labelled_rows(dev, self.names, "dev")
        return self.fit_texts((schema.texts(rows), labels), (schema.texts(dev_rows), dev_labels))

    @together
    def fit_texts(self, train: Labeled, dev: Labeled) -> "Finetune":
        """
        What `fit` does, by all processes of an `accelerate launch`.

        Args:
            train (`tuple[list[str], np.ndarray]`): the texts in canonical order, and their classes (int64).
            dev (`tuple[list[str], np.ndarray]`): likewise.
        """
        (texts, labels), (dev_texts, dev_labels) = train, dev
        state = PartialState()
        self.processes = state.num_processes
        with torch_seeded(integer(self.seed, "finetune"), state.device):
            self._scorer = None
            with all_or_none():
                self._network, self._tokenizer = _pretrained(self.model, self.names, self.settings.max_length)
                tokens = self._tokenize(texts)
                examples = [{**row, "labels": int(label)} for row, label in zip(tokens, labels, strict=True)]
                dev_tokens = self._tokenize(dev_texts)
            if state.process_index:  # else dropout would take the same units in every process
                torch.manual_seed(integer(self.seed, "finetune", state.process_index))

            def dev_macro_f1() -> float:
                probs, _ = _forward(self._network, self._tokenizer, dev_tokens)
                return metrics(dev_labels, probs.argmax(axis=1), self.names)["macro_f1"]

            self.history = training.train(
                self._network,
                examples,
                DataCollatorWithPadding(self._tokenizer),
                self.settings,
                classes=len(self.names),
                seed=self.seed,
                precision=self.precision,
                gradient_accumulation=self.gradient_accumulation,
                patience=self.patience,
                dev_macro_f1=dev_macro_f1 if dev_tokens else None,
            )
        return self

    def score(self, dataset: Dataset) -> Dataset:
        """
        The probability of each class for each text.

        Args:
            dataset (`Dataset`): with `text`.

        Returns:
            `Dataset`: with `probs`, float32 `(rows, classes)`, and `features`, float32 `(rows, hidden)`: what the last
            layer of the classifier reads.

        Raises:
            `ModelError`: where the learner has not been fitted.
        """
        unique, place = distinct(schema.texts(dataset))
        network = self._inference()
        probs, hidden = _forward(network, self._tokenizer, self._tokenize(unique), progress=True)
        scored = arrow.with_column(dataset, "probs", probs[place])
        return arrow.with_column(scored, "features", hidden[place])

    def sample(self, dataset: Dataset, draws: int = DRAWS) -> Dataset:
        """
        The probabilities by thinned-out copies of the network, its dropout layers on: see `rarecase.learn.dropout`.

        Args:
            dataset (`Dataset`): with `text`.
            draws (`int`, *optional*, defaults to 10): how many copies; each takes as long as `score`.

        Returns:
            `Dataset`: with `mc_probs`, float32 `(rows, draws, classes)`.

        Raises:
            `ModelError`: where the learner has not been fitted, or its model has no dropout.
        """
        unique, place = distinct(schema.texts(dataset))
        network = self._inference()
        if not dropout_layers(network):
            raise ModelError(
                f"{self.model}: has no dropout, so every draw is alike; choose another strategy than bald, or another "
                "model"
            )
        tokens = self._tokenize(unique)
        found = np.zeros((len(unique), draws, len(self.names)), np.float32)
        for draw in range(draws):
            with thinned(network, self.seed, draw):
                found[:, draw], _ = _forward(network, self._tokenizer, tokens, progress=True)
        return arrow.with_column(dataset, "mc_probs", found[place])

    def variants(self) -> Iterator[Self]:
        """Copies to choose from on dev, the first as it is; see `rarecase.learn.tuned`."""
        at = [replace(self.settings, learning_rate=factor * self.settings.learning_rate) for factor in RATES]
        return copies(self, "settings", at)

    def describe(self) -> Description:
        """How it was made; see `Learner.describe`."""
        settings: Settings = {
            **self.settings.described(),
            "warmup": WARMUP,
            "gradient_accumulation": self.gradient_accumulation,
            "patience": self.patience,
            "epochs_run": len(self.history),
        }
        if self.processes > 1:
            settings["processes"] = self.processes
        return Description("finetune", name_of(self.model), self.precision, self.seed, settings, self.names)

    def save(self, folder: Path | str, record: ModelRecord | None = None) -> None:
        """
        Writes weights (safetensors), configuration and tokenizer as `transformers` does, and the record: the whole
        folder or nothing.

        Args:
            folder (`Path` or `str`): the folder.
            record (`ModelRecord`, *optional*): written as `rarecase.json`.

        Raises:
            `ModelError`: where the learner has not been fitted, or `folder` holds something else.
        """
        self._require_fitted()
        with write_learner_beside(Path(folder), record) as temporary, quiet():
            self._network.save_pretrained(temporary)
            self._tokenizer.save_pretrained(temporary)

    @classmethod
    def load(cls, model: str | Path, precision: Precision | None = "fp32", *, seed: int = 0) -> "Finetune":
        """
        Loads a classifier that is trained already: one that `save` wrote, or any of `transformers`.

        Args:
            model (`str` or `Path`): a folder or a Hub id.
            precision (`str`, *optional*, defaults to `fp32`): see the class.
            seed (`int`, *optional*, defaults to 0): for a later `fit`, which starts from these weights.

        Raises:
            `ModelError`: where it cannot be loaded safely, or has no trained head.
        """
        folder = local_folder(str(model))
        with loading(str(model)):
            network, found = AutoModelForSequenceClassification.from_pretrained(
                folder, output_loading_info=True, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if found["missing_keys"]:
            raise ModelError(
                f"{model}: an encoder without a trained head; fit it first, or give a classifier's folder"
            )
        if tokenizer.model_max_length > 100_000:  # transformers' way to say that it does not know
            tokenizer.model_max_length = _LONGEST
        names = [network.config.id2label[i] for i in range(network.config.num_labels)]
        learner = cls(str(model), names, FitOptions(precision=precision), seed=seed)
        learner.settings = replace(learner.settings, max_length=tokenizer.model_max_length)
        learner._network, learner._tokenizer = network.to(PartialState().device).eval(), tokenizer
        return learner

    def _tokenize(self, texts: list[str]) -> list[dict[str, list[int]]]:
        if not texts:
            return []
        columns = self._tokenizer(texts, truncation=True, max_length=self._tokenizer.model_max_length)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _inference(self) -> Any:
        self._require_fitted()
        if self.precision == "fp32":
            return self._network
        if self._scorer is None:
            self._scorer = copy.deepcopy(self._network).to(torch.bfloat16)
            if self._scorer.device.type == "cpu":  # torch's fused attention takes longer than plain products there
                self._scorer.set_attn_implementation("eager")
        return self._scorer

    def _require_fitted(self) -> None:
        if self._network is None:
            raise ModelError(
                f"{self.model}: the learner has not been fitted; call fit(train, dev) or load_learner(path)"
            )


def _pretrained(model: str, names: Sequence[str], max_length: int) -> tuple[Any, Any]:
    """The network with a new head for `names`, drawn from torch's generator, and its tokenizer."""
    folder = local_folder(model)
    with loading(model):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        # The length travels with the tokenizer, so that pipeline(..., truncation=True) reads what was trained on.
        tokenizer.model_max_length = min(max_length, tokenizer.model_max_length)
        network = AutoModelForSequenceClassification.from_pretrained(
            folder,
            id2label=dict(enumerate(names)),
            label2id={name: i for i, name in enumerate(names)},
            problem_type="single_label_classification",
            ignore_mismatched_sizes=True,  # a classifier of other classes keeps its body
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
        )
        if tokenizer.pad_token is None:  # decoders have none
            tokenizer.pad_token = tokenizer.eos_token
        network.config.pad_token_id = tokenizer.pad_token_id
    return network, tokenizer


@torch.inference_mode()
def _forward(
    network: Any, tokenizer: Any, tokens: list[dict], *, progress: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `(rows, classes)` and what the last layer reads `(rows, hidden)`, both float32."""
    collate: Any = DataCollatorWithPadding(tokenizer)
    device = next(network.parameters()).device
    network.eval()
    head = [
        module
        for module in network.modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == network.config.num_labels
    ][-1]
    probs = np.zeros((len(tokens), head.out_features), np.float32)
    hidden = np.zeros((len(tokens), head.in_features), np.float32)
    read: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    batches = token_batches(
        np.array([len(row["input_ids"]) for row in tokens], np.int64), _BUDGET.get(device.type, _BUDGET_ELSEWHERE)
    )
    quiet = None if progress else True
    try:
        for rows in tqdm(batches, desc="scoring", delay=2, disable=quiet, leave=False, file=sys.stderr):
            batch = collate([tokens[row] for row in rows]).to(device)
            logits = network(**batch).logits.float()
            vectors = read.pop().float()
            if vectors.ndim == 3:  # a decoder's head reads every token
                mask = batch["attention_mask"].unsqueeze(-1)
                vectors = (vectors * mask).sum(dim=1) / mask.sum(dim=1)
            probs[rows] = torch.softmax(logits, dim=-1).cpu().numpy()
            hidden[rows] = vectors.cpu().numpy()
    finally:
        hook.remove()
    return probs, hidden
