"""
CLINC150 (Larson et al., 2019) as tables for `rarecase simulate`: 151 classes, six of them made rare: `oos` (what is
out of scope, which no definition describes well) and five others. The start has two examples of each rare class or
none, and the classes have definitions or names alone.

    python benchmarks/clinc.py --other ../shared/other --out clinc

writes `few/` and `none/`, each with pool.tsv, bootstrap.tsv and dev.tsv, and `names.yaml` and `definitions.yaml`, and
prints the commands to go on with. The test set is drawn from the pool anew for each seed. Also a ceiling: how many of
the six a ranker of each has among its first texts, a hundred for all six together, that learned from the labels of
all other texts (five folds), which no strategy sees.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from datasets import Dataset
from ranking import found_first, likeness

from rarecase.core.files import write_text
from rarecase.core.randomness import generator
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.models.encoder import encode, load_encoder

RARE = {
    "oos": "a question about something that an assistant for banking, travel, kitchen and work has no answer to",
    "freeze_account": "asks to block a bank account so that nobody can use it",
    "report_fraud": "says that there is a charge which the writer did not make",
    "lost_luggage": "says that luggage was lost on a trip, or asks how to find it",
    "uber": "asks for a ride or a taxi",
    "vaccines": "asks which vaccinations a journey needs",
}
START, DEV, POOL = 3, 1, 45  # texts of a class
RARE_START, RARE_POOL = 2, 30
FIRST = 100 / 2460  # labels, of the texts of the pool without the test set
TEST = 4000  # of the some 6,700 texts of the pool, so that some 12 of each rare class are left in it
STRATEGIES = "random,entropy,rare,rare_first"

Text = tuple[str, str]  # text, and class


def sets(texts: list[Text], has_rare: bool) -> dict[str, list[Text]]:
    """A start, dev and pool; in the pool the rare classes have fewer texts, in the start few or none."""
    tables: dict[str, list[Text]] = {"bootstrap": [], "dev": [], "pool": []}
    for name in sorted({label for _, label in texts}):
        own = [text for text in texts if text[1] == name]
        own = [own[row] for row in generator(0, "clinc", name).permutation(len(own))]
        start, pool = (RARE_START, RARE_POOL) if name in RARE else (START, POOL)
        tables["bootstrap"] += own[:start] if has_rare or name not in RARE else []
        tables["dev"] += own[start : start + DEV]
        tables["pool"] += own[start + DEV : start + DEV + pool]
    return tables


def ceiling(pool: list[Text]) -> str:
    """What the rankers find of each rare class, together."""
    labels = np.array([label for _, label in pool])
    vectors = encode(Dataset.from_dict({"text": [text for text, _ in pool]}), load_encoder())
    ranked = {name: likeness(vectors, labels == name, 0) for name in RARE}
    found = sum(found_first(scores, labels == name, FIRST / len(RARE)) for name, scores in ranked.items())
    every = np.isin(labels, [*RARE]).sum()
    return f"{found} of {every}, {found / every:.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("RARECASE_OTHER", Path(__file__).parents[1] / "../shared/other")
    parser.add_argument("--other", type=Path, default=Path(default), help="the folder of CLINC_oos_plus.json")
    parser.add_argument("--out", type=Path, default=Path("clinc"))
    given = parser.parse_args()
    source = given.other / "CLINC_oos_plus.json"
    if not source.exists():
        parser.error(f"--other {given.other}: no CLINC_oos_plus.json there")
    content = json.loads(source.read_text(encoding="utf-8"))
    texts = sorted({(text, label) for split in ("train", "oos_train") for text, label in content[split]})
    names = sorted({label for _, label in texts})
    for kind in ("names", "definitions"):
        meaning = RARE if kind == "definitions" else {}
        classes = (Category(name, meaning.get(name, name.replace("_", " "))) for name in names)
        Taxonomy(tuple(classes)).save(given.out / f"{kind}.yaml")
    for start in ("few", "none"):
        tables = sets(texts, has_rare=start == "few")
        for name, rows in tables.items():
            lines = ["text\tlabel", *(f"{text}\t{label}" for text, label in rows)]
            write_text(given.out / start / f"{name}.tsv", "\n".join(lines) + "\n")
        if start == "few":
            print(f"# ceiling: {ceiling(tables['pool'])} of the rare texts among the first 4 % of the best ranking")
        files = " ".join(f"--{name} {given.out / start / name}.tsv" for name in tables)
        for kind in ("names", "definitions"):
            taxonomy = f"--taxonomy {given.out / kind}.yaml"
            how = f"--test-size {TEST} --strategies {STRATEGIES} --seeds 10"
            print(f"rarecase simulate {files} {taxonomy} {how} --out {given.out / f'{start}-{kind}'}")


if __name__ == "__main__":
    main()
