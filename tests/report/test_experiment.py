"""The report of an experiment: every figure by scikit-learn or by hand, over the test rows that count."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from measured import DRAWS, FIXED, STRATEGIES, fail, made, make_experiment, table
from places import PUBLISHED
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from small import NAMES

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.evaluate.metrics import expected_calibration_error
from rarecase.experiment import paper
from rarecase.experiment.cells import Cell, read_predictions
from rarecase.report.compare import holm
from rarecase.report.experiment import report_of_experiment

RARE = NAMES.index("emergency-situation")


@pytest.fixture(scope="module")
def experiment() -> Path:
    """An experiment that has ended; tests leave it as it is."""
    return made()


@pytest.fixture(scope="module")
def report(experiment) -> dict:
    return report_of_experiment(experiment)


def copy(experiment: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(experiment, tmp_path / "experiment"))


def configure(folder: Path, **changes) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, **changes}))


def predictions(experiment: Path, row: dict, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of the test rows of a cell."""
    cell = Cell(row["strategy"], seed, row["model"], row["setting"])
    found = read_predictions(cell.folder(experiment) / "predictions.parquet")
    return found.labels, found.probs


def test_the_tables_have_a_row_for_every_model_strategy_and_setting_in_the_order_of_the_paper(report):
    both = [DRAWS, FIXED]
    assert [(row["strategy"], row["model"]) for row in report["table4"]] == [("bootstrap", model) for model in both]
    for name, setting in {"table5": "human", "table6": "human+llm", "arms": "human+cheap"}.items():
        assert [(row["strategy"], row["model"]) for row in report[name]] == [(s, m) for s in STRATEGIES for m in both]
        assert {row["setting"] for row in report[name]} == {setting}
    assert (report["kind"], report["classes"], report["seeds"], report["models"]) == (
        "experiment",
        list(NAMES),
        [0, 1],
        both,
    )
    assert report["cells"] == {"done": 52, "failed": 0, "missing": 0}
    assert json.loads(json.dumps(report)) == report


def test_every_figure_is_that_of_scikit_learn_the_mean_over_seeds_and_inside_its_interval(experiment, report):
    for row in (report["table4"][0], report["table6"][-2], report["arms"][1]):
        cells = [predictions(experiment, row, seed) for seed in (0, 1)]

        def mean(score, cells=cells, **settings) -> float:
            given = {"labels": range(6), "average": "macro", "zero_division": 0, **settings}
            return 100 * float(np.mean([score(labels, probs.argmax(axis=1), **given) for labels, probs in cells]))

        assert row["accuracy"] == pytest.approx(100 * np.mean([accuracy_score(y, p.argmax(axis=1)) for y, p in cells]))
        assert row["macro_precision"] == pytest.approx(mean(precision_score))
        assert row["macro_recall"] == pytest.approx(mean(recall_score))
        assert row["macro_f1"] == pytest.approx(mean(f1_score))
        assert row["rare_recall"] == pytest.approx(mean(recall_score, labels=[RARE]))
        assert row["rare_f1"] == pytest.approx(mean(f1_score, labels=[RARE])) == row["f1"]["emergency-situation"]
        assert row["recall"]["self-harm"] == pytest.approx(mean(recall_score, labels=[0]))
        errors = [100 - 100 * recall_score(y, p.argmax(axis=1), average=None, labels=range(6)) for y, p in cells]
        assert row["error_std"] == pytest.approx(np.mean([np.std(rates, ddof=1) for rates in errors]))
        assert row["ece"] == pytest.approx(np.mean([expected_calibration_error(*cell) for cell in cells]))
        for name in ("accuracy", "macro_f1", "macro_precision", "macro_recall"):
            low, high = row[f"{name}_interval"]
            assert low < row[name] < high


def test_the_papers_figures_stand_beside_those_of_its_models_and_strategies(report):
    row = next(row for row in report["table6"] if (row["strategy"], row["model"]) == ("cluster", DRAWS))
    assert row["paper"] == {"accuracy": 79.5, "macro_precision": 76.5, "macro_recall": 71.8, "macro_f1": 71.6}
    assert report["table4"][0]["paper"]["macro_f1"] == 61.6
    others = [row for row in report["table6"] if row["model"] == FIXED] + report["arms"]
    assert {json.dumps(row["paper"]) for row in others} == {"null"}
    beside = {(row["strategy"], row["model"]): row["paper"] for row in report["table8"]}
    assert beside["topn", DRAWS] == 33.22
    assert beside["topn", FIXED] is None
    assert report["table3"]["paper_std"] == {"random": 57.6, "topn": 47.6, "coreset": 65.3, "cluster": 41.4}
    assert any("66.0" in told and "67.2" in told for told in report["paper"]["contradictions"])
    assert any("2,700" in note and "320 rows" in note for note in report["notes"])


