"""The report: its tables on the terminal and in Markdown, and what it reads from a folder."""

import json
import shutil
import sys

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features
from reports import NAMES, RAREST, grid_report, run_report

from rarecase.cli.main import command
from rarecase.core.errors import RunFolderError
from rarecase.core.files import write_json
from rarecase.data.arrow import matrix, with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.release import Config, Release, RoundScores
from rarecase.data.release_class import ReleaseClass
from rarecase.data.schema import conform
from rarecase.data.taxonomy import Taxonomy
from rarecase.report.run import line_of_cost, notes_on_rarest, report_of_run, rounds_table
from rarecase.report.show import show
from rarecase.report.simulation import curves_table, differences_table
from rarecase.report.tables import Table
from rarecase.runs.folder import Manifest, digest_of_tables

INTERVALS = ("accuracy_interval", "macro_f1_interval", "f1_interval")


def test_a_run_has_a_row_per_round_with_counts_deviation_and_f1():
    header, rows, _ = rounds_table(run_report(2))
    measured = ["test F1", "interval", f"F1 {RAREST} (n=3)", "interval"]
    assert header == ["round", "labels", *NAMES, "std", "dev F1", *measured]
    assert rows[0][2:10] == ["0", "0", "0", "0", "0", "0", "0.0", "55.0"]
    assert rows[0][10:] == ["55.0", "51.0-58.0", "44.0", "0.0-64.0"]
    assert rows[2][:10] == [2, 40, "8", "22", "36", "50", "64", "78", "26.1", "59.0"]
    assert rows[2][10:] == ["59.0", "55.0-62.0", "50.0", "0.0-70.0"]


def test_a_grid_has_a_row_per_strategy_and_round_with_the_interval():
    header, rows, _ = curves_table(grid_report(["random", "cluster"], 1))
    assert header == ["strategy", "round", "labels", *NAMES, "std", "test F1", "interval", f"F1 {RAREST}"]
    assert [row[:3] for row in rows] == [["random", 0, "0"], ["", 1, "20"], ["cluster", 0, "0"], ["", 1, "20"]]
    assert rows[3] == ["", 1, "20", "5", "12", "19", "26", "33", "40", "12.5", "62.0", "61.0-63.0", "40.0"]


def test_the_differences_to_random_stand_beside_their_interval_with_their_sign():
    header, rows, _ = differences_table(grid_report(["random", "entropy", "cluster"], 2))
    assert header[-6:] == ["to random", "interval", f"F1 {RAREST}", f"{RAREST} found", "interval", "labels each"]
    assert rows[0] == ["random", "40", "62.0", "61.0 to 63.0", "", "", "42.0", "9.8", "8.8 to 10.9", "4.1"]
    assert rows[1][4:] == ["+0.7", "-0.5 to +1.5", "44.0", "12.2", "11.2 to 13.3", "3.3"]
    assert [row[4] for row in rows] == ["", "+0.7", "+1.7"]


def test_a_single_seed_has_no_interval_of_what_was_found():
    report = grid_report(["random"], 1)
    report["strategies"]["random"] |= {"found_interval": dict.fromkeys(NAMES), "cost_per_rare": None}
    _, rows, _ = differences_table(report)
    assert rows[0][-3:] == ["9.8", "", ""]


def test_a_grid_without_random_has_no_difference():
    _, rows, _ = differences_table(grid_report(["entropy", "cluster"], 1))
    assert [row[4:6] for row in rows] == [["", ""], ["", ""]]


def test_a_table_is_markdown_or_text_that_fits_a_terminal():
    table = rounds_table(run_report(5))
    markdown = table.rendered("markdown").splitlines()
    assert len(markdown) == 8
    assert [cell.strip() for cell in markdown[0].strip("|").split("|")] == table.header
    assert set(markdown[1]) <= set("|-: ")
    text = table.rendered().splitlines()
    assert max(map(len, text)) <= 125  # six classes and eight other columns
    assert text[-1].split()[:2] == ["5", "100"]


