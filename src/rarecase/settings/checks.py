"""
The rules of settings: which values a field takes, and beside which others it has no effect.

A field names its rules (`setting`), and `check` applies them, wherever the settings come from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, field, fields
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

from rarecase.core.errors import ConfigError, flag, holds_password, is_more_than_address

LARGEST = 2**63 - 1_000  # a whole number that run.json can hold, and after it the seeds of a grid

Rule = Callable[[Any, Field[Any]], None]  # raises where the field of these settings has a value that it may not have


def setting(default: Any, *rules: Rule) -> Any:
    """A field of a dataclass of settings, with its rules."""
    return field(default=default, metadata={"rules": rules})


def check(config: Any) -> None:
    """Raises `ConfigError` naming the first setting that breaks one of its rules."""
    for entry in fields(config):
        for rule in entry.metadata.get("rules", ()):
            rule(config, entry)


def at_least(least: float) -> Rule:
    """The number is finite and not smaller than this."""
    return _number(lambda value: least <= value < inf, f"at least {least}")  # also refuses NaN


def between(least: float, most: float) -> Rule:
    """The number is not smaller than the one, and not larger than the other."""
    return _number(lambda value: least <= value <= most, f"{least:,} to {most:,}")


def above(limit: float) -> Rule:
    """The number is finite and larger than this."""
    return _number(lambda value: limit < value < inf, f"more than {limit}")


def _number(is_valid: Callable[[float], bool], expected: str) -> Rule:
    def rule(config: Any, entry: Field[Any]) -> None:
        value = getattr(config, entry.name)
        if value is None:
            return
        whole = entry.type in (int, int | None)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ConfigError(f"{flag(entry.name)} {value!r:.40}: expected a {'whole ' if whole else ''}number")
        if whole and value > LARGEST:
            raise ConfigError(f"{flag(entry.name)} {str(value)[:40]}: expected at most {LARGEST}")
        if not is_valid(value):
            raise ConfigError(f"{flag(entry.name)} {value}: expected {expected}")

    return rule


def no_effect_beside(*given: str, unless: dict[str, str] | None = None, **values: tuple[str, ...]) -> Rule:
    """
    The setting has no effect where one of `given` is given, or another setting has one of these `values`.

    It may be given all the same where another setting has the value that `unless` names.
    """

    def rule(config: Any, entry: Field[Any]) -> None:
        if getattr(config, entry.name) in (None, entry.default):
            return
        if any(getattr(config, name, None) == value for name, value in (unless or {}).items()):
            return
        for name in (*values, *given):
            other = getattr(config, name, None)
            if other is not None and (name in given or other in values[name]):
                raise ConfigError(
                    f"{flag(entry.name)} has no effect beside {flag(name)} {other}; leave one of them out"
                )

    return rule


def no_effect_without(name: str, *values: str) -> Rule:
    """The setting has an effect only where another one has one of these values."""

    def rule(config: Any, entry: Field[Any]) -> None:
        if getattr(config, entry.name) not in (None, entry.default) and getattr(config, name) not in values:
            raise ConfigError(
                f"{flag(entry.name)} has no effect without {flag(name)} {' or '.join(values)}; add that, or leave "
                f"{flag(entry.name)} out"
            )

    return rule


def needed_by(name: str, *values: str, otherwise: str) -> Rule:
    """The setting is missing where another one has one of these values; `otherwise` is a value that does without."""

    def rule(config: Any, entry: Field[Any]) -> None:
        if getattr(config, name) in values and getattr(config, entry.name) is None:
            raise ConfigError(f"{flag(name)} {getattr(config, name)} needs {flag(entry.name)} (or {otherwise})")

    return rule


def installed(packages: Mapping[str, Sequence[str]]) -> Rule:
    """The setting is one of these, and one of the packages that it needs, where it needs any, is installed."""

    def rule(config: Any, entry: Field[Any]) -> None:
        value = getattr(config, entry.name)
        if value not in packages:
            raise ConfigError(f"{flag(entry.name)} {value!r:.40}: expected one of {', '.join(packages)}")
        if (names := packages[value]) and not any(map(find_spec, names)):
            raise ConfigError(
                f"{flag(entry.name)} {value}: the package {names[0]} is not installed; pip install {names[0]}"
            )

    return rule


def no_password(config: Any, entry: Field[Any]) -> None:
    """The address of a database holds no password."""
    if holds_password(getattr(config, entry.name) or ""):
        raise ConfigError(
            f"{flag(entry.name)}: the password in the address would be written down in config.yaml; leave it out, and "
            "give it as PGPASSWORD or in ~/.pgpass"
        )


def no_key(config: Any, entry: Field[Any]) -> None:
    """The address of a server holds no key or password."""
    if is_more_than_address(getattr(config, entry.name) or ""):
        raise ConfigError(
            f"{flag(entry.name)} is more than an address, and would be written down in config.yaml; expected "
            "http://HOST:PORT/v1 or https://HOST/v1, and a key in OPENAI_API_KEY"
        )


def require_out(out: Path | str | None) -> Path:
    """The folder to write; raises `ConfigError` where it is missing, or is the working folder."""
    if out is None:
        raise ConfigError("--out is missing: the folder to write")
    refuse_working_folder(Path(out))
    return Path(out)


def refuse_working_folder(out: Path) -> None:
    """Raises `ConfigError` where `out` is the working folder, and empty."""
    # A folder appears whole by being renamed, which would take the empty one away from under the shell that is in it.
    if out.resolve() == Path.cwd() and not any(out.iterdir()):
        raise ConfigError(f"--out {out}: is the working folder; name a new folder in it")
