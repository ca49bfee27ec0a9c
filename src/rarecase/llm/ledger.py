"""
The ledger: every request that was sent, what it may cost at most, and what it did cost.

It is a table beside the replies, so that a reply and its settlement are one transaction. A request is entered, on the
disk, before it leaves; whatever a kill leaves unanswered counts at its upper bound for ever, for the server may have
charged for it. So the answered entries are fewer than what the server has answered, and all entries more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rarecase.llm.replies import Change, Replies, Request

_TOTALS = (
    "COUNT(*), COALESCE(SUM(answered), 0), COALESCE(SUM(prompt), 0), COALESCE(SUM(completion), 0), "
    "COALESCE(SUM(cost), 0), COUNT(*) - COUNT(cost)"
)
# A prompt has no more tokens than its request has bytes, beside what the chat template of a model adds to it.
PER_MESSAGE, PER_REQUEST = 16, 256


@dataclass(frozen=True)
class Totals:
    """Sums over entries; those that are not answered count at their upper bounds."""

    requests: int = 0  # that were sent, each try one
    answered: int = 0  # of these
    prompt: int = 0  # tokens, as in `completion`
    completion: int = 0
    cost: float | None = 0.0  # dollars; None where the price of some is not known

    def __add__(self, other: "Totals") -> "Totals":
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Totals(
            self.requests + other.requests,
            self.answered + other.answered,
            self.prompt + other.prompt,
            self.completion + other.completion,
            cost,
        )


@dataclass(frozen=True)
class Entry:
    """One try of a request, at its upper bound."""

    number: int
    key: str
    prompt: int
    completion: int
    cost: float | None

    @property
    def entered(self) -> Change:
        """The change of the table before the request is sent."""
        row = (self.number, self.key, self.prompt, self.completion, self.cost)
        return "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, 0)", row

    def settled(self, prompt: int, completion: int, cost: float | None) -> Change:
        """The change once it is answered."""
        statement = "UPDATE ledger SET prompt = ?, completion = ?, cost = ?, answered = 1 WHERE entry = ?"
        return statement, (prompt, completion, cost, self.number)

    @property
    def withdrawn(self) -> Change:
        """The change where it was not sent after all."""
        return "DELETE FROM ledger WHERE entry = ?", (self.number,)


class Ledger:
    """
    What was asked of language models, and what it cost.

    Example:
        >>> Ledger(Replies("replies.sqlite")).totals()  # before anything was asked
        Totals(requests=0, answered=0, prompt=0, completion=0, cost=0.0)
    """

    def __init__(self, replies: Replies):
        self._replies = replies

    def totals(self) -> Totals:
        """The sums over all entries."""
        found = self._replies.read(f"SELECT {_TOTALS} FROM ledger")  # noqa: S608 - a constant
        return _totals(*found[0]) if found else Totals()

    def by_request(self) -> Mapping[str, Totals]:
        """The sums over the tries of each request, by its key (`request_key`)."""
        found = self._replies.read(f"SELECT {_TOTALS}, request FROM ledger GROUP BY request")  # noqa: S608
        return {key: _totals(*sums) for *sums, key in found}

    def next_number(self) -> int:
        """The number of the entry that comes next."""
        found = self._replies.read("SELECT COALESCE(MAX(entry), 0) + 1 FROM ledger")
        return found[0][0] if found else 1


def _totals(requests: int, answered: int, prompt: int, completion: int, cost: float, unknown: int) -> Totals:
    return Totals(requests, answered, prompt, completion, None if unknown else cost)


def upper_bounds(request: Request) -> tuple[int, int]:
    """The tokens that a request may have, and those that its reply may have."""
    size = sum(len(message["content"].encode(errors="replace")) + PER_MESSAGE for message in request["messages"])
    form = str(request.get("response_format", ""))  # which some servers put into the prompt
    return PER_REQUEST + size + len(form.encode(errors="replace")), request["max_tokens"]
