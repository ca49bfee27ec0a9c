"""`rarecase guard …`: thin, and a part of `rarecase.cli.main`; nothing heavy is imported before a command runs."""

from pathlib import Path

from cyclopts import App

app = App(name="guard", help="A trained model as a guard in front of a language model.")


@app.command
def check(
    model: str,
    data: str,
    /,
    *,
    out: Path | None = None,
    taxonomy: Path | None = None,
    encoding: str = "utf-8",
    id_column: str | None = None,
    text_column: str | None = None,
) -> None:
    """
    Judge every row of a table: a line of JSON for each, without its text.

    Args:
        model: a model folder, a run (its last learner) or a Hub id, of any learner or text classifier.
        data: a file, a folder or a data set of the Hub.
        out: a new file for the lines, instead of stdout.
        taxonomy: a YAML file with the action of each class, in the order of the model; by default as in training.
        encoding: of text files.
        id_column: by default `id`; without such a column, ids come from a hash of the text.
        text_column: by default `text`.
    """
    from rarecase.data.read import Columns
    from rarecase.runs.check import check as write

    columns = Columns(id=id_column, text=text_column)
    write(model, data, out, columns=columns, encoding=encoding, taxonomy=taxonomy)
