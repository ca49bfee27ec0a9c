"""The card of a real release, compared whole with `dataset_card.md`, whose numbers are counted anew from the data."""

import copy
import csv
import hashlib
import io
import json
import re
import shutil
import statistics
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.figure
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Dataset, load_dataset
from matplotlib.image import imread
from small import NAMES, SAMPLE

from rarecase import schema
from rarecase.files import read_parquet
from rarecase.publish.cards import class_counts_picture, code, dataset_card, listed, plain, table
from rarecase.publish.facts import config_facts
from rarecase.release import write_release
from rarecase.taxonomy import Taxonomy

GOLDEN = Path(__file__).with_name("dataset_card.md")
Rows = list[dict[str, Any]]
Configs = dict[str, dict[str, Rows]]

RUN = {
    "by": "run",
    "strategy": "cluster",
    "learner": "frozen",
    "model": "packaged",
    "encoder": "packaged",
    "annotator": "file",
    "generator": "openai",
    "generator_model": "words-7b",
    "budget": 20,
    "batch": 10,
    "clusters": None,
    "variations": 2,
    "seed": 7,
}
ABOUT = {
    "annotators_trained": "an hour with the definitions",
    "annotators_paid": None,
    "source_terms": "CC BY 4.0",
    "llm_terms": None,
    "contact": "data@example.org",
}
CHANGES = [
    {"version": 1, "date": "2026-11-24", "change": "added bootstrap, cluster"},
    {"version": 2, "date": "2026-12-01", "change": "added random"},
]

REMOVED = ["5d41402abc4b2a76b9719d911017c592"]


def sample(name: str, start: int, count: int, **known: Any) -> Rows:
    """Rows of the sample that ships, people's."""
    with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[start : start + count]
    return [{**row, "label": NAMES.index(row["label"]), "origin": "human", **known} for row in rows]


def voted(rows: Rows) -> Rows:
    """Two people label each row but the last; of every four they disagree on one."""
    for i, row in enumerate(rows):
        said = {"A1": row["label"], "A2": (row["label"] + (i % 4 == 3)) % len(NAMES)}
        people = list(said)[: 1 if row is rows[-1] else 2]
        row |= {"annotator": "A1", "round": 1 + i // 10}
        row["votes"] = [{"annotator": who, "label": said[who], "seconds": 1.5 * i} for who in people]
    return rows


def varied(rows: Rows) -> Iterator[dict[str, Any]]:
    """Two variations each, the prompt of the second round another one; every seventh failed its check."""
    for i, row in enumerate(rows):
        yield row
        for k in (1, 2):
            yield {
                "id": f"{row['id']}-{k}",
                "text": f"In other words, {k}: {row['text']}",
                "label": row["label"],
                "origin": "generated",
                "parent_id": row["id"],
                "round": row["round"],
                "strategy": row["strategy"],
                "generator": "words-7b",
                "prompt_hash": "4f1a90c2bd" if row["round"] == 1 else "b00c11d2e3",
                "checks": [{"check": "not-empty", "passed": bool((2 * i + k) % 7), "value": None}],
            }


def rows() -> Configs:
    """What is released: the start set, and what two strategies acquired."""
    others = {"validation": sample("dev", 0, 30), "test": sample("test", 0, 60)}
    people = voted(sample("pool", 0, 20, strategy="cluster"))
    known = sample("pool", 20, 15, strategy="random", annotator="gold", round=1)
    train = {"bootstrap": sample("bootstrap", 0, 60), "cluster": list(varied(people)), "random": known}
    return {name: {"train": split, **others} for name, split in train.items()}


def write(folder: Path, configs: Configs) -> Path:
    """The release folder."""
    columns = schema.features(NAMES)
    made: dict[int, Dataset] = {}

    def table_of(split: Rows) -> Dataset:  # one object for rows that configs share
        filled = [{c: row.get(c) for c in columns} for row in split]
        return made.setdefault(id(split), Dataset.from_list(filled, features=columns))

    write_release(
        folder,
        {name: {split: table_of(found) for split, found in splits.items()} for name, splits in configs.items()},
        default="cluster",
        title="Acquired by cluster",
        taxonomy=Taxonomy.default(),
        known={
            "bootstrap": {"acquired": {"by": "start"}, "source": "forum posts written for rarecase"},
            "cluster": {
                "acquired": RUN,
                "source": "forum posts written for rarecase",
                "defects": ["labels are one writer's"],
                "rounds": [round_(configs["cluster"]["train"], number) for number in range(3)],
            },
            "random": {
                "acquired": {**RUN, "strategy": "random", "annotator": "gold", "generator": "none", "batch": 15},
                "source": "forum posts written for rarecase",
                "defects": ["labels are one writer's", "the budget was not spent"],
            },
        },
    )
    return folder


def round_(train: Rows, number: int) -> dict[str, Any]:
    """What a run measured after a round."""
    until = [row for row in train if row["round"] <= number]
    counts = {name: sum(NAMES[row["label"]] == name for row in until) for name in NAMES}
    measured = {"accuracy": 60.0, "macro_f1": 55.04 + number, "f1": dict.fromkeys(NAMES, 50.0)}
    return {
        "round": number,
        "labels": sum(row["origin"] == "human" for row in until),
        "class_counts": counts,
        "class_count_std": statistics.stdev(counts.values()),
        "dev": measured,
        "test": {**measured, "macro_f1": 51.96 + number},
    }


def head_of(readme: str) -> dict[str, Any]:
    """The front matter."""
    return yaml.safe_load(readme.split("---\n")[1])


def facts_of(folder: Path) -> dict[str, Any]:
    """The release.json that the repository of a release would hold."""
    facts = json.loads((folder / "release.json").read_text())
    for config in head_of((folder / "README.md").read_text())["configs"]:
        paths = {file["split"]: file["path"] for file in config["data_files"]}
        found = config_facts({split: read_parquet(folder / path) for split, path in paths.items()}, NAMES)
        for split, path in paths.items():
            found["splits"][split] |= {"path": path, "file_bytes": (folder / path).stat().st_size}
        facts["configs"][config["config_name"]] |= {**found, "digest": config["description"].removeprefix("content ")}
    facts |= {"license": "cc-by-4.0", "version": 2, "repo_id": "acme/safety", "about": ABOUT, "changelog": CHANGES}
    return {**facts, "removed": REMOVED}


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("cards") / "out", rows())