@pytest.mark.parametrize("classes", [3, 12, 50])
def test_the_tables_of_3_to_50_classes_fit_a_terminal_and_lose_no_text(classes):
    names = [f"TOPIC:class-{i}" for i in range(classes)]
    run, grid = run_report(5, names), grid_report(["random", "cluster"], 5, names)
    for report, table, before in ((run, rounds_table(run), 2), (grid, curves_table(grid), 3)):
        header, rows, _ = table
        shown = header[before : header.index("std")]
        # The last has no test row, so that nothing can be measured of it; before it the rarest first.
        assert shown == (names if classes == 3 else [*names[-2:-9:-1], f"{classes - 7} others"])
        assert max(map(len, table.rendered().splitlines())) <= 140
        last = report["rounds"][-1] if report is run else report["strategies"]["cluster"]["curve"][-1]
        counted = [int(count) for count in rows[-1][before : before + len(shown)]]
        assert sum(counted) == sum(last["class_counts"].values())
        assert counted[0] == last["class_counts"][shown[0]]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_table_is_as_wide_as_the_terminal_at_most_and_loses_no_column(width):
    run, grid = run_report(5), grid_report(["random", "my_module:least_confident_first"], 5)
    for table in (rounds_table(run), curves_table(grid), differences_table(grid)):
        parts = table.rendered(width=width).split("\n\n")
        assert max(len(line) for part in parts for line in part.splitlines()) <= width
        heads = ["".join(part.partition("---")[0].split()) for part in parts]
        assert len(parts) > 1
        assert not [part for part in parts if part.split()[0] != table.header[0]], "a part without its keys"
        keys = sum(map(len, table.header[: table.keys]))
        assert sum(map(len, heads)) == sum(map(len, "".join(table.header).replace(" ", ""))) + keys * (len(parts) - 1)
        assert "  interval" not in [part.splitlines()[0] for part in parts]


def test_a_wide_terminal_gets_what_a_pipe_gets_and_wide_letters_count_as_two():
    table = rounds_table(run_report(5))
    assert table.rendered(width=125) == table.rendered()
    lines = Table(["自殺", "x"], [["1", "緊急"]]).rendered().splitlines()
    assert lines == ["自殺     x", "----  ----", "   1  緊急"]


def test_a_cell_that_no_terminal_is_wide_enough_for_is_wrapped():
    reason = "FacebookAI/roberta-base: " + "out of memory " * 12
    shown = Table(["seed", "reason"], [["1", reason]]).rendered(width=50)
    assert max(map(len, shown.splitlines())) <= 50
    assert shown.count("memory") == 12


