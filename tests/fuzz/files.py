"""Mutated files: tables, YAML, releases, folders of models and runs, label stores, through their real readers."""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from tiny_models import PICKLED

from fuzz import blocks, good
from fuzz.blocks import Act
from fuzz.mutators import Rng, choice, file_mutated, rng_of
from rarecase.cli.main import command
from rarecase.cli.publish import Terms
from rarecase.core.errors import WaitingForLabels
from rarecase.data.parquet import read_parquet
from rarecase.data.pool import make_pool
from rarecase.data.read import read_argument, read_table
from rarecase.data.release import Release
from rarecase.data.sets import Sources, read_sets
from rarecase.data.taxonomy import Taxonomy
from rarecase.demo_space.data import DemoSources, load_data
from rarecase.experiment.published import import_published as read_published
from rarecase.labeling.spreadsheet import File
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.export import export_votes, import_votes, status
from rarecase.labeling.store.known_answers import add_known_answers
from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.roles import read_roles, roles_text
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.settings import SpaceFile
from rarecase.labeling.store.sync import EventFiles
from rarecase.learn import load_learner
from rarecase.learn.record import ModelRecord
from rarecase.llm.replies import Replies
from rarecase.publish.dataset import read_release
from rarecase.publish.model import model_files
from rarecase.report.experiment import report_of_experiment
from rarecase.report.run import report_of_run
from rarecase.report.simulation import report_of_grid
from rarecase.runs.folder import Manifest, RoundFiles, stored_sets
from rarecase.settings.config import RunConfig, read_yaml

CASES = 20_000


@dataclass(frozen=True)
class Given:
    """What a case draws from, where it works, and whether it mutates at all."""

    rng: Rng
    folder: Path
    mutates: bool = True

    def one_of(self, values: Any) -> Any:
        return choice(self.rng, values)

    def sometimes(self, share: float) -> bool:
        return self.rng.random() < share

    def mutated(self, name: str, only: str = "*") -> Path:
        """A copy of a good folder in which one file, whose name is like `only`, is mutated, missing or no file."""
        source, target = good.folder() / name, self.folder / name
        files = sorted(path.relative_to(source) for path in source.rglob(only) if path.is_file())
        chosen = target / self.one_of(files)
        if name in ("tables", "yaml"):  # there each file is for itself
            target.mkdir(exist_ok=True)
            copy(source / chosen.name, chosen)
            target = chosen
        else:
            shutil.copytree(source, target, copy_function=copy)
        if not self.mutates:
            return target
        content, fate = chosen.read_bytes(), self.rng.random()
        chosen.unlink()
        if fate < 0.02:
            chosen.mkdir()
        elif fate < 0.04:
            chosen.symlink_to(self.one_of(["/etc/passwd", chosen.name, "nowhere", "/dev/null", ".."]))
        elif fate > 0.06:
            chosen.write_bytes(file_mutated(self.rng, chosen.name, content))
        return target


def copy(source: str | Path, target: str | Path) -> None:
    """A second name of the file; a copy of one that is written in place."""
    (shutil.copyfile if str(source).endswith(".sqlite") else os.link)(source, target)


def of_table(given: Given) -> Act:
    path = given.mutated("tables")
    encoding = given.one_of(["utf-8"] * 8 + ["utf-16", "latin-1", "utf-7"] * given.mutates)
    if given.sometimes(0.2):
        return lambda: make_pool([str(path)], per_source=2, encoding=encoding)
    labeled = given.sometimes(0.5) and not path.name.startswith("RS_")
    return lambda: read_table(path, split="train", labeled=labeled, encoding=encoding)


def of_sets(given: Given) -> Act:
    named = {name: str(good.folder() / "tables" / f"{name}.csv") for name in good.SIZES}
    path = given.mutated("tables", "[!R]*")
    taxonomy = given.one_of([None, str(good.folder() / "yaml" / "taxonomy.yaml")])
    return lambda: read_sets(Sources(**named | {path.name.partition(".")[0]: str(path)}, taxonomy=taxonomy))


def of_parquet(given: Given) -> Act:
    files = sorted(given.mutated("release", "*.parquet").rglob("*.parquet"))
    return lambda: [read_table(file, split="train", labeled=True) for file in files]


def of_yaml(given: Given) -> Act:
    path = given.mutated("yaml")
    return {
        "taxonomy.yaml": lambda: Taxonomy.load(path),
        "roles.yaml": lambda: read_roles(roles_text(path), "--roles"),
        "about.yaml": lambda: Terms(about=path).read_about(),
        "settings.yaml": lambda: command(["run", "--config", str(path), "--dry-run"]),
        "labeling.json": lambda: SpaceFile.parse(path.read_bytes()).settings if path.is_file() else None,
        "demo.json": lambda: DemoSources.read(path.parent),
    }[path.name]


def of_settings(given: Given) -> Act:
    path = given.mutated("yaml", "settings.yaml")
    return lambda: read_yaml(path, RunConfig)


def of_spreadsheet(given: Given) -> Act:
    run = given.mutated("waiting", "to_label.csv")
    if given.sometimes(0.05):
        return lambda: command(["run", "--resume", str(run)])
    chosen = read_parquet(RoundFiles(run).path(1, "chosen.parquet"))
    return lambda: File(run / "to_label.csv", Taxonomy.load(run / "taxonomy.yaml"), "go on").annotate(chosen)


