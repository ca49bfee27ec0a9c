"""How a store is labelled, and `labeling.json`, which says so for a Space."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rarecase.core.documents import parse_json
from rarecase.core.errors import ConfigError, did_you_mean, shown_id
from rarecase.core.typed import from_json
from rarecase.labeling.store.kinds import KINDS, wrong_field

FILE = "labeling.json"
LONGEST_LEASE = 10**9  # seconds: with today's time it stays a date


@dataclass(frozen=True)
class Settings:
    """How a store is labelled."""

    votes: int = 2  # annotators for each item
    lease: float = 600.0  # seconds that an item is reserved for whoever was given it
    # Who decides where votes differ: `adjudication` (a person), `majority` (a tie goes to a person) or `model` (Dawid
    # and Skene, 1979, once the batch has all its votes).
    consensus: str = "adjudication"
    calibrate_every: int = 0  # after so many votes of a person, an item whose answer is known; 0 for never


def check_settings(
    *,
    votes: int | None = None,
    lease: float | None = None,
    calibrate_every: int | None = None,
    qualify: Path | None = None,
) -> None:
    """Raises a `ConfigError` that names the flag whose value is out of range; None is not checked."""
    for name, value, least in (("votes", votes, 1), ("calibrate-every", calibrate_every, 0)):
        if value is not None and value < least:
            raise ConfigError(f"--{name} {value}: expected at least {least}")
    if lease is not None and not 0 < lease <= LONGEST_LEASE:
        raise ConfigError(f"--lease {lease}: expected more than 0 seconds, at most {LONGEST_LEASE:,}")
    if calibrate_every and qualify is None:
        raise ConfigError("--calibrate-every needs --qualify FILE: texts with known labels")


@dataclass(frozen=True)
class SpaceFile:
    """`labeling.json` of a Space: the address of its store, and the settings that are not the defaults."""

    values: Mapping[str, Any]  # by name, in the order of the file

    @classmethod
    def parse(cls, content: bytes) -> "SpaceFile":
        """Reads the file; raises a `ConfigError` where it is not what `content` writes."""
        known = ["store", *(field.name for field in fields(Settings))]
        try:
            values = parse_json(content)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise ConfigError(f"{FILE}: expected a JSON object with {', '.join(known)}")
        for key in values:
            if key not in known:
                raise ConfigError(f"{FILE}: unknown setting{shown_id(key)}{did_you_mean(key, known)}")
        from_json(Settings, {key: value for key, value in values.items() if key != "store"}, FILE)
        if name := wrong_field(KINDS["settings"], values):  # else the log would be called damaged
            shown = shown_id(str(values[name]))
            raise ConfigError(f"{FILE}: {name}{shown} is not possible; set it by `rarecase publish labeling`")
        return cls(values)

    def updated(self, store: str, given: Mapping[str, str | float]) -> "SpaceFile":
        """With the settings that are given, and with those of the file where they are not."""
        return SpaceFile({**self.values, **given, "store": store})

    def content(self) -> bytes:
        """The file."""
        return (json.dumps(dict(self.values), indent=2) + "\n").encode()

    @property
    def store(self) -> str | None:
        """The address of the store."""
        return str(self.values["store"]) if self.values.get("store") else None

    @property
    def settings(self) -> Settings:
        """How it is labelled."""
        return Settings(**{key: value for key, value in self.values.items() if key != "store"})
