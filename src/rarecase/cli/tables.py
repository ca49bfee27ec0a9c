"""The commands that make and show tables; `rarecase.cli.main` has the rest."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from rarecase.cli.formats import Format
from rarecase.core.errors import ConfigError
from rarecase.settings.config import class_names, split_list


def pool(
    sources: Annotated[list[str], Parameter(name="sources")],
    /,
    *,
    out: Path,
    wanted: Annotated[str | None, Parameter(name="--sources")] = None,
    per_source: int | None = None,
    encoding: str = "utf-8",
    id_column: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    seed: int = 0,
    format: Format = "text",
) -> None:
    """
    Make a pool of posts: read, sample, drop duplicates and near-duplicates.

    Args:
        sources: files (CSV, TSV, JSON, Parquet; plain, gzip or zstd), folders, data sets of the Hub, Reddit dumps.
        out: the Parquet file to write; a new one.
        wanted: only posts of these sources (subreddits), separated by commas.
        per_source: a random sample of at most this many posts of each source.
        encoding: of text files.
        id_column: by default `id`.
        text_column: by default `text`.
        label_column: by default `label`.
        seed: decides the sample.
        format: `json` for programs.
    """
    from dataclasses import asdict

    from rarecase.data.pool import write_pool
    from rarecase.data.read import Columns

    columns, kinds = Columns(id=id_column, text=text_column, label=label_column), split_list(wanted or "")
    counts = write_pool(
        out, sources, columns=columns, encoding=encoding, wanted=kinds, per_source=per_source, seed=seed
    )
    print(json.dumps(asdict(counts), indent=2) if format == "json" else "\n".join(counts.as_lines()))


def taxonomy(file: Path | None = None, /, *, classes: str | None = None, out: Path | None = None) -> None:
    """
    Show the classes as a YAML file that `--taxonomy` takes: the shipped six, those of a file that is checked, or new
    ones to fill in.

    Args:
        file: of classes, to be checked.
        classes: names of classes, separated by commas, to begin with.
        out: a new file to write.
    """
    from rarecase.core.files import require_new, write_text
    from rarecase.data.taxonomy import Taxonomy

    if file is not None and classes is not None:
        raise ConfigError(f"--classes begins new classes, and {file} has some already; leave one of them out")
    if classes is not None:
        found = Taxonomy.from_names(class_names(classes))
    else:
        found = Taxonomy.default() if file is None else Taxonomy.load(file)
    if out is None:
        print(found.explained(), end="")
        return
    require_new(out)
    write_text(out, found.explained())
    typed = shlex.quote(str(out))
    print(f"{out}: {len(found.names)} classes to edit; then name it by --taxonomy {typed}", file=sys.stderr)


def export(folder: Path, /, *, out: Path, format: Format = "text") -> None:
    """
    Write everything that is labelled as one table: id, text, label, split, origin, parent_id, round, strategy.

    Args:
        folder: of a run or a start, as far as it is, or a release.
        out: the new file to write, whose name ends in .csv, .jsonl or .parquet.
        format: `json` for programs.
    """
    from rarecase.runs.export import export as write

    rows = write(folder, out)
    shown = (f"{count:>10,}  {split}" for split, count in rows.items())
    print(json.dumps(rows, indent=2) if format == "json" else "\n".join(shown))


def import_published(
    folder: Path, /, *, out: Path, reading: Literal["published", "consistent"] = "published", format: Format = "text"
) -> None:
    """
    Turn the seven published TSV files of the paper into a release folder.

    Args:
        folder: where the TSV files are.
        out: the release folder to write.
        reading: `consistent` gives an original the label of its variations where the two contradict each other.
        format: `json` for programs.
    """
    from rarecase.experiment.published import import_published as read

    findings = read(folder, out, reading)
    print(json.dumps(vars(findings), indent=2) if format == "json" else findings)
