"""`rarecase verify`: thin, and a part of `rarecase.cli.main`; nothing heavy is imported before the command runs."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from rarecase.cli.formats import Format
from rarecase.core.errors import ConfigError, command_line, one_line

SHOWN = 20  # rows in a terminal


def verify(
    data: str,
    /,
    *,
    trusted: str,
    to_store: str | None = None,
    most: Annotated[int | None, Parameter(name="--most")] = None,
    taxonomy: Path | None = None,
    encoding: str = "utf-8",
    id_column: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    format: Format = "text",
) -> None:
    """
    Rank labelled rows by how likely their label is wrong, the most doubted first; no text is shown.

    Args:
        data: labelled rows: a file, a folder or a data set of the Hub, `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`.
        trusted: rows whose labels are right, named in the same way; some hundred in all, with some of each class.
        to_store: also put the most doubted rows into this label store, for `rarecase label serve`: a file,
            `postgresql://…` or `hf://datasets/OWNER/NAME`. People see the label that a row has after their vote.
        most: how many rows to put there; by default 50.
        taxonomy: a YAML file of classes; by default the shipped six, or those of the labels.
        encoding: of text files.
        id_column: by default `id`; without one, ids come from a hash of the text.
        text_column: by default `text`.
        label_column: by default `label`.
        format: `json` for programs; has all rows.
    """
    if most is not None and (to_store is None or most < 1):
        raise ConfigError(f"--most {most}: expected at least 1, beside --to-store")
    from rarecase.data.read import Columns
    from rarecase.verify.doubt import doubt
    from rarecase.verify.read import read_both

    columns = Columns(id=id_column, text=text_column, label=label_column)
    named = None if taxonomy is None else str(taxonomy)
    classes, rows, known = read_both(data, trusted, columns=columns, encoding=encoding, taxonomy=named)
    ranked = doubt(rows, known)
    if to_store is None:
        flags = {"--taxonomy": named, "--encoding": None if encoding == "utf-8" else encoding}
        flags |= {"--id-column": id_column, "--text-column": text_column, "--label-column": label_column}
        given = [word for name, value in flags.items() if value is not None for word in (name, value)]
        again = command_line("verify", data, "--trusted", trusted, *given, "--to-store", "doubted.sqlite")
        next_ = f"next, for people to label the most doubted once more: {again}"
    else:
        from rarecase.labeling.second_look import ask_again
        from rarecase.labeling.store.address import without_password

        new = ask_again(ranked, most or 50, classes, to_store)
        next_ = f"{new} rows are new in the store; next: "
        next_ += command_line("label", "serve", "--store", without_password(to_store))
    print(json.dumps({"rows": _rows(ranked)}, indent=2) if format == "json" else _table(_rows(ranked)))
    print(one_line(next_), file=sys.stderr)


def _rows(ranked: Any) -> list[dict[str, Any]]:
    """What is printed of each row; an id that may be a text is shown as its hash."""
    from rarecase.data.schema import label_names, public_id

    names = label_names(ranked)
    columns = (ranked[name][:] for name in ("id", "label", "doubt", "likelier", "why"))
    return [
        {"id": public_id(id_), "label": names[label], "doubt": doubt, "likelier": names[likelier], "why": why}
        for id_, label, doubt, likelier, why in zip(*columns, strict=True)
    ]


def _table(rows: list[dict[str, Any]]) -> str:
    from tabulate import tabulate

    shown = [[row["id"], row["label"], row["likelier"], f"{row['doubt']:.3f}"] for row in rows[:SHOWN]]
    table = tabulate(shown, ["id", "label", "looks like", "doubt"], disable_numparse=True)
    left = len(rows) - len(shown)
    return f"{table}\n… and {left:,} rows that are doubted less" if left else table