def test_table_3_counts_what_was_acquired_with_its_sample_standard_deviation(experiment, report):
    from rarecase.data.parquet import read_parquet

    counts = report["table3"]["class_counts"]
    assert list(counts) == [*STRATEGIES, "bootstrap", "dev", "test"]
    split = Counter(read_parquet(experiment / "splits" / "topn.parquet")["label"][:])
    assert list(counts["topn"].values()) == [split[label] for label in range(6)]
    assert report["table3"]["class_count_std"]["topn"] == pytest.approx(np.std(list(counts["topn"].values()), ddof=1))
    assert sum(counts["test"].values()) == report["test_rows"] == 320


def test_a_learner_without_randomness_says_as_much_with_two_seeds_as_with_one(report):
    for row in report["table6"]:
        assert row["deterministic"] == (row["model"] == FIXED)
        assert (row["ece_interval"] is None) == row["deterministic"]
    assert any(note.startswith("packaged: cells that are the same for every seed") for note in report["notes"])
    varies = {(row["model"], row["varies"]) for row in report["differences"]["strategies"]}
    assert varies == {("all", "seeds and rows"), (DRAWS, "seeds and rows"), (FIXED, "rows")}


def test_differences_are_paired_and_corrected_within_the_means_and_within_single_models(report):
    f1 = {
        (row["setting"], row["strategy"], row["model"]): row["macro_f1"]
        for t in ("table4", "table5", "table6", "arms")
        for row in report[t]
    }
    found = report["differences"]["strategies"]
    assert len(found) == 3 * 6 * 3  # settings, pairs of strategies, and each model and their mean
    for row in found:
        models = [DRAWS, FIXED] if row["model"] == "all" else [row["model"]]
        ours = np.mean(
            [f1[row["setting"], row["this"], model] - f1[row["setting"], row["to"], model] for model in models]
        )
        assert row["macro_f1"] == pytest.approx(ours)
    assert {(row["this"], row["to"]) for row in found} >= {("cluster", "random"), ("cluster", "topn")}
    assert not [row for row in found if row["this"] == "random"]
    settings = report["differences"]["settings"]
    adds = next(
        r for r in settings if (r["strategy"], r["model"], r["this"], r["to"]) == ("all", "all", "human+llm", "human")
    )
    means = [
        np.mean([f1[setting, s, m] for s in STRATEGIES for m in (DRAWS, FIXED)]) for setting in ("human+llm", "human")
    ]
    assert adds["macro_f1"] == pytest.approx(means[0] - means[1])
    labels = next(r for r in settings if (r["strategy"], r["model"], r["to"]) == ("topn", FIXED, "bootstrap"))
    assert labels["macro_f1"] == pytest.approx(f1["human", "topn", FIXED] - f1["bootstrap", "bootstrap", FIXED])
    for rows in (found, settings):
        for family in ([r for r in rows if r["model"] == "all"], [r for r in rows if r["model"] != "all"]):
            assert [row["p_corrected"] for row in family] == pytest.approx(holm([row["p"] for row in family]))


def test_figure_3_shows_100_errors_of_the_best_model_and_section_5_4_all_of_them(experiment, report):
    best = max(report["table6"], key=lambda row: row["macro_f1"])
    figure, confusions = report["figure3"], report["confusions"]
    assert (figure["model"], figure["setting"]) == (best["model"], "human+llm")
    for strategy in STRATEGIES:
        shown = figure["strategies"][strategy]
        assert sum(pair["count"] for pair in shown["pairs"]) == 100
        row = {"strategy": strategy, "model": best["model"], "setting": "human+llm"}
        wrong: Counter = Counter()
        for seed in (0, 1):
            labels, probs = predictions(experiment, row, seed)
            guesses = probs.argmax(axis=1)
            wrong.update((NAMES[y], NAMES[p]) for y, p in zip(labels, guesses, strict=True) if y != p)
            if seed == shown["seed"]:
                assert shown["errors"] == int((labels != guesses).sum())
                everything = Counter((NAMES[y], NAMES[p]) for y, p in zip(labels, guesses, strict=True))
                assert all(pair["count"] <= everything[pair["true"], pair["predicted"]] for pair in shown["pairs"])
        found = {(pair["true"], pair["predicted"]): pair["count"] for pair in confusions["strategies"][strategy]}
        assert found == {pair: count / 2 for pair, count in wrong.items()}
    assert report_of_experiment(experiment)["figure3"] == figure


