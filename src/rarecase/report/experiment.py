"""The report of an experiment as tables: for the terminal and Markdown, and as CSV files."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rarecase.core.files import write_text
from rarecase.data.counts import shown_classes, together
from rarecase.experiment.compare import LEVEL
from rarecase.experiment.paper import FIGURES, short_name
from rarecase.report.run import table

MOST_PAIRS = 12  # of classes, the most often confused; all of them stand in the CSV files
_SHORT = {"accuracy": "acc", "macro_precision": "prec", "macro_recall": "rec", "macro_f1": "F1"}
_TITLES = {
    "table4": "Table 4: the start set alone",
    "table5": "Table 5: with human labels",
    "table6": "Table 6: with human labels and variations",
    "arms": "Other ways to spend the same labels",
}
Lines = tuple[list[str], list[list[Any]]]


class Section(NamedTuple):
    """
    A part of the report.

    Args:
        title (`str`): its heading.
        header (`list[str]`): of its table.
        rows (`list[list]`): the cells, formatted.
        note (`str`): a sentence below, or nothing.
    """

    title: str
    header: list[str]
    rows: list[list[Any]]
    note: str = ""


def text_of_experiment(report: dict[str, Any], style: str) -> str:
    """
    The report for a terminal or a page; no text of the data is in it.

    Args:
        report (`dict`): from `rarecase.experiment.tables.report_of_experiment`.
        style (`str`): `text` or `markdown`.

    Example:
        >>> print(text_of_experiment(report_of_experiment(Path("exp")), "markdown"))
    """
    page = style == "markdown"
    names = _short_names(report["models"])

    def under(title: str, *below: str) -> str:
        return "\n\n".join([f"## {title}" if page else title, *filter(None, below)])

    parts = ["# Experiment", _head(report)] if page else [_head(report)]
    for section in _sections(report):
        if section.rows:
            rows = [[names.get(cell, cell) for cell in row] for row in section.rows]
            parts.append(under(section.title, table(section.header, rows, style), section.note))
    for title, sentences in _sentences(report).items():
        if sentences:
            parts.append(under(title, "\n".join(f"- {sentence}" for sentence in sentences)))
    return "\n\n".join(parts)


def _short_names(models: Sequence[str]) -> dict[str, str]:
    """The models without their organisations, where that tells them apart: a terminal is narrow."""
    short = {model: short_name(model) for model in models}
    return short if len(set(short.values())) == len(short) else {}


def _head(report: dict[str, Any]) -> str:
    cells, seeds = report["cells"], report["seeds"]
    counted = ", ".join(f"{number} {what}" for what, number in cells.items())
    reading = f"; {report['reading']} reading of the labels" if report["reading"] else ""
    spread = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}" if seeds else "no seed"
    measured = f"{report['test_rows']:,} test rows" + (
        f", {report['left_out']} left out" if report["left_out"] else ""
    )
    return f"Cells: {counted}; {spread}{reading}; {measured}. Percent, means over seeds, 95 % resampling intervals."


def _sections(report: dict[str, Any]) -> Iterator[Section]:
    header, rows = _table3(report)
    every = "Every class stands in tables/table3.csv." if header[1:-2] != report["classes"] else ""
    yield Section("Table 3: rows per class, variations included", header, rows, every)
    for name, title in _TITLES.items():
        yield Section(title, *_results(report[name], with_setting=name == "arms"))
    yield Section("Table 8: standard deviation of per-class error rates", *_table8(report))
    yield Section("Rarest classes and calibration", *_rare(report))
    for name, title in {
        "figure3": "Figure 3: at most 100 drawn errors by class pair",
        "confusions": "Section 5.4: all errors by class pair, the mean of a seed",
    }.items():
        if found := report[name]:
            header, rows = _pairs(found)
            more = (
                f"{len(rows) - MOST_PAIRS} rarer pairs stand in tables/{name}.csv." if len(rows) > MOST_PAIRS else ""
            )
            yield Section(f"{title} ({found['model']}, {found['setting']})", header, rows[:MOST_PAIRS], more)
    for name, within in {"strategies": "setting", "settings": "strategy"}.items():
        header, rows, others = _differences(report["differences"][name], within)
        note = f"{others} of single models stand in tables/differences_{name}.csv." if others else ""
        yield Section(f"Differences between {name}, macro-F1, paired", header, rows, note)
    yield Section("Transferability: gain over random, macro-F1", *_transfer(report["transfer"] or []))
    failed = [[*(f[name] for name in ("setting", "strategy", "model", "seed", "error"))] for f in report["failed"]]
    yield Section("Failed cells", ["setting", "strategy", "model", "seed", "reason"], failed)


def _sentences(report: dict[str, Any]) -> dict[str, list[str]]:
    told = report["paper"] or {"contradictions": [], "citation": ""}
    beside = f"Its figures stand beside ours: {told['citation']}."
    return {
        "To know": report["notes"],
        "Where the paper contradicts itself": [*told["contradictions"], beside] if told["citation"] else [],
    }


def _table3(report: dict[str, Any]) -> Lines:
    """A row per split, the paper's below where it has one; of many classes the rarest, and the others together."""
    found = report["table3"]
    shown = shown_classes(found["class_counts"]["test"])
    paper, paper_std = found["paper"] or {}, found["paper_std"] or {}
    rows = []
    for name, counts in found["class_counts"].items():
        std = found["class_count_std"].get(name)
        told = together(counts, shown).values()
        rows.append([name, *told, sum(counts.values()), "" if std is None else _one(std)])
        if beside := paper.get(name):
            std = paper_std.get(name)
            rows.append(["paper", *beside.values(), sum(beside.values()), "" if std is None else _one(std)])
    return ["split", *shown, "total", "std"], rows


