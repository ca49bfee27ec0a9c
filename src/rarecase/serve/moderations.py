"""`POST /v1/moderations` as OpenAI's clients send and read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rarecase.guard.verdict import Verdict
from rarecase.serve.refused import Refused

# Clients declare all of them without a default, so all are in every reply.
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_EXPECTED = "expected a string, a list of strings, or a list of text parts"


def texts_of(body: dict[str, object]) -> list[str]:
    """The texts of a request: one of a string, one each of a list of strings, one of all text parts."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise Refused(400, f"input: {_EXPECTED}", "input")
    if all(isinstance(one, str) for one in given):
        return given
    return ["\n".join(map(_text_of, given))]


def reply(verdicts: Sequence[Verdict], *, id_: str, model: str, mapped: Mapping[str, str]) -> dict[str, Any]:
    """
    The reply; `mapped` gives the category of each class that is not harmless: that of OpenAI, or its own name.

    Beside what OpenAI answers: our classes among the categories, `unscored` with the categories that no class maps to,
    and of each result the label, action, message and so on, which its clients ignore.
    """
    results = [_result(verdict, mapped) for verdict in verdicts]
    return {"id": id_, "model": model, "results": results, "unscored": unscored(mapped)}


def unscored(mapped: Mapping[str, str]) -> list[str]:
    """The categories of OpenAI that no class maps to or has as its name: `false` and 0.0 in every result."""
    return [name for name in CATEGORIES if name not in {*mapped, *mapped.values()}]


def _text_of(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        raise Refused(400, "input: this model reads text alone, and no image", "input")
    if kind != "text" or not isinstance(part.get("text"), str):
        raise Refused(400, f"input: {_EXPECTED}", "input")
    text: str = part["text"]
    return text


def _result(verdict: Verdict, mapped: Mapping[str, str]) -> dict[str, Any]:
    categories = dict.fromkeys(CATEGORIES, False)
    scores = dict.fromkeys(CATEGORIES, 0.0)
    inputs: dict[str, list[str]] = {name: [] for name in CATEGORIES}
    for name, threshold in verdict.thresholds.items():  # of the classes that are no harmless ones
        score = verdict.scores[name]
        for category in {name, mapped[name]}:
            categories[category] = categories.get(category, False) or score >= threshold
            scores[category] = max(scores.get(category, 0.0), score)
            inputs[category] = ["text"]
    return {
        "flagged": verdict.flagged,
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": inputs,
        "label": verdict.label,
        "action": verdict.action,
        "message": verdict.message,
        "certified": verdict.certified,
        "windows": verdict.windows,
        "script": verdict.script,
    }
