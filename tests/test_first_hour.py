"""
The first hour of somebody with posts and classes of their own, by what the commands print: a table of 3,000 posts, a
taxonomy, labels given on the page, a run, a classifier, its answers, and what would be published.
"""

import csv
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from hub_server.server import free_port
from labelers import Client, vote
from places import OTHER
from sklearn.metrics import f1_score

from rarecase.cli.main import command
from rarecase.core.randomness import generator

CLASSES = {
    "fraud": ("a charge the writer did not make, or a lost card", 90),
    "travel": ("flights, hotels, luggage and what a journey needs", 700),
    "kitchen": ("cooking, recipes and food", 600),
    "car": ("fuel, tyres, repairs and driving", 510),
    "other": ("everything else", 1100),
}
INTENTS = {
    "fraud": "report_fraud freeze_account report_lost_card",
    "travel": "book_flight book_hotel flight_status travel_suggestion lost_luggage carry_on vaccines",
    "kitchen": "recipe ingredients_list cook_time meal_suggestion calories nutrition_info food_last",
    "car": "gas oil_change_when oil_change_how tire_pressure tire_change jump_start mpg schedule_maintenance traffic",
}


@pytest.fixture
def posts(tmp_path) -> dict[str, str]:
    """Writes posts.csv, with columns of its own and no labels; gives the class of each text."""
    found = json.loads((OTHER / "CLINC_oos_plus.json").read_text(encoding="utf-8"))
    kinds = {intent: name for name, intents in INTENTS.items() for intent in intents.split()}
    texts = sorted({(text, kinds.get(intent, "other")) for text, intent in found["train"] + found["test"]})
    drawn = []
    for name, (_, count) in CLASSES.items():
        own = [text for text in texts if text[1] == name]
        drawn += [own[place] for place in generator(0, "hour", name).permutation(len(own))[:count]]
    drawn = [drawn[place] for place in generator(0, "hour").permutation(len(drawn))]
    with (tmp_path / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(["ticket", "message", "channel"])
        rows.writerows([f"T-{place}", text, "mail"] for place, (text, _) in enumerate(drawn))
    return dict(drawn)


def steps(said: str) -> Iterator[list[str]]:
    """The commands that were printed."""
    for line in re.findall(r"(?:next|show them with):? *rarecase ([^;\n]+)", said):
        yield shlex.split(line)


@pytest.mark.slow
@pytest.mark.skipif(not OTHER.is_dir(), reason=f"the other sets are not at {OTHER} (RARECASE_OTHER)")
def test_the_first_hour(forks, hub, posts, tmp_path, monkeypatch):
    port, people = free_port(), list[Client]()

    def typed(*words: object) -> str:
        print(f"$ rarecase {shlex.join(map(str, words))}")
        done = forks.run(["rarecase", *map(str, words)], tmp_path)
        assert done.status == 0, done.stderr
        return done.stdout + done.stderr

    def labelled(*words: object) -> str:
        """A command that people on the page give labels to, as it says how to show it."""
        print(f"$ rarecase {shlex.join(map(str, words))}")
        asking = forks.begin(["rarecase", *map(str, words)], tmp_path)
        while not (shown := next((step for step in steps(asking.said()) if step[0] == "label"), None)):
            assert asking.poll() is None, asking.said()
        page = forks.begin(["rarecase", *shown, "--port", str(port)], tmp_path)
        while "the labeling page is at" not in page.said():
            assert page.poll() is None, page.said()
        people.extend([] if people else [Client(f"http://127.0.0.1:{port}", name) for name in ("ann", "bob")])

        def label(_: object) -> None:
            for person in people:
                for entry in person.say()["queue"]:
                    person.say(vote(entry["item"], posts[entry["text"]]))

        done = asking.wait(meanwhile=label)
        page.kill()
        assert done.status == 0, done.stderr
        return done.stderr

    typed("taxonomy", "--classes", ",".join(CLASSES), "--out", "classes.yaml")
    taxonomy = yaml.safe_load((tmp_path / "classes.yaml").read_text(encoding="utf-8"))
    for entry in taxonomy["classes"]:
        entry["definition"], _ = CLASSES[entry["name"]]
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump(taxonomy), encoding="utf-8")
    typed("taxonomy", "classes.yaml")
    columns = ["--id-column", "ticket", "--text-column", "message"]
    typed("pool", "posts.csv", *columns, "--out", "pool.parquet")
    sizes = ["--bootstrap", 60, "--dev", 40, "--test", 100]
    begin = ["start", "--pool", "pool.parquet", "--taxonomy", "classes.yaml", *sizes, "--annotator", "people"]
    said = labelled(*begin, "--out", "start")
    assert said.splitlines()[0].endswith(", ".join(CLASSES))
    (run,) = (step for step in steps(said) if step[0] == "run")
    labelled(*run, "--budget", 60)
    out = run[run.index("--out") + 1]
    assert "macro-F1" in typed("report", out, "--format", "markdown")
    typed("train", f"{out}/data", "--config-name", "all", "--learner", "finetune", "--out", "guard")
    typed("export", out, "--out", "everything.csv")
    monkeypatch.chdir(tmp_path)
    with hub.in_process():
        place = ["--repo", "acme/tickets", "--license", "cc-by-4.0"]
        assert command(["publish", "all", out, *place, "--model", "guard", "--dry-run"]) == 0
    typed("predict", "guard", "posts.csv", *columns, "--with-text", "--out", "predicted.csv")
    check(tmp_path, posts)


def check(folder: Path, posts: dict[str, str]) -> None:
    with (folder / "everything.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {*CLASSES}
    assert all(posts[row["text"]] == row["label"] for row in rows)
    assert len(rows) == len({row["id"] for row in rows}) == 60 + 40 + 100 + 60
    with (folder / "predicted.csv").open(encoding="utf-8", newline="") as file:
        answers = [(posts[row["text"]], row["label"]) for row in csv.DictReader(file)]
    assert len(answers) == len(posts) == sum(count for _, count in CLASSES.values())
    truth, said = np.array(answers).T
    print(
        "F1", dict(zip(CLASSES, f1_score(truth, said, average=None, labels=[*CLASSES]).round(2).tolist(), strict=True))
    )
    assert f1_score(truth, said, average="macro") > 0.7