def _results(results: Sequence[dict[str, Any]], *, with_setting: bool) -> Lines:
    """A row per strategy and model, the paper's four figures beside where it has some."""
    beside = any(row["paper"] for row in results)
    header = [*(["setting"] if with_setting else []), "strategy", "model", "seeds", *_SHORT.values(), "F1 interval"]
    header += [f"paper {short}" for short in _SHORT.values()] if beside else []
    rows = []
    for row in results:
        cells = [*([row["setting"]] if with_setting else []), row["strategy"], row["model"], _seeds(row)]
        cells += [*(_one(row[name]) for name in FIGURES), _spread(row["macro_f1_interval"])]
        if beside:
            cells += [_one(row["paper"][name]) if row["paper"] else "" for name in FIGURES]
        rows.append(cells)
    return header, rows


def _table8(report: dict[str, Any]) -> Lines:
    beside = any(row["paper"] for row in report["table8"])
    header = ["setting", "strategy", "model", "std", "interval", *(["paper"] if beside else [])]
    rows = []
    for row in report["table8"]:
        cells = [row["setting"], row["strategy"], row["model"], f"{row['error_std']:.2f}"]
        cells.append(_spread(row["error_std_interval"]))
        rows.append(cells + ([f"{row['paper']:.2f}" if row["paper"] else ""] if beside else []))
    return header, rows


def _rare(report: dict[str, Any]) -> Lines:
    rare = report["rarest_classes"]
    of = rare[0] if len(rare) == 1 else f"{len(rare)} rarest"
    header = ["setting", "strategy", "model", f"recall {of}", "interval", f"F1 {of}", "interval", "calibration error"]
    rows = [
        [
            row["setting"],
            row["strategy"],
            row["model"],
            _one(row["rare_recall"]),
            _spread(row["rare_recall_interval"]),
            _one(row["rare_f1"]),
            _spread(row["rare_f1_interval"]),
            _one(row["ece"]),
        ]
        for row in results_of(report)
    ]
    return header, rows


def _pairs(found: dict[str, Any]) -> Lines:
    """A row per pair of classes, a column per strategy; the most frequent of all together first."""
    strategies = found["strategies"]
    counts: dict[tuple[str, str], dict[str, float]] = {}
    for strategy, told in strategies.items():
        for pair in _list(told):
            counts.setdefault((pair["true"], pair["predicted"]), {})[strategy] = pair["count"]
    order = sorted(counts, key=lambda pair: (-sum(counts[pair].values()), pair))
    rows = [[*pair, *(f"{counts[pair].get(strategy, 0):.4g}" for strategy in strategies)] for pair in order]
    return ["true", "predicted", *strategies], rows


