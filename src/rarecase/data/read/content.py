"""Whether a data argument still names what it did: a hash over its rows as they are read."""

import hashlib
import json
from pathlib import Path

from rarecase.core.files import digest
from rarecase.data.read.argument import SPLITS, parse_argument
from rarecase.data.read.columns import Columns
from rarecase.data.read.table import read_parts


def digest_of_rows(argument: str, name: str, *, columns: Columns, encoding: str) -> str:
    """
    One hash over the rows of a data argument, by the name of its flag: the same for a file that was only touched, or
    written anew with the same rows. A Reddit dump goes by its bytes, since reading it takes long.
    """
    given, sum_ = parse_argument(argument), hashlib.blake2b(digest_size=16)
    split = given.split or SPLITS.get(name, "train")
    for part in read_parts(given.source, split=split, config=given.config, columns=columns, encoding=encoding):
        if isinstance(part, Path):
            sum_.update(digest([part]).encode())
            continue
        for column in sorted(set(part.table.column_names) - {"embedding"}):  # which the loop makes itself
            sum_.update(json.dumps([column, part.table[column].to_pylist()], default=str).encode())
    return sum_.hexdigest()
