"""
The card and the picture of a data set, made of its release.json alone: the same facts, the same bytes.

The prose stands in `dataset_card/README.md`; here is what it is filled with. Names and numbers, no text of the data.
`render`, `table` and the filters serve the other cards too.
"""

import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import CardData, DatasetCardData
from jinja2 import Environment, StrictUndefined

from rarecase.acquire.find import ANCHORS
from rarecase.core.shipped import shipped
from rarecase.publish.facts import info
from rarecase.report.plots import COLOURS

NOT_STATED = "not stated"
STRATEGIES = {
    "random": "draws texts at random and is the baseline",
    "entropy": "takes the texts that the learner is least sure about",
    "topn": "takes the texts that the learner is least sure about",  # as the paper calls `entropy`
    "coreset": "takes the texts farthest from all that are labelled",
    "cluster": "takes the texts that the learner is least sure about from every region of the pool",
    "least_confidence": "takes the texts whose likeliest class is the least likely",
    "margin": "takes the texts whose two likeliest classes are the closest",
    "bald": "takes the texts about which thinned-out copies of the learner disagree",
    "badge": "takes texts that would change the learner much, and each in another way",
    "contrastive": "takes the texts whose likeliest classes differ from those of the labelled texts around them",
    "disagreement": "takes most where the learner disagrees with the labels given so far",
    "typiclust": "takes the most typical texts of the regions that have no label yet",
    "probcover": "takes the texts that have most unlabelled ones near them",
    "rare": "looks for texts of the classes with the fewest labels, beside those that the learner is unsure about",
}
ANNOTATORS = {
    "file": "by people",
    "people": "by people on a labeling page",
    "gold": "by looking up labels that existed before",
}
LEARNERS = {
    "frozen": "a logistic regression on a frozen encoder",
    "setfit": "a logistic regression on an encoder fine-tuned by contrast",
    "finetune": "a fine-tuned transformer",
}
READINGS = {
    "published": "every label is the one in the files",
    "consistent": "an original whose variations all carry one other label takes theirs",
}
# How a split came about that was set aside, by who made the config; what is known best comes first.
SET_ASIDE = {
    "start": "texts drawn at random from the pool, as the start set was, before any was chosen",
    "import-published": "texts, as in the files that Hassan, Sicilia and Alikhani (2024) published",
    "given": f"texts that whoever made the data set brought along; how they were chosen is {NOT_STATED}",
}
# A file of the repository: the configs that use it, its split, and what is said of it.
Table = tuple[list[str], str, Mapping[str, Any]]


def dataset_card(facts: Mapping[str, Any]) -> str:
    """
    The README.md of a data set's repository.

    Args:
        facts (`Mapping`): its release.json; of each config with what `facts.config_facts` counts, `path` and
            `file_bytes` of each split, and `digest`, a hash of its content, where there is one.

    Returns:
        `str`: the front matter, by which `load_dataset` finds configs, files and features, and the text.

    Example:
        >>> card = dataset_card(json.loads(Path("release.json").read_text()))
    """
    configs, names = facts["configs"], [c["name"] for c in facts["classes"]]
    tables, train = _tables(configs), _learned_from(configs[facts["default"]])
    rows = sum(split["rows"] for _, _, split in tables)
    return render(
        shipped("dataset_card") / "README.md",
        _front_matter(facts, names, rows),
        **facts,
        names=names,
        rows=rows,
        train=train,
        set_aside=_set_aside(configs, tables),
        not_used=sum(split["not_used"] for _, _, split in tables),
        compared=sum(config["annotators"]["pairs"] for config in configs.values()),
        unlicensed=any(config["source_states_no_license"] for config in configs.values()),
        acquired={name: _acquired(name, config) for name, config in configs.items()},
        definitions=_definitions(facts["classes"]),
        counts=_counts(configs, tables, names),
        rounds={name: _rounds(config["rounds"], names) for name, config in configs.items() if config["rounds"]},
        annotators=_annotators(configs),
        generators=_generators(configs),
        sources=_together(configs, {name: [config["source"]] for name, config in configs.items()}),
        defects=_together(configs, {name: config["defects"] for name, config in configs.items()}),
        changes=_changes(facts["changelog"]),
    )