def test_a_report_fits_the_terminal_that_stdout_is_and_a_pipe_gets_it_whole(short, monkeypatch, capsys):
    folder, _ = short
    monkeypatch.setenv("COLUMNS", "60")
    assert command(["report", str(folder)]) == 0
    whole = capsys.readouterr().out
    assert max(map(len, whole.splitlines())) > 100
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert command(["report", str(folder)]) == 0
    shown = capsys.readouterr().out
    table, _, picture = shown.rpartition("\n\n")
    assert max(map(len, table.splitlines())) <= 60
    assert picture == f"picture: {folder / 'report.png'}\n"
    assert command(["report", str(folder), "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("|   round |")


def test_numbers_are_shown_as_they_were_formatted():
    assert "10.0" in Table(["a"], [["10.0"]]).rendered()
    assert "1e3" in Table(["a"], [["1e3"]]).rendered("markdown")


@pytest.fixture
def run(tmp_path):
    return run_folder(tmp_path, 101)  # past 99, where names no longer sort as numbers


@pytest.fixture
def short(tmp_path):
    return run_folder(tmp_path, 3)


def run_folder(tmp_path, rounds):
    """A run folder, as far as a report reads it, and its report but for the intervals."""
    report, folder = run_report(rounds), tmp_path / "run"
    Taxonomy.default().save(folder / "taxonomy.yaml")
    labels = [i for i, rows in enumerate([16, 18, 19, 18, 3, 26]) for _ in range(rows)]
    test = Dataset.from_dict({"label": labels}, Features({"label": ClassLabel(names=list(NAMES))}))
    write_parquet(folder / "test.parquet", test.shuffle(seed=0))
    Manifest("run", data=digest_of_tables(folder)).write(folder)
    (folder / "data").mkdir()
    write_parquet(tmp_path / "labels.parquet", voted([[3.0, 1.0], [4.0]]))
    write_parquet(tmp_path / "predictions.parquet", predicted(labels))
    for record in report["rounds"]:
        place = folder / "rounds" / f"{record['round']:02d}"
        for name in INTERVALS:
            del record["test"][name]
        write_json(place / "metrics.json", record)
        for name in ("labels", "predictions"):
            shutil.copy(tmp_path / f"{name}.parquet", place)
    return folder, report


def predicted(labels: list[int]) -> Dataset:
    """One of the three emergencies was found, of every other class nine in ten."""
    guesses = [5 if label == 4 and row % 3 else label for row, label in enumerate(labels)]
    guesses[::10] = [0] * len(guesses[::10])
    columns = {"id": [f"t{row:03d}" for row in range(len(labels))], "label": labels, "split": ["test"] * len(labels)}
    return with_column(Dataset.from_dict(columns), "probs", np.eye(6, dtype=np.float32)[guesses])


def voted(seconds: list[list[float | None] | None]) -> Dataset:
    """Labelled rows: of each the seconds that its votes took."""
    votes = [row and [{"annotator": "A1", "label": 0, "seconds": value} for value in row] for row in seconds]
    rows = Dataset.from_dict({"id": list("abc")[: len(votes)], "text": list("abc")[: len(votes)], "votes": votes})
    return conform(rows, NAMES)


def test_the_report_of_a_run_is_its_rounds_in_order_and_the_rarest_class_of_test(run):
    folder, report = run
    found = report_of_run(folder)
    for record in found["rounds"]:
        for name in INTERVALS:
            del record["test"][name]
    (note,) = found["notes"]
    assert note.startswith(f"{RAREST} has only 3 test rows: a single one is 33 points of its recall, so its F1, and ")
    assert {**found, "notes": []} == report


def test_a_run_that_has_not_ended_says_so_and_how_it_goes_on(short):
    folder, _ = short
    (folder / "data").rmdir()
    end = report_of_run(folder)["notes"][0]
    assert end == f"The run has not ended, and has 60 labels so far; go on with: rarecase run --resume {folder}"


def test_a_run_that_goes_on_with_a_larger_budget_has_not_ended(short):
    folder, report = short
    keys = RoundScores.__required_keys__
    config = Config(rounds=tuple({key: record[key] for key in keys} for record in report["rounds"]))
    classes = tuple(ReleaseClass(name, "", "", "route") for name in NAMES)
    made = Release(default="cluster", classes=classes, configs={"cluster": config})
    (folder / "data" / "release.json").write_text(made.dumps())
    (folder / "rounds" / "03" / "chosen.parquet").touch()
    assert "has not ended" not in " ".join(report_of_run(folder)["notes"])
    (folder / "rounds" / "04").mkdir()
    (folder / "rounds" / "04" / "chosen.parquet").touch()
    assert report_of_run(folder)["notes"][0].startswith("The run has not ended, and has 60 labels so far; go on with")


def test_a_round_has_intervals_over_resampled_test_rows_which_are_wide_for_few_of_them(short):
    folder, _ = short
    test = report_of_run(folder)["rounds"][2]["test"]
    assert test["f1_interval"].keys() == test["f1"].keys()
    low, high = test["f1_interval"][RAREST]
    assert low == 0  # a resample may have none of the one that was found
    assert high > 80
    for low, high in (test["macro_f1_interval"], test["accuracy_interval"], test["f1_interval"]["not-harmful"]):
        assert 0 < high - low < 30


@pytest.mark.parametrize(
    ("rows", "says"), [(0, None), (1, "only 1 test row:"), (29, "only 29 test rows:"), (30, None)]
)
def test_few_test_rows_are_said_so(rows, says):
    told = list(notes_on_rarest("rare", rows))
    assert all("an interval of 0.0-0.0 says that none of these rows was recognised, not that" in note for note in told)
    assert [says in note for note in told] == ([] if says is None else [True])


def test_predictions_that_are_missing_damaged_or_of_other_classes_are_named(short):
    folder, _ = short
    path = folder / "rounds" / "03" / "predictions.parquet"
    good = read_parquet(path)
    write_parquet(path, with_column(good, "probs", matrix(good, "probs")[:, :5]))
    for spoil in (lambda: None, lambda: path.write_bytes(b"PAR1")):
        spoil()
        with pytest.raises(RunFolderError, match=r"03/predictions\.parquet: damaged, or changed; remove it and "):
            show(folder)
    path.unlink()
    with pytest.raises(RunFolderError, match=r"03/predictions\.parquet: is missing; put it back, or repeat"):
        show(folder)


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


def test_show_gives_json_markdown_or_text_and_draws_the_picture(short):
    folder, _ = short
    assert json.loads(show(folder, "json")) == report_of_run(folder)
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert show(folder, "markdown").startswith("|   round |")
    shown = show(folder)
    assert f"picture: {folder / 'report.png'}" in shown
    assert "5.0 labels and 2 seconds of people's time for each" in shown
    assert "std: the standard deviation of the class counts" in shown
    assert shown.count(f"{RAREST} has only 3 test rows") == show(folder, "markdown").count("(n=3)") == 1


def test_rounds_that_were_cut_off_are_named_in_one_line(run):
    folder, _ = run
    (folder / "rounds" / "07" / "metrics.json").write_text('{"round": 7')
    with pytest.raises(RunFolderError, match=r"rounds/07/metrics\.json: damaged, or changed; remove it and "):
        show(folder)


def test_rounds_of_other_classes_are_named_in_one_line(short):
    folder, _ = short
    classes = (folder / "taxonomy.yaml").read_text().replace("self-harm", "harm-of-self")
    (folder / "taxonomy.yaml").write_text(classes)
    with pytest.raises(RunFolderError, match=r"rounds/00/metrics\.json: damaged, or changed; remove it and "):
        report_of_run(folder)


def test_a_run_that_has_no_round_yet_says_so(short):
    folder, _ = short
    for path in folder.glob("rounds/*/metrics.json"):
        path.unlink()
    assert show(folder) == "nothing done yet"
    assert json.loads(show(folder, "json"))["rounds"] == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="is not the folder of a run or grid"):
        show(tmp_path)
