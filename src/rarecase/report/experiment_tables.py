"""The report of an experiment as tables: for the terminal and Markdown, and as CSV files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rarecase.core import markdown
from rarecase.core.files import write_text
from rarecase.data.counts import shown_classes, sum_groups
from rarecase.experiment.paper import FIGURES, short_name
from rarecase.report.compare import LEVEL
from rarecase.report.experiment import ALL, ExperimentReport
from rarecase.report.tables import SIGNED, Columns, Row, Table, csv_of, interval_at, number_at, plain, wrapped

MOST_PAIRS = 12  # of classes, the most often confused; all of them are in the CSV files
STD = "std: the standard deviation of the rows per class; 0 where every class has as many."
DETECTABLE = (
    "minimum detectable: the smallest difference that so many seeds and test rows would show; where the one found is "
    "smaller, there may be a difference or none."
)
_SHORT = {"accuracy": "acc", "macro_precision": "prec", "macro_recall": "rec", "macro_f1": "F1"}
_TITLES = {
    "table4": "Table 4: the start set alone",
    "table5": "Table 5: with labels",
    "table6": "Table 6: with labels and variations",
    "arms": "Other ways to spend the same labels",
}


class Section(NamedTuple):
    """A part of the report: its heading, its table, and a sentence below or nothing."""

    title: str
    table: Table
    note: str = ""


def text_of_experiment(report: ExperimentReport, style: str, width: int | None = None) -> str:
    """The report as `text` for a terminal of this width or as a `markdown` page; no text of the data is in it."""
    page = style == "markdown"
    names = _short_names(report["models"])
    shown = markdown.plain if page else str

    def under(title: str, *below: str) -> str:
        return "\n\n".join([f"## {shown(title)}" if page else wrapped(title, width), *filter(None, below)])

    parts = ["# Experiment", _head(report)] if page else [wrapped(_head(report), width)]
    for section in _sections(report):
        if section.table.rows:
            rows = [[names.get(str(cell), cell) for cell in row] for row in section.table.rows]
            table = section.table._replace(rows=rows).rendered(style, width)
            parts.append(under(section.title, table, wrapped(section.note, width)))
    for title, sentences in _sentences(report).items():
        if sentences:
            lines = (wrapped(f"- {shown(sentence)}", width, "  ") for sentence in sentences)
            parts.append(under(title, "\n".join(lines)))
    return "\n\n".join(parts)


def _short_names(models: Sequence[str]) -> dict[str, str]:
    """The models without their organisations, where that tells them apart: a terminal is narrow."""
    short = {model: short_name(model) for model in models}
    return short if len(set(short.values())) == len(short) else {}


def _head(report: ExperimentReport) -> str:
    cells, seeds = report["cells"], report["seeds"]
    counted = ", ".join(f"{number} {what}" for what, number in cells.items())
    reading = f"; {report['reading']} reading of the labels" if report["reading"] else ""
    spread = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}" if seeds else "no seed"
    left_out = f", {report['left_out']} left out" if report["left_out"] else ""
    measured = f"{report['test_rows']:,} test rows{left_out}"
    return f"Cells: {counted}; {spread}{reading}; {measured}. Percent, means over seeds, 95 % resampling intervals."


def _sections(report: ExperimentReport) -> Iterator[Section]:
    three = _table3(report)
    every = "" if three.header[1:-2] == report["classes"] else " Every class is in tables/table3.csv."
    yield Section("Table 3: rows per class, variations included", three, STD + every)
    for rows, title in zip(_results(report), _TITLES.values(), strict=True):
        yield Section(title, _figures(rows, with_setting=title == _TITLES["arms"]))
    yield Section("Table 8: standard deviation of per-class error rates", _table8(report["table8"]))
    yield Section("Rarest classes and calibration", _rare(report))
    yield from _confused("Figure 3: at most 100 drawn errors by class pair", "figure3", report["figure3"])
    yield from _confused(
        "Section 5.4: all errors by class pair, the mean of a seed", "confusions", report["confusions"]
    )
    for name, within in {"strategies": "setting", "settings": "strategy"}.items():
        found = report["differences"][name]
        shown = _shown_differences(found)
        others = len(found) - len(shown)
        more = f" {others} of single models are in tables/differences_{name}.csv." if others else ""
        yield Section(f"Differences between {name}, macro-F1, paired", _differences(shown, within), DETECTABLE + more)
    yield Section("Transferability: gain over random, macro-F1", _transfer(report["transfer"] or []))
    failed = [*plain("setting", "strategy", "model", "seed"), ("reason", lambda row: row["error"])]
    yield Section("Failed cells", Table.of(report["failed"], failed, keys=4))


def _sentences(report: ExperimentReport) -> dict[str, Sequence[str]]:
    paper = report["paper"]
    beside = [*paper["contradictions"], f"Its figures are shown beside ours: {paper['citation']}."] if paper else []
    return {"Notes": report["notes"], "Where the paper contradicts itself": beside}


def _table3(report: ExperimentReport) -> Table:
    """A row per split, the paper's below where it has one; of many classes the rarest, and the others together."""
    found = report["table3"]
    shown = shown_classes(found["class_counts"]["test"])
    paper, paper_std = found["paper"] or {}, found["paper_std"] or {}

    def line(name: str, counts: dict[str, int], std: float | None) -> list[object]:
        return [name, *sum_groups(counts, shown).values(), sum(counts.values()), "" if std is None else f"{std:.1f}"]

    rows = []
    for name, counts in found["class_counts"].items():
        rows.append(line(name, counts, found["class_count_std"].get(name)))
        if beside := paper.get(name):
            rows.append(line("paper", beside, paper_std.get(name)))
    return Table(["split", *shown, "total", "std"], rows)


