"""A release of two configs out of the sample, for tests that train on one."""

from pathlib import Path

import small
from small import NAMES

from rarecase.data.arrow import rows
from rarecase.data.release import write_release
from rarecase.data.schema import conform


def write(folder: Path, most: int | None = None) -> Path:
    """
    Writes the start set (60 posts) as `bootstrap` and ten posts of the pool as `cluster`, with dev and test.

    `most` is how many posts of each are written, for tests that need no more.
    """
    tables = [conform(small.table(name), NAMES) for name in ("bootstrap", "pool", "dev", "test")]
    start, pool, dev, test = (rows(table, range(min(most or len(table), len(table)))) for table in tables)
    shared = {"validation": dev, "test": test}
    configs = {"bootstrap": {"train": start, **shared}, "cluster": {"train": rows(pool, range(10)), **shared}}
    write_release(folder, configs, default="cluster", title="Posts")
    return folder
