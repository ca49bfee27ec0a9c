"""What `rarecase report` shows of a folder, whatever kind it is."""

import json
from pathlib import Path

from rarecase.acquire.stopping import sentence_of
from rarecase.core.errors import ConfigError, RunFolderError
from rarecase.core.files import write_text
from rarecase.evaluate.record import RoundRecord
from rarecase.experiment.curves import curves
from rarecase.experiment.results import read_results
from rarecase.experiment.tables import report_of_experiment
from rarecase.experiment.transfer import is_of_grids, rows_of_transfer, transfer_of
from rarecase.report import plots
from rarecase.report.examples import refuse_existing, write_examples
from rarecase.report.experiment import text_of_experiment, write_tables
from rarecase.report.experiment_plot import picture_of_experiment
from rarecase.report.run import line_of_cost, report_of_run, rows_of_differences, rows_of_grid, rows_of_run, table
from rarecase.runs.folder import Manifest

_TRANSFER = (
    "What learners make of what they and others acquired: macro-F1 on test in percent, the mean over seeds, with its "
    "95 % interval. lost: with what the learner had acquired itself, less that; above 0 where another's help less."
)


def show(folder: Path, style: str = "text", *, model: str | None = None, examples: Path | None = None) -> str:
    """
    The report of a run, a simulation or an experiment as text; its picture goes to `report.png` in the folder, and of
    an experiment a page to `report.md` and every table to `tables/`.

    Args:
        folder (`Path`): of a run, a simulation or an experiment, finished or not.
        style (`str`): `text`, `markdown` or `json`.
        model (`str`, *optional*): of an experiment: whose errors to show; by default the best one's.
        examples (`Path`, *optional*): of an experiment: a file for posts as examples, which are shown nowhere else.

    Raises:
        `RunFolderError`: where the folder is none of these, or lacks a file.
        `ConfigError`: where `model` or `examples` is said of something else than an experiment.
        `DataError`: where `examples` exists.

    Example:
        >>> print(show(Path("out")))
    """
    kind = Manifest.read(folder, "run", "grid", "experiment").kind
    try:
        return _shown(folder, kind, style, model, examples)
    except FileNotFoundError as error:
        missing = error.filename or error  # pyarrow's has the path as its words
        raise RunFolderError(f"{missing}: is missing; put it back, or repeat the command that made {folder}") from None


def _shown(folder: Path, kind: str, style: str, model: str | None, examples: Path | None) -> str:
    of_grids = kind == "experiment" and is_of_grids(folder)
    if kind == "experiment" and not of_grids:
        return _experiment(folder, style, model, examples)
    if model or examples:
        unused, what = "--model" if model else "--examples", "what simulations acquired" if of_grids else f"a {kind}"
        raise ConfigError(f"{unused} has no effect on the report of {what}; leave it out")
    if of_grids:
        return _transfer(folder, style)
    report = curves(folder) if kind == "grid" else report_of_run(folder)
    done = report["strategies"] if kind == "grid" else report["rounds"]
    if done:
        draw = plots.picture_of_grid if kind == "grid" else plots.picture_of_run
        draw(report, folder / "report.png")
    if style == "json":
        return json.dumps(report, indent=2, ensure_ascii=False)
    if not done:
        return "nothing done yet"
    tables = [rows_of_grid(report), rows_of_differences(report)] if kind == "grid" else [rows_of_run(report)]
    picture = f"picture: {folder / 'report.png'}"
    below = []
    if kind == "run":
        last = RoundRecord.from_json(done[-1], folder)
        below = [sentence for sentence in (line_of_cost(report), sentence_of(last.labels, last.stopping)) if sentence]
    return "\n\n".join([*(table(header, rows, style) for header, rows in tables), *below, picture])


def _experiment(folder: Path, style: str, model: str | None, examples: Path | None) -> str:
    if examples:
        refuse_existing(examples)
    results = read_results(folder)
    report = report_of_experiment(results, model=model)
    done = report["cells"]["done"]
    if done:
        picture_of_experiment(report, folder / "report.png")
    write_tables(report, folder / "tables")
    page = text_of_experiment(report, "markdown")
    write_text(folder / "report.md", page + ("\n\n![macro-F1 and errors](report.png)\n" if done else "\n"))
    if examples:
        write_examples(results, report["figure3"], examples)
    if style == "json":
        return json.dumps(report, indent=2, ensure_ascii=False)
    text = page if style == "markdown" else text_of_experiment(report, "text")
    made = [*(["report.png"] if done else []), "report.md", "tables"]
    return "\n\n".join([text, f"written: {', '.join(str(folder / name) for name in made)}"])


def _transfer(folder: Path, style: str) -> str:
    report = transfer_of(folder)
    if style == "json":
        return json.dumps(report, indent=2, ensure_ascii=False)
    failed = [f"failed: {name}: {reason}" for name, reason in report["failed"].items()]
    return "\n\n".join([_TRANSFER, table(*rows_of_transfer(report), style), *failed])
