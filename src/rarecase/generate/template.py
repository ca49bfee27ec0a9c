"""
The template `T(x, O(x))`: which requests a post makes, and which variations their replies hold.

Section 3.2 of Hassan, Sicilia and Alikhani (2024) asks for variations `f(x)` whose label is the human label `O(x)`;
with other `f` they contradict it, as contrasts do. A label is always the one that was asked for, not one of a reply.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from datasets import Dataset

from rarecase.core import randomness
from rarecase.core.errors import ConfigError, DataError, did_you_mean, listed, shown_id
from rarecase.data import arrow, schema
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate import Variation, checks_of, variations_table
from rarecase.generate.axes import GRID, drawn
from rarecase.generate.prompt import Prompt, Variables
from rarecase.generate.reading import Item, read
from rarecase.llm.identifiers import Names, masked, refilled
from rarecase.llm.replies import Replies, Request

LONGEST_VARIATION = 512  # tokens: a variation is one paragraph


@dataclass(frozen=True)
class Post:
    """A post as it is sent, with its class by its place in the taxonomy, and what its placeholders stand for."""

    id: str
    text: str
    label: int
    names: Names | None


@dataclass(frozen=True)
class Template:
    """What is asked of a model, with a temperature of the sampling, for variations of posts of a taxonomy."""

    taxonomy: Taxonomy  # whose classes a prompt may name and define
    model: str
    temperature: float  # 0.4 was the best found for a tiny model
    prompt: Prompt
    contrast_to: str | None = None  # the class that contrasts are to be of; by default the first that is harmless
    masks: bool = False  # whether placeholders are sent for identifiers in posts, such as e-mail addresses

    def __post_init__(self) -> None:
        if self.contrast_to is not None and "target" not in self.prompt.uses:
            raise ConfigError(
                f"--contrast-to has no effect with --template {self.prompt.name}, which has no {{{{ target }}}}; "
                "leave it out, or add --template contrast"
            )
        _ = self.target

    @property
    def target(self) -> int | None:
        """The class that contrasts are to be of; None where the template makes none."""
        if "target" not in self.prompt.uses:
            return None
        if self.contrast_to is None:
            harmless = (place for place, one in enumerate(self.taxonomy.classes) if one.action == "allow")
            if (target := next(harmless, None)) is None:
                raise ConfigError(
                    f"--template {self.prompt.name}: no class has the action allow; name the class that contrasts are "
                    "to be of by --contrast-to"
                )
        elif (target := self.taxonomy.index(self.contrast_to)) is None:
            names = self.taxonomy.names
            raise ConfigError(
                f"--contrast-to {self.contrast_to}: expected one of {listed(names)}"
                f"{did_you_mean(self.contrast_to, names)}"
            )
        return target

    def requests(self, seeds: Dataset, k: int, seed: int) -> list[Request]:
        """
        The requests to begin with for `k` variations of each post, the posts in order: one for all `k`; where the
        prompt has no `k`, one for each, after the other.
        """
        return [request for post in self._posts(seeds) for request in self._begun_with(post, k, seed)]

    def missing(self, seeds: Dataset, k: int, seed: int, replies: Replies) -> list[Request]:
        """The requests for what the replies to `requests` lack, each for one variation."""
        return [
            self._request(post, 1, seed, i)
            for post in self._posts(seeds)
            for i, item in enumerate(self._items(post, k, seed, replies), 1)
            if self._asks_for_all(k) and not _is_good(item)
        ]

    def all_missing(self, seeds: Dataset, k: int, seed: int) -> list[Request]:
        """What `missing` would have if the replies to `requests` held nothing."""
        posts = [post for post in self._posts(seeds) if self._asks_for_all(k) and post.label != self.target]
        return [self._request(post, 1, seed, i) for post in posts for i in range(1, k + 1)]

    def table(self, seeds: Dataset, k: int, seed: int, replies: Replies, generator: str) -> Dataset:
        """What the stored replies hold, written by `generator`: `k` variations of each post that makes requests."""
        found = [
            [self._variation(item, post, generator) for item in self._read(post, k, seed, replies)]
            for post in self._posts(seeds)
        ]
        return variations_table(seeds, found)

    def requests_of_a_post(self, k: int) -> int:
        """How many requests `requests` has for a post; each variation that a reply lacks is one more."""
        return 1 if self._asks_for_all(k) else k

    def _begun_with(self, post: Post, k: int, seed: int) -> list[Request]:
        if post.label == self.target:
            return []
        if self._asks_for_all(k):
            return [self._request(post, k, seed)]
        return [self._request(post, 1, seed, i) for i in range(1, k + 1)]

    def _asks_for_all(self, k: int) -> bool:
        return k > 1 and "k" in self.prompt.uses

    def _request(self, post: Post, k: int, seed: int, i: int | None = None) -> Request:
        """For `k` variations in one reply; with `i` for one alone, the `i`-th of them."""
        classes = [(one.name, one.definition.rstrip(".")) for one in self.taxonomy.classes]
        label, definition = classes[post.label]
        variables = Variables(
            post=post.text,
            label=label,
            definition=definition,
            classes=dict(classes),
            target="" if self.target is None else classes[self.target][0],
            k=k,
            axes=drawn(i or k, seed, post.id)[-k:],
        )
        request: Request = {
            "model": self.model,
            "messages": self.prompt.messages(variables),
            "temperature": self.temperature,
            "seed": randomness.integer(seed, "variation", post.id, *([] if i is None else [i])),
            # A token is hardly ever less than a character, so no variation as long as its title is cut short; a small
            # model that has begun to repeat itself is. A long post leaves room for its prompt.
            "max_tokens": k * min(64 + len(post.text), LONGEST_VARIATION),
        }
        return request if k == 1 else {**request, "response_format": _list_of(k)}

    def _items(self, post: Post, k: int, seed: int, replies: Replies) -> list[Item]:
        """What the replies to begin with hold: `k` items, empty where there is none."""
        found: list[Item] = []
        begun_with = self._begun_with(post, k, seed)
        for request in begun_with:
            wanted = k // len(begun_with)
            items = read(replies.get(request) or "", wanted)
            found += items + [Item("")] * (wanted - len(items))
        return found

    def _read(self, post: Post, k: int, seed: int, replies: Replies) -> list[Item]:
        """The same, with what was asked for alone in its place."""
        items = self._items(post, k, seed, replies)
        for i, item in enumerate(items, 1):
            reply = None if _is_good(item) else replies.get(self._request(post, 1, seed, i))
            if reply is not None:
                items[i - 1] = next(iter(read(reply, 1)), Item(""))
        return items

    def _variation(self, item: Item, post: Post, generator: str) -> Variation:
        text, unknown = (item.text, ()) if post.names is None else refilled(item.text, post.names)
        checks = checks_of(text)
        if text or not item.whole:
            checks.append({"check": "whole", "passed": item.whole, "value": None})
        checks.append({"check": "refusal", "passed": not item.refused, "value": None})
        if post.names is not None:
            checks.append({"check": "placeholders", "passed": not unknown, "value": None})
        if self.target is None:
            return Variation(text, generator, self.prompt_hash, checks)
        checks.append({"check": "contrast", "passed": None, "value": None})
        label = self.taxonomy.classes[self.target].name
        return Variation(text, generator, self.prompt_hash, checks, label)

    def _posts(self, seeds: Dataset) -> Iterator[Post]:
        arrow.require(seeds, "id", "text", "label")
        classes = schema.label_names(seeds)
        for id_, text, label in zip(seeds["id"][:], schema.texts(seeds), seeds["label"][:], strict=True):
            if label is None:
                raise DataError(f"post{shown_id(id_)} has no label, and its variations take it over; label it first")
            if (index := self.taxonomy.index(classes[label])) is None:
                raise DataError(
                    f"the label {classes[label][:40]!r} is not a class of the taxonomy; give its file with --taxonomy"
                )
            sent, names = masked(text) if self.masks else (text, None)
            yield Post(id_, sent, index, names)

    @property
    def prompt_hash(self) -> str:
        """Ten hexadecimal digits that change with the template, the model and the temperature, not with the post."""
        asked = [self.prompt.source, self.contrast_to, self.model, self.temperature, GRID]
        return hashlib.blake2b(json.dumps(asked).encode(), digest_size=5).hexdigest()


def _is_good(item: Item) -> bool:
    """Whether nothing is left to ask for: a refusal is an answer, too."""
    return item.refused or bool(item.text and item.whole is not False)


def _list_of(k: int) -> dict[str, object]:
    """The `response_format` for `k` texts."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": k, "maxItems": k}
    schema_ = {
        "type": "object",
        "properties": {"variations": texts},
        "required": ["variations"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "variations", "strict": True, "schema": schema_}}
