"""`POST /beta/litellm_basic_guardrail_api`: LiteLLM's generic guardrail, before a model is asked and after it."""

from collections.abc import Sequence
from itertools import dropwhile, takewhile
from typing import Any

from rarecase.data.taxonomy import ACTIONS
from rarecase.guard.verdict import Verdict
from rarecase.serve.refused import Refused

_STOPPED = ("route", "block")
_WITHOUT_MESSAGE = "A guard stopped this."


def texts_of(body: dict[str, object]) -> list[str]:
    """
    The texts to judge. `texts` of a conversation hold its system prompt and all that was said before, so with
    `structured_messages` only the last messages of the user count.
    """
    texts = body.get("texts") or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "texts: expected a list of strings")
    messages = body.get("structured_messages")
    if is_answer(body) or not messages:
        return texts
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise Refused(400, "structured_messages: expected a list of messages")
    return _last_of_user(messages) or texts


def is_answer(body: dict[str, object]) -> bool:
    """Whether it is what a model answered."""
    return body.get("input_type") == "response"


def reply(verdicts: Sequence[Verdict], *, answer: bool) -> dict[str, Any]:
    """
    `NONE` lets pass, `BLOCKED` stops; never GUARDRAIL_INTERVENED, which rewrites `texts` alone, so that without them
    the request would pass. A certificate is of what people write, so a verdict on a model's answer is not certified.
    """
    stopped = [verdict for verdict in verdicts if verdict.action in _STOPPED]
    worst = max(stopped, key=lambda verdict: ACTIONS.index(verdict.action), default=None)
    certified = not answer and bool(verdicts) and all(verdict.certified for verdict in verdicts)
    if worst is None:
        return {"action": "NONE", "certified": certified}
    reason = worst.message or _WITHOUT_MESSAGE
    return {"action": "BLOCKED", "blocked_reason": reason, "label": worst.label, "certified": certified}


def _last_of_user(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The texts of the last block of messages of the user, in order."""
    backwards = dropwhile(lambda message: message.get("role") != "user", reversed(messages))
    block = [*takewhile(lambda message: message.get("role") == "user", backwards)]
    return [text for message in reversed(block) for text in _texts_in(message.get("content"))]


def _texts_in(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
