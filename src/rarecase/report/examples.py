"""Posts as examples, the paper's Tables 2 and 7: only ever in a file on this machine that somebody asked for."""

from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset

from rarecase.core import randomness
from rarecase.core.files import require_new, write_text
from rarecase.core.markdown import plain, table_row
from rarecase.data.arrow import matrix, rows
from rarecase.data.schema import GENERATED, canonical_order, texts
from rarecase.report.experiment import drawn_of
from rarecase.report.results import Key, Results
from rarecase.report.tables import Row

RULE = table_row(["---"] * 3)


def write_examples(results: Results, figure3: Row | None, path: Path) -> None:
    """Writes an original of each class with its variations for every strategy, and the errors of Figure 3."""
    require_new(path, option="--examples")
    lines = [
        "# Examples",
        "",
        "Posts of people, some about suicide, illness and crime. Keep this file to yourself.",
        "",
    ]
    lines += ["## Table 2: texts that people labelled, and their variations", ""]
    for strategy, split in results.splits.items():
        lines += [f"### {plain(strategy)}", "", table_row(["class", "text", "variations"]), RULE]
        lines += [*_originals(split, results), ""]
    if figure3:
        lines += [f"## Table 7: drawn errors ({plain(figure3['model'])}, {plain(figure3['setting'])})", ""]
        for strategy in figure3["strategies"]:
            lines += [f"### {plain(strategy)}", "", table_row(["text", "true", "predicted"]), RULE]
            lines += [*_errors(Key(figure3["setting"], strategy, figure3["model"]), results), ""]
    write_text(path, "\n".join(lines))


def _originals(split: Dataset, results: Results) -> list[str]:
    """One of each class, drawn in the order of the texts, those with variations first."""
    variations: dict[str, list[str]] = {}
    parents, origins, ids = (split[name][:] for name in ("parent_id", "origin", "id"))
    for parent, origin, text in zip(parents, origins, texts(split), strict=True):
        if origin == GENERATED:
            variations.setdefault(parent, []).append(text)
    order = randomness.generator(results.config.seed, "examples").permutation(canonical_order(split))
    human = sorted((i for i in order if origins[i] != GENERATED), key=lambda i: ids[i] not in variations)
    labels, lines = matrix(split, "label"), []
    for label, name in enumerate(results.names):
        place = next((i for i in human if labels[i] == label), None)
        if place is not None:
            varied = "<br>".join(map(plain, variations.get(ids[place], [])))
            lines.append(table_row([plain(name), plain(split[int(place)]["text"]), varied]))
    return lines


def _errors(key: Key, results: Results) -> Iterator[str]:
    places, cell = drawn_of(results, key), next(iter(results.groups[key].values()))
    for text, true, predicted in zip(
        texts(rows(results.test, places)), cell.labels[places], cell.guesses[places], strict=True
    ):
        yield table_row(map(plain, (text, results.names[int(true)], results.names[int(predicted)])))
