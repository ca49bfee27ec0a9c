"""A learner as a guard: scores of texts of any length, and verdicts by the threshold and the action of each class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from datasets import Dataset

from rarecase.core import randomness
from rarecase.core.errors import ConfigError, DataError, ModelError
from rarecase.data.arrow import first_not_finite, matrix, rows
from rarecase.data.schema import canonical_order, texts
from rarecase.data.taxonomy import ACTIONS, Action, Taxonomy
from rarecase.guard.behaviours import CLASSES, SENTENCES, judged
from rarecase.guard.certificate import CERTIFICATE, Certificate, model_sha256
from rarecase.guard.normalize import VERSION, normalize
from rarecase.guard.script import is_other_script
from rarecase.guard.thresholds import LEAST, THRESHOLD, best_f1, for_long_texts
from rarecase.guard.verdict import Verdict
from rarecase.guard.windows import SIZE, windows
from rarecase.hub.ids import split_revision
from rarecase.learn import Learner, load_learner
from rarecase.learn.backends import Backend, compute_by, require_backend
from rarecase.learn.hyperparameters import Precision
from rarecase.learn.record import GuardSettings, Judged, ModelRecord
from rarecase.models.checkpoint import local_folder

PREPROCESSING = f"normalizer {VERSION}, windows of {SIZE} tokens"  # a threshold belongs to one
_TIMES = 10  # that a validation row is in a long text, on average
_LONGEST = 64_000  # characters of it


@dataclass(frozen=True)
class Reading:
    """What a model reads of some texts: all their windows in order, and as many of each as `counts` says."""

    windows: Sequence[str]
    counts: np.ndarray
    script_other: np.ndarray
    replaced: np.ndarray


@dataclass(frozen=True)
class Scores:
    """
    How a guard scores some texts.

    Args:
        probs (`np.ndarray`): float64, shape `(texts, classes)`: the largest probability of all windows of a text; of a
            class whose action is `allow` the smallest. Those of certified and `allow` classes are at the guard's
            temperature, the others at 1, so a row need not sum to 1.
        windows (`np.ndarray`): int64, shape `(texts,)`: in how many windows each was read.
        script_other (`np.ndarray`): bool, shape `(texts,)`: whether most of its letters are not Latin.
        replaced (`np.ndarray`): int64, shape `(texts,)`: lone surrogates in it, read as U+FFFD.
    """

    probs: np.ndarray
    windows: np.ndarray
    script_other: np.ndarray
    replaced: np.ndarray


class Guard:
    """
    A fitted learner that judges texts: what hides a text is undone, a long one is read in windows that overlap by
    half, and the score of each class is compared with its threshold.

    Args:
        learner (`Learner`): a fitted one, of any kind.
        taxonomy (`Taxonomy`, *optional*): its classes, for their actions and messages; by default those that ship
            with rarecase where they have these names, and `flag` for others.
        thresholds (`Sequence[float]`, *optional*): of each class, in order; by default 0.5. That of a class whose
            action is `allow` has no effect.
        temperature (`float`, *optional*, defaults to 1): what the logits are divided by.

    Attributes:
        names (`tuple[str, ...]`): the classes, in order.
        harmful (`np.ndarray`): bool, shape `(classes,)`: whose action is not `allow`.
        thresholds (`np.ndarray`): float64, shape `(classes,)`; infinite for a class whose action is `allow`.
        long_thresholds (`np.ndarray`): likewise, for texts of several windows. They are higher where these would flag
            more than a tenth of harmless texts of 1,000 tokens, put together from validation rows; of a class that a
            certificate certifies they are the same.
        certificate (`Certificate`, *optional*): what `rarecase guard calibrate` wrote into the model's folder; its
            thresholds and temperature are those of the guard, for the classes that it certifies.
        revision (`str`): the commit of a model of the Hub, else the beginning of the hash of its weights and classes.
        certified (`bool`): whether every class whose action is not `allow` has a threshold of the certificate.
        void (`str`): why a certificate that lies there is not of this guard; empty where it is, or there is none.

    Raises:
        `ConfigError`: if the taxonomy or the thresholds are not of the learner's classes.

    Example:
        >>> guard = Guard.from_pretrained("guard")
        >>> [verdict] = guard.check(["How do I fix a flat tyre?"])
        >>> verdict.action, verdict.windows
        ('allow', 1)
    """

    def __init__(
        self,
        learner: Learner,
        taxonomy: Taxonomy | None = None,
        thresholds: Sequence[float] | None = None,
        *,
        temperature: float = 1.0,
    ):
        self.learner = learner
        self.names = tuple(learner.names)
        self.taxonomy = Taxonomy.from_names(self.names) if taxonomy is None else taxonomy
        if self.taxonomy.names != self.names:
            raise ConfigError(
                f"the taxonomy has {len(self.taxonomy.names)} classes that are not the model's {len(self.names)} in "
                "their order; give the one that it was trained with"
            )
        self.actions = tuple(one.action for one in self.taxonomy.classes)
        self.harmful = np.array([action != "allow" for action in self.actions])
        given = np.full(len(self.names), THRESHOLD) if thresholds is None else np.asarray(thresholds, np.float64)
        if given.shape != self.harmful.shape:
            raise ConfigError(f"{given.size} thresholds: expected one for each of the {len(self.names)} classes")
        self.thresholds = np.where(self.harmful, given, np.inf)
        self.long_thresholds = self.thresholds.copy()
        self.temperature = temperature
        self._scaled = np.ones(len(self.names), bool)  # the classes whose thresholds are of scores at this temperature
        self.certificate: Certificate | None = None
        self.void = ""
        self.revision = ""

    @property
    def certified(self) -> bool:
        """What a verdict says."""
        certified = self.certificate.certified if self.certificate else ()
        return bool(certified) and all(
            name in certified for name, harmful in zip(self.names, self.harmful, strict=True) if harmful
        )

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        *,
        revision: str | None = None,
        taxonomy: Taxonomy | None = None,
        dtype: Precision = "fp32",
        backend: Backend = "torch",
    ) -> Self:
        """
        Loads a learner of any kind, or any text classifier of `transformers`, as a guard; with the thresholds of its
        certificate, if it has one that is of these weights, classes and preprocessing, and of this type and backend.

        Args:
            model (`str` or `Path`): a folder or a Hub id, also `ORG/NAME@REVISION`.
            revision (`str`, *optional*): a branch, tag or commit of a Hub id.
            taxonomy (`Taxonomy`, *optional*): see the class.
            dtype (`str`, *optional*, defaults to `fp32`): `fp32` or `bf16`, which is fast where the processor has it.
            backend (`str`, *optional*, defaults to `torch`): `torch`, or `onnx`, which is onnxruntime on the processor
                (`pip install 'rarecase[onnx]'`); the model is exported when it is loaded, which takes seconds.

        Raises:
            `ConfigError`: if a folder is given with a revision, the taxonomy does not fit, or the backend is not
                installed or does not compute in this type.
            `ModelError`: if there is no classifier in it that can be loaded safely.

        Example:
            >>> Guard.from_pretrained("guard").names
            ('self-harm', 'medical-advice', 'legal-advice', 'financial-advice', 'emergency-situation', 'not-harmful')
        """
        source = str(model)
        if revision is not None:
            if Path(source).is_dir() or split_revision(source)[1] is not None:
                raise ConfigError(f"revision {revision}: {source} is a folder, or names one itself; leave it out")
            source = f"{source}@{revision}"
        guard, folder = cls._loaded(source, taxonomy, dtype, backend)
        sha256 = model_sha256(folder, guard.names)
        guard.revision = folder.name if folder.parent.name == "snapshots" else sha256[:12]
        if certificate := Certificate.read(folder):
            guard.void = why_void(certificate, sha256, setting(dtype, backend))
            if not guard.void:
                guard.certificate = certificate
            if not guard.void and certificate.certified:  # one that refuses every class sets nothing
                guard.temperature = certificate.temperature
                certified = np.isin(guard.names, certificate.certified)
                guard._scaled = certified | ~guard.harmful  # the others have their old thresholds
                for place in np.flatnonzero(certified & guard.harmful):  # one for texts of any length
                    threshold = certificate.classes[guard.names[place]].threshold
                    guard.thresholds[place] = guard.long_thresholds[place] = threshold
        return guard

    @classmethod
    def uncertified(cls, source: str, dtype: Precision = "fp32", backend: Backend = "torch") -> Self:
        """The same without a look at a certificate: what is calibrated."""
        return cls._loaded(source, None, dtype, backend)[0]

    @classmethod
    def _loaded(cls, source: str, taxonomy: Taxonomy | None, dtype: Precision, backend: Backend) -> tuple[Self, Path]:
        """A guard without a certificate, and its folder on this machine."""
        require_backend(dtype, backend)
        learner = load_learner(source, precision=dtype)
        compute_by(learner, dtype, backend)
        folder = local_folder(source)
        record = ModelRecord.read(folder)
        known = record.guard if record and record.names == tuple(learner.names) else None
        if taxonomy is None and known is not None:
            taxonomy = _taxonomy_of(learner.names, known)
        guard = cls(learner, taxonomy)
        if known is not None:
            guard.thresholds, guard.long_thresholds = (
                np.where(guard.harmful, [of.get(name, THRESHOLD) for name in guard.names], np.inf)
                for of in (known.thresholds, known.thresholds | known.long_thresholds)
            )
        return guard, folder

    def settings(self, dev: Dataset) -> GuardSettings:
        """What the record of a model says of it: thresholds set on `dev`, and how it judges sentences at these."""
        thresholds = np.full(len(self.names), THRESHOLD)
        if len(dev):
            thresholds = best_f1(self.scores(texts(dev)).probs, np.asarray(dev["label"][:]))
        classes = self.taxonomy.classes
        behaviours: dict[str, dict[str, Judged]] = {}
        if {one.name for one in classes if one.action != "allow"} == CLASSES:
            over = self.scores([one.text for one in SENTENCES]).probs >= thresholds
            behaviours = judged(bool(one[self.harmful].any()) for one in over)
        return GuardSettings(
            normalizer=VERSION,
            actions={one.name: one.action for one in classes},
            messages={one.name: one.message for one in classes if one.message},
            categories={one.name: one.openai for one in classes if one.openai},
            thresholds=self._by_name(thresholds),
            long_thresholds=self._by_name(np.maximum(thresholds, self._for_long_texts(dev))),
            behaviours=behaviours,
        )

    def _by_name(self, thresholds: np.ndarray) -> dict[str, float]:
        """Of each class whose action is not `allow`."""
        return {self.names[place]: float(thresholds[place]) for place in np.flatnonzero(self.harmful)}

    def _for_long_texts(self, dev: Dataset) -> np.ndarray:
        """Thresholds from a long text of harmless rows, each about ten times in it; zero where that is too short."""
        ordered = rows(dev, canonical_order(dev))
        harmless = [text for text, c in zip(texts(ordered), ordered["label"][:], strict=True) if not self.harmful[c]]
        drawn = randomness.generator(0, "long texts").integers(len(harmless), size=_TIMES * len(harmless))
        cut = windows(normalize(" ".join(harmless[i] for i in drawn)[:_LONGEST]).text, self.learner.reader())
        found = np.zeros(len(self.names))
        if len(cut) >= LEAST:
            found[self.harmful] = for_long_texts(self.probabilities(cut)[:, self.harmful])
        return found

    def scores(self, texts: Sequence[str]) -> Scores:
        """
        The score of each class for each text; all windows of all texts are scored together, equal ones once.

        Args:
            texts (`Sequence[str]`): texts of any length.

        Returns:
            `Scores`: see there.

        Raises:
            `DataError`: if it is no list of texts, such as one text, or a table.

        Example:
            >>> guard.scores(["How do I fix a flat tyre?"]).windows.tolist()
            [1]
        """
        reading = self.read(texts)
        return self.combined(reading, self.probabilities(reading.windows))

    def read(self, texts: Sequence[str]) -> Reading:
        """What the model will read of some texts: normalised, and cut into windows."""
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise DataError("expected a list of texts, such as ['How do I fix a flat tyre?'] or table['text']")
        read = [normalize(text) for text in texts]
        reader = self.learner.reader()
        cut = [windows(one.text, reader) for one in read]
        return Reading(
            [window for parts in cut for window in parts],
            np.array([len(parts) for parts in cut], np.int64),
            np.array([is_other_script(one.text) for one in read], bool),
            np.array([one.replaced for one in read], np.int64),
        )

    def combined(self, reading: Reading, probs: np.ndarray) -> Scores:
        """The scores of texts, from the probabilities of all their windows."""
        if len(reading.counts):
            first = np.cumsum(reading.counts) - reading.counts
            largest, smallest = np.maximum.reduceat(probs, first), np.minimum.reduceat(probs, first)
            probs = np.where(self.harmful, largest, smallest)
        return Scores(probs, reading.counts, reading.script_other, reading.replaced)

    def check(self, texts: Sequence[str]) -> list[Verdict]:
        """
        A verdict on each text, in order.

        Args:
            texts (`Sequence[str]`): texts of any length.

        Returns:
            `list[Verdict]`: see there.

        Raises:
            `DataError`: as by `scores`.

        Example:
            >>> [verdict.flagged for verdict in guard.check(["How do I fix a flat tyre?"])]
            [False]
        """
        return list(self.verdicts(self.scores(texts)))

    def verdicts(self, scores: Scores) -> Iterator[Verdict]:
        """What follows from scores."""
        several = scores.windows > 1
        over = scores.probs - np.where(several[:, None], self.long_thresholds, self.thresholds)
        severity = [ACTIONS.index(action) for action in self.actions]
        allowed = np.flatnonzero(~self.harmful)
        thresholds, long_thresholds = self._by_name(self.thresholds), self._by_name(self.long_thresholds)
        for probs, margin, count, other, replaced in zip(
            scores.probs, over, scores.windows, scores.script_other, scores.replaced, strict=True
        ):
            flagged = np.flatnonzero(margin >= 0)
            place: int | None = None
            if len(flagged):
                place = max(flagged.tolist(), key=lambda i: (severity[i], margin[i]))
            elif len(allowed):
                place = max(allowed.tolist(), key=lambda i: probs[i])
            action: Action = "allow" if place is None else self.actions[place]
            yield Verdict(
                label=None if place is None else self.names[place],
                action=action,
                flagged=bool(len(flagged)),
                message="" if place is None else self.taxonomy.classes[place].message,
                windows=int(count),
                script="other" if other else "latin",
                replaced=int(replaced),
                certified=self.certified,
                scores=dict(zip(self.names, probs.tolist(), strict=True)),
                thresholds=long_thresholds if count > 1 else thresholds,
            )

    def probabilities(self, windows: Sequence[str]) -> np.ndarray:
        """
        Of each window, float64; of certified and `allow` classes the softmax at the guard's temperature, of the others
        at 1, so a row need not sum to 1. `ModelError` where one is not finite: a NaN would be below every threshold.
        """
        if not len(windows):
            return np.zeros((0, len(self.names)))
        probs = matrix(self.learner.score(windows), "probs").astype(np.float64)
        if first_not_finite(probs) is not None:
            raise ModelError("the model gives scores that are not finite, so it judges no text; give another model")
        if self.temperature == 1:
            return probs
        scaled = probs ** (1 / self.temperature)  # p is proportional to exp(logit)
        return np.where(self._scaled, scaled / scaled.sum(axis=1, keepdims=True), probs)


def setting(dtype: str, backend: str) -> str:
    """The name, among the differences of a certificate, of what a guard is computed with."""
    return dtype if backend == "torch" else backend


def why_void(certificate: Certificate, sha256: str, computed: str) -> str:
    """Why a certificate is not of the model with this hash, as it is read today; empty where it is."""
    if certificate.model_sha256 != sha256:
        return f"{CERTIFICATE} is of other weights or classes"
    if certificate.preprocessing != PREPROCESSING:
        return f"{CERTIFICATE} is of another preprocessing ({certificate.preprocessing}, today's is {PREPROCESSING})"
    made = setting(certificate.dtype, certificate.backend)
    if computed not in (made, *(one.setting for one in certificate.differences)):
        return f"{CERTIFICATE} is of {made}, and does not say how far scores in {computed} are from that"
    return ""


def _taxonomy_of(names: Sequence[str], known: GuardSettings) -> Taxonomy:
    classes = Taxonomy.from_names(names).classes
    return Taxonomy(
        tuple(
            replace(
                one,
                action=known.actions[one.name],
                message=known.messages.get(one.name, ""),
                openai=known.categories.get(one.name, one.openai),
            )
            for one in classes
        )
    )
