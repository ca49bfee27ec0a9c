"""`rarecase generate …`: thin, and a part of `rarecase.cli.main`; nothing heavy is imported before a command runs."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from rarecase.cli.formats import Format
from rarecase.settings.config import RunConfig

app = App(name="generate", help="What a language model is asked for variations, and its replies read anew.")


@app.command
def preview(
    settings: Annotated[RunConfig, Parameter(name="*")] = RunConfig(),  # noqa: B008 - frozen
    *,
    config: Path | None = None,
    format: Format = "text",
) -> None:
    """
    Show what a run would send to a language model for the first three posts of its start set, and how much in all.

    It prints these posts, and sends nothing.

    Args:
        config: a YAML file of settings; a flag wins over it.
        format: `json` for programs.
    """
    from rarecase.runs.preview import preview as made

    found = made(settings)
    print(found.as_json() if format == "json" else found.as_text())


@app.command
def reparse(folder: Path, /, *, out: Path, format: Format = "text") -> None:
    """
    Read the stored replies of a run anew, and write the variations that pass as one table; nothing is sent.

    The run stays as it is: its rounds say what was learned from. A new run learns from the table by `--generator
    replay --generator-data TABLE`.

    Args:
        folder: of a run.
        out: the new file to write, whose name ends in .csv, .jsonl or .parquet.
        format: `json` for programs.
    """
    from rarecase.runs.reparse import reparse as read

    counts = read(folder, out)
    if format == "json":
        print(json.dumps(counts, indent=2))
        return
    print(f"{'before':>10}{'now':>10}")
    for name, (before, now) in counts.items():
        print(f"{before:>10,}{now:>10,}  {name}")
    named = shlex.quote(str(out))
    print(f"{out}: a new run learns from it by --generator replay --generator-data {named}", file=sys.stderr)
