"""What the language model of a run took: the sums of its ledger, and for each label, variation and rare example."""

from pathlib import Path
from typing import TypedDict

from rarecase.evaluate.record import RoundRecord
from rarecase.llm.ledger import Ledger
from rarecase.llm.replies import Replies
from rarecase.report.tables import Columns, Table


class Share(TypedDict):
    """What was taken for each of so many things; None where there are none, or the price is not known."""

    of: str
    number: int
    tokens: float | None
    cost: float | None


class Generation(TypedDict):
    """
    The ledger of a run: each try is a request; one without an answer counts at its upper bound, in tokens and dollars.

    `cost` is in dollars, None where the price of some requests is not known.
    """

    requests: int
    answered: int
    unanswered: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    shares: list[Share]


def generation_of(folder: Path, rounds: list[RoundRecord], rarest: str, kept: int) -> Generation | None:
    """What language models took, and what it was for (`kept` variations among others); None where none was asked."""
    replies = Replies(folder / "replies.sqlite")
    totals = Ledger(replies).totals()
    replies.close()
    if not totals.requests:
        return None
    last = rounds[-1] if rounds else None
    counted = {
        "request": totals.requests,
        "label": last.labels if last else 0,
        "variation kept": kept,
        f"example of {rarest} found": last.found[rarest] if last else 0,
    }
    tokens = totals.prompt + totals.completion
    return {
        "requests": totals.requests,
        "answered": totals.answered,
        "unanswered": totals.requests - totals.answered,
        "prompt_tokens": totals.prompt,
        "completion_tokens": totals.completion,
        "cost": totals.cost,
        "shares": [
            {
                "of": of,
                "number": number,
                "tokens": tokens / number if number else None,
                "cost": totals.cost / number if number and totals.cost is not None else None,
            }
            for of, number in counted.items()
        ],
    }


def generation_table(generation: Generation) -> Table:
    """What was taken for each request, label, variation and rare example."""
    columns: Columns = [
        ("for each", lambda row: row["of"]),
        ("number", lambda row: f"{row['number']:,}"),
        ("tokens", lambda row: "" if row["tokens"] is None else f"{row['tokens']:,.0f}"),
        ("dollars", lambda row: "" if row["cost"] is None else f"{row['cost']:.6f}"),
    ]
    return Table.of(generation["shares"], columns)


def line_of_generation(generation: Generation) -> str:
    """The sums, as a sentence."""
    cost = "an unknown price" if generation["cost"] is None else f"${generation['cost']:,.4f}"
    return (
        f"{generation['requests']:,} requests to a language model ({generation['unanswered']:,} without an answer), "
        f"{generation['prompt_tokens']:,} tokens sent and {generation['completion_tokens']:,} written: {cost}"
    )
