"""What the report of a run says that its language model took."""

import json
import sys
from pathlib import Path

import pytest
import small

from rarecase.cli.main import command

sys.path.append(str(Path(__file__).parents[1]))
from endpoint import Server  # it is a script beside the folders of tests


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The report of a run of two rounds, with a price for each token."""
    folder = tmp_path_factory.mktemp("generation")
    (folder / "prices.yaml").write_text("models: {words: {prompt: 1, completion: 2}}")
    with Server() as server:
        asks = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        asks += ["--prices", str(folder / "prices.yaml"), "--variations", "2", "--policy", "none"]
        sizes = ["--annotator", "gold", "--strategy", "random", "--budget", "8", "--batch", "4"]
        assert command(["run", *small.write(folder), *asks, *sizes, "--out", str(folder / "run")]) == 0
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
        asks = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        asks += ["--template", str(tmp_path / "mine.jinja"), "--variations", "1", "--policy", "none"]
        sizes = ["--annotator", "gold", "--strategy", "random", "--budget", "2", "--batch", "2"]
        assert command(["run", *small.write(tmp_path), *asks, *sizes, "--out", str(tmp_path / "run")]) == 0
    (tmp_path / "mine.jinja").unlink()
    capsys.readouterr()
    assert command(["report", str(tmp_path / "run"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["generation"]
    assert found["requests"] == 2
    assert not any(share["of"].endswith(", varied") for share in found["shares"])
