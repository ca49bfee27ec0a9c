"""Which settings are refused before anything is read: out of range, missing, or without effect beside another."""

import re
from dataclasses import fields
from math import inf
from pathlib import Path

from rarecase.core.errors import ConfigError, flag
from rarecase.settings.config import ExperimentConfig, FitConfig, LoopConfig, StartConfig, TrainConfig

_LEAST = {
    "budget": 1,
    "batch": 1,
    "clusters": 1,
    "variations": 0,
    "seed": 0,
    "epochs": 1,
    "updates": 1,
    "concurrency": 1,
    "seeds": 1,
    "test_size": 1,
}
_LEAST_OF_START = {"bootstrap": 1, "dev": 1, "test": 1, "certify": 0, "seed": 0}
# What says nothing beside another setting (of this value; None: of any), and would look as if it did.
_WITHOUT_EFFECT: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("learner", "frozen", ("precision", "epochs", "updates", "learning_rate")),
    ("learner", "setfit", ("epochs",)),
    ("updates", None, ("epochs",)),
    ("start", None, ("pool", "bootstrap", "dev", "test", "test_size", "label_column", "taxonomy")),
    ("test", None, ("test_size",)),
    ("annotator", "file", ("store",)),
    ("annotator", "gold", ("store",)),
)
_OF_TABLES = ("id_column", "text_column", "encoding")  # of --start, too, unless they are those of --generator-data


def check(config: FitConfig | StartConfig) -> None:
    """
    Raises:
        `ConfigError`: where a number is out of range, a setting needs another that is missing, or has no effect
            beside another.
    """
    for name, least in (_LEAST_OF_START if isinstance(config, StartConfig) else _LEAST).items():
        value = getattr(config, name, None)
        if value is not None and value < least:
            raise ConfigError(f"{flag(name)} {value}: expected at least {least}")
    if isinstance(config, FitConfig) and config.learning_rate is not None and not 0 < config.learning_rate < inf:
        raise ConfigError(f"--learning-rate {config.learning_rate}: expected more than 0")
    _refuse_without_effect(config)
    if re.search(r"://[^@/]*:[^@]*@|[?&]password=", getattr(config, "store", None) or ""):
        raise ConfigError(
            "--store: the password in the address would be written down in config.yaml; leave it out, and give it as "
            "PGPASSWORD or in ~/.pgpass"
        )
    if not isinstance(config, LoopConfig):
        return
    if not 0 <= config.temperature < inf:  # also where it is NaN
        raise ConfigError(f"--temperature {config.temperature}: expected at least 0")
    wanted = {
        "openai": ("generator_url", "generator_model"),
        "local": ("generator_model",),
        "replay": ("generator_data",),
    }
    for name in wanted.get(config.generator, ()):
        if getattr(config, name) is None:
            raise ConfigError(
                f"--generator {config.generator} needs {flag(name)} (or --generator none: no variations)"
            )


def _refuse_without_effect(config: FitConfig | StartConfig) -> None:
    default = {field.name: field.default for field in fields(config)}
    for name, wanted, others in _WITHOUT_EFFECT:
        value = getattr(config, name, None)
        if value is None or (wanted is not None and value != wanted):
            continue
        if name == "start" and getattr(config, "generator", None) != "replay":
            others += _OF_TABLES
        for other in others:
            if getattr(config, other, None) not in (None, default.get(other)):
                raise ConfigError(f"{flag(other)} has no effect beside {flag(name)} {value}; leave one of them out")


def require_out(config: LoopConfig | StartConfig | TrainConfig | ExperimentConfig) -> Path:
    """
    Raises:
        `ConfigError`: where `--out` was not said, or is the working folder.
    """
    if config.out is None:
        raise ConfigError("--out is missing: the folder to write")
    refuse_working_folder(config.out)
    return config.out


def refuse_working_folder(out: Path) -> None:
    """
    A folder appears whole by being renamed, which would take the empty one away from under the shell that is in it.

    Raises:
        `ConfigError`: where `out` is the working folder, and empty.
    """
    if out.resolve() == Path.cwd() and not any(out.iterdir()):
        raise ConfigError(f"--out {out}: is the working folder; name a new folder in it")
