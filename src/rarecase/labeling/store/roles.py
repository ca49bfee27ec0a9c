"""Who may label and who may settle: a YAML file of names, or everybody."""

import re
from dataclasses import dataclass, fields
from typing import Any

import yaml

from rarecase.core.errors import ConfigError, did_you_mean, shown_id


@dataclass(frozen=True)
class Roles:
    """
    Names by what they may do. Who settles may label too; nobody settles what they voted on.

    Args:
        owners (`tuple[str, ...]`): may do everything.
        adjudicators (`tuple[str, ...]`): may settle what annotators disagree on.
        annotators (`tuple[str, ...]`): may label.

    Example:
        >>> Roles(annotators=("ann",)).may_settle("ann")
        False
    """

    owners: tuple[str, ...] = ()
    adjudicators: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()

    def may_label(self, name: str) -> bool:
        """Whether the labeling page is theirs."""
        return name in self.annotators or self.may_settle(name)

    def may_settle(self, name: str) -> bool:
        """Whether the adjudicator's page is theirs."""
        return name in self.owners or name in self.adjudicators


class Everybody(Roles):
    """Who signs in may label, and settle what they did not vote on: where nobody is named, on one's own machine."""

    def may_settle(self, name: str) -> bool:
        return True


def is_name(name: str) -> bool:
    """
    Whether somebody can be called this: 1 to 64 letters, digits and `-`, `_`, `.`.

    Example:
        >>> is_name("ann"), is_name("ann <b>")
        (True, False)
    """
    return bool(re.fullmatch(r"[\w.-]{1,64}", name))


def read_roles(text: str, where: str) -> Roles:
    """
    Args:
        text (`str`): YAML: lists of names under `owners`, `adjudicators` and `annotators`.
        where (`str`): the file or variable that it comes from, for errors.

    Raises:
        `ConfigError`: in one line, with the near name of a key that is not known.

    Example:
        >>> read_roles("annotators: [ann, bob]", "roles.yaml").may_label("bob")
        True
    """
    known = [field.name for field in fields(Roles)]
    expected = f"expected lists of names under {', '.join(known)}"
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{where}: no valid YAML; {expected}") from None
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
    return roles


def _names(where: str, role: str, names: Any) -> tuple[str, ...]:
    names = [] if names is None else names
    if not isinstance(names, list):
        raise ConfigError(f"{where}: {role} is to be a list of names, such as [ann, bob]")
    for place, name in enumerate(names, 1):
        if not isinstance(name, str) or not is_name(name):
            raise ConfigError(
                f"{where}: {role}, entry {place} is no name: 1 to 64 letters, digits and -_. (quote what is a number)"
            )
    return tuple(names)
