"""What the report of a run says that its language model took."""

import json
import sys
from pathlib import Path

import pytest
import small

from rarecase.cli.main import command

sys.path.append(str(Path(__file__).parents[1]))
from endpoint import Server  # it is a script beside the folders of tests


def run(folder: Path, url: str, **settings: object) -> None:
    """A run in the folder whose variations an endpoint writes."""
    asks = ["--generator", "openai", "--generator-url", url, "--generator-model", "words", "--policy", "none"]
    given = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    words = ["run", *small.write(folder), *asks, *given, "--annotator", "gold", "--strategy", "random"]
    assert command([*words, "--out", str(folder / "run")]) == 0


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The report of a run of two rounds, with a price for each token."""
    folder = tmp_path_factory.mktemp("generation")
    (folder / "prices.yaml").write_text("models: {words: {prompt: 1, completion: 2}}")
    with Server() as server:
        run(folder, server.url, prices=folder / "prices.yaml", variations=2, budget=8, batch=4)
        requests = len(server.asked)
    return folder / "run", requests


def test_the_sums_are_those_of_the_ledger_and_shared_out_to_labels_classes_and_what_was_kept(told, capsys):
    folder, requests = told
    capsys.readouterr()
    assert command(["report", str(folder), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = report["generation"]
    assert (found["requests"], found["answered"], found["unanswered"]) == (requests, requests, 0)
    tokens = found["prompt_tokens"] + found["completion_tokens"]
    assert found["cost"] == pytest.approx((found["prompt_tokens"] + 2 * found["completion_tokens"]) / 1e6)
    shares = {share["of"]: share for share in found["shares"]}
    for of, number in {"request": requests, "label": 8, "variation kept": 16}.items():
        assert shares[of] == {"of": of, "number": number, "tokens": tokens / number, "cost": found["cost"] / number}
    classes = {name: share for name, share in shares.items() if name.endswith(", varied")}
    labelled = {name: count for name, count in report["rounds"][-1]["found"].items() if count}
    assert {name: share["number"] for name, share in classes.items()} == {
        f"label of {name}, varied": count for name, count in labelled.items()
    }
    assert sum(share["number"] * share["cost"] for share in classes.values()) == pytest.approx(found["cost"])
    assert sum(share["number"] * share["tokens"] for share in classes.values()) == pytest.approx(tokens)


def test_people_read_the_sums_and_a_table(told, capsys):
    folder, requests = told
    assert command(["report", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert f"{requests} requests to a language model (0 without an answer)" in shown
    assert "variation kept" in shown


def test_a_template_that_was_moved_since_costs_the_classes_alone(tmp_path, capsys):
    (tmp_path / "mine.jinja").write_text("=== user\n{{ post }} is of the class {{ label }}")
    with Server() as server:
        run(tmp_path, server.url, template=tmp_path / "mine.jinja", variations=1, budget=2, batch=2)
    (tmp_path / "mine.jinja").unlink()
    capsys.readouterr()
    assert command(["report", str(tmp_path / "run"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["generation"]
    assert found["requests"] == 2
    assert not any(share["of"].endswith(", varied") for share in found["shares"])
