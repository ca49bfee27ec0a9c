"""A row of the tables of bad input, and the commands that they are made of."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

DEFAULTS = {
    "pool": "pool.csv",
    "bootstrap": "start.csv",
    "dev": "dev.csv",
    "test": "test.csv",
    "strategy": "random",
    "annotator": "gold",
    "generator": "none",
    "out": "{case}/out",
}


def command(name: str, defaults: dict[str, str], settings: dict[str, object]) -> str:
    """A command line with these flags; a setting of None is left out."""
    flags = {key.replace("_", "-"): value for key, value in {**defaults, **settings}.items() if value is not None}
    return " ".join([name, *(f"--{key} {shlex.quote(str(value))}" for key, value in flags.items())])


def run(**settings: object) -> str:
    return command("run", DEFAULTS, settings)


def start(**settings: object) -> str:
    sizes = {"pool": "pool.csv", "bootstrap": "5", "dev": "5", "test": "5", "annotator": "gold", "out": "{case}/out"}
    return command("start", sizes, settings)


def simulate(**settings: object) -> str:
    kept = {key: value for key, value in DEFAULTS.items() if key not in ("strategy", "annotator")}
    return command("simulate", {**kept, "strategies": "random"}, settings)


def ask(url: str, **settings: object) -> str:
    return run(generator="openai", generator_url=url, generator_model="words", **settings)


@dataclass(frozen=True)
class Case:
    """
    One row of the table.

    Args:
        name: what is wrong.
        command: its command line; `{case}` is the folder of the case, `{html}` and the like are addresses.
        answer: a pattern for the line, after `rarecase: `.
        before: the name of a folder that stands at `{case}/out` already, see `prepared`.
        change: what is changed there first.
        environment: further variables; the libraries read them when they are imported.
    """

    name: str
    command: str
    answer: str
    before: str = ""
    change: Callable[[Path], object] = lambda out: None
    environment: dict[str, str] = field(default_factory=dict)


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Changes a text file of the folder."""

    def change(out: Path) -> None:
        content = (out / name).read_text(encoding="utf-8")
        assert old in content
        (out / name).write_text(content.replace(old, new, 1), encoding="utf-8")

    return change


def write(name: str, content: str) -> Callable[[Path], object]:
    return lambda out: (out / name).write_text(content, encoding="utf-8")
