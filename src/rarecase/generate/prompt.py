"""Templates as files: the turns of a chat in Jinja, shipped or a user's own; `templates/variation.jinja` says more."""

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from jinja2 import Template as Jinja
from jinja2 import TemplateError

from rarecase.core.documents import read_document, reason
from rarecase.core.errors import ConfigError, did_you_mean, shown_id
from rarecase.generate.axes import Axes, drawn
from rarecase.generate.sandbox import NotAllowedError, compiled

FOLDER = Path(__file__).with_name("templates")
SHIPPED = ("variation", "contrast", "small")
LONGEST = 100_000  # characters of a file
LONGEST_TURN = 1_000_000  # characters of a turn that is filled in: a post has at most a tenth of them
ROLES = ("system", "user", "assistant")
_TURN = re.compile(r"^===[ \t]*(.*?)[ \t]*$", re.MULTILINE)


class Variables(TypedDict):
    """What stands in a template for what; `variation.jinja` says of each what it is."""

    post: str
    label: str
    definition: str
    classes: dict[str, str]
    target: str
    k: int
    axes: list[Axes]


@dataclass(frozen=True)
class Prompt:
    """A template that was read."""

    name: str  # one that ships with rarecase, or a file
    source: str  # its text
    uses: frozenset[str]  # which of the `Variables` are in it
    turns: tuple[tuple[str, Jinja], ...]  # the role of each, and what renders its content

    @classmethod
    def load(cls, name: str) -> "Prompt":
        """The shipped template of this name, or that of a file; a `ConfigError` names the file and the line."""
        path = FOLDER / f"{name}.jinja" if name in SHIPPED else Path(name)
        if not path.exists():
            raise ConfigError(
                f"--template {name}: no such file, and none of {', '.join(SHIPPED)}{did_you_mean(name, SHIPPED)}"
            )
        try:
            source = read_document(path)
        except (OSError, ValueError) as error:
            raise ConfigError(f"--template {name}: {reason(error)}; expected a text in UTF-8") from None
        return cls.parse(name, source)

    @classmethod
    def parse(cls, name: str, source: str) -> "Prompt":
        """The template in a text, which is filled in once: what is wrong with it is known before anything is sent."""
        uses: set[str] = set()
        turns = []
        try:
            # Turns are told apart before they are filled in, so that no post can begin one.
            for line, role, content in _turns(source.replace("\r\n", "\n")):
                # Empty lines for those above, so that Jinja counts as the file does.
                jinja, used = compiled("\n" * line + content, Variables.__annotations__)
                uses |= used
                turns.append((role, jinja))
            if "post" not in uses:
                raise NotAllowedError(1, "no turn has {{ post }}; add it")
        except NotAllowedError as error:
            raise ConfigError(f"--template {name} line {error.line}: {error}") from None
        prompt = cls(name, source, frozenset(uses), tuple(turns))
        for k in (1, 2):
            axes = drawn(k, 0, "")
            prompt.messages(
                Variables(post="x", label="a", definition="", classes={"a": ""}, target="a", k=k, axes=axes)
            )
        return prompt

    @property
    def wording(self) -> list[str]:
        """What it says itself, between what is filled in."""
        return re.split(r"\{[{%#].*?[#%}]\}|\n", self.source, flags=re.DOTALL)

    def messages(self, variables: Variables) -> list[dict[str, str]]:
        """The turns filled in, those left out in which nothing is left."""
        filled = [{"role": role, "content": self._filled(turn, variables)} for role, turn in self.turns]
        turns = [turn for turn in filled if turn["content"].strip()]
        if not turns or turns[-1]["role"] != "user":
            raise ConfigError(
                f"--template {self.name}: its last turn is not the user's, or is empty; end with === user"
            )
        return turns

    def _filled(self, turn: Jinja, variables: Variables) -> str:
        text = ""
        try:
            for part in turn.generate(variables):
                text += part
                if len(text) > LONGEST_TURN:
                    raise ConfigError(f"--template {self.name}: a turn gets longer than {LONGEST_TURN:,} characters")
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            # What Jinja says of it is not shown, for it may hold the post.
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
            line = f" line {frames[-1].lineno}" if frames else ""
            raise ConfigError(
                f"--template {self.name}{line}: something is not there, or of another kind; variation.jinja says what "
                "each variable is"
            ) from None
        return text.strip("\n")


def _turns(source: str) -> Iterator[tuple[int, str, str]]:
    """The line, the role and the content of each turn."""
    if len(source) > LONGEST:
        raise NotAllowedError(1, f"longer than {LONGEST:,} characters; shorten it")
    found = list(_TURN.finditer(source))
    if not found:
        raise NotAllowedError(1, "no turn begins in it; add a line === user above what is to be sent")
    ends = [*(turn.start() for turn in found[1:]), len(source)]
    for turn, end in zip(found, ends, strict=True):
        line = source.count("\n", 0, turn.start()) + 1
        if turn[1] not in ROLES:
            raise NotAllowedError(line, f"a turn{shown_id(turn[1])}; expected === and one of {', '.join(ROLES)}")
        yield line, turn[1], source[turn.end() + 1 : end].rstrip("\n")
