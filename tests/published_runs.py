"""Runs as people do them, published: labelled in a spreadsheet, on the page, known before, and one beside another."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
import small
import yaml
from huggingface_hub import snapshot_download
from small import NAMES
from voting import meanwhile

from rarecase.cli.main import command
from rarecase.labeling import people as asking
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService

TITLE, DESCRIPTION = "Posts of *one* forum", "Collected to try a guard,\nand to read its card."
SIZES = ["--bootstrap", "20", "--dev", "12", "--test", "16"]
GOLD = dict(zip(small.table("pool")["id"][:], small.table("pool")["label"][:], strict=True))
BY_TEXT = dict(zip(small.table("pool")["text"][:], small.table("pool")["label"][:], strict=True))


@dataclass
class Made:
    """What a card has to agree with beside the data: who made it, and the folder of the run of each config."""

    card: Path  # a folder with all that stands on the Hub
    runs: dict[str, Path]
    started: bool  # whether the sets were drawn by `rarecase start`
    title: str
    versions: int = 1
    description: str = ""


def rarecase(*arguments: object) -> None:
    assert command([*map(str, arguments)]) == 0


def fill(folder: Path) -> None:
    """Somebody labels all rows of to_label.csv."""
    small.relabel(folder / "to_label.csv", lambda _, line: NAMES[GOLD[line["id"]]])


def labeling(store: Path) -> AbstractContextManager[None]:
    """Two people who label whatever is asked, differing on about one text in four, and one who settles that."""
    service = LabelService(EventLog(str(store)))

    def label() -> None:
        for name in ("ann", "bob"):
            for entry in service.queue(name).queue:
                said = BY_TEXT[entry["text"]]
                said = (said + (name == "bob" and len(entry["text"]) % 4 == 0)) % len(NAMES)
                service.vote(name, entry["item"], NAMES[said], seconds=0.5)
        for item in service.to_review("eve"):
            service.review("eve", item.id, NAMES[BY_TEXT[item.text]])

    return meanwhile(label)


def run(folder: Path, strategy: str, *flags: object, annotator: str = "file") -> Path:
    """A run of one round, which is waited for by nobody but people with a spreadsheet."""
    out = folder / strategy
    loop = ["--strategy", strategy, "--annotator", annotator, "--budget", 14, "--batch", 14, "--out", out]
    rarecase("run", *loop, *flags)
    if annotator == "file":
        fill(out)
        rarecase("run", "--resume", out)
    return out


def published(run: Path, repo: str, *flags: object) -> Path:
    rarecase("publish", "dataset", run, "--repo", repo, "--license", "cc-by-4.0", *flags)
    return Path(snapshot_download(repo, repo_type="dataset", local_dir=run.parent / f"card-of-{run.name}"))


def spreadsheet(folder: Path) -> dict[str, Made]:
    """A run from a start, both labelled in a spreadsheet; and another of the same start, pushed beside it."""
    small.write(folder, pool=70)
    rarecase("start", "--pool", folder / "pool.csv", *SIZES, "--annotator", "file", "--out", folder / "start")
    fill(folder / "start")
    rarecase("start", "--resume", folder / "start")
    start = ["--start", folder / "start"]
    one = run(folder, "entropy", *start, "--generator", "none")
    other = run(folder, "random", *start, "--generator", "cheap", "--variations", 2, "--policy", "none")
    about = folder / "about.yaml"
    about.write_text(yaml.safe_dump({"title": TITLE, "description": DESCRIPTION}), encoding="utf-8")
    alone = published(one, "acme/forum-posts", "--about", about)
    together = published(other, "acme/forum-posts")
    return {
        "spreadsheet": Made(alone, {"entropy": one}, True, TITLE, 1, DESCRIPTION),
        "merged": Made(together, {"entropy": one, "random": other}, True, TITLE, 2, DESCRIPTION),
    }


def page(folder: Path) -> Made:
    """A run from a start, both labelled on the page."""
    small.write(folder, pool=70)
    store = folder / "labels.sqlite"
    with pytest.MonkeyPatch.context() as patch, labeling(store):
        patch.setattr(asking, "POLL", 0.02)
        asked = ["--annotator", "people", "--store", store]
        rarecase("start", "--pool", folder / "pool.csv", *SIZES, *asked, "--out", folder / "start")
        flags = ["--start", folder / "start", "--store", store, "--generator", "none"]
        made = run(folder, "margin", *flags, annotator="people")
    return Made(published(made, "acme/page_run"), {"margin": made}, True, "Page run")


def cheap(folder: Path) -> Made:
    """A run on tables that somebody brought along, without `origin`, with known labels and variations by a program."""
    tables = small.write(folder, pool=40, bootstrap=20, dev=12, test=16)
    varied = ["--generator", "cheap", "--variations", 3, "--policy", "none"]
    made = run(folder, "rare", *tables, *varied, annotator="gold")
    return Made(published(made, "acme/cheap"), {"rare": made}, False, "Cheap")
