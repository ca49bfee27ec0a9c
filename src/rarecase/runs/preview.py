"""`rarecase generate preview`: what a run would send to a language model, and how much of it; nothing is sent."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from datasets import ClassLabel, Dataset

from rarecase.core.errors import ConfigError
from rarecase.core.progress import say
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import label_names, texts
from rarecase.data.sets import Sets
from rarecase.generate.template import Template
from rarecase.llm.identifiers import masked
from rarecase.llm.ledger import upper_bounds
from rarecase.llm.prices import price_of, require_price
from rarecase.llm.replies import Request
from rarecase.runs.generation import judge_requests, leaves_machine, templates_of
from rarecase.runs.session import checked
from rarecase.settings.checks import check
from rarecase.settings.config import RunConfig

SHOWN = 3  # posts


@dataclass(frozen=True)
class Preview:
    """What a run would send."""

    shown: Sequence[Request]  # those that it would begin with for the first posts of the start set
    requests: int  # that it would begin with for all labels of its budget
    more_requests: int  # at most, for what replies lack
    judge_requests: int  # at most, for the class of variations
    tokens_sent: int  # at most, by all of these, whichever posts of the pool are chosen
    tokens_written: int  # at most
    cost: float | None  # dollars, at most; None where no table has the price of the model

    def as_text(self) -> str:
        """For people: each request as the turns of a template, and a line for each figure."""
        more = {
            "for variations that replies lack": self.more_requests,
            "for the class of variations": self.judge_requests,
        }
        requests = [f"{self.requests:,}", *(f"at most {most:,} {what}" for what, most in more.items() if most)]
        tokens = f"at most {self.tokens_sent:,} sent, {self.tokens_written:,} written, by all of these"
        cost = "unknown; --prices FILE takes that of the model" if self.cost is None else f"at most ${self.cost:,.2f}"
        figures = {"requests": " + ".join(requests), "tokens": tokens, "cost": cost}
        return "\n".join([*self._turns(), *(f"{name:<10}{found}" for name, found in figures.items())])

    def as_json(self) -> str:
        """For programs: the bodies of the requests as they would be sent."""
        return json.dumps(vars(self), ensure_ascii=False, indent=2)

    def _turns(self) -> Iterator[str]:
        for number, request in enumerate(self.shown, 1):
            settings = {key: value for key, value in request.items() if key not in ("messages", "response_format")}
            yield f"request {number} of the {len(self.shown)} for {SHOWN} posts: {json.dumps(settings)}"
            if "response_format" in request:
                yield f"response_format: {json.dumps(request['response_format'])}"
            for turn in request["messages"]:
                yield f"=== {turn['role']}\n{turn['content']}"
            yield ""


def preview(config: RunConfig) -> Preview:
    """Reads the tables and makes the requests; raises `ConfigError` where no language model is asked."""
    check(config)
    sets = checked(config)
    if not config.asks_a_model or not config.variations:
        asks = "openai or --generator local, which ask a language model"
        raise ConfigError(
            f"--generator {config.generator} sends nothing, with --variations {config.variations}; give {asks}"
        )
    if config.annotator == "llm":
        # Unbounded: a text that it gives no class costs no budget, and the next one is asked about.
        say("not counted here: what --annotator llm asks; `rarecase run --dry-run` says how much that is")
    is_elsewhere = leaves_machine(config)
    whole, masking = templates_of(config, sets.taxonomy)
    template, k = masking if is_elsewhere else whole, config.variations
    shown = template.requests(_first(sets.bootstrap, template), k, config.seed)
    labels = min(config.budget, len(sets.pool))
    by_length, by_bytes = (_largest(posts, sets, template, config) for posts in _longest(sets.pool, labels, template))
    judged = judge_requests(config, sets, labels * k)
    written = sum(request["max_tokens"] for request in chain(*by_length))
    sent = sum(map(_tokens_sent, [*chain(*by_bytes), *judged]))
    if judged:  # a variation, whose text the requests do not have yet, is as long as what was written
        sent, written = sent + written, written + sum(request["max_tokens"] for request in judged)
    price = price_of(template.model, config.prices, is_here=not is_elsewhere)
    if config.max_cost is not None:
        require_price(template.model, price)
    return Preview(
        shown=shown,
        requests=len(by_length[0]),
        more_requests=len(by_length[1]),
        judge_requests=len(judged),
        tokens_sent=sent,
        tokens_written=written,
        cost=None if price is None else price.of(sent, written),
    )


def _first(labeled: Dataset, template: Template) -> Dataset:
    """The first posts that make requests: those of the class of contrasts make none."""
    names = label_names(labeled)
    target = None if template.target is None else names.index(template.taxonomy.names[template.target])
    return rows(labeled, [row for row, label in enumerate(labeled["label"][:]) if label != target][:SHOWN])


def _longest(pool: Dataset, labels: int, template: Template) -> Iterator[Dataset]:
    """The posts that are longest as they are sent: by characters, as replies are, and by bytes, as requests are."""
    sent = [masked(text)[0] if template.masks else text for text in texts(pool)]
    for sizes in (list(map(len, sent)), [len(text.encode()) for text in sent]):
        yield rows(pool, np.argsort(np.negative(sizes), kind="stable")[:labels])


def _largest(posts: Dataset, sets: Sets, template: Template, config: RunConfig) -> tuple[list[Request], list[Request]]:
    """All requests for these posts, and those for all that replies may lack, of the class with the longest prompt."""
    names, k, seed = label_names(sets.bootstrap), config.variations, config.seed

    def requests(posts: Dataset, label: int) -> tuple[list[Request], list[Request]]:
        labelled = with_column(posts, "label", [label] * len(posts), ClassLabel(names=list(names)))
        return template.requests(labelled, k, seed), template.all_missing(labelled, k, seed)

    one = rows(posts, [0])
    worst = max(range(len(names)), key=lambda label: sum(map(_tokens_sent, chain(*requests(one, label)))))
    return requests(posts, worst)


def _tokens_sent(request: Request) -> int:
    return upper_bounds(request)[0]
