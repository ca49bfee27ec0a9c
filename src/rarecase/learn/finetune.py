"""A `transformers` sequence classifier, fine-tuned as a whole: the learner `finetune`."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from rarecase.core.errors import ModelError
from rarecase.core.processes import from_all, in_touch, join, share, size
from rarecase.core.progress import bar
from rarecase.core.randomness import integer, torch_seeded
from rarecase.data import arrow, schema
from rarecase.evaluate.metrics import metrics
from rarecase.hub.ids import name_of
from rarecase.learn import training
from rarecase.learn.batches import labelled_rows, token_batches, training_rows
from rarecase.learn.dropout import DRAWS, dropout_layers, dropout_sample
from rarecase.learn.folders import not_fitted, require_kind, write_learner_beside
from rarecase.learn.hyperparameters import FitOptions, Precision, hyperparameters
from rarecase.learn.learner import Learner
from rarecase.learn.record import Description, ModelRecord
from rarecase.learn.tuned import RATES, copies
from rarecase.models.checkpoint import loading, local_folder, quiet, require_tokenizer, require_weights
from rarecase.models.encoder import distinct
from rarecase.models.lengths import AT_ONCE, LONGEST, Reader, stated, tokens_read

# Tokens of a batch in scoring, with padding: more leaves the processor's cache, fewer leaves a GPU idle.
_BUDGET = {"cpu": 1024}
_BUDGET_ELSEWHERE = 32768
_SAFE: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True, "trust_remote_code": False}


class Finetune(Learner):
    """
    A sequence classifier that `fit` starts from its pretrained weights each time.

    Training order, dropout and the new head follow from the seed, the texts and their labels: rows in another order,
    or with other ids and sources, give the same weights to the last bit on the same machine's CPU. Several processes
    (`accelerate launch`) share out fits and scoring, so each has to call them.

    Args:
        model (`str`): `packaged`, a folder or a Hub id.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        options (`FitOptions`, *optional*): what differs from the model's own hyper-parameters, see
            `rarecase.learn.hyperparameters.MODELS`; the precision `bf16` is mixed in training and plain in scoring.
        seed (`int`): the seed of the run.

    Attributes:
        settings (`Hyperparameters`): the model's own, with the options.
        history (`list[Epoch]`): loss and dev macro-F1 of each epoch of the fit.
        network (`torch.nn.Module`): the fitted classifier; None before.

    Example:
        >>> learner = Finetune("packaged", taxonomy.names, FitOptions(epochs=2), seed=0).fit(train, dev)
        >>> scored = learner.score(pool)                    # with `probs` and `features`
        >>> learner.save("guard")                           # pipeline("text-classification", "guard") reads it
    """

    def __init__(self, model: str, names: Sequence[str], options: FitOptions = FitOptions(), *, seed: int):
        self.model = model
        self.names = tuple(names)
        self.seed = seed
        self.precision = options.precision_or_best()
        self.settings = hyperparameters(model, options)
        self.history: list[training.Epoch] = []
        self.processes = 1  # of the fit
        self.network: Any = None
        self.tokenizer: Any = None
        self._scorer: Any = None

    def fit(self, train: Dataset, dev: Dataset) -> Self:
        """See `Learner.fit`; keeps the epoch with the best macro-F1 on `dev`, the last one without a row in it."""
        rows, labels = training_rows(train, self.names)
        dev_rows, dev_labels = labelled_rows(dev, self.names, "dev")
        fitted, state = copy.copy(self), join()
        fitted.processes = state.num_processes
        fitted._scorer = None
        with torch_seeded(integer(self.seed, "finetune"), state.device):
            network, fitted.tokenizer = _pretrained(self.model, self.names, self.settings.max_length)
            fitted.settings = replace(self.settings, max_length=fitted.tokenizer.model_max_length)
            tokens = fitted._tokenize(schema.texts(rows))
            examples = [{**row, "labels": int(label)} for row, label in zip(tokens, labels, strict=True)]
            dev_tokens = fitted._tokenize(schema.texts(dev_rows))
            if state.process_index:  # else dropout would take the same units in every process
                torch.manual_seed(integer(self.seed, "finetune", state.process_index))

            def dev_macro_f1(network: torch.nn.Module) -> float:
                probs, _ = _forward(network, fitted.tokenizer, dev_tokens)
                return metrics(dev_labels, probs.argmax(axis=1), self.names)["macro_f1"]

            with in_touch():
                fitted.network, fitted.history = training.train(
                    network,
                    examples,
                    DataCollatorWithPadding(fitted.tokenizer),
                    self.settings,
                    classes=len(self.names),
                    seed=self.seed,
                    precision=self.precision,
                    dev_macro_f1=dev_macro_f1 if dev_tokens else None,
                )
        return fitted

    def reader(self) -> Reader:
        """See `Learner.reader`; before a fit that of its model."""
        tokenizer = self.tokenizer
        if tokenizer is None:
            tokenizer = _tokenizer(self.model, self.settings.max_length)
        return Reader(tokenizer, tokenizer.model_max_length)

    def score(self, dataset: Dataset | Sequence[str]) -> Dataset:
        """See `Learner.score`; `features` are what the last layer of the classifier reads."""
        dataset = schema.as_table(dataset)
        unique, index = distinct(schema.texts(dataset))
        network = self._inference()
        with loading(self.model, "used"):
            probs, hidden = _forward(network, self.tokenizer, self._tokenize(unique), progress=True)
        scored = arrow.with_column(dataset, "probs", probs[index])
        return arrow.with_column(scored, "features", hidden[index])

    def sample(self, dataset: Dataset, draws: int = DRAWS) -> Dataset:
        """See `Learner.sample`; each sample, see `rarecase.learn.dropout`, takes as long as `score`."""
        unique, index = distinct(schema.texts(dataset))
        network = self._inference()
        if not dropout_layers(network):
            raise ModelError(
                f"{self.model}: has no dropout layers, so all samples would be equal; choose another strategy "
                "than bald, or another model"
            )
        found = np.zeros((len(unique), draws, len(self.names)), np.float32)
        with loading(self.model, "used"):
            tokens = self._tokenize(unique)
            for draw in range(draws):
                with dropout_sample(network, self.seed, draw):
                    found[:, draw], _ = _forward(network, self.tokenizer, tokens, progress=True)
        return arrow.with_column(dataset, "mc_probs", found[index])

    def variants(self) -> Iterator[Self]:
        """See `Learner.variants`; they differ in the learning rate."""
        rates = [factor * self.settings.learning_rate for factor in RATES]
        return copies(self, "settings", [replace(self.settings, learning_rate=rate) for rate in rates])

    def describe(self) -> Description:
        """See `Learner.describe`."""
        settings = self.settings.described() | {"epochs_run": len(self.history)}
        if self.processes > 1:
            settings["processes"] = self.processes
        return Description("finetune", name_of(self.model), self.precision, self.seed, settings, self.names)

    def save(self, folder: Path | str, record: ModelRecord | None = None) -> None:
        """See `Learner.save`: weights, configuration and tokenizer as `transformers` writes them."""
        self._require_fitted()
        with write_learner_beside(Path(folder), record) as temporary, quiet():
            self.network.save_pretrained(temporary)
            self.tokenizer.save_pretrained(temporary)

    @classmethod
    def from_pretrained(
        cls, model: str | Path, *, precision: Precision | None = "fp32", max_length: int | None = None, seed: int = 0
    ) -> Self:
        """
        Loads a classifier that is trained already (see `load_learner`): what `save` wrote, or any of `transformers`.

        Args:
            model (`str` or `Path`): a folder or a Hub id, also `ORG/NAME@REVISION`.
            precision (`str`, *optional*, defaults to `fp32`): `fp32`, `bf16`, or None for the best on this device.
            max_length (`int`, *optional*): tokens of a text that it reads; by default as many as its tokenizer says,
                512 where that does not know.
            seed (`int`, *optional*, defaults to 0): for a later `fit`, which starts from these weights.

        Raises:
            `ModelError`: if it cannot be loaded safely, has no trained head, or is a learner of another kind.

        Example:
            >>> Finetune("packaged", taxonomy.names, FitOptions(updates=1), seed=0).fit(train, dev).save("guard")
            >>> Finetune.from_pretrained("guard").names == taxonomy.names
            True
        """
        options = FitOptions(precision=precision, max_length=max_length)
        folder = local_folder(str(model))
        require_kind(folder, model, "finetune")
        with loading(str(model)):
            require_weights(str(model), folder)
            require_tokenizer(str(model), folder)
            network, found = AutoModelForSequenceClassification.from_pretrained(
                folder, output_loading_info=True, **_SAFE
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            names = [network.config.id2label[i] for i in range(network.config.num_labels)]
        if found["missing_keys"]:
            raise ModelError(
                f"{model}: an encoder without a trained head; fit it first, or give a classifier's folder"
            )
        problem = network.config.problem_type or ("regression" if len(names) == 1 else None)
        if problem in ("multi_label_classification", "regression"):
            raise ModelError(f"{model}: its problem_type is {problem}, expected a classifier of one label a text")
        if not all(isinstance(name, str) for name in names) or not 0 < len(set(names)) == len(names):
            raise ModelError(f"{model}: id2label in its config.json does not name its classes; give another model")
        wanted = max_length or stated(tokenizer.model_max_length) or LONGEST
        tokenizer.model_max_length = tokens_read(str(model), tokenizer, network, wanted)
        learner = cls(str(model), names, options, seed=seed)
        learner.settings = replace(learner.settings, max_length=tokenizer.model_max_length)
        learner.network, learner.tokenizer = network.to(join().device).eval(), tokenizer
        return learner

    def _tokenize(self, texts: list[str]) -> list[dict[str, np.ndarray]]:
        """The tokens of each text, in arrays: those of a large pool as numbers of Python take gigabytes."""
        found = []
        with loading(self.model, "used"):
            for start in range(0, len(texts), AT_ONCE):
                part = texts[start : start + AT_ONCE]
                columns = self.tokenizer(part, truncation=True, max_length=self.tokenizer.model_max_length)
                arrays = ([np.array(row, np.int32) for row in column] for column in columns.values())
                found += [dict(zip(columns, row, strict=True)) for row in zip(*arrays, strict=True)]
        return found

    def _inference(self) -> Any:
        self._require_fitted()
        if self.precision == "fp32":
            return self.network
        if self._scorer is None:
            self._scorer = copy.deepcopy(self.network).to(torch.bfloat16)
            if self._scorer.device.type == "cpu":  # torch's fused attention takes longer than plain products there
                self._scorer.set_attn_implementation("eager")
        return self._scorer

    def _require_fitted(self) -> None:
        if self.network is None:
            raise not_fitted(self.model)


def _pretrained(model: str, names: Sequence[str], max_length: int | None) -> tuple[Any, Any]:
    """The network with a new head for `names`, drawn from torch's generator, and its tokenizer."""
    folder = local_folder(model)
    with loading(model):
        require_weights(model, folder)
        network = AutoModelForSequenceClassification.from_pretrained(
            folder,
            id2label=dict(enumerate(names)),
            label2id={name: i for i, name in enumerate(names)},
            problem_type="single_label_classification",
            ignore_mismatched_sizes=True,  # a classifier of other classes keeps its body
            **_SAFE,
        )
        tokenizer = _tokenizer(model, max_length, network)
        network.config.pad_token_id = tokenizer.pad_token_id
    return network, tokenizer