@pytest.fixture(scope="module")
def facts(release) -> dict[str, Any]:
    return facts_of(release)


@pytest.fixture(scope="module")
def counted(release) -> "Counted":
    return Counted(release)


class Counted(dict[str, str]):
    """What stands in the place of each `{kind:of/what}`, from the Parquet files and nothing else."""

    def __init__(self, folder: Path):
        super().__init__()
        paths = {p.relative_to(folder).with_suffix("").as_posix(): p for p in folder.rglob("*.parquet")}
        tables = {name: pq.read_table(path).to_pylist() for name, path in paths.items()}
        for name, found in tables.items():
            self._split(name, found, paths[name])
        for config in ("bootstrap", "cluster", "random"):
            used = {"train": f"{config}/train", "validation": "validation", "test": "test"}
            self._config(config, [row for name in used.values() for row in tables[name]])
            self[f"download:{config}"] = str(sum(paths[name].stat().st_size for name in used.values()))
            self[f"size:{config}"] = str(sum(int(self[f"bytes:{name}"]) for name in used.values()))
            self[f"digest:{config}"] = digest([paths[name] for name in used.values()])
        measured = json.loads((folder / "release.json").read_text())["configs"]["cluster"]["rounds"]
        for number in range(3):
            self._round(number, tables["cluster/train"])
            self |= {f"{name}:{number}": f"{measured[number][name]['macro_f1']:.1f}" for name in ("dev", "test")}
        self |= {f"date:{change['version']}": change["date"] for change in CHANGES}
        self["removed:all"] = str(len(REMOVED))
        self["rows:all"] = str(sum(map(len, tables.values())))
        self["failed:all"] = str(sum(int(self[f"failed:{name}"]) for name in tables))

    def _split(self, name: str, found: Rows, path: Path) -> None:
        counts = [sum(row["label"] == label for row in found) for label in range(len(NAMES))]
        failed = [row for row in found if any(not check["passed"] for check in row["checks"] or [])]
        self[f"rows:{name}"] = str(len(found))
        self[f"human:{name}"] = str(sum(row["origin"] == "human" for row in found))
        self[f"generated:{name}"] = str(sum(row["origin"] == "generated" for row in found))
        self[f"failed:{name}"] = str(len(failed))
        self[f"classes:{name}"] = " | ".join(map(str, counts))
        self[f"std:{name}"] = f"{statistics.stdev(counts):.1f}"
        self[f"bytes:{name}"] = str(pq.read_table(path).nbytes)

    def _config(self, name: str, found: Rows) -> None:
        votes = [{vote["annotator"]: vote["label"] for vote in row["votes"] or []} for row in found]
        both = [(said["A1"], said["A2"]) for said in votes if len(said) == 2]
        varied = [row for row in found if row["origin"] == "generated"]
        self[f"people:{name}"] = ", ".join(
            sorted({row["annotator"] for row in found if row["annotator"]}.union(*votes))
        )
        self[f"labelled:{name}"] = str(sum(row["annotator"] is not None for row in found))
        self[f"votes:{name}"] = str(sum(map(len, votes)))
        self[f"compared:{name}"] = str(len(both))
        self[f"kappa:{name}"] = f"{cohen(both):.1f}" if both else "–"
        self[f"generator:{name}"] = ", ".join(sorted({row["generator"] for row in varied}))
        self[f"written:{name}"] = str(len(varied))
        hashes = sorted({row["prompt_hash"] for row in varied})
        self[f"hashes:{name}"] = ", ".join(f"`{hash_}`" for hash_ in hashes)

    def _round(self, number: int, found: Rows) -> None:
        until = [row for row in found if row["round"] <= number]
        counts = [sum(row["label"] == label for row in until) for label in range(len(NAMES))]
        labels = sum(row["origin"] == "human" for row in until)
        self[f"round:{number}"] = " | ".join(map(str, [number, labels, *counts, f"{statistics.stdev(counts):.1f}"]))