def class_counts_picture(facts: Mapping[str, Any]) -> bytes:
    """
    How many texts of each class every config has to learn from, as a PNG.

    Args:
        facts (`Mapping`): as for `dataset_card`.

    Example:
        >>> Path("class_counts.png").write_bytes(class_counts_picture(facts))
    """
    from matplotlib.figure import Figure  # without pyplot: no display, no global state
    from matplotlib.ticker import MaxNLocator

    names, configs = [c["name"] for c in facts["classes"]], facts["configs"]
    counts = {name: config["splits"][_learned_from(config)]["class_counts"] for name, config in configs.items()}
    titles = [textwrap.fill(name, 24) for name in names]
    high = max(0.2 + 0.16 * len(counts), 0.2 * max(title.count("\n") + 1 for title in titles))  # inches of a class
    figure = Figure(figsize=(8, 1.2 + high * len(names)), dpi=150, layout="constrained")
    thick = 0.84 / len(counts)
    axes = figure.subplots()
    for place, (config, found) in enumerate(counts.items()):
        middle = np.arange(len(names)) + thick * (place - (len(counts) - 1) / 2)
        colour, hatch = COLOURS[place % len(COLOURS)], "///" * (place // len(COLOURS))  # a ninth is not the first
        lengths = [found[name] for name in names]
        bars = axes.barh(middle, lengths, 0.9 * thick, color=colour, hatch=hatch, edgecolor="white", label=config)
        axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), titles, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)  # the first class on top
    axes.set_xlim(0, max(1, *(found[name] for found in counts.values() for name in names)))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("texts to learn from, variations included")
    axes.spines[["top", "right"]].set_visible(False)
    beside = max(1, 100 // (6 + max(map(len, counts))))  # of a hundred letters, a name's colour takes some six
    lines = -(-len(counts) // beside)
    figure.legend(loc="outside upper left", ncols=-(-len(counts) // lines), fontsize=8, frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def render(template: Path, front_matter: CardData, **values: Any) -> str:
    """
    A card: a template filled in.

    Args:
        template (`Path`): in jinja2, with `front_matter` at its head, and the filters `plain`, `code`, `stated`,
            `number` and `listed`.
        front_matter (`CardData`): its data.
        values: under the names that the template has for them.

    Raises:
        `jinja2.UndefinedError`: where the template has a name without a value.

    Example:
        >>> render(shipped("model_cards") / "README.md", ModelCardData(license="mit"), title="Guard")
    """
    environment = Environment(  # noqa: S701 - Markdown, not HTML: the filters are what escapes it
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters |= {f.__name__: f for f in (plain, code, stated, number, listed)}
    filled = environment.from_string(template.read_text(encoding="utf-8"))
    return filled.render(front_matter=front_matter.to_yaml(line_break="\n"), **values)


def table(header: Sequence[str], rows: Sequence[Sequence[str | int | float | None]]) -> str:
    """
    A table in Markdown, numbers to the right. It is not padded: a number that changes moves nothing beside it.

    Args:
        header (`Sequence[str]`): what stands above the columns, in Markdown.
        rows (`Sequence`): the cells; a string is Markdown, see `plain` and `code`.

    Example:
        >>> print(table(["class", "rows"], [["harmful", 12]]))
        | class | rows |
        | --- | ---: |
        | harmful | 12 |
    """
    words = [any(isinstance(row[column], str) for row in rows) for column in range(len(header))]
    shown = [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in (header, *rows)]
    cells = [[cell.replace("|", r"\|") for cell in row] for row in shown]
    cells.insert(1, ["---" if word else "---:" for word in words])
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def plain(text: str) -> str:
    """A name or a sentence for Markdown: on one line, nothing in it taken for markup."""
    return re.sub(r"([\\<>*_\[\]`])", r"\\\1", " ".join(text.split()))


def code(name: str) -> str:
    """A name in the letters of code, unless it has a backtick itself."""
    return plain(name) if "`" in name else f"`{name}`"


def stated(text: str | None) -> str:
    """What somebody may have said, or that nobody did."""
    return plain(text) if text else NOT_STATED


def number(value: float | None) -> str:
    """A count in full, a measure to one digit, a dash for none."""
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"


def listed(words: Iterable[str]) -> str:
    """
    Example:
        >>> listed(["train", "validation", "test"])
        'train, validation and test'
    """
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _front_matter(facts: Mapping[str, Any], names: Sequence[str], rows: int) -> DatasetCardData:
    configs, language = facts["configs"], facts["about"].get("language") or ""
    return DatasetCardData(
        pretty_name=facts["title"],
        language=[one.strip() for one in language.split(",") if one.strip()] or None,
        license=facts["license"],
        task_categories=["text-classification"],
        size_categories=[_size(rows)],
        tags=["rarecase", "active-learning", "content-moderation", "not-for-all-audiences"],
        configs=[_config(name, config, name == facts["default"]) for name, config in configs.items()],
        dataset_info=[{"config_name": name, **info(names, config["splits"])} for name, config in configs.items()],
    )


def _config(name: str, config: Mapping[str, Any], default: bool) -> dict[str, Any]:
    return {
        "config_name": name,
        # `load_dataset` caches by the front matter (see `rarecase.data.release`): other rows need another one.
        **({"description": f"content {config['digest']}"} if config.get("digest") else {}),
        "data_files": [{"split": split, "path": found["path"]} for split, found in config["splits"].items()],
        **({"default": True} if default else {}),
    }


def _size(rows: int) -> str:
    """The category of the Hub, such as `1K<n<10K`."""
    steps = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    place = sum(rows >= 1000 * 10**power for power in range(len(steps)))
    if place in (0, len(steps)):
        return f"n>{steps[-1]}" if place else f"n<{steps[0]}"
    return f"{steps[place - 1]}<n<{steps[place]}"


def _learned_from(config: Mapping[str, Any]) -> str:
    """The split that is learned from: `train`, or the first where none is called so."""
    return "train" if "train" in config["splits"] else next(iter(config["splits"]))


def _tables(configs: Mapping[str, Any]) -> list[Table]:
    """Each file once, split by split."""
    files: dict[tuple[str, str], list[str]] = {}
    for split in dict.fromkeys(split for config in configs.values() for split in config["splits"]):
        for name, config in configs.items():
            if split in config["splits"]:
                files.setdefault((split, config["splits"][split]["path"]), []).append(name)
    return [(users, split, configs[users[0]]["splits"][split]) for (split, _), users in files.items()]


def _of(configs: Mapping[str, Any], users: Sequence[str]) -> str:
    return "all" if len(users) == len(configs) > 1 else ", ".join(map(code, users))


def _together(configs: Mapping[str, Any], said: Mapping[str, Sequence[str | None]]) -> list[tuple[str, str | None]]:
    """What is said of configs, each sentence once, beside all of which it is said; what most have comes first."""
    users: dict[str | None, list[str]] = {}
    for name, sentences in said.items():
        for sentence in sentences:
            users.setdefault(sentence, []).append(name)
    by_number = sorted(users.items(), key=lambda item: -len(item[1]))
    return [(_of(configs, names), sentence) for sentence, names in by_number]


def _acquired(name: str, config: Mapping[str, Any]) -> str:
    """How the texts of a config came to be chosen and labelled."""
    how, train = config["acquired"], config["splits"][_learned_from(config)]
    if not how:
        return f"how its texts were chosen is {NOT_STATED}."
    if how["by"] == "start":
        return f"the start set that the learner began with, {number(train['rows'])} texts drawn at random."
    if how["by"] == "given":
        rows = number(train["rows"])
        return f"the start set that the learner began with, {rows} texts; how they were chosen is {NOT_STATED}."
    if how["by"] == "import-published":
        chosen = _chosen(name) if name in STRATEGIES else "the start set, drawn at random."
        reading = f"in the reading `{how['reading']}`: {READINGS[how['reading']]}."
        return f"{chosen} From the files that Hassan, Sicilia and Alikhani (2024) published, {reading}"
    return " ".join((_chosen(how["strategy"]), _labelled(how, train), _varied(how), _learned(how)))


def _set_aside(configs: Mapping[str, Any], tables: Sequence[Table]) -> list[tuple[str, str, str]]:
    """Of each file that is not learned from: its split, the configs that use it, and how it came about."""
    told = []
    for users, split, found in tables:
        if split != _learned_from(configs[users[0]]):
            makers = {(configs[name]["acquired"] or {}).get("by") for name in users}
            known = next((how for by, how in SET_ASIDE.items() if by in makers), None)
            how = known or f"texts; how they were chosen is {NOT_STATED}"
            told.append((split, _of(configs, users), f"{number(found['rows'])} {how}"))
    return told


def _chosen(strategy: str) -> str:
    does = STRATEGIES.get(strategy.removeprefix(ANCHORS), "was written for this data set")
    where = ", of those like the labelled texts of each class" if strategy.startswith(ANCHORS) else ""
    return f"chosen by {code(strategy)}, which {does}{where}."


def _labelled(how: Mapping[str, Any], train: Mapping[str, Any]) -> str:
    batch, texts, budget = number(how["batch"]), number(train["human"]), number(how["budget"])
    regions = f", out of {number(how['clusters'] or how['batch'])} regions" if how["strategy"] == "cluster" else ""
    given = ANNOTATORS.get(how["annotator"], f"by {code(how['annotator'])}")
    return f"In batches of {batch}{regions}, {texts} texts were labelled {given}, of a budget of {budget}."


def _varied(how: Mapping[str, Any]) -> str:
    if how["generator"] == "none":
        return "No variations were generated."
    if how["generator"] == "replay":
        return f"Up to {how['variations']} variations of each, which existed before, were taken over."
    if how["generator"] == "cheap":
        return f"{how['variations']} variations of each were made by swapping words or leaving some out."
    return f"A language model ({plain(how['generator_model'])}) was asked for {how['variations']} variations of each."


def _learned(how: Mapping[str, Any]) -> str:
    packaged = {"packaged": "all-MiniLM-L6-v2"}
    model, encoder = (plain(packaged.get(how[key], how[key])) for key in ("model", "encoder"))
    learner = LEARNERS.get(how["learner"], code(how["learner"]))
    return f"Learner: {learner} ({model}). Embeddings: {encoder}. Seed: {how['seed']}."


def _definitions(classes: Sequence[Mapping[str, str]]) -> str:
    rows = [[plain(c["name"]), stated(c["definition"]), stated(c["source"])] for c in classes]
    return table(["class", "stands for", "proposed by"], rows)


def _counts(configs: Mapping[str, Any], tables: Sequence[Table], names: Sequence[str]) -> str:
    found = [{**split, "unknown": split["rows"] - split["human"] - split["generated"]} for _, _, split in tables]
    columns = {"rows": "rows", "human": "by people", "generated": "generated"}
    rare = {"unknown": "origin not stated", "not_used": "failed a check"}
    columns |= {key: title for key, title in rare.items() if any(split[key] for split in found)}
    rows = [
        [_of(configs, users), code(name), *(split[key] for key in columns)]
        + [split["class_counts"][c] for c in names]
        + [float(split["class_count_std"])]
        for (users, name, _), split in zip(tables, found, strict=True)
    ]
    return table(["config", "split", *columns.values(), *map(plain, names), "std"], rows)


def _rounds(rounds: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    rows = [
        [r["round"], r["labels"], *(r["class_counts"][name] for name in names)]
        + [float(value) for value in (r["class_count_std"], r["dev"]["macro_f1"], r["test"]["macro_f1"])]
        for r in rounds
    ]
    return table(["round", "labels", *map(plain, names), "std", "validation F1", "test F1"], rows)


def _annotators(configs: Mapping[str, Any]) -> str:
    found = {name: config["annotators"] for name, config in configs.items() if config["annotators"]["names"]}
    rows = [
        [code(name), ", ".join(map(plain, a["names"])), a["items"], a["votes"], a["pairs"], a["kappa"]]
        for name, a in found.items()
    ]
    return table(["config", "annotators", "texts", "votes", "compared", "kappa"], rows) if rows else ""


def _generators(configs: Mapping[str, Any]) -> str:
    rows = [
        [code(name), stated(g["generator"]), g["rows"], ", ".join(map(code, g["prompt_hashes"])) or NOT_STATED]
        for name, config in configs.items()
        for g in config["generators"]
    ]
    return table(["config", "generator", "rows", "prompt hashes"], rows) if rows else ""


def _changes(changelog: Sequence[Mapping[str, Any]]) -> str:
    rows = [[str(entry["version"]), entry["date"], plain(entry["change"])] for entry in reversed(changelog)]
    return table(["version", "date", "change"], rows)
