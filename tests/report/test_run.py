"""The report: its tables on the terminal and in Markdown, and what it reads from a folder."""

import json
import shutil

import pytest
from datasets import ClassLabel, Dataset, Features
from reports import NAMES, RAREST, grid_report, run_report

from rarecase.core.errors import RunFolderError
from rarecase.core.files import write_json
from rarecase.data.parquet import write_parquet
from rarecase.data.schema import conform
from rarecase.data.taxonomy import Taxonomy
from rarecase.report.run import line_of_cost, report_of_run, rounds_table
from rarecase.report.show import show
from rarecase.report.simulation import curves_table, differences_table
from rarecase.report.tables import Table
from rarecase.runs.folder import Manifest, digest_of_tables


def test_a_run_has_a_row_per_round_with_counts_deviation_and_f1():
    header, rows = rounds_table(run_report(2))
    assert header == ["round", "labels", *NAMES, "std", "dev F1", "test F1", f"F1 {RAREST}"]
    assert rows[0] == [0, 0, "0", "0", "0", "0", "0", "0", "0.0", "55.0", "55.0", "44.0"]
    assert rows[2] == [2, 40, "8", "22", "36", "50", "64", "78", "26.1", "59.0", "59.0", "50.0"]


def test_a_grid_has_a_row_per_strategy_and_round_with_the_interval():
    header, rows = curves_table(grid_report(["random", "cluster"], 1))
    assert header == ["strategy", "round", "labels", *NAMES, "std", "test F1", "interval", f"F1 {RAREST}"]
    assert [row[:3] for row in rows] == [["random", 0, "0"], ["", 1, "20"], ["cluster", 0, "0"], ["", 1, "20"]]
    assert rows[3] == ["", 1, "20", "5", "12", "19", "26", "33", "40", "12.5", "62.0", "61.0-63.0", "40.0"]


def test_the_differences_to_random_stand_beside_their_interval_with_their_sign():
    header, rows = differences_table(grid_report(["random", "entropy", "cluster"], 2))
    assert header[-6:] == ["to random", "interval", f"F1 {RAREST}", f"{RAREST} found", "interval", "labels each"]
    assert rows[0] == ["random", "40", "62.0", "61.0 to 63.0", "", "", "42.0", "9.8", "8.8 to 10.9", "4.1"]
    assert rows[1][4:] == ["+0.7", "-0.5 to +1.5", "44.0", "12.2", "11.2 to 13.3", "3.3"]
    assert [row[4] for row in rows] == ["", "+0.7", "+1.7"]


def test_a_single_seed_has_no_interval_of_what_was_found():
    report = grid_report(["random"], 1)
    report["strategies"]["random"] |= {"found_interval": dict.fromkeys(NAMES), "cost_per_rare": None}
    _, rows = differences_table(report)
    assert rows[0][-3:] == ["9.8", "", ""]


def test_a_grid_without_random_has_no_difference():
    _, rows = differences_table(grid_report(["entropy", "cluster"], 1))
    assert [row[4:6] for row in rows] == [["", ""], ["", ""]]


def test_a_table_is_markdown_or_text_that_fits_a_terminal():
    table = rounds_table(run_report(5))
    markdown = table.rendered("markdown").splitlines()
    assert len(markdown) == 8
    assert [cell.strip() for cell in markdown[0].strip("|").split("|")] == table.header
    assert set(markdown[1]) <= set("|-: ")
    text = table.rendered().splitlines()
    assert max(map(len, text)) <= 104  # six classes and six other columns
    assert text[-1].split()[:2] == ["5", "100"]


@pytest.mark.parametrize("classes", [3, 12, 50])
def test_the_tables_of_3_to_50_classes_fit_a_terminal_and_lose_no_text(classes):
    names = [f"TOPIC:class-{i}" for i in range(classes)]
    run, grid = run_report(5, names), grid_report(["random", "cluster"], 5, names)
    for report, (header, rows), before in ((run, rounds_table(run), 2), (grid, curves_table(grid), 3)):
        shown = header[before : header.index("std")]
        # The last has no test row, so that nothing can be measured of it; before it the rarest first.
        assert shown == (names if classes == 3 else [*names[-2:-9:-1], f"{classes - 7} others"])
        assert max(map(len, Table(header, rows).rendered().splitlines())) <= 120
        last = report["rounds"][-1] if report is run else report["strategies"]["cluster"]["curve"][-1]
        counted = [int(count) for count in rows[-1][before : before + len(shown)]]
        assert sum(counted) == sum(last["class_counts"].values())
        assert counted[0] == last["class_counts"][shown[0]]


