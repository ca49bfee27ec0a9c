"""What the language model of a run took: the sums of its ledger, and for each label, class, variation and find."""

from functools import partial
from pathlib import Path
from typing import TypedDict

from rarecase.core.errors import ConfigError
from rarecase.data.arrow import rows
from rarecase.data.schema import label_names
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.record import RoundRecord
from rarecase.llm.ledger import Ledger, Totals
from rarecase.llm.replies import Replies, request_key
from rarecase.report.tables import Columns, Table
from rarecase.runs.folder import Manifest, RoundFiles
from rarecase.runs.generation import possible_requests


class Share(TypedDict):
    """What was taken for each of so many things; None where there are none, or the price is not known."""

    of: str
    number: int
    tokens: float | None
    cost: float | None


class Generation(TypedDict):
    """The ledger of a run: each try is a request; one without an answer counts at its upper bound."""

    requests: int
    answered: int
    unanswered: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None  # in dollars; None where the price of some requests is not known
    shares: list[Share]


def generation_of(folder: Path, rounds: list[RoundRecord], rarest: str, kept: int) -> Generation | None:
    """What language models took, and what it was for (`kept` variations among others); None where none was asked."""
    replies = Replies(folder / "replies.sqlite")
    totals = Ledger(replies).totals()
    by_class = _by_class(folder, replies) if totals.requests else {}
    replies.close()
    if not totals.requests:
        return None
    last = rounds[-1] if rounds else None
    counted = {
        "request": (totals.requests, totals),
        "label": (last.labels if last else 0, totals),
        "variation kept": (kept, totals),
        f"example of {rarest} found": (last.found[rarest] if last else 0, totals),
    }
    counted |= {f"label of {name}, varied": found for name, found in by_class.items()}
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
                "tokens": (taken.prompt + taken.completion) / number if number else None,
                "cost": taken.cost / number if number and taken.cost is not None else None,
            }
            for of, (number, taken) in counted.items()
        ],
    }


def _by_class(folder: Path, replies: Replies) -> dict[str, tuple[int, Totals]]:
    """Of each class the labels whose variations a language model was asked for, and what these took."""
    config, rounds = Manifest.read(folder, "run").config, RoundFiles(folder)
    if not config.asks_a_model:
        return {}
    taxonomy, spent = Taxonomy.load(folder / "taxonomy.yaml"), Ledger(replies).by_request()
    found: dict[str, tuple[int, Totals]] = {}
    for labels in map(partial(rounds.stored, name="labels"), rounds.numbers("variations.parquet")):
        for place, name in enumerate(label_names(labels)):
            own = rows(labels, [row for row, label in enumerate(labels["label"][:]) if label == place])
            try:
                asked = {request_key(request) for request in possible_requests(config, taxonomy, replies, own)}
            except ConfigError:  # the file of --template was moved since: which class a request was for is not known
                return {}
            number, before = found.get(name, (0, Totals()))
            found[name] = (number + len(own), sum((spent[key] for key in asked & spent.keys()), before))
    return {name: (number, taken) for name, (number, taken) in found.items() if number}


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