def _results(report: ExperimentReport) -> list[list[Row]]:
    return [report["table4"], report["table5"], report["table6"], report["arms"]]


def results_of(report: ExperimentReport) -> list[Row]:
    """The rows of Tables 4, 5 and 6 and of the other arms."""
    return [row for rows in _results(report) for row in rows]


def _figures(rows: Sequence[Row], *, with_setting: bool) -> Table:
    """A row per strategy and model, the paper's four figures beside where it has some."""
    columns: Columns = [
        *plain(*(["setting"] if with_setting else []), "strategy", "model"),
        ("seeds", lambda row: f"{len(row['seeds'])}" + (" alike" if row["deterministic"] else "")),
        *((_SHORT[name], number_at(name)) for name in FIGURES),
        ("F1 interval", interval_at("macro_f1_interval")),
    ]
    beside = [(f"paper {_SHORT[name]}", number_at("paper", name)) for name in FIGURES]
    columns = [*columns, *(beside if any(row["paper"] for row in rows) else [])]
    return Table.of(rows, columns, keys=3 if with_setting else 2)


def _table8(rows: Sequence[Row]) -> Table:
    columns = [
        *plain("setting", "strategy", "model"),
        ("std", number_at("error_std", form=".2f")),
        ("interval", interval_at("error_std_interval")),
    ]
    beside = [("paper", number_at("paper", form=".2f"))] if any(row["paper"] for row in rows) else []
    return Table.of(rows, [*columns, *beside], keys=3)


def _rare(report: ExperimentReport) -> Table:
    rare = report["rarest_classes"]
    of = rare[0] if len(rare) == 1 else f"{len(rare)} rarest"
    columns = [
        *plain("setting", "strategy", "model"),
        (f"recall {of}", number_at("rare_recall")),
        ("interval", interval_at("rare_recall_interval")),
        (f"F1 {of}", number_at("rare_f1")),
        ("interval", interval_at("rare_f1_interval")),
        ("calibration error", number_at("ece")),
    ]
    return Table.of(results_of(report), columns, keys=3)


