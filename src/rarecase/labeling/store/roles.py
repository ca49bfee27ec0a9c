"""Who may label and who may review: a YAML file of names, or everybody."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rarecase.core.documents import parse_yaml, read_document, reason
from rarecase.core.errors import ConfigError, did_you_mean, shown_id
from rarecase.core.installed import needs
from rarecase.labeling.store.names import alike, is_name


@dataclass(frozen=True)
class Roles:
    """Names by what they may do. Who reviews may label too; nobody reviews what they voted on."""

    owners: tuple[str, ...] = ()  # may do everything
    adjudicators: tuple[str, ...] = ()  # may review what annotators disagree on
    annotators: tuple[str, ...] = ()  # may label

    @property
    def names(self) -> list[str]:
        """Everybody who is listed, once."""
        return list(dict.fromkeys((*self.owners, *self.adjudicators, *self.annotators)))

    def may_label(self, name: str) -> bool:
        """Whether somebody may use the labeling page."""
        return name in self.annotators or self.may_review(name)

    def may_review(self, name: str) -> bool:
        """Whether somebody may use the page for reviews."""
        return name in self.owners or name in self.adjudicators


class Everybody(Roles):
    """Whoever signs in may label, and review what they did not vote on: for one's own machine."""

    def may_review(self, name: str) -> bool:
        """Always."""
        return True


def roles_text(path: Path) -> str:
    """The content of a file of roles; a `ConfigError` where it cannot be read."""
    try:
        return read_document(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--roles {path}: {reason(error)}; expected a YAML file of who may do what") from None


def read_roles(text: str, where: str) -> Roles:
    """Reads YAML with lists of names under `owners`, `adjudicators` and `annotators`; errors begin with `where`."""
    known = [field.name for field in fields(Roles)]
    expected = f"expected lists of names under {', '.join(known)}"
    try:
        content = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}; {expected}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: {expected}")
    for key in content:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown role{shown_id(str(key))}{did_you_mean(str(key), known) or f'; {expected}'}"
            )
    roles = Roles(**{key: _names(where, key, value) for key, value in content.items()})
    if not (roles.owners or roles.adjudicators or roles.annotators):
        raise ConfigError(f"{where}: nobody is named; {expected}")
    with needs("app", where):
        found = alike(roles.names)
    if found:
        raise ConfigError(f"{where}: {found[0]} looks like {found[1]}, so only one of them could sign in; rename one")
    return roles


def _names(where: str, role: str, names: Any) -> tuple[str, ...]:
    names = [] if names is None else names
    if not isinstance(names, list):
        raise ConfigError(f"{where}: {role} must be a list of names, such as [ann, bob]")
    for number, name in enumerate(names, 1):
        if not isinstance(name, str) or not is_name(name):
            raise ConfigError(
                f"{where}: {role}, entry {number} is no name: 1 to 64 letters, digits and -_. (quote numbers)"
            )
    return tuple(names)
