"""The card of a data set as it is pushed, compared whole with `dataset_card.md`, its numbers counted from the data."""

import copy
import hashlib
import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import carded
import pyarrow.parquet as pq
import pytest
from carded import REMOVED, RUN, Configs, Rows, head_of, rows
from datasets import load_dataset
from small import NAMES

from rarecase.acquire import find
from rarecase.core.markdown import plain
from rarecase.data import schema
from rarecase.data.release import Release
from rarecase.publish import dataset_card
from rarecase.publish.markdown import code, listed, table
from rarecase.publish.picture import class_counts_picture

GOLDEN = Path(__file__).with_name("dataset_card.md")


@pytest.fixture(scope="module")
def pushed(hub, tmp_path_factory) -> tuple[Path, list[str]]:
    """The folder with all that stands on the Hub, and the days on which it came there."""
    hub.reset()
    with hub.in_process():
        return carded.publish(tmp_path_factory.mktemp("cards"), rows())


@pytest.fixture(scope="module")
def released(pushed) -> Path:
    return pushed[0]


@pytest.fixture(scope="module")
def facts(released) -> dict[str, Any]:
    return json.loads((released / "release.json").read_text())


@pytest.fixture(scope="module")
def counted(pushed) -> "Counted":
    return Counted(*pushed)


def card_of(facts: dict[str, Any]) -> str:
    return dataset_card.dataset_card(Release.from_json(facts))


class Counted(dict[str, str]):
    """What stands in the place of each `{kind:of/what}`, from the Parquet files and nothing else."""

    def __init__(self, folder: Path, days: list[str]):
        super().__init__()
        paths = {p.relative_to(folder).with_suffix("").as_posix(): p for p in folder.rglob("*.parquet")}
        tables = {name: pq.read_table(path).to_pylist() for name, path in paths.items()}
        for name, found in tables.items():
            self._split(name, found, paths[name])
        for config in ("bootstrap", "cluster", "random"):
            used = {"train": f"{config}/train", "validation": "validation", "test": "test"}
            self._config(config, tables[used["train"]])
            self[f"download:{config}"] = str(sum(paths[name].stat().st_size for name in used.values()))
            self[f"size:{config}"] = str(sum(int(self[f"bytes:{name}"]) for name in used.values()))
            self[f"digest:{config}"] = digest({split: paths[name] for split, name in used.items()})
        measured = json.loads((folder / "release.json").read_text())["configs"]["cluster"]["rounds"]
        for number in range(3):
            self._round(number, tables["cluster/train"])
            self |= {f"{name}:{number}": f"{measured[number][name]['macro_f1']:.1f}" for name in ("dev", "test")}
        self |= {f"date:{version}": day for version, day in enumerate(days, 1)}
        self["removed:all"] = str(len(days) - 1)
        self["texts:all"] = str(len({row["text"] for found in tables.values() for row in found}))
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


def digest(paths: dict[str, Path]) -> str:
    """As `Config.digest` is defined: a hash of the hashes of the files, by split."""
    hashes = [f"{split} {hashlib.sha256(path.read_bytes()).hexdigest()}" for split, path in sorted(paths.items())]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:32]


def cohen(pairs: list[tuple[int, int]]) -> float:
    """Cohen's kappa by its definition, in percent."""
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    chance = sum(sum(a == c for a, _ in pairs) * sum(b == c for _, b in pairs) for c in range(len(NAMES))) / n**2
    return 100 * (observed - chance) / (1 - chance)


def expected(counted: Counted) -> str:
    """The golden card with what was counted in the place of its placeholders."""
    return re.sub(r"\{(\w+:[\w/]+)\}", lambda found: counted[found[1]], GOLDEN.read_text(encoding="utf-8"))


def test_the_card_is_the_golden_one_with_the_numbers_of_the_data(released, counted):
    card, wanted = (released / "README.md").read_text(encoding="utf-8"), expected(counted)
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
    "a row less": (lambda c: c["bootstrap"]["train"].pop(), {"rows:bootstrap/train", "texts:all", "size:bootstrap"}),
    "a vote": (lambda c: relabel(c["cluster"]["train"][0]["votes"][1]), {"kappa:cluster"}),
    "a vote less": (lambda c: c["cluster"]["train"][0]["votes"].pop(), {"votes:cluster", "compared:cluster"}),
    "an annotator": (lambda c: c["random"]["train"][0].update(annotator="A9"), {"people:random"}),
    "a prompt hash": (lambda c: c["cluster"]["train"][1].update(prompt_hash="77"), {"hashes:cluster"}),
    "a check": (lambda c: fail(c["cluster"]["train"][1]), {"failed:cluster/train", "failed:all"}),
    "an origin": (lambda c: c["cluster"]["train"][1].update(origin="human"), {"human:cluster/train", "round:1"}),
}


