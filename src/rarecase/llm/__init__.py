"""
Asking a language model: requests in, replies out, each stored before anybody reads it.

Two kinds of model answer: `endpoint.Endpoint` (any OpenAI-compatible server) and `local.Local` (a `transformers` model
in this process). Neither knows what it is asked for: `rarecase.generate` makes requests of posts, and reads replies.
"""

from collections.abc import Iterable
from typing import Protocol

from rarecase.llm.replies import Replies, Request


class LanguageModel(Protocol):
    """
    A model that answers requests into a store of replies.

    Args:
        name (`str`): what its requests and the rows made of its replies call it.
        replies (`Replies`): the store.
        leaves_machine (`bool`): whether requests go to another machine.
    """

    name: str
    replies: Replies
    leaves_machine: bool

    def ask(self, requests: Iterable[Request]) -> None:
        """Asks for what is not stored yet; once it returns, each has a stored reply; a `GeneratorError` otherwise."""
        ...

    def check(self) -> None:
        """An error where the model is missing, or does not answer; no post is sent."""
        ...
