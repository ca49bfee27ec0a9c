"""The report of an experiment on the terminal, as a page and as files; no text of the data is in any of them."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from measured import DRAWS, FIXED, fail, lines, make_experiment

from rarecase.cli.main import command
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.experiment.cells import Cell
from rarecase.report.experiment import report_of_experiment
from rarecase.report.experiment_tables import text_of_experiment, write_tables
from rarecase.report.show import show
from rarecase.report.tables import csv_of
from rarecase.report.transfer import report_of_transfer
from rarecase.runs.folder import Manifest

TABLES = ["confusions", "differences_settings", "differences_strategies", "figure3", "table3", "table4", "table5"]
TABLES += ["table6", "table8"]

# The page with its figures taken out: N for a number.
GOLDEN = """\
# Experiment

Cells: N done, N failed, N missing; seeds N to N; N test rows. Percent, means over seeds, N % resampling intervals.

## Table N: rows per class, variations included

split self-harm medical-advice legal-advice financial-advice emergency-situation not-harmful total std
random N N N N N N N N
paper N N N N N N N N
cluster N N N N N N N N
paper N N N N N N N N
bootstrap N N N N N N N
paper N N N N N N N
dev N N N N N N N
paper N N N N N N N
test N N N N N N N
paper N N N N N N N

std: the standard deviation of the rows per class; N where every class has as many.

## Table N: the start set alone

strategy model seeds acc prec rec FN FN interval paper acc paper prec paper rec paper FN
bootstrap roberta-base N N N N N N to N N N N N
bootstrap packaged N alike N N N N N to N

## Table N: with labels

strategy model seeds acc prec rec FN FN interval paper acc paper prec paper rec paper FN
random roberta-base N N N N N N to N N N N N
random packaged N alike N N N N N to N
cluster roberta-base N N N N N N to N N N N N
cluster packaged N alike N N N N N to N

## Table N: with labels and variations

strategy model seeds acc prec rec FN FN interval paper acc paper prec paper rec paper FN
random roberta-base N N N N N N to N N N N N
random packaged N alike N N N N N to N
cluster roberta-base N N N N N N to N N N N N
cluster packaged N alike N N N N N to N

## Table N: standard deviation of per-class error rates

setting strategy model std interval paper
human+llm random roberta-base N N to N N
human+llm random packaged N N to N
human+llm cluster roberta-base N N to N N
human+llm cluster packaged N N to N

## Rarest classes and calibration

setting strategy model recall emergency-situation interval FN emergency-situation interval calibration error
bootstrap bootstrap roberta-base N N to N N N to N N
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> Path:
    """An experiment that has ended, without a report; tests leave it as it is."""
    settings = ["bootstrap", "human", "human+llm"]
    folder = tmp_path_factory.mktemp("report") / "experiment"
    return make_experiment(folder, strategies=["random", "cluster"], settings=settings)


@pytest.fixture
def mine(experiment, tmp_path) -> Path:
    return Path(shutil.copytree(experiment, tmp_path / "experiment"))


def without_figures(page: str) -> str:
    """Cells with one space between them, rules left out, N for a number."""
    rows = [
        " ".join(line.replace("|", " ").split()) for line in page.splitlines() if not re.fullmatch(r"[|:-]+", line)
    ]
    return re.sub(r"[+-]?\d+(\.\d+)?", "N", "\n".join(rows))


def test_the_page_has_the_tables_of_the_paper_in_their_order(experiment):
    page = text_of_experiment(report_of_experiment(experiment), "markdown")
    assert without_figures(page).startswith(GOLDEN)
    titles = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert [title.split(" (")[0] for title in titles[6:]] == [
        "Figure 3: at most 100 drawn errors by class pair",
        "Section 5.4: all errors by class pair, the mean of a seed",
        "Differences between strategies, macro-F1, paired",
        "Differences between settings, macro-F1, paired",
        "Notes",
        "Where the paper contradicts itself",
    ]


def test_a_figure_on_the_terminal_is_that_of_the_report(experiment):
    report = report_of_experiment(experiment)
    text = text_of_experiment(report, "text")
    row = next(row for row in report["table6"] if row["strategy"] == "cluster")
    low, high = row["macro_f1_interval"]
    shown = [row["accuracy"], row["macro_precision"], row["macro_recall"], row["macro_f1"]]
    expected = (
        f"cluster roberta-base 2 {' '.join(f'{v:.1f}' for v in shown)} {low:.1f} to {high:.1f} 79.5 76.5 71.8 71.6"
    )
    assert expected in [" ".join(line.split()) for line in text.splitlines()]
    tables = [line for line in text.splitlines() if not line.startswith(("-", "Cells", "std: ", "minimum "))]
    assert max(map(len, tables)) <= 115


@pytest.mark.parametrize("width", [60, 80])
def test_tables_notes_and_titles_fit_the_terminal(experiment, width):
    report = report_of_experiment(experiment)
    report["failed"] = [{"setting": "human", "strategy": "x", "model": "m", "seed": 1, "error": "out of memory " * 20}]
    text = text_of_experiment(report, "text", width)
    assert max(map(len, text.splitlines())) <= width
    assert "minimum detectable: the smallest difference" in text
    assert " ".join(report["notes"]) in " ".join(text.replace("\n- ", " ").split())