@pytest.mark.parametrize(("change", "kinds"), CHANGES_OF_A_ROW.values(), ids=CHANGES_OF_A_ROW)
def test_another_row_is_another_card(fresh_hub, tmp_path, released, counted, change, kinds):
    """The numbers of other data do not fit this card, whatever number it is, and the card of other data follows it."""
    changed = rows()
    change(changed)
    other, days = carded.publish(tmp_path, changed)
    after = Counted(other, days)
    assert kinds <= {key for key in counted if counted[key] != after[key]}
    card, follows, wanted = (
        text.split("\n---\n")[1]
        for text in (*((folder / "README.md").read_text() for folder in (released, other)), expected(after))
    )
    assert card != wanted, "and not by a hash at its head alone"
    assert follows == wanted


def test_every_placeholder_has_a_number_and_the_golden_card_has_all_that_is_counted(counted):
    asked = set(re.findall(r"\{(\w+:[\w/]+)\}", GOLDEN.read_text(encoding="utf-8")))
    nothing_to_say = {"people", "labelled", "votes", "compared", "kappa", "generator", "written", "hashes"}
    assert {key for key in counted if key not in asked} == {
        f"{kind}:{config}"
        for config in ("bootstrap", "random")
        for kind in nothing_to_say
        if config == "bootstrap" or kind in ("generator", "written", "hashes")
    }


def test_the_card_is_a_function_of_release_json(released, facts):
    assert card_of(facts) == (released / "README.md").read_text() == card_of(copy.deepcopy(facts))


def test_no_text_of_the_data_and_no_path_is_in_the_card(released, facts):
    card = card_of(facts)
    texts = [row["text"] for path in released.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert len(texts) == 225
    assert not [text for text in texts if text in card]
    assert str(released.parent) not in card
    assert str(Path.home()) not in card


def test_datasets_loads_every_config_by_the_head_of_the_card(tmp_path, released, facts):
    def load(*name: str, **how: Any) -> Any:
        return load_dataset(str(released), *name, cache_dir=str(tmp_path / "cache"), **how)

    for name, splits in rows().items():
        loaded, streamed = load(name), load(name, streaming=True)
        assert list(loaded) == ["train", "validation", "test"]
        for split, found in splits.items():
            assert loaded[split].features == streamed[split].features == schema.features(NAMES)
            left = [row for row in found if row["id"] != REMOVED]
            wanted = [{column: row.get(column) for column in schema.features(NAMES)} for row in left]
            assert loaded[split].to_list() == list(streamed[split]) == wanted
            stored = facts["configs"][name]["splits"][split]
            assert loaded[split].info.splits[split].num_bytes == stored["num_bytes"]
    assert load()["train"].to_list() == load("cluster")["train"].to_list()


def test_the_head_says_what_the_hub_asks_for(facts):
    head = head_of(card_of(facts))
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
def test_the_size_counts_each_text_once(facts, count, category):
    assert head_of(card_of({**facts, "texts": count}))["size_categories"] == [category]


def section(card: str, title: str) -> str:
    """A part of the card, by its heading."""
    return card.split(f"\n## {title}\n\n")[1].split("\n## ")[0].strip()


def only(facts: dict[str, Any], name: str, **changed: Any) -> dict[str, Any]:
    """The facts of one config alone."""
    return {**facts, "default": name, "configs": {name: {**facts["configs"][name], **changed}}}


def test_what_is_not_known_is_said_so(facts):
    about = dict.fromkeys(facts["about"])
    bare = only(facts, "bootstrap", acquired=None, source=None)
    card = card_of({**bare, "about": about, "removed": []})
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
    assert card.count("not stated") == 9
    assert "- `validation` (`bootstrap`): 30 texts; how they were chosen is not stated." in card
    assert "\nlanguage:" not in card
    assert "language model wrote" not in card
    assert "\n## Rounds\n" not in card
    assert "share the file" not in card


def test_a_source_without_a_licence_is_told(facts):
    assert "states no licence" not in card_of(facts)
    assert "**The source states no licence**" in card_of(only(facts, "random", source_states_no_license=True))


def test_rows_of_unknown_origin_have_a_column(facts):
    facts = copy.deepcopy(only(facts, "random"))
    facts["configs"]["random"]["splits"]["train"]["human"] = 10
    counts = section(card_of(facts), "Class counts")
    assert "| rows | written by people | generated | origin not stated |" in counts
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
            "labelled by people, of a budget of 20. Up to 2 variations of each, which existed before, were "
            r"taken over from a table. Learner: a fine-tuned transformer (acme/b\_c). Embeddings: all-MiniLM-L6-v2. "
            "Seed: 7.",
        ),
        (
            "cluster",
            {**RUN, "annotator": "llm", "annotator_model": "big_words", "doubtful_to": "people", "sure": 0.9},
            "chosen by `cluster`, which takes the texts that the learner is least sure about from every region of the "
            r"pool. In batches of 10, out of 10 regions, 20 texts were labelled by a language model (big\_words), but "
            "for 20 by people on a labeling page, of a budget of 20. A language model (words-7b) was asked for 2 "
            "variations of each. Learner: a logistic regression on a frozen encoder (all-MiniLM-L6-v2). Embeddings: "
            "all-MiniLM-L6-v2. Seed: 7.",
        ),
    ],
)
def test_how_a_config_was_acquired(facts, name, acquired, says):
    facts = {**facts, "default": name, "configs": {name: {**facts["configs"]["cluster"], "acquired": acquired}}}
    line, *_ = section(card_of(facts), "How each split was acquired").splitlines()
    assert line == f"- `{name}`: {says}"