def digest(paths: list[Path]) -> str:
    """As `rarecase.files.digest` is defined: a hash of the hashes of the files."""
    hashes = b"".join(hashlib.blake2b(path.read_bytes()).digest() for path in paths)
    return hashlib.blake2b(hashes, digest_size=16).hexdigest()


def cohen(pairs: list[tuple[int, int]]) -> float:
    """Cohen's kappa by its definition, in percent."""
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    chance = sum(sum(a == c for a, _ in pairs) * sum(b == c for _, b in pairs) for c in range(len(NAMES))) / n**2
    return 100 * (observed - chance) / (1 - chance)


def expected(counted: Counted) -> str:
    """The golden card with what was counted in the place of its placeholders."""
    return re.sub(r"\{(\w+:[\w/]+)\}", lambda found: counted[found[1]], GOLDEN.read_text(encoding="utf-8"))


def test_the_card_is_the_golden_one_with_the_numbers_of_the_data(facts, counted):
    card, wanted = dataset_card(facts), expected(counted)
    assert card.splitlines() == wanted.splitlines()
    assert card == wanted


def relabel(row: dict[str, Any]) -> None:
    row["label"] = (row["label"] + 1) % len(NAMES)


def fail(row: dict[str, Any]) -> None:
    row["checks"] = [{"check": "not-empty", "passed": False, "value": None}]


CHANGES_OF_A_ROW: dict[str, tuple[Callable[[Configs], Any], set[str]]] = {
    "a label": (lambda c: relabel(c["random"]["train"][3]), {"classes:random/train"}),
    "a label of a split that all share": (lambda c: relabel(c["random"]["test"][0]), {"classes:test"}),
    "a label of the last round": (lambda c: relabel(c["cluster"]["train"][-1]), {"round:2", "classes:cluster/train"}),
    "a row less": (lambda c: c["bootstrap"]["train"].pop(), {"rows:bootstrap/train", "rows:all", "size:bootstrap"}),
    "a vote": (lambda c: relabel(c["cluster"]["train"][0]["votes"][1]), {"kappa:cluster"}),
    "a vote less": (lambda c: c["cluster"]["train"][0]["votes"].pop(), {"votes:cluster", "compared:cluster"}),
    "an annotator": (lambda c: c["random"]["train"][0].update(annotator="A9"), {"people:random"}),
    "a prompt hash": (lambda c: c["cluster"]["train"][1].update(prompt_hash="77"), {"hashes:cluster"}),
    "a check": (lambda c: fail(c["cluster"]["train"][1]), {"failed:cluster/train", "failed:all"}),
    "an origin": (lambda c: c["cluster"]["train"][1].update(origin="human"), {"human:cluster/train", "round:1"}),
}


