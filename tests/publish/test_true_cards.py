"""
Cards read against the data, sentence by sentence: of runs as people do them, and of a push beside another.

A line of a card is one that every card has, or else a rule here counts what it says from the Parquet files. One that
no rule knows is one that nobody has checked, and fails.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import published_runs
import pyarrow.parquet as pq
import pytest
import yaml
from cards_read import Card, Rows
from published_runs import Made
from sklearn.metrics import f1_score

from rarecase.core.shipped import shipped
from rarecase.data.taxonomy import Taxonomy
from rarecase.publish.dataset_card import STRATEGIES

CLASSES = Taxonomy.default().classes
KINDS = ("spreadsheet", "merged", "page", "cheap")


@pytest.fixture(scope="module")
def made(hub, tmp_path_factory) -> dict[str, Made]:
    hub.reset()
    with hub.in_process():
        found = published_runs.spreadsheet(tmp_path_factory.mktemp("sheet"))
        found["page"] = published_runs.page(tmp_path_factory.mktemp("page"))
        found["cheap"] = published_runs.cheap(tmp_path_factory.mktemp("cheap"))
    return found


def always_there() -> set[str]:
    """The lines of the template that every card has, whatever the data."""
    depth, found = 0, set()
    for line in (shipped("dataset_card") / "README.md").read_text("utf-8").splitlines():
        depth += len(re.findall(r"{% (?:if|for) ", line)) - len(re.findall(r"{% end(?:if|for) ", line))
        if not depth and not re.search("{[{%#]", line):
            found.add(line)
    return found


def one(pattern: str, check: Callable[..., bool]) -> tuple[re.Pattern[str], Callable[..., bool]]:
    return re.compile(pattern), check


def human(rows: Rows) -> Rows:
    return [row for row in rows if row["origin"] == "human"]


def acquired(
    card: Card, config: str, strategy: str, does: str, batch: str, labelled: str, by: str, *more: str
) -> bool:
    """How the texts of a run were chosen, labelled and varied."""
    (budget, varied, seed), rows = more, card.train(config)
    people, settings = human(rows), yaml.safe_load((card.made.runs[config] / "config.yaml").read_text())
    given = [(row["annotator"], row["votes"]) for row in people]
    seconds = [vote["seconds"] for _, votes in given for vote in votes or []]
    is_by = {
        "by people": {name for name, _ in given} == {"A1"} and set(seconds) == {None},
        "by people on a labeling page": all(votes for _, votes in given) and None not in seconds,
        "by looking up labels that existed before": given == [("gold", None)] * len(people),
    }
    children = Counter(row["parent_id"] for row in rows if row["origin"] == "generated")
    if made := re.fullmatch(
        r"A program made (\d) variations of each, by swapping words or leaving some out\.", varied
    ):
        text = {row["id"]: row["text"].split() for row in people}
        assert children == dict.fromkeys(text, int(made[1]))
        for row in (row for row in rows if row["origin"] == "generated"):
            assert row["generator"] == "cheap"
            assert not Counter(row["text"].split()) - Counter(text[row["parent_id"]])
    else:
        assert (varied, len(people)) == ("No variations were generated.", len(rows))
    assert {row["strategy"] for row in rows} == {strategy}
    assert max(Counter(row["round"] for row in people).values()) <= int(batch) == settings["batch"]
    assert (STRATEGIES[strategy], settings["seed"], settings["learner"]) == (does, int(seed), "frozen")
    return is_by[by] and len(people) == int(labelled) <= int(budget) == settings["budget"]


def started(card: Card, config: str, count: str) -> bool:
    by_people = {row["origin"] for row in card.train(config)} == {"human"}
    return card.made.started and by_people and len(card.train(config)) == int(count)


def brought(card: Card, config: str, count: str) -> bool:
    unknown = {row["origin"] for row in card.train(config)} == {None}
    return not card.made.started and unknown and len(card.train(config)) == int(count)


def aside(card: Card, split: str, of: str, count: str, how: str) -> bool:
    rows = card.file(of, split)
    drawn = "texts drawn at random from the pool, as the start set was, before any was chosen"
    given = "texts that whoever made the data set brought along; how they were chosen is not stated"
    assert not any(row["strategy"] or row["round"] for row in rows)
    return len(rows) == int(count) and how == (drawn if card.made.started else given)


def beginning(card: Card, count: str, labels: str, how: str) -> bool:
    wrote = {row["generator"] for row in card.generated}
    told = {"cheap": "a program made variations by swapping words or leaving some out"}
    varied = [told[name] for name in wrote]
    chose = " and ".join(["active learning chose which texts were labelled", *varied])
    method = "the method of Hassan, Sicilia and Alikhani (2024), which the software rarecase implements"
    if {row["strategy"] for row in card.all} - {None, "random", "bootstrap"}:
        assert how == f"So that rare and critical classes are covered, {chose}: {method}"
    else:
        assert how == ": ".join(["It was put together by the software rarecase", *varied])
    return (int(count), int(labels)) == (len({row["text"] for row in card.all}), len(card.names))


def chosen_from(card: Card, names: str, every: str | None, default: str, more: str | None) -> bool:
    defaults = [config["config_name"] for config in card.head["configs"] if config.get("default")]
    start = " The start set of an active learner is a config of its own: to train, put the training rows of "
    assert bool(every) == ("all" in card.listed)
    assert (more or "").startswith(start if not every and "bootstrap" in card.paths and len(card.paths) > 1 else "")
    return re.findall("`(.+?)`", names) == list(card.paths) and [default] == defaults


def untouched(card: Card) -> bool:
    train = {row["text"] for config in card.paths for row in card.train(config)}
    return not train & {row["text"] for (split, path) in card.users if split != "train" for row in card.rows[path]}


def compared(card: Card) -> int:
    return sum(len({vote["annotator"] for vote in row["votes"] or []}) > 1 for row in card.all)


NAME, COUNT = "`(.+?)`", r"(\d+)"
SENTENCES = [
    one("# (.+)", lambda c, title: title.replace("\\", "") == c.made.title == c.head["pretty_name"]),
    one("In the publisher's words: (.+)", lambda c, said: said == " ".join(c.made.description.split()) != ""),
    one(
        r"> \*\*Content warning\.\*\* Texts of some of these classes can be hard to read: (.+)\. Warn people before "
        r"you show them any\. This page quotes none\.",
        lambda c, names: (
            re.split(", | and ", names) == [n for n in c.names if n != "not-harmful"]
            and not any(row["text"] in c.body for row in c.all)
        ),
    ),
    one(
        rf"{COUNT} different texts, each with one of {COUNT} labels, to train and test classifiers that stand guard "
        r"around a language model\. (So that rare and critical classes are covered, .+|It was put together .+)\.",
        beginning,
    ),
    one(
        r"The configs are (.+?)(, and `all`, which lists the files of these to load everything that is labelled)?; "
        rf"without a name, `load_dataset` takes {NAME}\.( .+)?",
        chosen_from,
    ),
    one(rf"- {NAME}: the start set that the learner began with, {COUNT} texts drawn at random\.", started),
    one(
        rf"- {NAME}: the start set that the learner began with, {COUNT} texts; how they were chosen is not stated\.",
        brought,
    ),
    one(
        rf"- {NAME}: chosen by {NAME}, which (.+)\. In batches of {COUNT}, {COUNT} texts were labelled (.+), of a "
        rf"budget of {COUNT}\. (.+) Learner: a logistic regression on a frozen encoder \(all-MiniLM-L6-v2\)\. "
        rf"Embeddings: all-MiniLM-L6-v2\. Seed: {COUNT}\.",
        acquired,
    ),
    one(
        "That is how the rows of `train` came about. No strategy chose from the other splits, and no learner was .+",
        untouched,
    ),
    one("`validation` is not untouched all the same: .+", lambda c: all("validation" in s for s in c.paths.values())),
    one(rf"- {NAME} \((.+)\): {COUNT} (.+)\.", aside),
    one(
        r"`std` is the sample standard deviation of the class counts: .+ are covered\.( .+)?",
        lambda c, shared: bool(shared) == (max(map(len, c.users.values())) > 1),
    ),
    one("## Rounds|What the learner knew after each round: labels given by then, .+", lambda c: bool(c.made.runs)),
    one(rf"{NAME}:", lambda c, config: config in c.made.runs),
    one("People are called A1, A2, .+", lambda c: any(row["annotator"] for row in c.all)),
    one("How they were trained: not stated. How they were paid: not stated.", lambda c: True),
    one("Cohen's kappa says how far two people agree beyond chance.+", lambda c: compared(c) > 0),
    one("No text has the votes of two people, so nothing can be said.+", lambda c: compared(c) == 0),
    one(
        "Every variation was checked before anything .+|`failed` says how many failed .+", lambda c: bool(c.generated)
    ),
    one(
        rf"- {NAME}: all but those without a text, refusals, and near-duplicates of `validation` or `test`\.",
        lambda c, config: yaml.safe_load((c.made.runs[config] / "config.yaml").read_text())["policy"] == "none",
    ),
    one("No text was generated.", lambda c: not c.generated),
    one("`cheap` is no language model: .+", lambda c: "cheap" in {row["generator"] for row in c.generated}),
    one(
        r"- (?:Source of the texts \(all\)|Terms of the source|Contact): not stated\.",
        lambda c: "about" not in c.made.runs,
    ),
    one("- Licence of this data set: `(.+)`.", lambda c, license: license == c.head["license"] == "cc-by-4.0"),
    one("None are known.|None so far.", lambda c: True),
    one(rf"This is version {COUNT}\.", lambda c, version: int(version) == c.made.versions),
    one(
        r"- \*\*Bias is lowered, not removed\.\*\* A strategy finds only what the pool holds, and the strategy "
        r"and whoever labelled bring biases of their own\.",
        lambda c: {row["generator"] for row in c.generated} <= {"cheap"},
    ),
    one(
        r"- \*\*No replacement for annotators\.\*\*( No person checked the label of a variation\.)? A model .+",
        lambda c, varied: bool(varied) == bool(c.generated),
    ),
]


def classes_table(card: Card, rows: list[list[str]]) -> None:
    assert rows == [[c.name, c.definition, c.source] for c in CLASSES]


def columns_table(card: Card, rows: list[list[str]]) -> None:
    told = [name for first, _ in rows for name in re.findall("`(.+?)`", first)]
    assert sorted(told) == sorted(card.columns)


def counts_table(card: Card, rows: list[list[str]], header: list[str]) -> None:
    split = len(header) - len(card.names) - 1
    assert header[split:] == [*card.names, "std"]
    told = {"rows": lambda r: True, "written by people": lambda r: r["origin"] == "human"}
    told |= {"generated": lambda r: r["origin"] == "generated", "origin not stated": lambda r: r["origin"] is None}
    for of, name, *cells in rows:
        found = card.file(of, name.strip("`"))
        wanted = [str(sum(map(told[what], found))) for what in header[2:split]]
        assert cells == [*wanted, *card.counts(found)]
    assert len(rows) == len(card.rows) == len(card.users)
    assert {"origin not stated"} & set(header) == ({"origin not stated"} if not card.made.started else set())


def rounds_table(card: Card, rows: list[list[str]], config: str) -> None:
    run = card.made.runs[config] / "rounds"
    for number, cells in enumerate(rows):
        until = [row for row in card.train(config) if row["round"] <= number]
        f1 = [macro_f1(run / f"{number:02d}" / "predictions.parquet", split) for split in ("dev", "test")]
        assert cells == [str(number), str(len(human(until))), *card.counts(until), *f1]
    assert len(rows) == 1 + max(row["round"] for row in card.train(config))


def macro_f1(path: Path, split: str) -> str:
    rows = [row for row in pq.read_table(path).to_pylist() if row["split"] == split]
    guesses = [max(range(len(row["probs"])), key=row["probs"].__getitem__) for row in rows]
    labels = [row["label"] for row in rows]
    return f"{100 * f1_score(labels, guesses, average='macro', labels=range(len(CLASSES)), zero_division=0):.1f}"


def annotators_table(card: Card, rows: list[list[str]]) -> None:
    for of, split, *cells in rows:
        found = card.file(of, split.strip("`"))
        votes = [{vote["annotator"]: vote["label"] for vote in row["votes"] or []} for row in found]
        names = sorted({row["annotator"] for row in found if row["annotator"]}.union(*votes))
        pairs = [pair for said in votes for pair in combinations(sorted(said), 2)]
        items, kappa = sum(row["annotator"] is not None for row in found), "–"
        if pairs:
            assert len(set(pairs)) == 1
            kappa = cohen([tuple(said[name] for name in pairs[0]) for said in votes if len(said) > 1])
        assert cells == [", ".join(names), str(items), str(sum(map(len, votes))), str(len(pairs)), kappa]
    labelled = [path for path, found in card.rows.items() if any(row["annotator"] for row in found)]
    assert len(rows) == len(labelled), "each file once"


def cohen(pairs: list[tuple[int, ...]]) -> str:
    """Cohen's kappa by its definition, in percent."""
    n = len(pairs)
    chance = sum(sum(a == c for a, _ in pairs) * sum(b == c for _, b in pairs) for c in range(len(CLASSES))) / n**2
    return f"{100 * (sum(a == b for a, b in pairs) / n - chance) / (1 - chance):.1f}"