def test_a_language_model_that_labelled_has_a_row_of_its_own_and_is_said_to_be_one(facts):
    config = facts["configs"]["random"]
    train = config["splits"]["train"]
    annotators = {**train["annotators"], "by_model": {"llm:words": 3}}
    splits = {**config["splits"], "train": {**train, "annotators": annotators}}
    facts = {**facts, "configs": {**facts["configs"], "random": {**config, "splits": splits}}}
    shown = section(card_of(facts), "Annotators")
    assert "| `random` | `train` | llm:words | 3 | 0 | 0 |" in shown
    assert "that begins with `llm:` is that of a language model: 3 texts" in shown


@pytest.mark.parametrize(
    ("makers", "says"),
    [
        (("start", "run"), "texts drawn at random from the pool, as the start set was, before any was chosen"),
        (("given", "run"), "texts that whoever made the data set brought along; how they were chosen is not stated"),
        (("given", "start"), "texts drawn at random from the pool, as the start set was, before any was chosen"),
        (("import-published",), "texts, as in the files that Hassan, Sicilia and Alikhani (2024) published"),
        (("run",), "texts; how they were chosen is not stated"),
    ],
)
def test_how_the_splits_came_about_that_were_set_aside(facts, makers, says):
    by = {"run": RUN, "import-published": {"by": "import-published", "reading": "published"}}
    configs = {
        name: {**facts["configs"][name], "acquired": by.get(maker, {"by": maker})}
        for name, maker in zip(("cluster", "random"), makers, strict=False)
    }
    told = section(card_of({**facts, "configs": configs}), "How each split was acquired")
    of = "all" if len(makers) > 1 else "`cluster`"
    assert f"\n- `validation` ({of}): 30 {says}.\n- `test` ({of}): 60 {says}.\n" in told
    assert "`validation` is not untouched all the same: a fine-tuned learner keeps the weights" in told
    for config in configs.values():
        config["splits"] = {name: split for name, split in config["splits"].items() if name != "validation"}
    told = section(card_of({**facts, "configs": configs}), "How each split was acquired")
    assert told.endswith(f"\n- `test` ({of}): 60 {says}.")


def test_names_and_sentences_are_not_taken_for_markup(facts):
    classes = [{"name": name, "definition": "a | b\n<b>c</b>", "source": ""} for name in NAMES]
    about = {**facts["about"], "annotators_paid": "yes, see [here](x)\n# and there"}
    card = card_of({**facts, "classes": classes, "about": about, "title": "*All* of | it"})
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


def test_a_config_without_train_shows_its_first_split(facts):
    facts = copy.deepcopy(only(facts, "random"))
    del facts["configs"]["random"]["splits"]["train"]
    assert 'load_dataset("acme/safety", "random", split="validation", streaming=True)' in card_of(facts)
    assert class_counts_picture(Release.from_json(facts)).startswith(b"\x89PNG")


def test_every_strategy_that_ships_says_what_it_takes():
    assert set(find.STRATEGIES) <= set(dataset_card.STRATEGIES)
    told = dataset_card.chosen_by("anchors-margin")
    assert told == (
        "chosen by `anchors-margin`, which takes the texts whose two likeliest classes are the closest, of those like "
        "the labelled texts of each class."
    )
    assert dataset_card.chosen_by("mine") == "chosen by `mine`, which was written for this data set."
