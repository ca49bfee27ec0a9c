"""`rarecase run --dry-run` says what a run would ask for, and asks for nothing."""

import json
import re

import pytest
import small
from endpoint import Server

from rarecase.acquire.find import find_strategy
from rarecase.cli.main import command
from rarecase.runs.dry_run import estimated_seconds
from rarecase.runs.session import checked
from rarecase.settings.config import RunConfig

LACKS = "variation that a reply lacks"


@pytest.mark.parametrize(("budget", "labels", "rounds"), [(20, 20, 4), (13, 13, 3), (500, 90, 18)])
def test_it_says_labels_requests_and_time_and_writes_and_sends_nothing(tmp_path, capsys, budget, labels, rounds):
    flags = [*small.write(tmp_path), "--budget", str(budget), "--batch", "5", "--variations", "3"]
    before = sorted(tmp_path.rglob("*"))
    with Server() as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        assert command(["run", *flags, *model, "--out", str(tmp_path / "out"), "--dry-run"]) == 0
        assert server.asked == []
        said = capsys.readouterr().out.splitlines()
        assert said[0].split() == f"labels {labels} by file, in {rounds} rounds of at most 5".split()
        assert said[1].split() == ["requests", str(labels), "to", *f"{server.url}, and one for each {LACKS}".split()]
        assert command(["run", *flags, *model, "--template", "small", "--dry-run"]) == 0
        assert capsys.readouterr().out.splitlines()[1].split() == ["requests", str(labels * 3), "to", server.url]
    assert re.fullmatch(r"time +about \d+ (s|min) of computing on this machine", said[2])
    assert sorted(tmp_path.rglob("*")) == before


def test_what_the_judge_is_asked_at_most_is_what_the_preview_says(tmp_path, capsys):
    flags = [*small.write(tmp_path), "--budget", "4", "--variations", "2", "--judge", "--generator", "openai"]
    model = ["--generator-url", "http://127.0.0.1:9/v1", "--generator-model", "words"]
    assert command(["generate", "preview", *flags, *model, "--format", "json"]) == 0
    most = json.loads(capsys.readouterr().out)["judge_requests"]
    assert most > 4 * 2  # it is asked about texts of the start set, too
    assert command(["run", *flags, *model, "--strategy", "random", "--dry-run"]) == 0
    assert f"{LACKS}; at most {most} for the class of variations\n" in capsys.readouterr().out


def test_without_a_language_model_there_are_no_requests(tmp_path, capsys):
    flags = [*small.write(tmp_path), "--annotator", "gold", "--generator", "none", "--learner", "finetune"]
    assert command(["run", *flags, "--epochs", "1", "--strategy", "random", "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[1:4] == ["90", "by", "gold,"]
    assert said[1].split() == ["requests", "0"]


class Clocked:
    """A learner by a clock of its own: a second for each row to fit, three where it chooses on dev; ten for draws."""

    def __init__(self):
        self.now = 0.0

    def prepare(self, dataset):
        return dataset

    def fit(self, train, dev):
        self.now += len(train) * (3 if len(dev) else 1)
        return self

    def score(self, dataset):
        return dataset

    def sample(self, dataset):
        self.now += 10 * len(dataset)
        return dataset


# Of 60 rows to begin with 4 rounds make 80, so that a fit has 70 of them in the mean; the pool holds 90.
@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"learner": "finetune"}, 5 * 70),
        ({"learner": "finetune", "variations": 5}, 5 * 70),  # of which there are none without a generator
        ({"learner": "finetune", "variations": 5, "generator": "cheap"}, 5 * (70 + 50)),
        ({"learner": "finetune", "updates": 9}, 5 * 60),
        ({"learner": "setfit"}, 5 * 60),
        ({"learner": "finetune", "tune": True}, 5 * 70 * 3),
        ({"learner": "setfit", "tune": True}, 5 * 60 * 3),
        ({"learner": "setfit", "strategy": "bald"}, 5 * 60 + 4 * 90 * 10),
    ],
)
def test_the_time_counts_what_a_fit_grows_with_what_is_chosen_from_and_draws(tmp_path, settings, seconds):
    flags, learner = small.write(tmp_path), Clocked()
    paths = {flag.removeprefix("--"): path for flag, path in zip(flags[::2], flags[1::2], strict=True)}
    small_run = {"generator": "none", "variations": 0, "budget": 20, "batch": 5, "strategy": "random"}
    config = RunConfig(**paths, **{**small_run, **settings})
    found = estimated_seconds(
        config, find_strategy(config.strategy), checked(config), learner, clock=lambda: learner.now
    )
    assert found == pytest.approx(seconds)
