"""The card of a data set, made of its release.json alone; the prose is in `dataset_card/README.md`."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from huggingface_hub import DatasetCardData

from rarecase.acquire.find import ANCHORS
from rarecase.core.markdown import plain
from rarecase.core.shipped import shipped
from rarecase.data.acquired import Acquired
from rarecase.data.release import Change, Config, Release, RoundScores, Split, data_files
from rarecase.data.release_class import ReleaseClass
from rarecase.data.schema import features, hash_of
from rarecase.generate.cheap import NAME as CHEAP
from rarecase.publish.markdown import NOT_STATED, TAGS, code, number, render, stated, table

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
    "rare_first": "looks for texts of classes with few labels, then takes what the learner is most uncertain about",
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
ASKED = "A language model ({model}) was asked for {variations} variations of each."
CONTRASTED = (
    "A language model ({model}) was asked for {variations} contrasts of each text that is not of the class which "
    "contrasts are to be of; their label is that class."
)
VARIED = {
    "none": "No variations were generated.",
    "replay": "Up to {variations} variations of each, which existed before, were taken over from a table.",
    "openai": ASKED,
    "local": ASKED,
    CHEAP: "A program made {variations} variations of each, by swapping words or leaving some out.",
}
# Who wrote variations, and what the card says of it at its beginning.
MODEL, PROGRAM, UNKNOWN = "model", "program", "unknown"
WRITERS = {
    MODEL: "a language model wrote variations that are to keep the label",
    PROGRAM: "a program made variations by swapping words or leaving some out",
    UNKNOWN: "variations that existed before were taken over",
}
CONTRASTS = "a language model wrote contrasts, which are to be of another class than the text that they vary"
# Which variations of a run are in its data.
POLICIES = {
    "strict": "those that failed no check",
    "majority": "those that failed no check, but for one opinion, a language model's or the learner's, on the class",
    "none": "all but those without a text, refusals, and near-duplicates of `validation` or `test`",
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


class File(NamedTuple):
    """A data file of the repository: the configs that use it, its split, and what is known of it."""

    configs: list[str]
    name: str
    split: Split


def dataset_card(release: Release) -> str:
    """The README.md of a data set's repository; `load_dataset` finds configs and files by its front matter."""
    configs, names = release.configs, release.names
    files = _files(configs)
    return render(
        shipped("dataset_card") / "README.md",
        _front_matter(release),
        **vars(release),
        names=names,
        hard=[one.name for one in release.classes if one.action != "allow"],
        by_active_learning=any(_by_active_learning(name, config) for name, config in configs.items()),
        writers=_writers(configs, files),
        train=(configs.get(release.default) or next(iter(configs.values()))).train_name,
        set_aside=[_set_aside(configs, file) for file in files if file.name != configs[file.configs[0]].train_name],
        not_used=sum(file.split.not_used for file in files),
        merged=sum(entry.change.startswith(("added ", "replaced ")) for entry in release.changelog) > 1,
        compared=sum(file.split.annotators.pairs for file in files),
        by_model=sum(sum(file.split.annotators.by_model.values()) for file in files),
        unlicensed=any(config.source_states_no_license for config in configs.values()),
        acquired={name: _acquired(name, config) for name, config in configs.items()},
        definitions=_definitions(release.classes),
        counts=_counts(configs, files, names),
        rounds={name: _rounds(config.rounds, names) for name, config in configs.items() if config.rounds},
        annotators=_annotators(configs, files),
        generators=_generators(configs, files),
        policies=_grouped(configs, {n: [POLICIES[c.policy]] for n, c in configs.items() if c.variations}),
        variations=_variations(configs),
        hashes=any(by.prompt_hashes for file in files for by in file.split.generators),
        sources=_grouped(configs, {name: [config.source] for name, config in configs.items()}),
        defects=_grouped(configs, {name: config.defects for name, config in configs.items()}),
        changes=_changes(release.changelog),
    )


def _front_matter(release: Release) -> DatasetCardData:
    language, about = release.about.language or "", " ".join((release.description or release.title).split())
    return DatasetCardData(
        pretty_name=release.title,
        language=[one.strip() for one in language.split(",") if one.strip()] or None,
        license=release.license,
        task_categories=["text-classification"],
        size_categories=[_size(release.texts)],
        tags=[*TAGS, "not-for-all-audiences"],
        configs=[_config(release, name, splits, about) for name, splits in release.files.items()],
        dataset_info=[
            {"config_name": name, **dataset_info(release.names, splits)} for name, splits in release.files.items()
        ],
    )


def _config(release: Release, name: str, splits: Mapping[str, Sequence[Split]], about: str) -> dict[str, Any]:
    of = release.configs.get(name)
    digest = of.digest if of else hash_of(" ".join(config.digest for config in release.configs.values()))
    return {
        "config_name": name,
        # `load_dataset` caches by the front matter (see `rarecase.data.release`): other rows need another one.
        **({"description": f"{about} (content {digest})"} if digest else {}),
        "data_files": data_files({split: [file.path for file in files] for split, files in splits.items()}),
        **({"default": True} if name == release.default else {}),
    }


