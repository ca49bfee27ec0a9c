"""Long texts are read whole: windows that overlap by half and cut no word."""

import pytest
import tiny_models
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rarecase.core.errors import ModelError
from rarecase.guard.windows import SIZE, windows
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.encoder import load_encoder
from rarecase.models.lengths import Reader

ROOM = SIZE - 2  # the tokenizer adds two


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_encoder().reader()


def tokens(reader: Reader, text: str) -> int:
    return len(reader.tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize(("words", "expected"), [(1, 1), (ROOM, 1), (ROOM + 1, 2), (1000, 7), (8000, 62)])
def test_a_text_has_as_many_windows_as_it_takes(reader, words, expected):
    found = windows(" ".join(["tree"] * words), reader)
    assert len(found) == expected
    assert all(tokens(reader, window) <= ROOM for window in found)


def test_every_word_is_in_a_window_whole_and_with_what_is_around_it(reader):
    words = [f"unhappily{place}" for place in range(400)]  # several tokens each
    text = " ".join(words)
    found = windows(text, reader)
    assert all(window in text for window in found)
    assert {word for window in found for word in window.split()} == set(words)
    assert all(any(f"{a} {b} {c}" in w for w in found) for a, b, c in zip(words, words[1:], words[2:], strict=False))


def test_without_spaces_nothing_is_left_out(reader):
    text = "我想知道这个" * 200
    found = windows(text, reader)
    assert max(tokens(reader, window) for window in found) <= ROOM
    assert found[0] == text[:ROOM]
    assert text.endswith(found[-1])
    step = ROOM // 2
    assert [text[i * step :].startswith(window) for i, window in enumerate(found)] == [True] * len(found)


def test_a_model_that_reads_less_has_shorter_windows(reader):
    found = windows("tree " * 100, Reader(reader.tokenizer, 12, "query: "))
    assert {tokens(reader, window) for window in found} <= {8, 4}
    assert windows("tree " * 100, None) == ["tree " * 100]
    assert len(windows("tree " * 9, Reader(reader.tokenizer, 3))) == 8  # room is never less than two tokens


@pytest.mark.parametrize("longest", [4, 5, 12, 24, 32, 50])
@pytest.mark.parametrize("parts", [3, 8, 15, 21])
def test_a_model_that_reads_little_reads_all_of_a_text_with_long_words(reader, longest, parts):
    words = ["-".join(f"{parts * word + part}" for part in range(parts)) for word in range(20)]
    text, end = " ".join(words), 0
    for window in windows(text, Reader(reader.tokenizer, longest)):
        begin = text.index(window, max(end - len(window), 0))
        assert not text[end:begin].strip()
        end = begin + len(window)
    assert end == len(text)


@pytest.mark.parametrize("model", ["google-bert/bert-base-cased", "FacebookAI/roberta-base"])
def test_tokenizers_of_either_kind_say_where_their_tokens_are(model):
    learner = Finetune(str(tiny_models.made()[model]), ["a", "b"], FitOptions(max_length=20), seed=0)
    text = " ".join(f"word{place}" for place in range(30))
    found = windows(text, learner.reader())
    assert len(found) > 1
    assert all(window.split()[0] in text.split() for window in found)


def test_a_tokenizer_that_panics_is_said_in_one_line_without_the_text():
    endless = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    endless.pre_tokenizer = pre_tokenizers.Split(Regex("(([a-z]+\\s*)+)+x$"), "isolated")
    reader = Reader(PreTrainedTokenizerFast(tokenizer_object=endless, unk_token="[UNK]"), SIZE)
    with pytest.raises(ModelError, match=r"^the model's tokenizer: cannot be used: PanicException$"):
        windows("nobody knows " * 100, reader)
