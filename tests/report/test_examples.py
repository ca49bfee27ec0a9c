"""Tables 2 and 7: each strategy's originals with their variations, and the errors that Figure 3 counts."""

from pathlib import Path

import pytest
from measured import DRAWS, make_experiment
from small import NAMES

from rarecase.core.errors import ConfigError
from rarecase.core.markdown import in_table, plain
from rarecase.data.schema import texts
from rarecase.report.examples import write_examples
from rarecase.report.experiment import drawn_of, report_of_experiment
from rarecase.report.results import Key, read_results


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> Path:
    return make_experiment(
        tmp_path_factory.mktemp("examples") / "experiment",
        models=[DRAWS],
        strategies=["random", "coreset"],
        settings=["human+llm"],
        seeds=1,
    )


@pytest.fixture(scope="module")
def page(experiment, tmp_path_factory) -> list[str]:
    path = tmp_path_factory.mktemp("page") / "examples.md"
    results = read_results(experiment)
    write_examples(results, report_of_experiment(results)["figure3"], path)
    return path.read_text(encoding="utf-8").splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def shown(text: str) -> str:
    return in_table(plain(text))


def part(page: list[str], title: str, strategy: str) -> list[list[str]]:
    """The rows of a strategy's table."""
    place = page.index(f"### {strategy}", next(i for i, line in enumerate(page) if line.startswith(f"## {title}")))
    rows = page[place + 4 :]
    return [cells(line) for line in rows[: rows.index("")]]


def test_an_original_of_each_class_stands_with_its_own_variations(experiment, page):
    split = read_results(experiment).splits["coreset"].to_list()
    by_text = {shown(row["text"]): row for row in split}
    found = part(page, "Table 2", "coreset")
    assert [row[0] for row in found] == [name for i, name in enumerate(NAMES) if i in {r["label"] for r in split}]
    for name, text, variations in found:
        original = by_text[text]
        assert (NAMES[original["label"]], original["origin"]) == (name, "human")
        expected = [shown(row["text"]) for row in split if row["parent_id"] == original["id"]]
        assert variations.split("<br>") == expected
        assert len(expected) == 2


def test_the_errors_are_those_of_figure_3_with_the_right_and_the_wrong_class(experiment, page):
    results = read_results(experiment)
    key = Key("human+llm", "random", DRAWS)
    places, cell = drawn_of(results, key), results.groups[key][0]
    every = texts(results.test)
    assert part(page, "Table 7", "random") == [
        [shown(every[i]), NAMES[cell.labels[i]], NAMES[cell.guesses[i]]] for i in places
    ]
    assert len(places) == 100


def test_nothing_is_overwritten(experiment, tmp_path):
    path = tmp_path / "mine.md"
    path.write_text("notes")
    with pytest.raises(ConfigError, match=r"--examples .*mine\.md: exists already; name another"):
        write_examples(read_results(experiment), None, path)
    assert path.read_text() == "notes"