def generators_table(card: Card, rows: list[list[str]]) -> None:
    for of, split, generator, count, hashes in rows:
        found = [row for row in card.file(of, split.strip("`")) if row["origin"] == "generated"]
        assert ({row["generator"] for row in found}, str(len(found)), "–") == ({generator}, count, hashes)
        assert {row["prompt_hash"] for row in found} == {None}
    assert sum(int(row[3]) for row in rows) == len(card.generated)


def variations_table(card: Card, rows: list[list[str]]) -> None:
    for name, class_, written, kept, failed in rows:
        label, rounds = card.names.index(class_), card.made.runs[name.strip("`")] / "rounds"
        made = [row for path in rounds.glob("*/variations.parquet") for row in pq.read_table(path).to_pylist()]
        own = [row for row in made if row["label"] == label]
        of = Counter(check["check"] for row in own for check in row["checks"] if check["passed"] is False)
        told = ", ".join(f"`{check}` {count}" for check, count in sorted(of.items())) or "–"
        learned = [
            row for row in card.train(name.strip("`")) if row["label"] == label and row["origin"] == "generated"
        ]
        assert [written, kept, failed] == [str(len(own)), str(len(learned)), told]
    assert sum(int(row[3]) for row in rows) == len(card.generated)


def versions_table(card: Card, rows: list[list[str]]) -> None:
    assert [row[0] for row in rows] == [str(n) for n in range(card.made.versions, 0, -1)]
    told = {name for row in rows for name in re.fullmatch("added (.+)", row[2])[1].split(", ")}
    assert told == set(card.paths)