def test_means_over_models_are_shown_and_what_counts_of_single_ones(experiment):
    report = report_of_experiment(experiment)
    found = report["differences"]["strategies"]
    single = next(row for row in found if row["model"] == FIXED)
    single["p_corrected"] = 0.0004
    page = text_of_experiment(report, "markdown")
    _, _, after = page.partition("## Differences between strategies")
    shown = [" ".join(line.replace("|", " ").split()) for line in after.partition("\n##")[0].splitlines()]
    assert [line.split()[:2] for line in shown[4:7]] == [["human", "all"], ["human+llm", "all"], ["human", FIXED]]
    assert r"\<0.001 \*" in shown[6]
    (note,) = [line for line in shown if line.startswith("minimum detectable: ")]
    assert note.endswith(" 3 of single models are in tables/differences_strategies.csv.")


def test_one_model_is_shown_by_itself_and_one_seed_says_what_it_cannot_say(tmp_path):
    folder = make_experiment(
        tmp_path / "e", models=[DRAWS], strategies=["random", "topn"], settings=["human"], seeds=1
    )
    page = text_of_experiment(report_of_experiment(folder), "markdown")
    assert re.search(r"\|\s+human \| roberta-base \|\s+topn - random \|.*rows only", page)
    assert "Where there is one seed, intervals and p-values reflect the test rows alone" in page
    assert "seed 0; 320 test rows" in page


def test_models_of_one_name_keep_their_organisations(tmp_path):
    models = ["acme/guard", "other/guard"]
    folder = make_experiment(tmp_path / "e", models=models, strategies=["random"], settings=["human"], seeds=1)
    page = text_of_experiment(report_of_experiment(folder), "markdown")
    assert all(f" {model} " in page for model in models)


def test_no_name_in_a_csv_file_is_a_formula_and_numbers_stay_numbers():
    assert csv_of([{"=a": "=1+1", "difference": -1.5}]) == "'=a,difference\n'=1+1,-1.5\n"


