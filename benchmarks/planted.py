"""
How well `rarecase.doubt` finds wrong labels that were planted, as in `benchmarks/doubt.py`, and what is developed on.

Each draw takes 400 of the 2,700 published test titles, with as many of each label as the 400 published originals have,
and 50 of the labels wrong as theirs are: a harmless title has the class of its subreddit, most often
`emergency-situation`. Trusted are the bootstrap and the dev titles, without those that are in the test set too.

    python benchmarks/planted.py --published ../shared/published
"""

import sys
from collections import Counter

import numpy as np
from datasets import Dataset, concatenate_datasets
from doubt import RARE, auroc
from scoring import NAMES, arguments, labelled

from rarecase.core.randomness import generator
from rarecase.data import arrow, schema
from rarecase.models.encoder import load_encoder
from rarecase.verify.doubt import doubt

DRAWS = 20
RIGHT = {"self-harm": 64, "medical-advice": 81, "legal-advice": 64, "financial-advice": 63, RARE: 9, "not-harmful": 69}
WRONG = {"self-harm": 9, "medical-advice": 2, "legal-advice": 5, "financial-advice": 7, RARE: 27}
HARMLESS = NAMES.index("not-harmful")


class Kept:
    """The encoder, which reads every text once."""

    def __init__(self, texts: list[str]):
        vectors = load_encoder().encode_layers(texts)
        self.vectors = dict(zip(texts, vectors, strict=True))

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.vectors[text] for text in texts])


def main() -> int:
    published = arguments(__doc__)
    test, bootstrap, dev = (labelled(published, name) for name in ("test", "bootstrap", "dev"))
    lines = (published / "test_labeled.tsv").read_text(encoding="utf-8").splitlines()[1:]
    home = homes([line.split("\t")[1] for line in lines], arrow.matrix(test, "label"))
    tested = {*schema.texts(test)}
    trusted = concatenate_datasets([bootstrap, dev])
    trusted = arrow.rows(trusted, [row for row, text in enumerate(schema.texts(trusted)) if text not in tested])
    encoder = Kept(schema.texts(test) + schema.texts(trusted))
    found = []
    for draw in range(DRAWS):
        rows, wrong = planted(test, home, draw)
        ranked = doubt(rows, trusted, encoder=encoder)
        labels, doubts = arrow.matrix(ranked, "label"), arrow.matrix(ranked, "doubt")
        mistaken = np.array([id_ in wrong for id_ in ranked["id"][:]])
        rare = labels == NAMES.index(RARE)
        found.append(
            (
                auroc(doubts, mistaken, labels),
                auroc(doubts, mistaken, np.zeros(len(labels))),
                auroc(doubts[rare], mistaken[rare], labels[rare]),
            )
        )
    for name, of in zip(("within one label", "over all labels", f"within {RARE}"), np.array(found).T, strict=True):
        print(f"{name}: {of.mean():.3f}, standard deviation over {DRAWS} draws {of.std(ddof=1):.3f}")
    return 0


def homes(sources: list[str], labels: np.ndarray) -> np.ndarray:
    """The class of each title's subreddit: the one that most of its titles have, harmless ones left out."""
    counts: dict[str, Counter[int]] = {}
    for source, label in zip(sources, labels, strict=True):
        counts.setdefault(source, Counter())[label] += label != HARMLESS
    return np.array([counts[source].most_common(1)[0][0] for source in sources])


def planted(test: Dataset, home: np.ndarray, draw: int) -> tuple[Dataset, set[str]]:
    """Rows of which some have a wrong label, under ids of their own, and the ids of these."""
    rng, true = generator(draw, "planted"), arrow.matrix(test, "label")
    wrong = [
        rng.choice(np.flatnonzero((true == HARMLESS) & (home == NAMES.index(name))), count, replace=False)
        for name, count in WRONG.items()
    ]
    left = np.setdiff1d(np.arange(len(test)), np.concatenate(wrong))
    right = [rng.choice(left[true[left] == NAMES.index(name)], count, replace=False) for name, count in RIGHT.items()]
    places = np.concatenate([*wrong, *right])
    given = [*np.repeat([NAMES.index(name) for name in WRONG], [*WRONG.values()]), *true[np.concatenate(right)]]
    rows = arrow.with_column(arrow.rows(test, places), "label", given, test.features["label"])
    ids = [f"p{place}" for place in range(len(places))]
    return arrow.with_column(rows, "id", ids), {*ids[: sum(WRONG.values())]}


if __name__ == "__main__":
    sys.exit(main())
