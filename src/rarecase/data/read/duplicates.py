"""
Duplicate texts, word for word or nearly.

Two texts are near-duplicates where `rapidfuzz.fuzz.ratio` of them, casefolded and stripped, is at least 90. That is
`100 * (1 - d / (la + lb))` with `d` the characters to delete or insert to make one the other, so what is allowed is
`d <= (la + lb) / 10`, and bounds on `d` are exact bounds on the ratio:

- the lengths differ by at most `d`;
- one character more or less changes at most `2q - 1` of the overlapping q-grams (`q` new, `q - 1` gone, or the
  reverse), so the bags of q-grams differ in at most `(2q - 1) d` (Ukkonen 1992, "Approximate string-matching with
  q-grams and maximal matches").

The second is looked up in bits: every q-gram, the second `ab` of a text apart from the first, flips one bit of its
text's sketch. A q-gram that two texts share flips the same bit in both, so their sketches differ in at most as many
bits as their bags do in q-grams. XOR and a count of bits decide nearly all pairs, and rapidfuzz the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from rapidfuzz import fuzz, process

from rarecase.core.progress import bar
from rarecase.data import arrow, schema

RATIO = 90

_ROWS, _COLUMNS = 64, 4096  # of a block of pairs: its sketches and counts stay in the cache
_MOST_WORDS = 256  # of a sketch: 2 KiB
_CHARACTERS = 1 << 20  # that are turned into sketches at once
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: multiplicative hashing (Knuth, vol. 3, 6.4)


@dataclass(frozen=True)
class DuplicateCounts:
    """The rows that were dropped, each counted once."""

    exact: int
    near: int
    elsewhere: int  # equal to, or near-duplicates of, a row of another set

    def __str__(self) -> str:
        return f"dropped: {self.exact} duplicates, {self.near} near-duplicates, {self.elsewhere} in the other sets"


def exact_duplicates(texts: Sequence[str], against: Sequence[str] = ()) -> np.ndarray:
    """Which texts are equal to an earlier one, or to one of `against`: bool, shape `(texts,)`."""
    seen = set(against)
    found = np.zeros(len(texts), dtype=bool)
    for place, text in enumerate(texts):
        found[place] = text in seen
        seen.add(text)
    return found


def near_duplicates(texts: Sequence[str], against: Sequence[str] = ()) -> np.ndarray:
    """
    Which texts are near-duplicates of an earlier one, or of one of `against`: bool, shape `(texts,)`.

    Earlier means any earlier text, also one that is itself a near-duplicate: the first of a chain stays, and whether a
    text goes does not depend on what else went. (Of the 2,700 published test titles these are 72. Against the kept
    ones only it would be 68; 110 are in a pair.)
    """
    normal = [folded(text) for text in texts]
    found = exact_duplicates(normal)
    first = np.flatnonzero(~found)  # what is near a repeat is near its first occurrence, too
    distinct = [normal[place] for place in first]
    found[first] = _near(distinct, distinct, earlier=True)
    return found | stands_in(texts, against)


def stands_in(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Which texts are near-duplicates of one of `others`, or equal to one: bool, shape `(texts,)`."""
    return _near([folded(text) for text in texts], list({folded(text) for text in others}))


def drop_duplicates(
    pool: Dataset, against: Sequence[Dataset] = (), *, repeats: bool = True
) -> tuple[Dataset, DuplicateCounts]:
    """Drops the rows of a pool that are exact or near-duplicates of an earlier row, or of a row of another set."""
    texts = schema.texts(pool)
    others = [text for table in against for text in schema.texts(table)]
    none = np.zeros(len(texts), dtype=bool)
    exact = exact_duplicates(texts) if repeats else none
    near = near_duplicates(texts) & ~exact if repeats else none
    elsewhere = stands_in(texts, others) & ~(exact | near)
    counts = DuplicateCounts(*(int(dropped.sum()) for dropped in (exact, near, elsewhere)))
    return arrow.rows(pool, np.flatnonzero(~(exact | near | elsewhere))), counts


def folded(text: str) -> str:
    """A text as it is compared: without case and without blanks around it."""
    return text.casefold().strip()


def _near(rows: list[str], columns: list[str], *, earlier: bool = False) -> np.ndarray:
    """Which rows are near a column; with `earlier`, only columns of a lower index than the row."""
    found = np.zeros(len(rows), dtype=bool)
    for row, column in _candidates(rows, columns, found):
        if earlier:
            row, column = row[column < row], column[column < row]
        # One candidate of each row first: where thousands of texts are alike, that one settles most rows.
        for some in (np.unique(row, return_index=True)[1], slice(None)):
            r, c = row[some], column[some]
            r, c = r[~found[r]], c[~found[r]]
            pairs = [rows[i] for i in r], [columns[i] for i in c]
            ratios = process.cpdist(*pairs, scorer=fuzz.ratio, score_cutoff=RATIO, dtype=np.float64)
            found[r[ratios >= RATIO]] = True
    return found


