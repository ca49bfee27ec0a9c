"""
What a guard's server may answer, as JSON schemas after the published descriptions: OpenAI's reference of moderations
and of errors, LiteLLM's page of its generic guardrail API, and the OpenAPI document of text-embeddings-inference.
"""

import re
from functools import cache
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator

CATEGORIES = [
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
]
GUARDRAIL = "/beta/litellm_basic_guardrail_api"
POSTED = ("/v1/moderations", GUARDRAIL, "/predict", "/")


def of_object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """An object that has all of these but for some that it may have."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def by_category(value: dict[str, Any]) -> dict[str, Any]:
    """An object with a value for each category, and for others that clients do not know."""
    return {"type": "object", "required": CATEGORIES, "additionalProperties": value}


SHARE = {"type": "number", "minimum": 0, "maximum": 1}
TEXT, TEXT_OR_NULL = {"type": "string"}, {"type": ["string", "null"]}
RESULT = of_object(
    {
        "flagged": {"type": "boolean"},
        "categories": by_category({"type": "boolean"}),
        "category_scores": by_category(SHARE),
        "category_applied_input_types": by_category({"type": "array", "items": {"enum": ["text", "image"]}}),
    }
)
MODERATIONS = of_object({"id": TEXT, "model": TEXT, "results": {"type": "array", "items": RESULT, "minItems": 1}})
OPENAI_ERROR = of_object(
    {"error": of_object({"message": TEXT, "type": TEXT, "param": TEXT_OR_NULL, "code": TEXT_OR_NULL})}
)
GUARDRAIL_REPLY = {
    "oneOf": [
        of_object({"action": {"const": "NONE"}, "blocked_reason": {"type": "null"}}, "blocked_reason"),
        of_object({"action": {"const": "BLOCKED"}, "blocked_reason": TEXT}),
        of_object({"action": {"const": "GUARDRAIL_INTERVENED"}, "texts": {"type": "array", "items": TEXT}}),
    ]
}
PREDICTIONS = {"type": "array", "items": of_object({"label": TEXT, "score": {"type": "number"}}), "minItems": 1}
NESTED = {"type": "array", "items": PREDICTIONS, "minItems": 1}
PREDICT = {"anyOf": [PREDICTIONS, NESTED]}
TEI_ERROR = of_object(
    {"error": TEXT, "error_type": {"enum": ["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer"]}}
)
ERROR = of_object({"error": TEXT})

# Statuses beside 200: what the descriptions name, and what HTTP has for methods, keys and bodies that do not end.
OF_HTTP = {401, 405, 408, 413}
STATUSES = {
    "/v1/moderations": {400, 429, 500, 503} | OF_HTTP,
    GUARDRAIL: {400, 429, 500, 503} | OF_HTTP,
    "/predict": {400, 422, 424, 429, 500, 503} | OF_HTTP,
    "/": {400, 422, 424, 429, 500, 503} | OF_HTTP,
}
GOOD = {"/v1/moderations": MODERATIONS, GUARDRAIL: GUARDRAIL_REPLY, "/predict": PREDICT, "/": NESTED}


def path_of(target: str) -> str:
    """The path that a request is for."""
    return re.sub("^(https?://[^/]*)?/*", "/", unquote(target).partition("?")[0], flags=re.IGNORECASE)


def schema(path: str | None, status: int) -> dict[str, Any]:
    """Of the body of a reply with this status at a path, or at any."""
    if path is None:
        return {"anyOf": [*GOOD.values(), OPENAI_ERROR, TEI_ERROR, ERROR]}
    if status == 200:
        return GOOD[path]
    if path == "/v1" or path.startswith("/v1/"):
        return OPENAI_ERROR
    return TEI_ERROR if path in ("/predict", "/") else ERROR


@cache
def validator(path: str | None, status: int) -> Draft202012Validator:
    """What validates it."""
    Draft202012Validator.check_schema(schema(path, status))
    return Draft202012Validator(schema(path, status))


def check(path: str | None, status: int, body: Any) -> None:
    """Fails where a reply of JSON is not as the description of its path says, and shows no more than where."""
    if path is not None:
        others = {400} if path.startswith("/v1") else {400, 404}  # after a 404 the vendor may be asked
        assert status in STATUSES.get(path, others | {500, 503} | OF_HTTP) | {200}, f"{path} answers {status}"
    wrong = [f"{error.json_path}: {error.validator}" for error in validator(path, status).iter_errors(body)]
    assert not wrong, f"{path} answers {status}: {wrong[:3]}"
