"""`POST /predict` as text-embeddings-inference answers it, and `POST /`, which `InferenceClient` reads."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rarecase.guard.verdict import Verdict
from rarecase.serve.refused import Refused

_EXPECTED = "inputs: expected a string, or a list of lists of one string"
_LEAST = 1e-12  # of a probability, in its logarithm


@dataclass(frozen=True)
class Inputs:
    """The texts of a request, whether its answer is a list of lists, scores as logits, and the number of classes."""

    texts: Sequence[str]
    nested: bool
    raw: bool = False
    top: int | None = None


def inputs_of(body: dict[str, object], *, root: bool) -> Inputs:
    """The texts of a request; at the `root` a list of strings is several, elsewhere a pair, which no guard judges."""
    given = body.get("parameters") if root else body
    parameters = given if isinstance(given, dict) else {}
    raw, top = parameters.get("raw_scores", False), parameters.get("top_k")
    if not isinstance(raw, bool) or not (top is None or (isinstance(top, int) and top > 0)):
        raise Refused(422, "raw_scores: expected true or false; top_k: expected a number above 0")
    texts, nested = _texts_of(body.get("inputs"), root)
    return Inputs(texts, nested or root, raw or parameters.get("function_to_apply") == "none", top)


def reply(inputs: Inputs, verdicts: Sequence[Verdict]) -> list[Any]:
    """Of each text every class with its score, the likeliest first."""
    answers = [_predictions(verdict.scores, inputs) for verdict in verdicts]
    return answers if inputs.nested else answers[0]


def _texts_of(given: Any, root: bool) -> tuple[list[str], bool]:
    if isinstance(given, str):
        return [given], False
    if not isinstance(given, list) or not given:
        raise Refused(422, _EXPECTED)
    if all(isinstance(one, str) for one in given):
        if root:
            return given, True
        if len(given) == 1:
            return given, False
        raise Refused(422, f"{_EXPECTED}; a pair of texts is nothing that a guard judges")
    if not all(isinstance(one, list) and len(one) == 1 and isinstance(one[0], str) for one in given):
        raise Refused(422, _EXPECTED)
    return [one[0] for one in given], True


def _predictions(scores: Mapping[str, float], inputs: Inputs) -> list[dict[str, Any]]:
    ranked = sorted(scores.items(), key=lambda item: -item[1])[: inputs.top]
    return [{"label": name, "score": math.log(max(p, _LEAST)) if inputs.raw else p} for name, p in ranked]
