"""
The classes: names in order, definitions, examples, sources, the guard's action; YAML in and out.

Classes come from the taxonomy, not from the data: a learner gives one probability for each, a metric counts each, and
a class without any example yet is a warning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from rarecase.core.documents import parse_yaml, read_document, reason
from rarecase.core.errors import ConfigError, did_you_mean, shown_id
from rarecase.core.files import write_text

DEFAULT = Path(__file__).with_name("taxonomy.yaml")
Action = Literal["allow", "flag", "route", "block"]  # of a guard, the mildest first
ACTIONS: tuple[Action, ...] = get_args(Action)
EARLIER_ACTIONS: dict[str, Action] = {"pass": "allow", "help": "route"}  # their first names, which are still read
KEYS = """\
# Classes for rarecase, in order. Of each the name has to be there; what is empty may be left out.
#   name: what people see on buttons, and what a classifier answers
#   definition: one sentence; for people who label, prompts, and strategies that look for a class by its description
#   examples: a list of short texts of the class; people who label are shown the first
#   source: who proposed the class; it is published with the data
#   action: what a guard does with a text of the class: allow (it is not harmful), flag (somebody looks at it), route
#     (to help) or block; by default flag
#   message: what a server may answer where the guard acts on the class, such as where to find help; by default nothing
#   openai: the category of OpenAI's moderation endpoint that it maps to, such as violence; by default none
#   aliases: a list of other names that data uses for the class
"""


@dataclass(frozen=True)
class Category:
    """One class of the taxonomy; `KEYS` says what its fields are."""

    name: str
    definition: str = ""
    examples: tuple[str, ...] = ()
    source: str = ""
    action: Action = "flag"
    openai: str = ""
    aliases: tuple[str, ...] = ()
    message: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable():  # not shown: it may be what a terminal obeys
            raise ConfigError("the name of a class is empty, or has characters that cannot be printed; rename it")


@dataclass(frozen=True)
class Taxonomy:
    """
    The classes, in order.

    Example:
        >>> Taxonomy.default().names
        ('self-harm', 'medical-advice', 'legal-advice', 'financial-advice', 'emergency-situation', 'not-harmful')
    """

    classes: tuple[Category, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in order."""
        return tuple(category.name for category in self.classes)

    @property
    def definitions(self) -> list[str]:
        """By what the classes are looked for, in order: the definition; the name of one that has none."""
        return [category.definition or category.name for category in self.classes]

    @property
    def words(self) -> list[str]:
        """Whatever a class is called in data: names and aliases, in order."""
        return [word for category in self.classes for word in (category.name, *category.aliases)]

    def index(self, label: str) -> int | None:
        """The index of the class that `label` names, by name or alias; None where there is none."""
        return next((i for i, c in enumerate(self.classes) if label == c.name or label in c.aliases), None)

    def covers(self, labels: Iterable[str]) -> bool:
        """Whether every label is the name or an alias of a class."""
        return all(self.index(label) is not None for label in labels)

    @classmethod
    @cache
    def default(cls) -> "Taxonomy":
        """The paper's six classes."""
        return cls.load(DEFAULT)

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "Taxonomy":
        """The shipped six classes if every label is one of them, else the sorted labels."""
        found = sorted(set(labels))
        shipped = cls.default()
        return shipped if found and shipped.covers(found) else cls(tuple(map(_named, found)))

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "Taxonomy":
        """The classes of these names in their order; the shipped six where they are those."""
        shipped = cls.default()
        return shipped if tuple(names) == shipped.names else cls(tuple(map(_named, names)))

    @classmethod
    def load(cls, path: Path | str) -> "Taxonomy":
        """
        Reads a YAML file such as `taxonomy.yaml` in this package.

        Raises:
            `ConfigError`: naming the file, the key and the near name.
        """
        path = Path(path)
        try:
            content = parse_yaml(read_document(path))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path}: {reason(error)}; --taxonomy takes a YAML file with a list `classes`"
            ) from error
        classes = content.get("classes") if isinstance(content, dict) else None
        if not isinstance(classes, list) or not classes:
            raise ConfigError(f"{path}: expected a list `classes`, each with at least a `name`")
        taxonomy = cls(tuple(_category(path, number, entry) for number, entry in enumerate(classes, 1)))
        words = taxonomy.words
        twice = next((word for word in words if words.count(word) > 1), None)
        if twice:
            raise ConfigError(
                f"{path}: the name{shown_id(twice)} is used for two classes; names and aliases must differ"
            )
        return taxonomy

    def save(self, path: Path | str) -> None:
        """Writes the YAML file that `load` reads."""
        write_text(Path(path), self._as_yaml())

    def explained(self) -> str:
        """The YAML for people to edit: its keys are explained, and those to fill in are there."""
        return KEYS + self._as_yaml("definition", "examples")

    def _as_yaml(self, *always: str) -> str:
        """What has a value, and these keys always."""
        classes = [
            {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(c).items() if v or k in always}
            for c in self.classes
        ]
        return yaml.safe_dump({"classes": classes}, sort_keys=False, allow_unicode=True, width=119)


def _named(name: str) -> Category:
    """A class of which only the name is known; one called like a shipped class has the same action."""
    shipped = Taxonomy.default()
    place = shipped.index(name)
    return Category(name) if place is None else Category(name, action=shipped.classes[place].action)


def _category(path: Path, number: int, entry: Any) -> Category:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ConfigError(f"{path}: class {number} has no `name`")
    known = {field.name: field.default for field in fields(Category)}
    values: dict[str, Any] = {}
    shown = f"class{shown_id(entry['name']) or f' {number}'}"
    for key, value in entry.items():
        if key not in known:
            raise ConfigError(f"{path}: {shown} has an unknown key{shown_id(str(key))}{did_you_mean(str(key), known)}")
        wants_list = isinstance(known[key], tuple)
        parts = value if wants_list else [value]
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            expected = "a list of strings" if wants_list else "a string"
            raise ConfigError(f"{path}: {shown}: {key!r} must be {expected}; quote numbers and dates")
        values[key] = tuple(parts) if wants_list else value
    if "action" in values:
        values["action"] = EARLIER_ACTIONS.get(values["action"], values["action"])
    if (action := values.get("action", ACTIONS[0])) not in ACTIONS:
        raise ConfigError(
            f"{path}: {shown}: action{shown_id(action)} is unknown{did_you_mean(action, ACTIONS)} "
            f"(actions: {', '.join(ACTIONS)})"
        )
    return Category(**values)
