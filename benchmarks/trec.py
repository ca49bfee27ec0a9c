"""
TREC question classification (Li and Roth, 2002) as tables for `rarecase simulate`: other texts, other columns, other
classes, and no code. The start set has no example of ABBR, the rare class (1.6 %), as many a real one has none.

    python benchmarks/trec.py --other ../shared/other --out trec

writes `coarse/` (six classes) and `fine/` (fifty), each with pool.tsv, bootstrap.tsv, dev.tsv, test.tsv and
taxonomy.yaml, and prints the commands to go on with.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from rarecase.core.files import write_text
from rarecase.core.randomness import generator
from rarecase.data.taxonomy import Taxonomy

START, DEV = 100, 100
RARE = "ABBR"
STRATEGIES = "random,entropy,margin,cluster,rare,rare_first"

Question = tuple[str, str]  # text, and COARSE:fine


def questions(path: Path) -> list[Question]:
    """The lines of a file, `COARSE:fine text`; one of them holds a byte that is Latin-1."""
    lines = path.read_text(encoding="latin-1").splitlines()
    return [(text.strip(), label) for label, _, text in (line.partition(" ") for line in lines)]


def sets(train: list[Question], test: list[Question]) -> dict[str, list[Question]]:
    """The start set is drawn among the questions that are not of the rare class, dev among all that are left."""
    order = [train[row] for row in generator(0, "trec").permutation(len(train))]
    start = [question for question in order if not question[1].startswith(RARE)][:START]
    taken = set(start)
    rest = [question for question in order if question not in taken]
    return {"bootstrap": start, "dev": rest[:DEV], "pool": rest[DEV:], "test": test}


def write(folder: Path, tables: dict[str, list[Question]], coarse: bool) -> None:
    """The tables, with the columns `question` and `kind`, and all classes."""

    def named(label: str) -> str:
        return label.partition(":")[0] if coarse else label

    for name, rows in tables.items():
        lines = ["question\tkind", *(f"{text}\t{named(label)}" for text, label in rows)]
        write_text(folder / f"{name}.tsv", "\n".join(lines) + "\n")
    labels = Counter(named(label) for rows in tables.values() for _, label in rows)
    Taxonomy.from_labels(labels).save(folder / "taxonomy.yaml")
    kinds = "coarse" if coarse else "fine"
    print(f"{kinds}: {len(labels)} classes; the rarest: {labels.most_common()[-1]}", file=sys.stderr)
    files = " ".join(f"--{name} {folder / name}.tsv" for name in tables)
    columns = f"--text-column question --label-column kind --taxonomy {folder / 'taxonomy.yaml'}"
    how = f"--strategies {STRATEGIES} --seeds {10 if coarse else 3}"
    print(f"rarecase simulate {files} {columns} {how} --out {folder / 'grid'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("RARECASE_OTHER", Path(__file__).parents[1] / "../shared/other")
    parser.add_argument("--other", type=Path, default=Path(default), help="the folder of TREC.train and TREC.test")
    parser.add_argument("--out", type=Path, default=Path("trec"))
    given = parser.parse_args()
    if not (given.other / "TREC.train").exists():
        parser.error(f"--other {given.other}: no TREC.train there; name the folder of TREC.train and TREC.test")
    tables = sets(questions(given.other / "TREC.train"), questions(given.other / "TREC.test"))
    for name in ("coarse", "fine"):
        write(given.out / name, tables, coarse=name == "coarse")


if __name__ == "__main__":
    main()