def _candidates(rows: list[str], columns: list[str], found: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs that lengths and sketches cannot exclude, a block of indices at a time, without rows in `found`."""
    row_places, row_lengths = _by_length(rows)
    column_places, column_lengths = _by_length(columns)
    progress = bar(len(rows), "near-duplicates", " rows", delay=2)
    for begin, end in _length_classes(row_lengths):
        low, high = _reach(column_lengths, row_lengths[begin], row_lengths[end - 1])
        q, words = _sketch_size(int(row_lengths[end - 1]))
        row_sketches = _sketches([rows[place] for place in row_places[begin:end]], q, words)
        column_sketches = _sketches([columns[place] for place in column_places[low:high]], q, words)
        for top in range(begin, end, _ROWS):
            places = row_places[top : min(top + _ROWS, end)]
            sketches = row_sketches[:, top - begin :][:, : len(places)]
            longest = int(row_lengths[top + len(places) - 1])
            first, last = _reach(column_lengths, row_lengths[top], longest)
            for left in range(first, last, _COLUMNS):
                right = min(left + _COLUMNS, last)
                wanted = ~found[places]
                places, sketches = places[wanted], sketches[:, wanted]
                differences = _differences(sketches, column_sketches[:, left - low : right - low])
                # The longest pair of the block may differ most; sorted by length, the others hardly less.
                limit = (2 * q - 1) * _allowed(longest, int(column_lengths[right - 1]))
                # `nonzero` of two dimensions would take as long as all the rest.
                row, column = np.divmod(np.flatnonzero(differences <= limit), right - left)
                yield places[row], column_places[left + column]
            progress.update(min(_ROWS, end - top))
    progress.close()


def _by_length(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The places of the texts from the shortest to the longest, and their lengths in that order."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    places = np.argsort(lengths, kind="stable")
    return places, lengths[places]


def _allowed(row_length: int, column_length: int) -> int:
    """The most deleted and inserted characters between near-duplicates of these lengths."""
    return (row_length + column_length) * (100 - RATIO) // 100


def _reach(lengths: np.ndarray, shortest: int, longest: int) -> tuple[int, int]:
    """The range of the sorted lengths that are near enough to lengths between `shortest` and `longest`."""
    # |la - lb| <= (la + lb) / 10, solved for lb.
    least, most = -(-shortest * RATIO // (200 - RATIO)), longest * (200 - RATIO) // RATIO
    return int(np.searchsorted(lengths, least)), int(np.searchsorted(lengths, most, side="right"))


def _length_classes(lengths: np.ndarray) -> Iterator[tuple[int, int]]:
    """Runs of sorted lengths up to 32, 64, 128 …: texts of one run have sketches of one size."""
    begin, longest = 0, 32
    while begin < len(lengths):
        end = int(np.searchsorted(lengths, longest, side="right"))
        if end > begin:
            yield begin, end
        begin, longest = end, 2 * longest


def _sketch_size(length: int) -> tuple[int, int]:
    """
    The q and the 64-bit words of a sketch for texts up to `length`. Single characters tell titles apart best; longer
    texts have all letters in like numbers and need longer q-grams, of which more bits must be kept: the limit of
    `(2q - 1) / 5` of a text's length must stay well under the half of all bits in which unlike sketches differ.
    """
    q = 1 if length <= 128 else 2 if length <= 512 else 3
    return q, min(-(-2 * q * q * length // 64), _MOST_WORDS)


def _sketches(texts: list[str], q: int, words: int) -> np.ndarray:
    """The sketch of every text: uint64, shape `(words, texts)`; see the head of this module."""
    sketches = np.zeros((len(texts), words), dtype=np.uint64)
    step = max(1, _CHARACTERS // (1 + max(map(len, texts), default=0)))
    for begin in range(0, len(texts), step):
        text, bit = _bits(texts[begin : begin + step], q, 64 * words)
        places = (begin + text) * words + bit // 64
        np.bitwise_xor.at(sketches.reshape(-1), places, np.uint64(1) << (bit % 64).astype(np.uint64))
    return np.ascontiguousarray(sketches.T)


def _bits(texts: list[str], q: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """For every q-gram of every text: the place of the text, and the bit that the q-gram flips."""
    characters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    text = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) for text in texts])
    whole = np.flatnonzero(text[: len(text) - q + 1] == text[q - 1 :])  # q-grams reach over no end of a text
    gram = np.zeros(len(whole), dtype=np.uint64)
    for place in range(q):
        gram = (gram + characters[whole + place]) * _MIX
    gram = np.sort(text[whole] << np.uint64(32) | gram >> np.uint64(32))
    begins = np.flatnonzero(np.diff(gram, prepend=~gram[:1]))
    count = np.arange(len(gram)) - np.repeat(begins, np.diff(begins, append=len(gram)))
    token = (gram & np.uint64(0xFFFFFFFF)) + (count.astype(np.uint64) << np.uint64(32))
    # The upper half of a product is well mixed; multiplied by `bits`, its own upper half is a number below `bits`.
    bit = ((token * _MIX ^ token) * _MIX >> np.uint64(32)) * np.uint64(bits) >> np.uint64(32)
    return (gram >> np.uint64(32)).astype(np.int64), bit.astype(np.int64)


def _differences(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """In how many bits each row's sketch differs from each column's: shape `(rows, columns)`."""
    total = np.zeros((rows.shape[1], columns.shape[1]), dtype=np.uint8 if len(rows) < 4 else np.uint16)
    for row, column in zip(rows, columns, strict=True):
        total += np.bitwise_count(row[:, None] ^ column)
    return total
