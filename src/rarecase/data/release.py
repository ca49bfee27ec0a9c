"""
A release: a folder of Parquet files and a README that `datasets.load_dataset` reads without more.

    load_dataset("OUT", "cluster")                # or "org/name", once it is on the Hub

The YAML at the head of README.md names the configs and the files of each split; a split that all configs share is
stored once. The features, `ClassLabel` among them, come from the Parquet schema. Beside it is release.json, a
`Release`: what the rows do not tell (how a config was acquired, where its texts come from, known defects), for the
card that is published with them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

import yaml
from datasets import Dataset

from rarecase.core.documents import parse_json, read_document
from rarecase.core.errors import ConfigError, DataError, listed
from rarecase.core.files import digest, leads_out, write_folder_beside, write_text
from rarecase.core.markdown import table_row
from rarecase.core.typed import from_json
from rarecase.data.acquired import Acquired, Policy, VariationCounts
from rarecase.data.counts import class_counts
from rarecase.data.parquet import write_parquet
from rarecase.data.release_class import ReleaseClass
from rarecase.data.schema import label_names
from rarecase.data.taxonomy import Category, Taxonomy

Configs = Mapping[str, Mapping[str, Dataset]]

RELEASE = "release.json"
ALL = "all"  # the config that lists the files of all others; it stands in the README alone, since it acquired nothing
FORMAT = 1


class Metrics(TypedDict):
    """The figures of every round, in percent; `f1` is by class."""

    accuracy: float
    macro_f1: float
    f1: dict[str, float]


class RoundScores(TypedDict):
    """One round of a run: labels and texts of each class acquired by then, and how well the learner does."""

    round: int
    labels: int
    class_counts: dict[str, int]
    class_count_std: float
    dev: Metrics
    test: Metrics


@dataclass(frozen=True)
class Annotators:
    """The people who labelled a published split, and Cohen's kappa in percent over `pairs` of votes on one text."""

    names: tuple[str, ...] = ()
    items: int = 0
    votes: int = 0
    kappa: float | None = None
    pairs: int = 0
    by_model: dict[str, int] = field(default_factory=dict)  # texts, not among `items` and `votes`


@dataclass(frozen=True)
class GeneratedRows:
    """The rows that one generator wrote in a published split."""

    generator: str | None
    rows: int
    prompt_hashes: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """A split of a published config: counts of its rows, who labelled and wrote them, and its file."""

    rows: int
    class_counts: dict[str, int]
    class_count_std: float
    human: int
    generated: int
    not_used: int  # variations that are not learned from
    num_bytes: int  # as `datasets` counts
    path: str
    file_bytes: int
    sha256: str
    annotators: Annotators = Annotators()
    generators: tuple[GeneratedRows, ...] = ()


@dataclass(frozen=True)
class Config:
    """One config; the fields from `splits` on are counted when it is published."""

    acquired: Acquired | None = None
    source: str | None = None
    source_states_no_license: bool = False
    defects: tuple[str, ...] = ()
    rounds: tuple[RoundScores, ...] = ()
    variations: dict[str, VariationCounts] = field(default_factory=dict)  # of a run, by class
    splits: dict[str, Split] = field(default_factory=dict)
    digest: str = ""

    @property
    def policy(self) -> Policy:
        """Which variations are learned from."""
        return self.acquired.get("policy", "strict") if self.acquired else "strict"

    @property
    def train_name(self) -> str:
        """The split to learn from: `train`, or the first where there is no such split."""
        return "train" if "train" in self.splits else next(iter(self.splits))

    @property
    def train(self) -> Split:
        """The split to learn from."""
        return self.splits[self.train_name]


@dataclass(frozen=True)
class About:
    """What only the publisher can say; null is shown as "not stated". `language` is one code or several, by commas."""

    language: str | None = None
    annotators_trained: str | None = None
    annotators_paid: str | None = None
    source_terms: str | None = None
    llm_terms: str | None = None
    contact: str | None = None