@pytest.mark.parametrize(("change", "kinds"), CHANGES_OF_A_ROW.values(), ids=CHANGES_OF_A_ROW)
def test_another_row_is_another_card(tmp_path, facts, counted, change, kinds):
    """The numbers of other data do not fit this card, whatever number it is, and the card of other data follows it."""
    changed = rows()
    change(changed)
    after = Counted(write(tmp_path / "out", changed))
    assert kinds <= {key for key in counted if counted[key] != after[key]}
    card, other, wanted = (
        text.split("\n---\n")[1]
        for text in (dataset_card(facts), dataset_card(facts_of(tmp_path / "out")), expected(after))
    )
    assert card != wanted, "and not by a hash at its head alone"
    assert other == wanted


def test_every_placeholder_has_a_number_and_the_golden_card_has_all_that_is_counted(counted):
    asked = set(re.findall(r"\{(\w+:[\w/]+)\}", GOLDEN.read_text(encoding="utf-8")))
    nothing_to_say = {"people", "labelled", "votes", "compared", "kappa", "generator", "written", "hashes"}
    assert {key for key in counted if key not in asked} == {
        f"{kind}:{config}"
        for config in ("bootstrap", "random")
        for kind in nothing_to_say
        if config == "bootstrap" or kind in ("generator", "written", "hashes")
    }


def test_the_card_is_a_function_of_release_json(facts):
    read_again = json.loads(json.dumps(facts))
    assert dataset_card(read_again) == dataset_card(facts) == dataset_card(copy.deepcopy(facts))