def test_every_table_is_a_csv_file_with_unrounded_figures_and_two_columns_for_an_interval(mine):
    report = report_of_experiment(mine)
    write_tables(report, mine / "tables")
    assert sorted(path.stem for path in (mine / "tables").iterdir()) == TABLES
    with (mine / "tables" / "table6.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, told in zip(rows, report["table6"], strict=True):
        assert (row["strategy"], row["model"], row["seeds"]) == (told["strategy"], told["model"], "2")
        assert float(row["macro_f1"]) == told["macro_f1"]
        assert [float(row[f"macro_f1_interval_{end}"]) for end in ("low", "high")] == told["macro_f1_interval"]
        assert float(row["f1_self-harm"]) == told["f1"]["self-harm"]
        assert row["paper_macro_f1"] == (str(told["paper"]["macro_f1"]) if told["paper"] else "")
    with (mine / "tables" / "figure3.csv").open(encoding="utf-8", newline="") as file:
        counts = [int(row["count"]) for row in csv.DictReader(file)]
    assert sum(counts) == 200


def test_a_failed_cell_is_a_row_with_its_reason_until_it_is_done(mine):
    fail(mine, Cell("cluster", 1, DRAWS, "human"), "FacebookAI/roberta-base: out of memory")
    shown = show(mine)
    assert "19 done, 1 failed, 0 missing" in shown
    assert "human   cluster  roberta-base     1  FacebookAI/roberta-base: out of memory" in shown
    failed = mine / "tables" / "failed.csv"
    assert "out of memory" in failed.read_text()
    shutil.rmtree(mine / "cells" / Cell("cluster", 1, DRAWS, "human").name)
    assert "19 done, 0 failed, 1 missing" in show(mine)
    assert not failed.exists()


def test_an_experiment_without_a_done_cell_says_so(mine):
    shutil.rmtree(mine / "cells")
    assert "0 done, 0 failed, 20 missing; no seed" in show(mine)
    assert not (mine / "report.png").exists()


def test_the_command_writes_picture_page_and_tables_and_prints_the_report(mine, capsys):
    assert command(["report", str(mine)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"{mine / 'report.png'}, {mine / 'report.md'}, {mine / 'tables'}")
    assert (mine / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (mine / "report.md").read_text().rstrip().endswith("(report.png)")
    assert command(["report", str(mine), "--format", "json", "--model", FIXED]) == 0
    assert json.loads(capsys.readouterr().out)["figure3"]["model"] == FIXED
    assert command(["report", str(mine), "--model", "nobody/knows"]) == 2
    assert "--model nobody/knows: no cell of it is done" in capsys.readouterr().err


def test_posts_stand_in_the_file_of_examples_and_nowhere_else(mine, tmp_path, capsys):
    texts = [line["text"] for name in ("bootstrap", "dev", "pool", "test") for line in lines(name)]
    before = {path for path in mine.rglob("*") if path.is_file()}
    examples = tmp_path / "examples.md"
    for flags in (["--examples", str(examples)], ["--format", "markdown"], ["--format", "json"]):
        assert command(["report", str(mine), *flags]) == 0
    said = capsys.readouterr()
    made = [path for path in mine.rglob("*") if path.is_file() and path not in before]
    told = said.out + said.err + "".join(path.read_bytes().decode("utf-8", "replace") for path in made)
    assert len(made) == 2 + len(TABLES)
    assert not [text for text in texts if len(text) > 12 and text in told]
    assert sum(text in examples.read_text() for text in texts) > 100
    written = examples.read_bytes()
    assert command(["report", str(mine), "--examples", str(examples)]) == 2
    assert "examples.md: exists already; name another" in capsys.readouterr().err
    assert examples.read_bytes() == written


def test_an_experiment_on_what_simulations_acquired_shows_what_is_lost_by_another_ones_labels(tmp_path, capsys):
    folder = make_experiment(
        tmp_path / "e", models=[FIXED], strategies=["entropy@frozen-packaged"], settings=["human"], seeds=2
    )
    (folder / "seeds").mkdir()  # where these keep their tables
    replace(Manifest.read(folder, "experiment"), settings={"learner": "frozen"}).write(folder)
    assert command(["report", str(folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == report_of_transfer(folder)
    assert command(["report", str(folder)]) == 0
    assert " entropy    human  frozen-packaged  frozen-packaged      2" in capsys.readouterr().out
    assert command(["report", str(folder), "--examples", "x"]) == 2
    assert "--examples has no effect on the report of what simulations acquired" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--model", "--examples"])
def test_what_only_an_experiment_has_is_refused_elsewhere(tmp_path, capsys, flag):
    Manifest("run").write(tmp_path / "run")
    assert command(["report", str(tmp_path / "run"), flag, "x"]) == 2
    assert f"{flag} has no effect on the report of a run; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize("classes", [12, 50])
def test_of_many_classes_table_3_has_the_rarest_and_the_others_together(experiment, tmp_path, classes):
    report = report_of_experiment(experiment)
    names = [f"TOPIC:class-{i}" for i in range(classes)]
    counts = {name: dict(zip(names, range(classes), strict=True)) for name in ("random", "test")}
    three = {"class_counts": counts, "class_count_std": {"random": 11.69}, "paper": None, "paper_std": None}
    many = {**report, "classes": names, "table3": three, "paper": None}
    page = text_of_experiment(many, "markdown")
    rows = [" ".join(line.replace("|", " ").split()) for line in page.splitlines()]
    rest, total = sum(range(8, classes)), sum(range(classes))
    assert f"split {' '.join(names[1:8])} {classes - 7} others total std" in rows  # of class 0 there is no test row
    assert {f"random 1 2 3 4 5 6 7 {rest} {total} 11.7", f"test 1 2 3 4 5 6 7 {rest} {total}"} <= set(rows)
    assert any(row.startswith("std: ") and row.endswith(" Every class is in tables/table3.csv.") for row in rows)
    assert "Where the paper contradicts itself" not in rows
    table = text_of_experiment(many, "text").partition("Table 4")[0].partition("std: ")[0]
    assert max(map(len, table.splitlines()[2:])) <= 105
    write_tables(many, tmp_path)
    with (tmp_path / "table3.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert [int(row[name]) for name in names] == list(range(classes))


def test_of_few_classes_table_3_has_all_and_points_nowhere(experiment):
    assert "Every class is in" not in text_of_experiment(report_of_experiment(experiment), "markdown")


DAMAGE = {
    "a cell cut off": ("cells/*/cell.json", b'{"strategy": "ra', "cell.json: not readable JSON; remove it and repeat"),
    "an empty cell": ("cells/*/cell.json", b"{}", "cell.json: no record of a cell; remove it and repeat"),
    "predictions cut off": ("cells/*/predictions.parquet", b"PAR1", "no readable predictions; remove the folder of"),
    "no predictions": ("cells/*/predictions.parquet", None, "no readable predictions; remove the folder of"),
    "no test set": ("test.parquet", None, "test.parquet: is missing; put it back, or repeat"),
    "settings cut off": ("config.yaml", b"models: [", "config.yaml: invalid YAML"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_named_in_one_line_with_the_way_out(mine, capsys, name):
    pattern, content, says = DAMAGE[name]
    path = min(mine.glob(pattern))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert command(["report", str(mine)]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert f"{path}: " in said.err
    assert says in said.err


def test_predictions_of_other_columns_classes_or_rows_are_no_predictions(mine, capsys):
    path = min(mine.glob("cells/*/predictions.parquet"))
    good = read_parquet(path)
    probs = matrix(good, "probs")
    for other in (
        read_parquet(mine / "test.parquet"),
        with_column(good, "label", [99] * len(good)),
        with_column(good, "probs", probs[:, :1]),
        rows(good, range(len(good) - 1)),
    ):
        write_parquet(path, other)
        assert command(["report", str(mine)]) == 2
        assert f"{path}: no readable predictions" in capsys.readouterr().err