def _confused(title: str, name: str, found: Row | None) -> Iterator[Section]:
    """A row per pair of classes, a column per strategy; the most frequent of all together first."""
    if found is None:
        return
    counts: dict[tuple[str, str], dict[str, float]] = {}
    for row in _long(found):
        counts.setdefault((row["true"], row["predicted"]), {})[row["strategy"]] = row["count"]
    order = sorted(counts, key=lambda pair: (-sum(counts[pair].values()), pair))
    strategies = list(found["strategies"])
    rows = [[*pair, *(f"{counts[pair].get(strategy, 0):.4g}" for strategy in strategies)] for pair in order]
    more = f"{len(rows) - MOST_PAIRS} rarer pairs are in tables/{name}.csv." if len(rows) > MOST_PAIRS else ""
    table = Table(["true", "predicted", *strategies], rows[:MOST_PAIRS], keys=2)
    yield Section(f"{title} ({found['model']}, {found['setting']})", table, more)


def _long(found: Row | None) -> list[Row]:
    """A row per strategy and pair."""
    if found is None:
        return []
    head = {"setting": found["setting"], "model": found["model"]}
    return [
        {**head, "strategy": strategy, **pair}
        for strategy, of in found["strategies"].items()
        for pair in (of if isinstance(of, list) else of["pairs"])
    ]


def _shown_differences(found: Sequence[Row]) -> Sequence[Row]:
    """The means over models where there are several, and what is significant of each by itself."""
    if not any(row["model"] == ALL for row in found):
        return found
    return [row for row in found if row["model"] == ALL or row["p_corrected"] < LEVEL]


def _differences(found: Sequence[Row], within: str) -> Table:
    columns = [
        *plain(within, "model"),
        ("difference", lambda row: f"{row['this']} - {row['to']}"),
        ("F1", number_at("macro_f1", form=SIGNED)),
        ("interval", interval_at("macro_f1_interval")),
        ("p corrected", _p),
        ("minimum detectable", number_at("detectable")),
        ("seeds", lambda row: f"{row['seeds']}" if row["varies"] != "rows" else "rows only"),
    ]
    return Table.of(found, columns, keys=3)


def _transfer(found: Sequence[Row]) -> Table:
    columns = [
        *plain("setting", "strategy", "learner"),
        ("its gain", number_at("gain", form=SIGNED)),
        ("gain of others", number_at("others_gain", form=SIGNED)),
        ("lost", number_at("lost", form=SIGNED)),
        ("interval", interval_at("lost_interval")),
        ("p corrected", _p),
    ]
    return Table.of(found, columns, keys=3)


def _p(row: Row) -> str:
    """The corrected p-value, marked where it is significant."""
    p = row["p_corrected"]
    return ("<0.001" if p < 0.001 else f"{p:.3f}") + (" *" if p < LEVEL else "")


def write_tables(report: ExperimentReport, folder: Path) -> None:
    """Writes every table that has rows as CSV, unrounded; no text of the data is in any."""
    three = report["table3"]
    tables: dict[str, Sequence[Row]] = {
        "table3": [
            {
                "split": name,
                **counts,
                "class_count_std": three["class_count_std"].get(name),
                "paper": (three["paper"] or {}).get(name),
                "paper_class_count_std": (three["paper_std"] or {}).get(name),
            }
            for name, counts in three["class_counts"].items()
        ],
        **dict(zip(_TITLES, _results(report), strict=True)),
        "table8": report["table8"],
        "failed": report["failed"],
        "figure3": _long(report["figure3"]),
        "confusions": _long(report["confusions"]),
        **{f"differences_{name}": rows for name, rows in report["differences"].items()},
        "transfer": report["transfer"] or [],
    }
    for name, rows in tables.items():
        if rows:
            write_text(folder / f"{name}.csv", csv_of(rows))
        else:
            (folder / f"{name}.csv").unlink(missing_ok=True)  # of an earlier report
