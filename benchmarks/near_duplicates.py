"""
Near-duplicates of 100,000 titles, made from the published ones by edits: the seconds that `near_duplicates` takes,
and, on 5,000 of them, whether it finds the rows that a comparison of all pairs finds. Exit code 1 where it takes over
60 s or finds others.

    python benchmarks/near_duplicates.py --published ../shared/published
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

from rarecase.core.randomness import generator
from rarecase.data.read import Columns, near_duplicates, read_table

LIMIT = 60.0
DEFAULT = Path(os.environ.get("RARECASE_PUBLISHED") or Path(__file__).parents[2] / "shared" / "published")


def titles(folder: Path) -> list[str]:
    """The published titles with a label: 150, 150 and 2,700."""
    columns = Columns(text="title", label="category")
    names = ("bootstrap", "dev", "test")
    tables = [read_table(folder / f"{n}_labeled.tsv", split="train", columns=columns, labeled=True) for n in names]
    return [text for table in tables for text in table["text"][:]]


def edited(published: list[str], count: int, seed: int) -> list[str]:
    """
    New titles: one in five is a published one, the others the begin of one and the end of another with up to three
    words put in or replaced; then up to four characters are taken out, put in or replaced.
    """
    rng = generator(seed, "titles")
    words = [word for title in published for word in title.split()]
    letters = "".join(published)

    def one() -> str:
        title = published[rng.integers(len(published))].split()
        if rng.random() < 0.8:
            other = published[rng.integers(len(published))].split()
            title = title[: rng.integers(len(title) + 1)] + other[rng.integers(len(other) + 1) :]
            for _ in range(rng.integers(4)):
                place = int(rng.integers(len(title) + 1))
                title[place : place + int(rng.integers(2))] = [words[rng.integers(len(words))]]
        text = " ".join(title)
        for _ in range(rng.integers(5)):
            place = int(rng.integers(len(text) + 1))
            put = letters[rng.integers(len(letters))] if rng.random() < 0.6 else ""
            text = text[:place] + put + text[place + int(rng.integers(2)) :]
        return text

    return [one() for _ in range(count)]


def all_pairs(texts: list[str]) -> np.ndarray:
    """The definition: which texts have a ratio of at least 90 to an earlier one."""
    normal = [text.casefold().strip() for text in texts]
    return np.tril(process.cdist(normal, normal, scorer=fuzz.ratio, dtype=np.float64) >= 90, -1).any(axis=1)


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=Path, default=DEFAULT, help="folder of the published TSV files")
    parser.add_argument("--titles", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    texts = edited(titles(arguments.published), arguments.titles, arguments.seed)

    begin = time.perf_counter()
    found = near_duplicates(texts)
    seconds = time.perf_counter() - begin
    print(f"{len(texts):,} titles: {seconds:.1f} s (limit {LIMIT:.0f}), {found.sum():,} near-duplicates")

    some = texts[:5000]
    begin = time.perf_counter()
    expected = all_pairs(some)
    pairs = time.perf_counter() - begin
    begin = time.perf_counter()
    same = np.array_equal(near_duplicates(some), expected)
    short = time.perf_counter() - begin
    print(f"{len(some):,} titles: {short:.2f} s, all pairs {pairs:.2f} s, {'the same' if same else 'OTHER'} rows")
    return 0 if same and seconds <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
