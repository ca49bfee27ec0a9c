"""What a request is refused with, in the shape that its client expects."""

from dataclasses import dataclass, field
from typing import Any

_TEI = ("/predict", "/")
_TYPES = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}
_TEI_TYPES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy"}


@dataclass
class Refused(Exception):  # noqa: N818 - most are no errors of this server
    """A request that gets no verdict."""

    status: int
    message: str  # for whoever sent it; no part of a text is in it
    param: str | None = None  # the field of the request that is wrong
    headers: dict[str, str] = field(default_factory=dict)

    def status_at(self, path: str) -> int:
        """The status of the reply: a model that fails is a 424 of text-embeddings-inference."""
        return 424 if self.status == 500 and path in _TEI else self.status

    def as_json(self, path: str) -> dict[str, Any]:
        """The body of the reply: as OpenAI has it under /v1, as text-embeddings-inference has it at its own paths."""
        if is_openai(path):
            kind = _TYPES.get(self.status, "invalid_request_error")
            return {"error": {"message": self.message, "type": kind, "param": self.param, "code": None}}
        if path in _TEI:
            return {"error": self.message, "error_type": _TEI_TYPES.get(self.status, "Validation")}
        return {"error": self.message}


def is_openai(path: str) -> bool:
    """Whether a client of OpenAI asks for this path."""
    return path == "/v1" or path.startswith("/v1/")