def test_no_text_of_the_data_and_no_path_is_in_the_card(release, facts):
    card = dataset_card(facts)
    texts = [row["text"] for path in release.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert len(texts) == 225
    assert not [text for text in texts if text in card]
    assert str(release.parent) not in card
    assert str(Path.home()) not in card


def test_datasets_loads_every_config_by_the_head_of_the_card(tmp_path, release, facts):
    shutil.copytree(release, tmp_path / "safety")
    (tmp_path / "safety" / "README.md").write_text(dataset_card(facts), encoding="utf-8")

    def load(*name: str, **how: Any) -> Any:
        return load_dataset(str(tmp_path / "safety"), *name, cache_dir=str(tmp_path / "cache"), **how)

    for name, splits in rows().items():
        loaded, streamed = load(name), load(name, streaming=True)
        assert list(loaded) == ["train", "validation", "test"]
        for split, found in splits.items():
            assert loaded[split].features == streamed[split].features == schema.features(NAMES)
            wanted = [{column: row.get(column) for column in schema.features(NAMES)} for row in found]
            assert loaded[split].to_list() == list(streamed[split]) == wanted
            stored = facts["configs"][name]["splits"][split]
            assert loaded[split].info.splits[split].num_bytes == stored["num_bytes"]
    assert load()["train"].to_list() == load("cluster")["train"].to_list()


def test_the_head_says_what_the_hub_asks_for(facts):
    head = head_of(dataset_card(facts))
    assert head["license"] == "cc-by-4.0"
    assert head["size_categories"] == ["n<1K"]
    assert head["task_categories"] == ["text-classification"]
    assert {"rarecase", "active-learning", "content-moderation", "not-for-all-audiences"} == set(head["tags"])
    assert [config["config_name"] for config in head["configs"] if config.get("default")] == ["cluster"]
    assert [i["config_name"] for i in head["dataset_info"]] == [c["config_name"] for c in head["configs"]]


@pytest.mark.parametrize(
    ("count", "category"),
    [(999, "n<1K"), (1_000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**9, "1B<n<10B"), (10**12, "n>1T")],
)
def test_the_size_counts_each_file_once(facts, count, category):
    facts = copy.deepcopy(facts)
    for config in facts["configs"].values():
        for split in config["splits"].values():
            split["rows"] = 0
        config["splits"]["test"]["rows"] = count
    assert head_of(dataset_card(facts))["size_categories"] == [category]


def section(card: str, title: str) -> str:
    """A part of the card, by its heading."""
    return card.split(f"\n## {title}\n\n")[1].split("\n## ")[0].strip()


def only(facts: dict[str, Any], name: str, **changed: Any) -> dict[str, Any]:
    """The facts of one config alone."""
    return {**facts, "default": name, "configs": {name: {**facts["configs"][name], **changed}}}


def test_what_is_not_known_is_said_so(facts):
    about = dict.fromkeys(facts["about"])
    bare = only(facts, "bootstrap", acquired=None, source=None)
    card = dataset_card({**bare, "about": about, "removed": []})
    assert section(card, "How each split was acquired").startswith(
        "- `bootstrap`: how its texts were chosen is not stated."
    )
    assert section(card, "Annotators") == (
        "Who labelled the texts is not stated.\n\nHow they were trained: not stated. How they were paid: not stated."
    )
    assert section(card, "Agreement").startswith("No text has the votes of two people")
    assert section(card, "Generation") == "No text was generated."
    assert section(card, "Known defects") == "None are known."
    assert section(card, "Removed rows") == "None so far."
    assert "- Source of the texts (`bootstrap`): not stated." in card
    assert card.count("not stated") == 8
    assert "language model wrote" not in card
    assert "\n## Rounds\n" not in card
    assert "share the file" not in card


def test_a_source_without_a_licence_is_told(facts):
    assert "states no licence" not in dataset_card(facts)
    assert "**The source states no licence**" in dataset_card(only(facts, "random", source_states_no_license=True))


def test_rows_of_unknown_origin_have_a_column(facts):
    facts = copy.deepcopy(only(facts, "random"))
    facts["configs"]["random"]["splits"]["train"]["human"] = 10
    counts = section(dataset_card(facts), "Class counts")
    assert "| rows | by people | generated | origin not stated |" in counts
    assert "| `random` | `train` | 15 | 10 | 0 | 5 |" in counts


@pytest.mark.parametrize(
    ("name", "acquired", "says"),
    [
        (
            "topn",
            {"by": "import-published", "reading": "published"},
            "chosen by `topn`, which takes the texts that the learner is least sure about. From the files that "
            "Hassan, Sicilia and Alikhani (2024) published, in the reading `published`: every label is the one in the "
            "files.",
        ),
        (
            "bootstrap",
            {"by": "import-published", "reading": "consistent"},
            "the start set, drawn at random. From the files that Hassan, Sicilia and Alikhani (2024) published, in "
            "the reading `consistent`: an original whose variations all carry one other label takes theirs.",
        ),
        (
            "mine",
            {**RUN, "strategy": "my_module:first", "learner": "finetune", "model": "acme/b_c", "generator": "replay"},
            "chosen by `my_module:first`, which was written for this data set. In batches of 10, 20 texts were "
            "labelled by people, of a budget of 20. Up to 2 variations of each, which existed before, were taken "
            r"over. Learner: a fine-tuned transformer (acme/b\_c). Embeddings: all-MiniLM-L6-v2. Seed: 7.",
        ),
    ],
)
def test_how_a_config_was_acquired(facts, name, acquired, says):
    facts = {**facts, "default": name, "configs": {name: {**facts["configs"]["cluster"], "acquired": acquired}}}
    line, *_ = section(dataset_card(facts), "How each split was acquired").splitlines()
    assert line == f"- `{name}`: {says}"


def test_names_and_sentences_are_not_taken_for_markup(facts):
    classes = [{"name": name, "definition": "a | b\n<b>c</b>", "source": ""} for name in NAMES]
    about = {**facts["about"], "annotators_paid": "yes, see [here](x)\n# and there"}
    card = dataset_card({**facts, "classes": classes, "about": about, "title": "*All* of | it"})
    assert r"| self-harm | a \| b \<b\>c\</b\> | not stated |" in card
    assert r"How they were paid: yes, see \[here\](x) # and there." in card
    assert "\n# \\*All\\* of | it\n" in card
    assert head_of(card)["pretty_name"] == "*All* of | it"
    assert plain("a_b `c`\\") == r"a\_b \`c\`\\"
    assert code("a_b") == "`a_b`"
    assert code("a`b") == r"a\`b"
    assert [listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_a_table():
    assert table(["a", "b|c"], [["x|y", 1_000], ["z", 2.25], ["", None]]).splitlines() == [
        r"| a | b\|c |",
        "| --- | ---: |",
        r"| x\|y | 1,000 |",
        "| z | 2.2 |",
        "|  | – |",
    ]


LONG = (
    "coordination-of-violent-extremism-and-recruitment",
    "encouragement-of-disordered-eating-and-self-starvation",
    "a $^$ is no formula",
    "x",
)


def drawn(configs: int, names: tuple[str, ...] = NAMES, times: int = 1) -> dict[str, Any]:
    """Facts with nothing in them but what is drawn."""
    return {
        "classes": [{"name": name} for name in names],
        "configs": {
            f"{'strategy_of_my_own_' * (times > 1)}{i}": {
                "splits": {
                    "train": {"class_counts": {name: (37 * i + 91 * k) % 400 * times for k, name in enumerate(names)}}
                }
            }
            for i in range(configs)
        },
    }


PICTURES = {
    "one config": drawn(1),
    "two configs": drawn(2),
    "eight configs": drawn(8),
    "more configs than colours": drawn(11),
    "one config, long names": drawn(1, LONG, 1_000),
    "eight configs, long names": drawn(8, LONG, 1_000),
    "no text of one class": {
        "classes": [{"name": "x"}],
        **{k: v for k, v in drawn(1, ("x",)).items() if k != "classes"},
    },
}


@pytest.mark.parametrize("facts", PICTURES.values(), ids=PICTURES)
def test_the_picture_shows_every_count_and_hides_nothing(monkeypatch, facts):
    figures: list[matplotlib.figure.Figure] = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))
    )
    png = class_counts_picture(facts)
    height, width = imread(io.BytesIO(png)).shape[:2]
    assert width == 1_200
    assert 200 < height < 3_000
    (axes,) = figures[0].axes
    counts = [c["splits"]["train"]["class_counts"] for c in facts["configs"].values()]
    names = [c["name"] for c in facts["classes"]]
    assert [bar.get_width() for bar in axes.patches] == [found[name] for found in counts for name in names]
    assert [text.get_text() for text in axes.texts] == [f"{found[name]:,}" for found in counts for name in names]
    assert axes.get_position().width > 0.6, "names leave room for the bars"
    whole, (legend,) = figures[0].bbox, figures[0].legends
    ticks = [[t.get_window_extent() for t in side.get_ticklabels()] for side in (axes.xaxis, axes.yaxis)]
    labels = [*(text.get_window_extent() for text in axes.texts), *ticks[1], legend.get_window_extent()]
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1 for box in labels)
    assert all(a.x1 < b.x0 for a, b in pairwise(ticks[0])), "numbers of the axis"
    assert all(a.y0 > b.y1 for a, b in pairwise(ticks[1])), "names of the classes"
    places = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: -box.y0)
    assert all(a.y0 > b.y1 - 1 for a, b in pairwise(places)), "numbers of the bars"
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1
    assert [text.get_text() for text in legend.get_texts()] == list(facts["configs"])


def test_the_picture_is_a_function_of_the_counts(facts):
    png = class_counts_picture(facts)
    assert png == class_counts_picture(json.loads(json.dumps(facts)))
    assert b"Matplotlib" not in png, "a version of a library would be a new picture"
    other = copy.deepcopy(facts)
    other["configs"]["cluster"]["splits"]["train"]["class_counts"]["self-harm"] += 1
    assert png != class_counts_picture(other)


def test_a_config_without_train_shows_its_first_split(facts):
    facts = copy.deepcopy(only(facts, "random"))
    del facts["configs"]["random"]["splits"]["train"]
    assert 'load_dataset("acme/safety", "random", split="validation", streaming=True)' in dataset_card(facts)
    assert class_counts_picture(facts).startswith(b"\x89PNG")