def test_numbers_are_shown_as_they_were_formatted():
    assert "10.0" in Table(["a"], [["10.0"]]).rendered()
    assert "1e3" in Table(["a"], [["1e3"]]).rendered("markdown")


@pytest.fixture
def run(tmp_path):
    """A run folder, as far as a report reads it."""
    report, folder = run_report(101), tmp_path / "run"  # past 99, where names no longer sort as numbers
    Taxonomy.default().save(folder / "taxonomy.yaml")
    labels = [i for i, rows in enumerate([16, 18, 19, 18, 3, 26]) for _ in range(rows)]
    test = Dataset.from_dict({"label": labels}, Features({"label": ClassLabel(names=list(NAMES))}))
    write_parquet(folder / "test.parquet", test.shuffle(seed=0))
    Manifest("run", data=digest_of_tables(folder)).write(folder)
    write_parquet(tmp_path / "labels.parquet", voted([[3.0, 1.0], [4.0]]))
    for record in report["rounds"]:
        place = folder / "rounds" / f"{record['round']:02d}"
        write_json(place / "metrics.json", record)
        shutil.copy(tmp_path / "labels.parquet", place)
    return folder, report


def voted(seconds: list[list[float | None] | None]) -> Dataset:
    """Labelled rows: of each the seconds that its votes took."""
    votes = [row and [{"annotator": "A1", "label": 0, "seconds": value} for value in row] for row in seconds]
    rows = Dataset.from_dict({"id": list("abc")[: len(votes)], "text": list("abc")[: len(votes)], "votes": votes})
    return conform(rows, NAMES)


def test_the_report_of_a_run_is_its_rounds_in_order_and_the_rarest_class_of_test(run):
    folder, report = run
    assert report_of_run(folder) == report


@pytest.mark.parametrize("untimed", [[None], [[3.0, None]], [[0.0]]], ids=["no votes", "one without", "no time"])
def test_an_example_of_the_rarest_class_costs_labels_and_the_seconds_of_all_votes(run, untimed):
    """101 rounds of 20 labels and 8 seconds; four examples in each."""
    folder, _ = run
    found = report_of_run(folder)
    assert (found["cost_per_rare"], found["seconds_per_rare"]) == (5.0, 2.0)
    assert (
        line_of_cost(found)
        == "5.0 labels and 2 seconds of people's time for each example of emergency-situation found"
    )
    write_parquet(folder / "rounds" / "17" / "labels.parquet", voted(untimed))
    found = report_of_run(folder)
    assert (found["cost_per_rare"], found["seconds_per_rare"]) == (5.0, None)
    assert line_of_cost(found) == "5.0 labels for each example of emergency-situation found"


def test_a_run_that_found_no_rare_example_has_no_cost_of_one(run):
    folder, report = run
    last = report["rounds"][-1]
    write_json(folder / "rounds" / "101" / "metrics.json", {**last, "found": dict.fromkeys(NAMES, 0)})
    found = report_of_run(folder)
    assert (found["cost_per_rare"], found["seconds_per_rare"]) == (None, None)
    assert line_of_cost(found) == "no example of emergency-situation found"


def test_show_gives_json_markdown_or_text_and_draws_the_picture(run):
    folder, report = run
    assert json.loads(show(folder, "json")) == report
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert show(folder, "markdown").startswith("|   round |")
    shown = show(folder)
    assert f"picture: {folder / 'report.png'}" in shown
    assert "5.0 labels and 2 seconds of people's time for each" in shown


def test_rounds_that_were_cut_off_are_named_in_one_line(run):
    folder, _ = run
    (folder / "rounds" / "07" / "metrics.json").write_text('{"round": 7')
    with pytest.raises(RunFolderError, match=r"rounds/07/metrics\.json: damaged, or changed; remove it and "):
        show(folder)


def test_rounds_of_other_classes_are_named_in_one_line(run):
    folder, _ = run
    classes = (folder / "taxonomy.yaml").read_text().replace("self-harm", "harm-of-self")
    (folder / "taxonomy.yaml").write_text(classes)
    with pytest.raises(RunFolderError, match=r"rounds/00/metrics\.json: damaged, or changed; remove it and "):
        report_of_run(folder)


def test_a_run_that_has_no_round_yet_says_so(run):
    folder, _ = run
    for path in folder.glob("rounds/*/metrics.json"):
        path.unlink()
    assert show(folder) == "nothing done yet"
    assert json.loads(show(folder, "json"))["rounds"] == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="is not the folder of a run or grid"):
        show(tmp_path)