def _list(told: Any) -> list[dict[str, Any]]:
    return told["pairs"] if isinstance(told, dict) else told


def _differences(found: Sequence[dict[str, Any]], within: str) -> tuple[list[str], list[list[Any]], int]:
    """
    The means over models where there are several, and what counts of each by itself; how many more there are.
    """
    means = any(row["model"] == "all" for row in found)
    shown = [row for row in found if not means or row["model"] == "all" or row["p_corrected"] < LEVEL]
    header = [within, "model", "difference", "F1", "interval", "p corrected", "would count", "seeds"]
    rows = [
        [
            row[within],
            row["model"],
            f"{row['this']} - {row['to']}",
            _signed(row["macro_f1"]),
            _spread(row["macro_f1_interval"]),
            _p(row["p_corrected"]),
            _one(row["detectable"]),
            f"{row['seeds']}" if row["varies"] != "rows" else "rows only",
        ]
        for row in shown
    ]
    return header, rows, len(found) - len(shown)


def _transfer(found: Sequence[dict[str, Any]]) -> Lines:
    header = ["setting", "strategy", "learner", "its gain", "gain of others", "lost", "interval", "p corrected"]
    rows = [
        [
            row["setting"],
            row["strategy"],
            row["learner"],
            _signed(row["gain"]),
            _signed(row["others_gain"]),
            _signed(row["lost"]),
            _spread(row["lost_interval"]),
            _p(row["p_corrected"]),
        ]
        for row in found
    ]
    return header, rows


def results_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of Tables 4, 5 and 6 and of the other arms."""
    return [row for name in _TITLES for row in report[name]]


def _seeds(row: dict[str, Any]) -> str:
    return f"{len(row['seeds'])}" + (" alike" if row["deterministic"] else "")


def _one(value: float) -> str:
    return f"{value:.1f}"


def _signed(value: float) -> str:
    return f"{round(value, 1) + 0.0:+.1f}"  # no "-0.0"


def _spread(interval: Sequence[float]) -> str:
    low, high = interval
    return f"{low:.1f} to {high:.1f}"


def _p(p: float) -> str:
    """Marked where it counts."""
    return ("<0.001" if p < 0.001 else f"{p:.3f}") + (" *" if p < LEVEL else "")


def write_tables(report: dict[str, Any], folder: Path) -> None:
    """
    Writes every table that has rows as CSV, unrounded; an interval is two columns, and no text of the data is in any.

    Args:
        report (`dict`): from `rarecase.experiment.tables.report_of_experiment`.
        folder (`Path`): gets `table3.csv` … `table6.csv`, `table8.csv`, `arms.csv`, `figure3.csv`, `confusions.csv`,
            `differences_strategies.csv`, `differences_settings.csv`, `transfer.csv` and `failed.csv`.
    """
    three = report["table3"]
    tables = {
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
        **{name: report[name] for name in ("table4", "table5", "table6", "arms", "table8", "failed")},
        **{name: _long(report[name]) for name in ("figure3", "confusions")},
        **{f"differences_{name}": rows for name, rows in report["differences"].items()},
        "transfer": report["transfer"] or [],
    }
    for name, rows in tables.items():
        if rows:
            write_text(folder / f"{name}.csv", _csv([dict(_flat(row)) for row in rows]))
        else:
            (folder / f"{name}.csv").unlink(missing_ok=True)  # of an earlier report


def _long(found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A row per strategy and pair."""
    if found is None:
        return []
    head = {name: found[name] for name in ("setting", "model")}
    return [
        {**head, "strategy": strategy, **pair}
        for strategy, told in found["strategies"].items()
        for pair in _list(told)
    ]


def _flat(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """One level: what is nested under its name and its parent's, an interval as `_low` and `_high`."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}_")
        elif isinstance(value, list) and name == "seeds":
            yield f"{before}{name}", len(value)
        elif isinstance(value, list):
            yield from ((f"{before}{name}_{end}", part) for end, part in zip(("low", "high"), value, strict=True))
        else:
            yield f"{before}{name}", value


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    page = io.StringIO()
    writer = csv.DictWriter(page, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return page.getvalue()