def test_another_model_can_be_chosen_and_one_that_is_not_there_is_named(experiment):
    assert report_of_experiment(experiment, model=DRAWS)["figure3"]["model"] == DRAWS
    with pytest.raises(ConfigError, match=r"--model packagd: no cell of it is done.*did you mean 'packaged'"):
        report_of_experiment(experiment, model="packagd")


def test_failed_cells_are_told_with_their_reason_and_missing_ones_are_counted(experiment, tmp_path):
    mine = copy(experiment, tmp_path)
    fail(mine, Cell("cluster", 1, DRAWS, "human+llm"), "out of memory")
    fail(mine, Cell("topn", 0, FIXED, "human"), "the loss is NaN")
    fail(mine, Cell("topn", 1, FIXED, "human"), "the loss is NaN")
    shutil.rmtree(mine / "cells" / Cell("random", 0, FIXED, "human").name)
    found = report_of_experiment(mine)
    assert found["cells"] == {"done": 48, "failed": 3, "missing": 1}
    told = {"setting": "human+llm", "strategy": "cluster", "model": DRAWS, "seed": 1, "error": "out of memory"}
    assert told in found["failed"]
    rows = {(r["setting"], r["strategy"], r["model"]): r for t in ("table5", "table6") for r in found[t]}
    assert rows["human+llm", "cluster", DRAWS]["seeds"] == [0]
    assert ("human", "topn", FIXED) not in rows
    pair = next(
        row
        for row in found["differences"]["strategies"]
        if (row["setting"], row["model"], row["this"], row["to"]) == ("human+llm", DRAWS, "cluster", "random")
    )
    assert pair["seeds"] == 1  # that both have
    mean = next(
        row
        for row in found["differences"]["strategies"]
        if (row["setting"], row["model"], row["this"], row["to"]) == ("human", "all", "topn", "random")
    )
    alone = [rows["human", strategy, DRAWS]["macro_f1"] for strategy in ("topn", "random")]
    assert mean["macro_f1"] == pytest.approx(alone[0] - alone[1])  # over the models that both have


@pytest.mark.parametrize("leave_out", [False, True])
def test_test_texts_that_stand_in_a_training_set_are_counted_and_can_be_left_out_of_every_figure(tmp_path, leave_out):
    mine = make_experiment(
        tmp_path / "e",
        models=[FIXED],
        strategies=["random"],
        settings=["bootstrap", "human"],
        seeds=1,
        overlap=30,
        leave_out_overlap=leave_out,
    )
    found = report_of_experiment(mine)
    assert (found["overlap"], found["left_out"], found["test_rows"]) == (30, 30 * leave_out, 320 - 30 * leave_out)
    row = found["table5"][0]
    labels, probs = predictions(mine, row, 0)
    ids = read_predictions(Cell("random", 0, FIXED, "human").folder(mine) / "predictions.parquet").ids
    kept = ~np.isin(ids, table("test", slice(30))["id"][:]) if leave_out else np.ones(len(ids), bool)
    assert row["accuracy"] == pytest.approx(100 * np.mean(labels[kept] == probs[kept].argmax(axis=1)))
    assert row["ece"] == pytest.approx(expected_calibration_error(labels[kept], probs[kept]))
    assert sum(found["table3"]["class_counts"]["test"].values()) == kept.sum()
    assert found["figure3"]["strategies"]["random"]["errors"] == (labels[kept] != probs[kept].argmax(axis=1)).sum()
    assert ("left out of every figure" in found["notes"][0]) == leave_out


def test_where_nothing_is_left_to_measure_on_it_says_so(tmp_path):
    mine = make_experiment(
        tmp_path / "e",
        models=[FIXED],
        strategies=[],
        settings=["bootstrap"],
        seeds=1,
        overlap=320,
        leave_out_overlap=True,
    )
    with pytest.raises(DataError, match="every test text is in a training set"):
        report_of_experiment(mine)


