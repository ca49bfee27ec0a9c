"""What `rarecase report` shows of a folder, whatever kind it is."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rarecase.acquire.stopping import sentence_of
from rarecase.core.errors import ConfigError, RunFolderError
from rarecase.core.files import require_new, write_text
from rarecase.core.markdown import plain
from rarecase.evaluate.record import RoundRecord
from rarecase.report.examples import write_examples
from rarecase.report.experiment import report_of_experiment
from rarecase.report.experiment_plot import picture_of_experiment
from rarecase.report.experiment_tables import text_of_experiment, write_tables
from rarecase.report.fonts import sentence_of_numbers
from rarecase.report.generation import generation_table, line_of_generation
from rarecase.report.plots import details_of_grid, picture_of_grid, picture_of_run, save
from rarecase.report.results import read_results
from rarecase.report.run import LEGEND, line_of_cost, report_of_run, rounds_table, variations_table
from rarecase.report.simulation import LEGEND as LEGEND_OF_GRID
from rarecase.report.simulation import curves_table, differences_table, report_of_grid
from rarecase.report.tables import Table, wrapped
from rarecase.report.transfer import SENTENCE, is_of_grids, report_of_transfer, transfer_table
from rarecase.runs.folder import Manifest


def show(
    folder: Path,
    style: str = "text",
    *,
    width: int | None = None,
    model: str | None = None,
    examples: Path | None = None,
) -> str:
    """
    The report of a folder as `text` of at most this width, `markdown` or `json`; its pictures, tables and page are
    written into the folder. Of an experiment, `model` is whose errors to show, by default the best one's, and
    `examples` a file for posts as examples, which are shown nowhere else.
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
            return _experiment(folder, style, width, model, examples)
        return {"run": _run, "grid": _grid, "experiment": _transfer}[kind](folder, style, width)
    except FileNotFoundError as error:
        missing = error.filename or error  # pyarrow's has the path as its words
        raise RunFolderError(f"{missing}: is missing; put it back, or repeat the command that made {folder}") from None


def _run(folder: Path, style: str, width: int | None) -> str:
    report = report_of_run(folder)
    if report["rounds"]:
        save(picture_of_run(report), folder / "report.png")
    if style == "json":
        return _json(report)
    if not report["rounds"]:
        return "nothing done yet"
    last = RoundRecord.from_json(report["rounds"][-1], folder)
    sentences = [line_of_cost(report), sentence_of(last.labels, last.stopping), *report["notes"]]
    generation = report["generation"]
    parts: list[Table | str | None] = [rounds_table(report), LEGEND, variations_table(report), *sentences]
    if generation:
        parts += [line_of_generation(generation), generation_table(generation)]
    parts.append(sentence_of_numbers(report["classes"]))
    return f"{_page(parts, style, width)}\n\npicture: {folder / 'report.png'}"


def _grid(folder: Path, style: str, width: int | None) -> str:
    report = report_of_grid(folder)
    if report["strategies"]:
        save(picture_of_grid(report), folder / "report.png")
        save(details_of_grid(report), folder / "details.png")
    if style == "json":
        return _json(report)
    if not report["strategies"]:
        return "nothing done yet"
    tables = [curves_table(report), differences_table(report)]
    shown = _page([*tables, LEGEND_OF_GRID, *report["notes"], sentence_of_numbers(report["classes"])], style, width)
    return f"{shown}\n\npicture: {folder / 'report.png'}; curves and classes: {folder / 'details.png'}"


def _page(parts: Iterable[Table | str | None], style: str, width: int | None) -> str:
    """Tables and sentences, below each other; without those that are empty."""
    return "\n\n".join(
        part.rendered(style, width)
        if isinstance(part, Table)
        else plain(part)
        if style == "markdown"
        else wrapped(part, width)
        for part in parts
        if part
    )


def _experiment(folder: Path, style: str, width: int | None, model: str | None, examples: Path | None) -> str:
    if examples:
        require_new(examples, option="--examples")
    results = read_results(folder)
    report = report_of_experiment(results, model=model)
    done = report["cells"]["done"]
    if done:
        save(picture_of_experiment(report), folder / "report.png")
    write_tables(report, folder / "tables")
    numbers = sentence_of_numbers(report["classes"])
    page = "\n\n".join(filter(None, [text_of_experiment(report, "markdown"), plain(numbers)]))
    write_text(folder / "report.md", page + ("\n\n![macro-F1 and errors](report.png)\n" if done else "\n"))
    if examples:
        write_examples(results, report["figure3"], examples)
    if style == "json":
        return _json(report)
    text = [page] if style == "markdown" else [text_of_experiment(report, "text", width), wrapped(numbers, width)]
    made = [*(["report.png"] if done else []), "report.md", "tables"]
    return "\n\n".join(filter(None, [*text, f"written: {', '.join(str(folder / name) for name in made)}"]))


def _transfer(folder: Path, style: str, width: int | None) -> str:
    report = report_of_transfer(folder)
    if style == "json":
        return _json(report)
    failed = [f"failed: {name}: {reason}" for name, reason in report["failed"].items()]
    return _page([SENTENCE, transfer_table(report), *report["notes"], *failed], style, width)


def _json(report: Mapping[str, object]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False)
