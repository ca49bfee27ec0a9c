"""What `rarecase report` shows of a folder, whatever kind it is."""

import json
from collections.abc import Mapping
from pathlib import Path

from rarecase.acquire.stopping import sentence_of
from rarecase.core.errors import ConfigError, RunFolderError
from rarecase.core.files import write_text
from rarecase.core.markdown import plain
from rarecase.evaluate.record import RoundRecord
from rarecase.report.examples import refuse_existing, write_examples
from rarecase.report.experiment import report_of_experiment
from rarecase.report.experiment_plot import picture_of_experiment
from rarecase.report.experiment_tables import text_of_experiment, write_tables
from rarecase.report.plots import picture_of_grid, picture_of_run, save
from rarecase.report.results import read_results
from rarecase.report.run import line_of_cost, report_of_run, rounds_table
from rarecase.report.simulation import curves_table, differences_table, report_of_grid
from rarecase.report.transfer import SENTENCE, is_of_grids, report_of_transfer, transfer_table
from rarecase.runs.folder import Manifest


def show(folder: Path, style: str = "text", *, model: str | None = None, examples: Path | None = None) -> str:
    """
    The report of a run, a simulation or an experiment as `text`, `markdown` or `json`.

    Its picture goes to `report.png` in the folder, and of an experiment a page to `report.md` and every table to
    `tables/`. Of an experiment, `model` is whose errors to show, by default the best one's; `examples` is a file for
    posts as examples, which are shown nowhere else.
    """
    manifest = Manifest.read(folder, "run", "grid", "experiment")
    kind = manifest.kind
    try:
        shows_errors = kind == "experiment" and not is_of_grids(folder)
        if (model or examples) and not shows_errors:
            unused = "--model" if model else "--examples"
            of = "what simulations acquired" if kind == "experiment" else f"a {kind}"
            raise ConfigError(f"{unused} has no effect on the report of {of}; leave it out")
        for name in manifest.tables:
            (folder / f"{name}.parquet").stat()  # one that is missing is named
        manifest.require_data(folder)
        if shows_errors:
            return _experiment(folder, style, model, examples)
        return {"run": _run, "grid": _grid, "experiment": _transfer}[kind](folder, style)
    except FileNotFoundError as error:
        missing = error.filename or error  # pyarrow's has the path as its words
        raise RunFolderError(f"{missing}: is missing; put it back, or repeat the command that made {folder}") from None


def _run(folder: Path, style: str) -> str:
    report = report_of_run(folder)
    if report["rounds"]:
        save(picture_of_run(report), folder / "report.png")
    if style == "json":
        return _json(report)
    if not report["rounds"]:
        return "nothing done yet"
    last = RoundRecord.from_json(report["rounds"][-1], folder)
    cost = plain(line_of_cost(report)) if style == "markdown" else line_of_cost(report)
    sentences = filter(None, [cost, sentence_of(last.labels, last.stopping)])
    return "\n\n".join([rounds_table(report).rendered(style), *sentences, f"picture: {folder / 'report.png'}"])


def _grid(folder: Path, style: str) -> str:
    report = report_of_grid(folder)
    if report["strategies"]:
        save(picture_of_grid(report), folder / "report.png")
    if style == "json":
        return _json(report)
    if not report["strategies"]:
        return "nothing done yet"
    tables = [table.rendered(style) for table in (curves_table(report), differences_table(report))]
    return "\n\n".join([*tables, f"picture: {folder / 'report.png'}"])


def _experiment(folder: Path, style: str, model: str | None, examples: Path | None) -> str:
    if examples:
        refuse_existing(examples)
    results = read_results(folder)
    report = report_of_experiment(results, model=model)
    done = report["cells"]["done"]
    if done:
        save(picture_of_experiment(report), folder / "report.png")
    write_tables(report, folder / "tables")
    page = text_of_experiment(report, "markdown")
    write_text(folder / "report.md", page + ("\n\n![macro-F1 and errors](report.png)\n" if done else "\n"))
    if examples:
        write_examples(results, report["figure3"], examples)
    if style == "json":
        return _json(report)
    text = page if style == "markdown" else text_of_experiment(report, "text")
    made = [*(["report.png"] if done else []), "report.md", "tables"]
    return "\n\n".join([text, f"written: {', '.join(str(folder / name) for name in made)}"])


def _transfer(folder: Path, style: str) -> str:
    report = report_of_transfer(folder)
    if style == "json":
        return _json(report)
    failed = [f"failed: {name}: {reason}" for name, reason in report["failed"].items()]
    shown = map(plain, failed) if style == "markdown" else failed
    return "\n\n".join([SENTENCE, transfer_table(report).rendered(style), *shown])


def _json(report: Mapping[str, object]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False)
