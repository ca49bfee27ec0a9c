"""Files, folders, releases, data sets of the Hub and Reddit dumps as `Dataset`s, checked; and duplicate texts."""

from rarecase.data.read.argument import Argument, parse_argument, read_argument, row_of
from rarecase.data.read.columns import Columns
from rarecase.data.read.duplicates import DuplicateCounts, drop_duplicates, exact_duplicates, near_duplicates
from rarecase.data.read.table import read_table

__all__ = [
    "Argument",
    "Columns",
    "DuplicateCounts",
    "drop_duplicates",
    "exact_duplicates",
    "near_duplicates",
    "parse_argument",
    "read_argument",
    "read_table",
    "row_of",
]