def dataset_info(names: Sequence[str], splits: Mapping[str, Sequence[Split]]) -> dict[str, Any]:
    """The `dataset_info` of a config, with features: datasets 3 does not know the list type of the Parquet files."""
    return {
        "features": features(names)._to_yaml_list(),
        "splits": [
            {"name": name, "num_bytes": sum(f.num_bytes for f in files), "num_examples": sum(f.rows for f in files)}
            for name, files in splits.items()
        ],
        "download_size": sum(file.file_bytes for files in splits.values() for file in files),
        "dataset_size": sum(file.num_bytes for files in splits.values() for file in files),
    }


def _size(rows: int) -> str:
    """The category of the Hub, such as `1K<n<10K`."""
    steps = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    categories = ["n<1K", *(f"{least}<n<{most}" for least, most in pairwise(steps)), "n>1T"]
    return categories[sum(rows >= 1000 * 10**power for power in range(len(steps)))]


def _files(configs: Mapping[str, Config]) -> list[File]:
    """Each file once, split by split."""
    users: dict[tuple[str, str], list[str]] = {}
    for split in dict.fromkeys(split for config in configs.values() for split in config.splits):
        for name, config in configs.items():
            if split in config.splits:
                users.setdefault((split, config.splits[split].path), []).append(name)
    return [File(names, split, configs[names[0]].splits[split]) for (split, _), names in users.items()]


def _of(configs: Mapping[str, Config], users: Sequence[str]) -> str:
    return "all" if len(users) == len(configs) > 1 else ", ".join(map(code, users))


def _grouped(
    configs: Mapping[str, Config], stated_of: Mapping[str, Sequence[str | None]]
) -> list[tuple[str, str | None]]:
    """Each sentence once, with the configs that it is about; what most have comes first."""
    users: dict[str | None, list[str]] = {}
    for name, sentences in stated_of.items():
        for sentence in sentences:
            users.setdefault(sentence, []).append(name)
    by_number = sorted(users.items(), key=lambda item: -len(item[1]))
    return [(_of(configs, names), sentence) for sentence, names in by_number]


def _acquired(name: str, config: Config) -> str:
    """How the texts of a config came to be chosen and labelled."""
    how, rows = config.acquired, number(config.train.rows)
    if not how:
        return f"how its texts were chosen is {NOT_STATED}."
    if how["by"] == "start":
        return f"the start set that the learner began with, {rows} texts drawn at random."
    if how["by"] == "given":
        return f"the start set that the learner began with, {rows} texts; how they were chosen is {NOT_STATED}."
    if how["by"] == "import-published":
        chosen = chosen_by(name) if name in STRATEGIES else "the start set, drawn at random."
        reading = f"in the reading `{how['reading']}`: {READINGS[how['reading']]}."
        return f"{chosen} From the files that Hassan, Sicilia and Alikhani (2024) published, {reading}"
    return " ".join((chosen_by(how["strategy"]), _labelled(how, config.train), _varied(how), _learned(how)))


def _by_active_learning(name: str, config: Config) -> bool:
    """Whether a strategy that looks at the texts chose those of a config."""
    how = config.acquired or {"by": ""}
    strategy = {"run": how.get("strategy"), "import-published": name if name in STRATEGIES else None}.get(how["by"])
    return strategy not in (None, "random")


def _set_aside(configs: Mapping[str, Config], file: File) -> tuple[str, str, str]:
    """Of a file that is not learned from: its split, the configs that use it, and how it came about."""
    makers = {acquired["by"] for name in file.configs if (acquired := configs[name].acquired)}
    known = next((how for by, how in SET_ASIDE.items() if by in makers), None)
    how = known or f"texts; how they were chosen is {NOT_STATED}"
    return file.name, _of(configs, file.configs), f"{number(file.split.rows)} {how}"


def chosen_by(strategy: str) -> str:
    """The sentence about a strategy."""
    does = STRATEGIES.get(strategy.removeprefix(ANCHORS), "was written for this data set")
    where = ", of those like the labelled texts of each class" if strategy.startswith(ANCHORS) else ""
    return f"chosen by {code(strategy)}, which {does}{where}."


def _labelled(how: Acquired, train: Split) -> str:
    batch, texts, budget = number(how["batch"]), number(train.human), number(how["budget"])
    regions = f", out of {number(how['clusters'] or how['batch'])} regions" if how["strategy"] == "cluster" else ""
    given = ANNOTATORS.get(how["annotator"], f"by {code(how['annotator'])}")
    if how["annotator"] == "llm":
        given = f"by a language model ({plain(how['annotator_model'])})"
    if "doubtful_to" in how:  # what it doubted, and what might be of a rare class
        given += f", but for {number(train.annotators.items)} {ANNOTATORS[how['doubtful_to']]}"
    return f"In batches of {batch}{regions}, {texts} texts were labelled {given}, of a budget of {budget}."


