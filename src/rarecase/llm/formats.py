"""
The form of an answer, as far as a server takes it: a JSON schema, any JSON, or whatever the prompt asks for; with
log-probabilities, or without.
"""

from collections.abc import Mapping

from rarecase.llm.replies import Request

# What is sent instead of a `response_format` that the server refuses, and then instead of this.
INSTEAD: tuple[dict[str, str] | None, ...] = ({"type": "json_object"}, None)


class Format:
    """What one server takes; it is found out once. A reply is stored under the request as it was made."""

    def __init__(self) -> None:
        self.refused = 0  # how many forms
        self.has_logprobs = True

    def body(self, request: Request) -> tuple[Mapping[str, object], int]:
        """A request as it is sent to this server, and how many forms it had refused by then."""
        if not self.has_logprobs and "logprobs" in request:
            return {name: value for name, value in request.items() if "logprobs" not in name}, self.refused
        if not self.refused or "response_format" not in request:
            return request, self.refused
        instead = INSTEAD[self.refused - 1]
        rest = {name: value for name, value in request.items() if name != "response_format"}
        return (rest if instead is None else rest | {"response_format": instead}), self.refused

    def give_way(self, refused: int) -> bool:
        """Whether there is a form to try after one that was refused, as `body` gave it."""
        if refused == len(INSTEAD):
            return False
        self.refused = max(self.refused, refused + 1)
        return True
