"""
The template `T(x, O(x))`: what a language model is asked, and what its reply says.

Section 3.2 of Hassan, Sicilia and Alikhani (2024) asks for variations `f(x)` whose label is the human label `O(x)`.
Here one request asks for one variation, since a small model writes one post well and a list of five badly. The prompt
names the class with its definition and shows four examples; it opens the first turn of the user rather than a system
message, because some chat templates (Gemma's, for one) refuse the latter.
"""

import hashlib
import json
import re
from dataclasses import dataclass

from datasets import Dataset

from rarecase.core import randomness
from rarecase.core.errors import DataError, shown_id
from rarecase.data import arrow, schema
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate import Variation, variations_table
from rarecase.llm.replies import Replies, Request

TASK = (
    "You say posts in different words. The last post is of the class {label}{definition}; in your words it is still "
    "of that class. Answer with one post and nothing else."
)
LONGEST_REPLY = 512  # tokens: a variation is one paragraph
QUESTION = "Say this post in different words: "
# Mild and of no class, so that they show the task and lean towards none of the labels.
EXAMPLES = (
    ("My neighbour's dog barks every single night", "The dog next door keeps barking all night long"),
    ("Is it too late to plant tomatoes in June?", "Can I still put tomatoes in the ground in June?"),
    ("Lost my keys, second time this week", "My keys have gone missing again, twice in one week now"),
    ("Anybody else scared of flying", "Does being on a plane frighten other people here too?"),
)


@dataclass(frozen=True)
class Template:
    """
    The request for one variation: the classes (name and definition go into the prompt), the model's name and the
    temperature of the sampling; 0.4 was the best found for a tiny model.
    """

    taxonomy: Taxonomy
    model: str
    temperature: float = 0.4

    def request(self, text: str, label: str, seed: int) -> Request:
        """The request for one variation of a post; `seed` alone tells those of one post apart."""
        index = self.taxonomy.index(label)
        if index is None:
            raise DataError(f"the label {label[:40]!r} is not a class of the taxonomy; give its file with --taxonomy")
        category = self.taxonomy.classes[index]
        definition = f" ({category.definition.rstrip('.')})" if category.definition else ""
        return {
            "model": self.model,
            "messages": _messages(text, category.name, definition),
            "temperature": self.temperature,
            "seed": seed,
            # A token is hardly ever less than a character, so no variation as long as its title is cut short; a small
            # model that has begun to repeat itself is. A long post leaves room for its prompt.
            "max_tokens": min(64 + len(text), LONGEST_REPLY),
        }

    def requests(self, seeds: Dataset, k: int, seed: int) -> list[Request]:
        """The requests for `k` variations of each post: the posts in order, `k` after each other."""
        arrow.require(seeds, "id", "text", "label")
        names = schema.label_names(seeds)
        requests = []
        for id_, text, label in zip(seeds["id"][:], schema.texts(seeds), seeds["label"][:], strict=True):
            if label is None:
                raise DataError(f"post{shown_id(id_)} has no label, and its variations take it over; label it first")
            numbers = [randomness.integer(seed, "variation", id_, i) for i in range(1, k + 1)]
            requests += [self.request(text, names[label], number) for number in numbers]
        return requests

    def table(self, seeds: Dataset, k: int, seed: int, replies: Replies, generator: str) -> Dataset:
        """The variations in the stored replies to `requests`, written by `generator`."""
        made = [
            Variation(variation(replies.text(request) or ""), generator, self.prompt_hash)
            for request in self.requests(seeds, k, seed)
        ]
        return variations_table(seeds, [made[k * row : k * (row + 1)] for row in range(len(seeds))])

    @property
    def prompt_hash(self) -> str:
        """Ten hexadecimal digits that change with the wording, the model or the temperature, and not with the post."""
        asked = [_messages("{post}", "{label}", "{definition}"), self.model, self.temperature]
        return hashlib.blake2b(json.dumps(asked).encode(), digest_size=5).hexdigest()


def _messages(text: str, label: str, definition: str) -> list[dict[str, str]]:
    turns: list[dict[str, str]] = []
    for post, variation_ in EXAMPLES:
        turns += [{"role": "user", "content": QUESTION + post}, {"role": "assistant", "content": variation_}]
    turns.append({"role": "user", "content": QUESTION + text})
    turns[0]["content"] = TASK.format(label=label, definition=definition) + "\n\n" + turns[0]["content"]
    return turns


# "Sure! Here is the post in different words:" and the like; it must speak of the task: posts begin with "Here is" too.
_PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay)\b[,.!]?\s*)?"
    r"(?:here(?:'s|’s| is)\b[^:\n]{0,60}\b(?:post|variation|version|rewording|paraphrase|words)\b[^:\n]{0,40}"
    r"|say this post in different words):\s*",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_QUOTES = {'"': '"', "“": "”", "„": "“", "'": "'", "‘": "’", "«": "»", "`": "`"}


def variation(reply: str) -> str:
    """The variation in a reply: its first paragraph on one line, without preamble and quotes; may be empty."""
    # Half a surrogate pair is valid in JSON and can't be written to a table; control characters are part of no post.
    whole = _CONTROL.sub(" ", reply.encode("utf-8", "replace").decode()).strip()
    preamble = _PREAMBLE.match(whole)
    body = whole[preamble.end() :] if preamble else whole
    text = " ".join(re.split(r"\n\s*\n", body, maxsplit=1)[0].split())
    inner = text[1:-1]
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and (text[0] == "'" or text[0] not in inner):
        return inner.strip()
    return text