def _tokenizer(model: str, max_length: int | None, network: Any = None) -> Any:
    """The tokenizer of a model, which knows how much the network reads; the weights are not needed."""
    folder = local_folder(model)
    with loading(model):
        require_tokenizer(model, folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if network is None:
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            with torch_seeded(0, torch.device("cpu")), torch.device("meta"):
                network = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
        wanted = max_length or min(stated(tokenizer.model_max_length) or LONGEST, LONGEST)
        # The length travels with the tokenizer, so that pipeline(..., truncation=True) reads what was trained on.
        tokenizer.model_max_length = tokens_read(model, tokenizer, network, wanted)
        if tokenizer.pad_token is None:  # decoders have none
            tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@torch.inference_mode()
def _forward(
    network: Any, tokenizer: Any, tokens: list[dict], *, progress: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `(rows, classes)` and what the last layer reads `(rows, hidden)`, both float32."""
    collate: Any = DataCollatorWithPadding(tokenizer)
    device = next(network.parameters()).device
    network.eval()
    linear = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    head = [module for module in linear if module.out_features == network.config.num_labels][-1]
    probs = np.zeros((len(tokens), head.out_features), np.float32)
    hidden = np.zeros((len(tokens), head.in_features), np.float32)
    read: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    lengths = np.array([len(row["input_ids"]) for row in tokens], np.int64)
    budget = _BUDGET.get(device.type, _BUDGET_ELSEWHERE)
    batches = token_batches(lengths, budget if size() == 1 else min(budget, int(lengths.sum()) // size()))
    own, disabled = share(len(batches)), None if progress else True
    try:
        for rows in bar(len(own), "scoring", iterable=[batches[place] for place in own], delay=2, disable=disabled):
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
    read_here = np.concatenate([batches[place] for place in own]) if own else np.zeros(0, np.int64)
    for rows, *found in from_all((read_here, probs[read_here], hidden[read_here])):
        probs[rows], hidden[rows] = found
    return probs, hidden