@dataclass(frozen=True)
class Change:
    """A line of the changelog."""

    version: int
    date: str
    change: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """`release.json`. Names and numbers, no text of the data; version 0 is a folder that is not published yet."""

    title: str = ""  # the publisher's, as the description is
    description: str = ""
    repo_id: str = ""
    license: str = ""
    default: str  # a config, or `all`, which is there only as the default
    classes: tuple[ReleaseClass, ...]
    about: About = About()
    configs: dict[str, Config]
    texts: int = 0  # different ones, over all configs
    removed: tuple[str, ...] = ()  # ids of rows that were taken down, hashed
    version: int = 0
    changelog: tuple[Change, ...] = ()

    @property
    def names(self) -> list[str]:
        """The classes, in order."""
        return [one.name for one in self.classes]

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes, without examples and other names; the action of one that has none goes by its name."""
        pairs = zip(self.classes, Taxonomy.from_names(self.names).classes, strict=True)
        return Taxonomy(tuple(Category(**{**vars(one), "action": one.action or other.action}) for one, other in pairs))

    def policy_of(self, config: str) -> Policy:
        """Which variations of a config are learned from, or of all: there as all configs say that say something."""
        of = [self.configs[config]] if config in self.configs else [*self.configs.values()]
        stated = {one.policy for one in of if one.acquired and "policy" in one.acquired}
        return stated.pop() if len(stated) == 1 else "strict"

    @property
    def heading(self) -> str:
        """What a page about it is called while it has no title."""
        last = [*self.configs][-1]  # of a run that of its strategy
        return self.title or f"Acquired by {last if self.default == ALL else self.default}"

    @property
    def paths(self) -> set[str]:
        """The data files of a published release."""
        return {split.path for config in self.configs.values() for split in config.splits.values()}

    @property
    def files(self) -> dict[str, dict[str, list[Split]]]:
        """The files of each split of each config that the card of a published release lists, `all` among them."""
        paths = {n: {split: file.path for split, file in config.splits.items()} for n, config in self.configs.items()}
        by_path = {file.path: file for config in self.configs.values() for file in config.splits.values()}
        return {
            name: {split: [by_path[path] for path in files] for split, files in splits.items()}
            for name, splits in listed_files(paths, self.default).items()
        }

    @classmethod
    def read(cls, path: Path, where: str | None = None) -> "Release":
        """Reads release.json; a `DataError` names `where` if the file is not of this format."""
        where = where or str(path)
        try:
            content = parse_json(read_document(path))
        except ValueError as error:
            raise DataError(f"{where}: {error}; it was changed, or is damaged") from None
        return cls.from_json(content, where)

    @classmethod
    def find(cls, path: Path) -> "Release | None":
        """The same; None where there is no such file, or it is of another program: JSON without `configs`."""
        try:
            content = parse_json(read_document(path))
        except (OSError, ValueError):
            return None
        ours = isinstance(content, dict) and isinstance(content.get("configs"), dict)
        return cls.from_json(content, str(path)) if ours else None

    @classmethod
    def from_json(cls, content: Any, where: str = RELEASE) -> "Release":
        """The release that `to_json` gave; a `DataError` names `where` and the field that is not as it must be."""
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            found = content.get("format") if isinstance(content, dict) else None
            raise DataError(f"{where}: format {found if isinstance(found, int) else None}, expected {FORMAT}")
        release: Release = from_json(cls, content, where)
        release = replace(release, classes=tuple(one.with_action() for one in release.classes))
        if not release.configs or release.default not in (ALL, *release.configs):
            raise DataError(f"{where}: default names no config; it was changed, or is damaged")
        try:  # they stand in the code of a card
            check_names({name: config.splits for name, config in release.configs.items()}, release.default)
        except ConfigError as error:
            raise DataError(f"{where}: {error}; it was changed, or is damaged") from None
        if any(map(leads_out, release.paths)):
            raise DataError(f"{where}: names a file outside of its folder; it was changed, or is damaged")
        return release

    def to_json(self) -> dict[str, Any]:
        """The content of release.json."""
        content = {"format": FORMAT, **asdict(self)}
        if not self.version:
            for name in ("description", "repo_id", "license", "about", "texts", "removed", "version", "changelog"):
                del content[name]
            for config in content["configs"].values():
                for name in ("splits", "digest"):
                    del config[name]
        return content

    def dumps(self) -> str:
        """The text of release.json."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"


def write_release(
    folder: Path | str,
    configs: Configs,
    *,
    default: str,
    title: str = "",
    taxonomy: Taxonomy | None = None,
    known: Mapping[str, Config] | None = None,
    replace: bool = False,
) -> None:
    """
    Writes a release folder, whole or not at all: built beside as `.NAME.PID.tmp`, then renamed.

    The same rows give the same bytes, however the tables were put together. A split that is the same `Dataset` object
    in all configs is written once and shared. The default `all` lists the files of every config, and holds no copy.
    With `replace` an earlier release is moved to `.NAME.old` and deleted once the new one is in place, so a kill at
    any moment leaves one of the two whole, and the next call clears up.
    """
    folder = Path(folder).resolve()
    check_names(configs, default)
    _require_free(folder, replace)
    if taxonomy is None:
        first = next(table for splits in configs.values() for table in splits.values())
        taxonomy = Taxonomy.from_names(label_names(first))
    release = Release(
        title=title,
        default=default,
        classes=tuple(map(ReleaseClass.of, taxonomy.classes)),
        configs={name: (known or {}).get(name, Config()) for name in configs},
    )
    paths = _paths(configs)
    with write_folder_beside(folder) as beside:
        for config, splits in configs.items():
            for split, dataset in splits.items():
                if not (beside / paths[config][split]).exists():  # a shared one is there already
                    write_parquet(beside / paths[config][split], dataset)
        write_text(beside / RELEASE, release.dumps())
        write_text(beside / "README.md", _readme(beside, configs, paths, default, release.heading))