def blocks(body: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of each table, each piece of code, and each other line."""
    for found in re.finditer(r"```\w+\n((?:.*\n)*?)```|((?:^\|.*\n)+)|^(.+)$", body, re.MULTILINE):
        code, table, line = (found[place] for place in (1, 2, 3))
        kind = "code" if code is not None else "table" if table is not None else "line"
        yield kind, (code or table or line).splitlines()


def read(card: Card) -> Counter[str]:
    """Checks all that a card says; how many of its lines were read by a rule."""
    fixed, config, seen = always_there(), "", Counter[str]()
    tables: dict[str, Callable[..., None]] = {
        "kept": variations_table,
        "class": classes_table,
        "column": columns_table,
        "version": versions_table,
        "annotators": annotators_table,
        "generator": generators_table,
    }
    for kind, lines in blocks(card.body):
        if kind == "line" and lines[0] not in fixed:
            (line,) = lines
            matching = [(found, check) for rule, check in SENTENCES if (found := rule.fullmatch(line))]
            assert matching, f"nobody has checked: {line}"
            found, check = matching[0]
            assert check(card, *found.groups()), line
            config = found[1] if re.fullmatch("`.+`:", line) else config
            seen["sentences"] += 1
        elif kind == "code":
            for line in (line for line in lines if line not in fixed):
                assert set(re.findall(r'"(acme/[\w-]+)", "(\w+)"', line)) <= {(f"acme/{repo(card)}", default(card))}
        elif kind == "table":
            header, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
            if "written by people" in header:
                counts_table(card, rows, header)
            elif header[0] == "round":
                rounds_table(card, rows, config)
            else:
                tables[next(name for name in tables if name in header)](card, rows)
            seen["tables"] += 1
    return seen


def repo(card: Card) -> str:
    return {"Posts of *one* forum": "forum-posts", "Page run": "page_run", "Cheap": "cheap"}[card.made.title]


def default(card: Card) -> str:
    return next(config["config_name"] for config in card.head["configs"] if config.get("default"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_and_number_of_a_card_is_what_the_data_says(made, kind):
    card = Card(made[kind])
    seen = read(card)
    assert seen["sentences"] > 20
    assert seen["tables"] == 5 + len(card.made.runs) + (2 if card.generated else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_head_of_a_card_is_what_the_data_says(made, kind):
    card = Card(made[kind])
    for info, config in zip(card.head["dataset_info"], card.head["configs"], strict=True):
        told = {split["name"]: split["num_examples"] for split in info["splits"]}
        files = card.listed[info["config_name"]].items()
        assert told == {split: len(card.of(paths)) for split, paths in files}
        if info["config_name"] == "all":
            assert [len({row["id"] for row in card.of(paths)}) for _, paths in files] == list(told.values())
            assert sum(told.values()) == len(card.all)
        words = " ".join((card.made.description or card.made.title).split())
        assert re.fullmatch(rf"{re.escape(words)} \(content [0-9a-f]{{32}}\)", config["description"])


def test_an_annotator_is_told_of_each_text_once(made):
    """All that the one with the spreadsheet has labelled: start set, validation, test and what a run asked for."""
    card = Card(made["spreadsheet"])
    table = card.body.split("| config | split | annotators")[1].split("\n\n")[0].splitlines()[2:]
    labelled = {row["id"] for row in card.all if row["annotator"] == "A1"}
    assert sum(int(line.split(" | ")[3]) for line in table) == len(labelled) == 20 + 12 + 16 + 14


def test_a_text_that_two_strategies_chose_is_counted_once(made):
    card = Card(made["merged"])
    both = [{row["text"] for row in human(card.train(config))} for config in ("entropy", "random")]
    assert both[0] & both[1], "nothing would be counted twice"
    assert sum(map(len, card.rows.values())) > len({row["text"] for row in card.all})
