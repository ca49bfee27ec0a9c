"""
A text as windows that overlap by half, so that a model reads all of it: each a string again, which the model cuts into
tokens as it cuts any text.
"""

from collections.abc import Sequence

from rarecase.core.errors import ModelError
from rarecase.models.checkpoint import loading
from rarecase.models.lengths import Reader

SIZE = 256  # tokens of a window at most, with those that the tokenizer adds
_BACK = 20  # tokens that an end of a window is moved by at most, so that it cuts no word


def windows(text: str, reader: Reader | None) -> list[str]:
    """The windows of a text, in order, each between two words where it can: half a word may mean something else."""
    if reader is None:
        return [text]
    tokenizer = reader.tokenizer
    added = tokenizer.num_special_tokens_to_add()
    # A token is a byte or more: what has no more bytes than that need not be cut into tokens.
    room = min(SIZE, reader.tokens) - added
    if len(reader.prompt) + len(text.encode()) <= room:
        return [text]
    with loading("the model's tokenizer", "used"):  # it warns of texts that are longer than the model reads
        room -= len(tokenizer(reader.prompt, add_special_tokens=False)["input_ids"]) if reader.prompt else 0
        if not tokenizer.is_fast:
            raise ModelError(
                "the model's tokenizer does not say where its tokens are, so no long text can be cut; give another"
            )
        places = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    if len(places) <= room:
        return [text]
    room, step = max(room, 2), max(room // 2, 1)
    back = min(_BACK, room - step)  # so that each window still begins where the one before it ends, or earlier
    found = []
    for start in range(0, len(places) - room + step, step):
        end = min(start + room, len(places))
        begin = _between_words(text, places, start, range(start, min(start + back, end)))
        stop = _between_words(text, places, end, range(end, max(end - back, begin), -1))
        found.append(text[places[begin][0] : places[stop - 1][1]])
    return found


def _between_words(text: str, places: Sequence[tuple[int, int]], given: int, near: Sequence[int]) -> int:
    """The first of some tokens that begins a word, or is an end of the text; the given one where none does."""
    return next((i for i in near if i in (0, len(places)) or _begins_word(text, places[i][0])), given)


def _begins_word(text: str, place: int) -> bool:
    """Some tokenizers count the space to the word behind it."""
    return place == 0 or text[place - 1].isspace() or text[place].isspace()