def of_votes(given: Given) -> Act:
    store = given.folder / "labels.sqlite"
    copy(good.folder() / "store" / "labels.sqlite", store)
    if given.sometimes(0.2):
        path = given.mutated("tables", "dev.[ct]sv")
        return lambda: add_known_answers(service_of(store), path, calibrate=True)
    path = given.mutated("votes")
    return lambda: import_votes(service_of(store), path / "votes.csv")


def service_of(store: Path) -> LabelService:
    return LabelService(EventLog(str(store)))


def of_store(given: Given) -> Act:
    path = given.mutated("store")

    def act() -> object:
        store = open_store(str(path / "labels.sqlite"))
        export_votes(store.service, given.folder / "votes.csv")
        return status(store.service)

    return act


def of_events(given: Given) -> Act:
    path = given.mutated("events")

    def act() -> object:
        service = service_of(given.folder / "labels.sqlite")
        files = {f"{file.stem}/{file.name}": file.read_bytes() for file in path.iterdir() if file.is_file()}
        EventFiles(service).read(files)
        service.queue("ann")
        return status(service)

    return act


def of_release(given: Given) -> Act:
    path = given.mutated("release")
    draw = given.rng.random()
    if draw < 0.1:
        return lambda: read_argument(f"{path}:cluster", "test")
    if draw < 0.15:
        return lambda: load_data(str(path)).groups()
    return lambda: (Release.find(path / "release.json"), read_release(path))


def of_run(given: Given) -> Act:
    path = given.mutated("run")
    draw = given.rng.random()
    if draw < 0.01:
        return lambda: command(["report", str(path)])
    if draw < 0.03:
        return lambda: command(["run", "--resume", str(path)])

    def act() -> object:
        Manifest.read(path, "run")
        files = RoundFiles(path)
        with contextlib.suppress(FileNotFoundError):  # which is one line by `rarecase.report.show`
            report_of_run(path)
        return stored_sets(path), files.records(), files.tables("labels"), files.spent()

    return act


def of_waiting(given: Given) -> Act:
    name, kind = given.one_of([("waiting", "run"), ("start", "start")])
    path = given.mutated(name)
    return lambda: command([kind, "--resume", str(path)])


def of_grid(given: Given) -> Act:
    name, report = given.one_of([("grid", report_of_grid), ("experiment", report_of_experiment)])
    path = given.mutated(name)
    if given.sometimes(0.02):
        return lambda: command(["report", str(path), "--format", "json"])

    def act() -> None:
        Manifest.read(path, name)
        with contextlib.suppress(FileNotFoundError):
            report(path)

    return act


def of_model(given: Given) -> Act:
    path = given.mutated(given.one_of(["frozen", "finetune"]), given.one_of(["*", "*.json"]))
    if given.mutates and given.sometimes(0.2):  # a file that must not be loaded is beside it, or in its place
        place = given.one_of([path, *(folder for folder in path.rglob("*") if folder.is_dir())])
        (place / given.one_of(["pytorch_model.bin", "model.pt", "training_args.bin"])).write_bytes(PICKLED)
        (place / "evil.py").write_text("import os\nos.abort()\n")
        if given.sometimes(0.3):
            (place / "model.safetensors").unlink(missing_ok=True)

    def act() -> object:
        ModelRecord.read(path)
        model_files(path, repo_id="a/b", license="mit")
        return load_learner(path).score(Dataset.from_dict({"text": ["a text"]}))

    return act


def of_published(given: Given) -> Act:
    path = given.mutated("published")
    return lambda: read_published(path, given.folder / "out")


def of_replies(given: Given) -> Act:
    path = given.mutated("replies")
    return lambda: Replies(path / "replies.sqlite").missing([good.REQUEST])


WEIGHTS: dict[Callable[[Given], Act], int] = {
    of_table: 30,
    of_sets: 5,
    of_parquet: 8,
    of_yaml: 12,
    of_settings: 3,
    of_spreadsheet: 5,
    of_votes: 4,
    of_store: 2,
    of_events: 5,
    of_release: 8,
    of_run: 10,
    of_waiting: 1,
    of_grid: 2,
    of_model: 6,
    of_published: 1,
    of_replies: 1,
}
DRAWN = [of for of, weight in WEIGHTS.items() for _ in range(weight)]


def case(rng: Rng, folder: Path) -> tuple[str, Act]:
    of = choice(rng, DRAWN)
    return of.__name__, of(Given(rng, folder))


def warm_up() -> None:
    """Tries every kind of case without a mutation: what is imported on the way, and that nothing is refused."""
    for of in WEIGHTS:
        for number in range(8):
            given = Given(rng_of(0, number), Path(tempfile.mkdtemp(prefix="fuzz-warm-")), mutates=False)
            said = io.StringIO()
            with contextlib.suppress(WaitingForLabels), redirect_stderr(said), redirect_stdout(said):
                of(given)()
            shutil.rmtree(given.folder)


def main() -> None:
    warm_up()
    blocks.main(case, CASES)


if __name__ == "__main__":
    main()
