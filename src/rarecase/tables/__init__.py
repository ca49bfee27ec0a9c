"""
Files, folders, releases, data sets of the Hub and Reddit dumps as `Dataset`s, checked; and the texts that come again.
"""

from rarecase.tables.argument import Argument, parse_argument, read_argument, row_of
from rarecase.tables.columns import Columns
from rarecase.tables.duplicates import DuplicateCounts, drop_duplicates, exact_duplicates, near_duplicates
from rarecase.tables.read import read_table

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