def _varied(how: Acquired) -> str:
    made = VARIED.get(how["generator"] if how["variations"] else "none", f"Who varied them is {NOT_STATED}.")
    made = CONTRASTED if made == ASKED and how.get("contrasts") else made
    return made.format(model=plain(str(how.get("generator_model"))), variations=how["variations"])


def _writers(configs: Mapping[str, Config], files: Iterable[File]) -> dict[str, str]:
    """Who wrote the variations of a data set, of `WRITERS`, and what the card says of it."""
    wrote: dict[str, set[str]] = {writer: set() for writer in WRITERS}
    for file in files:
        for how in (configs[name].acquired for name in file.configs):
            for writer in (_writer(how, by.generator) for by in file.split.generators):
                is_contrast = writer == MODEL and how and how.get("contrasts")
                wrote[writer].add(CONTRASTS if is_contrast else WRITERS[writer])
    return {writer: " and ".join(sorted(said, reverse=True)) for writer, said in wrote.items() if said}


def _writer(how: Acquired | None, generator: str | None) -> str:
    """Who wrote the variations of a generator, as far as how their config was acquired tells."""
    if how and how["by"] == "import-published":
        return MODEL
    if how and how.get("generator") in ("openai", "local") and generator == how.get("generator_model"):
        return MODEL
    return PROGRAM if how and how.get("generator") in (CHEAP, "replay") and generator == CHEAP else UNKNOWN


def _learned(how: Acquired) -> str:
    packaged = {"packaged": "all-MiniLM-L6-v2"}
    model, encoder = (plain(packaged.get(name, name)) for name in (how["model"], how["encoder"]))
    learner = LEARNERS.get(how["learner"], code(how["learner"]))
    return f"Learner: {learner} ({model}). Embeddings: {encoder}. Seed: {how['seed']}."


def _definitions(classes: Iterable[ReleaseClass]) -> str:
    rows = [[plain(c.name), stated(c.definition), stated(c.source)] for c in classes]
    return table(["class", "stands for", "proposed by"], rows)


def _counts(configs: Mapping[str, Config], files: Sequence[File], names: Sequence[str]) -> str:
    origins = {
        "rows": [file.split.rows for file in files],
        "written by people": [file.split.human for file in files],
        "generated": [file.split.generated for file in files],
    }
    rare = {
        "origin not stated": [file.split.rows - file.split.human - file.split.generated for file in files],
        "not learned from": [file.split.not_used for file in files],
    }
    origins |= {title: counts for title, counts in rare.items() if any(counts)}
    rows = [
        [
            _of(configs, f.configs),
            code(f.name),
            *counts,
            *map(f.split.class_counts.get, names),
            f.split.class_count_std,
        ]
        for f, *counts in zip(files, *origins.values(), strict=True)
    ]
    return table(["config", "split", *origins, *map(plain, names), "std"], rows)


def _rounds(rounds: Iterable[RoundScores], names: Sequence[str]) -> str:
    rows = [
        [r["round"], r["labels"], *(r["class_counts"][name] for name in names)]
        + [float(value) for value in (r["class_count_std"], r["dev"]["macro_f1"], r["test"]["macro_f1"])]
        for r in rounds
    ]
    return table(["round", "labels", *map(plain, names), "std", "validation F1", "test F1"], rows)


def _annotators(configs: Mapping[str, Config], files: Iterable[File]) -> str:
    header = ["config", "split", "annotators", "texts", "votes", "compared", "kappa"]
    found = [(_of(configs, file.configs), code(file.name), file.split.annotators) for file in files]
    rows = []
    for of, split, by in found:
        if by.names:
            rows.append([of, split, ", ".join(map(plain, by.names)), by.items, by.votes, by.pairs, by.kappa])
        rows += [[of, split, plain(name), texts, 0, 0, None] for name, texts in by.by_model.items()]
    return table(header, rows) if rows else ""


def _generators(configs: Mapping[str, Config], files: Iterable[File]) -> str:
    header = ["config", "split", "generator", "rows", "prompt hashes"]
    found = [(_of(configs, file.configs), code(file.name), by) for file in files for by in file.split.generators]
    rows = [
        [of, split, stated(by.generator), by.rows, ", ".join(map(code, by.prompt_hashes)) or "–"]
        for of, split, by in found
    ]
    return table(header, rows) if rows else ""


def _variations(configs: Mapping[str, Config]) -> str:
    header = ["config", "class", "written", "kept", "failed"]
    rows = [
        [code(name), plain(class_), counts.made, counts.kept, _failed(counts.failed)]
        for name, config in configs.items()
        for class_, counts in config.variations.items()
    ]
    return table(header, rows) if rows else ""


def _failed(failed: Mapping[str, int]) -> str:
    return ", ".join(f"{code(check)} {number(rows)}" for check, rows in failed.items()) or "–"


def _changes(changelog: Sequence[Change]) -> str:
    rows = [[str(entry.version), plain(entry.date), plain(entry.change)] for entry in reversed(changelog)]
    return table(["version", "date", "change"], rows)
