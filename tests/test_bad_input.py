"""
What a user's mistake is answered: one line that names file, row or value and the way out, exit 2, no traceback, no
text of a post, and everything on the disk as it was.

The table runs the installed `rarecase`, two cases at a time, before the first test looks at its result: nearly all of
their time goes into importing libraries.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bad_files import SECRET, write_inputs
from endpoint import Server

RARECASE = Path(sys.executable).with_name("rarecase")
KEY = "sk-3f9a1c77e2"
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
        environment: further variables.
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


def labelled_twice(out: Path) -> None:
    """The first row of `to_label.csv` once more."""
    lines = (out / "to_label.csv").read_text(encoding="utf-8").splitlines()
    (out / "to_label.csv").write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")


RESUME = "run --resume {case}/out"

COLUMNS = [
    Case("text column misspelt in the file", run(dev="misspelt.csv"), r"misspelt\.csv: no column 'text'.*mean 'txt'\?.*--text-column"),
    Case("text column misspelt on the command line", run(text_column="texts"), r"\.csv: no column 'texts'.*mean 'text'\?.*--text-column"),
    Case("label column misspelt in the file", run(dev="misspelt-label.csv"), r"misspelt-label\.csv: no column 'label'.*mean 'lable'\?.*--label-column"),
    Case("label column misspelt", run(label_column="lables"), r"\.csv: no column 'lables'.*mean 'label'\?.*--label-column"),
    Case("id column misspelt", run(id_column="idd"), r"\.csv: no column 'idd'.*mean 'id'\?.*--id-column"),
    Case("label column misspelt, for start", start(label_column="labell"), r"pool\.csv: no column 'labell'.*mean 'label'\?"),
    Case("text column misspelt, for pool", "pool pool.csv --text-column tetx --out {case}/out.parquet", r"pool\.csv: no column 'tetx'.*mean 'text'\?"),
    Case("a file without a header", run(dev="no-header.csv"), r"no-header\.csv: no column 'text'.*is the first row a header\?"),
    Case("posts given as labels", run(label_column="text"), r"row 2: label is not in the taxonomy.*--label-column"),
    Case("posts given as gold labels", start(label_column="text"), r"column 'text'.*--label-column"),
]  # fmt: skip