def check_names(configs: Mapping[str, Iterable[str]], default: str) -> None:
    """Refuses names of configs or splits that `load_dataset` cannot take."""
    for config, splits in configs.items():
        if config in ("data", ALL) or not re.fullmatch(r"\w[\w.-]*", config):
            raise ConfigError(
                f"{config!r} cannot name a config; use letters, digits, '_' and '-', and neither 'data' nor {ALL!r}"
            )
        for split in splits:
            if not re.fullmatch(r"\w+", split):
                raise ConfigError(f"{split!r} cannot name a split of {config!r}; use letters, digits and '_'")
    if default not in (ALL, *configs):
        raise ConfigError(f"the default config {default!r} is none of {listed(configs)}")


def listed_files(paths: Mapping[str, Mapping[str, str]], default: str) -> dict[str, dict[str, list[str]]]:
    """The files of each split of each config that a card lists; `all` is among them where it is the default."""
    own = {name: {split: [path] for split, path in splits.items()} for name, splits in paths.items()}
    if default != ALL:
        return own
    every = [(split, path) for splits in paths.values() for split, path in splits.items()]
    return {ALL: {split: list(dict.fromkeys(path for of, path in every if of == split)) for split, _ in every}, **own}


def data_files(splits: Mapping[str, list[str]]) -> list[dict[str, str | list[str]]]:
    """What the head of a card says of the files of a config."""
    return [{"split": split, "path": paths[0] if len(paths) == 1 else paths} for split, paths in splits.items()]


def _require_free(folder: Path, replace: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; name a folder that does not exist yet")
    if not replace and any(folder.iterdir()):
        raise ConfigError(f"{folder}: exists and is not empty; name another folder, or delete this one first")
    files = sorted(path for path in folder.rglob("*") if not path.is_dir())
    ours = ("README.md", RELEASE)
    foreign = next((path for path in files if path.name not in ours and path.suffix != ".parquet"), None)
    if foreign:
        raise ConfigError(f"{folder}: has {foreign.name}, which no release has; move it away first")


def _paths(configs: Configs) -> dict[str, dict[str, str]]:
    """Where each split of each config lies: in the root where all configs share it, else in the config's folder."""

    def place(config: str, split: str) -> str:
        shared = len(configs) > 1 and all(other.get(split) is configs[config][split] for other in configs.values())
        return f"{split}.parquet" if shared else f"{config}/{split}.parquet"

    return {config: {split: place(config, split) for split in configs[config]} for config in configs}


def _readme(folder: Path, configs: Configs, paths: Mapping[str, Mapping[str, str]], default: str, title: str) -> str:
    entries = [
        {
            "config_name": config,
            # `load_dataset` caches a local folder by its last name and this head alone (datasets 5.1): without
            # something of the content, the `data` of one run would be answered with the rows of another's.
            "description": f"content {digest(folder / path for files in splits.values() for path in files)}",
            "data_files": data_files(splits),
            # A bare `load_dataset(folder)` fails where there are several configs and none is the default.
            **({"default": True} if config == default else {}),
        }
        for config, splits in listed_files(paths, default).items()
    ]
    head = yaml.safe_dump({"configs": entries}, sort_keys=False, allow_unicode=True)
    tables = [(config, split, dataset) for config, splits in configs.items() for split, dataset in splits.items()]
    counted = [class_counts(dataset, label_names(dataset)) for _, _, dataset in tables]
    names = list(dict.fromkeys(name for counts in counted for name in counts))
    lines = [
        table_row(["config", "split", "rows", *names]),
        table_row(["---", "---", *["---:"] * (1 + len(names))]),
        *(
            table_row([config, split, *map(str, [len(dataset), *(counts.get(name, 0) for name in names)])])
            for (config, split, dataset), counts in zip(tables, counted, strict=True)
        ),
    ]
    told = [f"Without a name, `load_dataset` takes `{ALL}`: the files of every config.", ""] if default == ALL else []
    return "\n".join(["---", head + "---", f"# {title}", "", *told, *lines, ""])