def test_an_experiment_without_a_done_cell_or_without_variations_has_a_report(experiment, tmp_path):
    mine = copy(experiment, tmp_path)
    for path in (mine / "cells").glob("*human+llm*"):
        shutil.rmtree(path)
    found = report_of_experiment(mine)
    assert found["table6"] == []
    assert {row["setting"] for row in found["table8"]} == {found["figure3"]["setting"]} == {"human"}
    shutil.rmtree(mine / "cells")
    found = report_of_experiment(mine)
    assert found["cells"] == {"done": 0, "failed": 0, "missing": 52}
    assert found["figure3"] is None
    assert found["differences"] == {"strategies": [], "settings": []}


def test_a_test_table_without_a_column_is_one_line(experiment, tmp_path):
    folder = copy(experiment, tmp_path)
    test = read_parquet(folder / "test.parquet")
    write_parquet(folder / "test.parquet", test.remove_columns("id"))
    with pytest.raises(DataError, match="column 'id' is missing"):
        report_of_experiment(folder)


def test_the_order_in_which_rows_and_cells_stand_changes_nothing(experiment, report, tmp_path):
    from rarecase.data.arrow import rows
    from rarecase.data.parquet import read_parquet, write_parquet

    mine = copy(experiment, tmp_path)
    rng = np.random.default_rng(0)
    for path in [mine / "test.parquet", *mine.glob("cells/*/predictions.parquet")]:
        shuffled = read_parquet(path)
        write_parquet(path, rows(shuffled, rng.permutation(len(shuffled))))
    assert report_of_experiment(mine) == report


def test_what_other_models_lose_by_a_split_is_told_where_the_learner_that_acquired_it_is_known(tmp_path, report):
    assert report["transfer"] is None
    learner = "google-bert/bert-base-cased"
    mine = make_experiment(
        tmp_path / "e", models=[learner, DRAWS, FIXED], strategies=["random", "cluster"], settings=["human"], seeds=2
    )
    found = report_of_experiment(mine)
    f1 = {(row["strategy"], row["model"]): row["macro_f1"] for row in found["table5"]}
    gains = {model: f1["cluster", model] - f1["random", model] for model in (learner, DRAWS, FIXED)}
    (row,) = found["transfer"]
    assert (row["setting"], row["strategy"], row["learner"]) == ("human", "cluster", learner)
    assert row["gain"] == pytest.approx(gains[learner])
    assert row["others_gain"] == pytest.approx(np.mean([gains[DRAWS], gains[FIXED]]))
    assert row["lost"] == pytest.approx(row["gain"] - row["others_gain"])


@pytest.mark.published
def test_table_3_of_the_published_set_is_the_papers_but_for_one_row(tmp_path):
    """The files hold one variation more than the paper counts: of a post of coreset, about the law."""
    from datasets import load_dataset

    from rarecase.data.parquet import read_parquet, write_parquet
    from rarecase.experiment.published import import_published

    source = PUBLISHED
    if not source.is_dir():
        pytest.skip("the published set is not at hand: set RARECASE_PUBLISHED to its folder")
    import_published(source, tmp_path / "release")
    mine = make_experiment(tmp_path / "e", models=[FIXED], settings=["bootstrap"], seeds=1)
    shutil.rmtree(mine / "cells")
    for name in STRATEGIES:
        release = load_dataset(str(tmp_path / "release"), name, cache_dir=str(tmp_path / "cache"))
        write_parquet(mine / "splits" / f"{name}.parquet", release["train"])
    for name, split in {"bootstrap": "train", "dev": "validation", "test": "test"}.items():
        release = load_dataset(str(tmp_path / "release"), "bootstrap", cache_dir=str(tmp_path / "cache"))
        write_parquet(mine / f"{name}.parquet", release[split])
    assert len(read_parquet(mine / "test.parquet")) == 2700
    found = report_of_experiment(mine)["table3"]
    differing = {
        (name, label): (count, found["paper"][name][label])
        for name, counts in found["class_counts"].items()
        for label, count in counts.items()
        if count != found["paper"][name][label]
    }
    assert differing == {("coreset", "legal-advice"): (138, 137)}
    std = {name: round(value, 1) for name, value in found["class_count_std"].items()}
    assert std == {**found["paper_std"], "coreset": 65.4}
    assert paper.class_counts("entropy") == found["paper"]["topn"]
