"""How many tokens of a text a model reads, and which texts are longer."""

import json
from typing import ClassVar

import pytest
import small
import tiny_models
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
)

from rarecase.core.errors import ModelError
from rarecase.models.checkpoint import resolve
from rarecase.models.encoder import load_encoder
from rarecase.models.lengths import AT_ONCE, Reader, positions, stated, tokens_read

SMALL = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(resolve("packaged"))


def test_positions_are_those_for_tokens_of_a_text():
    assert positions(BertModel(BertConfig(**SMALL, max_position_embeddings=40))) == 40
    # Its first two positions are those of padding.
    assert positions(RobertaModel(RobertaConfig(**SMALL, max_position_embeddings=66, pad_token_id=1))) == 64
    assert positions(DebertaV2Model(DebertaV2Config(**SMALL, max_position_embeddings=70))) == 70
    assert positions(T5EncoderModel(T5Config(vocab_size=9, d_model=8, d_ff=8, num_layers=1, num_heads=1))) is None


def test_no_more_tokens_are_read_than_there_are_positions_for_and_more_than_the_tokenizer_adds(tokenizer):
    network = BertModel(BertConfig(**SMALL, max_position_embeddings=40))
    assert [tokens_read("guard", tokenizer, network, wanted) for wanted in (3, 40, 512)] == [3, 40, 40]
    with pytest.raises(ModelError, match="guard: would read 2 tokens of a text, and adds 2 of its own"):
        tokens_read("guard", tokenizer, network, 2)


@pytest.mark.parametrize("longest", [1e30, 10**30, None, 0, -1, "512"])
def test_what_is_no_length_is_not_known(longest):
    assert stated(longest) is None


def test_a_text_is_longer_by_its_first_token_too_many(tokenizer):
    reader = Reader(tokenizer, tokens=10)  # of which two are not of the text
    texts = ["word " * count for count in (0, 1, 7, 8, 9, 500)]
    assert reader.longer(texts) == 2
    assert reader.longer(texts[:4]) == reader.longer([]) == 0
    assert Reader(tokenizer, 10, prompt="query: ").longer(texts) == 4
    assert Reader(tokenizer, 10).longer(["unbelievableness of antidisestablishmentarianism"]) == 1


def test_not_all_texts_are_tokens_at_the_same_time(tokenizer):
    class Counted:
        sizes: ClassVar[list[int]] = []
        num_special_tokens_to_add = tokenizer.num_special_tokens_to_add

        def __call__(self, texts, **settings):
            self.sizes.append(len(texts))
            return tokenizer(texts, **settings)

    assert Reader(Counted(), tokens=5).longer(["a b c d e"] * (AT_ONCE + 1)) == AT_ONCE + 1
    assert Counted.sizes == [AT_ONCE, 1]


def test_an_encoder_reads_as_much_as_it_says_or_as_is_asked_for_and_is_saved_so(tmp_path):
    assert small.encoder().reader().tokens == 256
    texts = ["word " * 20, "word " * 20 + "bicycle"]
    assert small.encoder().reader().longer(texts) == 0
    short = load_encoder(max_length=20)
    assert (short.reader().tokens, short.reader().longer(texts)) == (20, 2)
    for encoder, is_same in ((small.encoder(), False), (short, True)):
        first, second = encoder.encode(texts)
        assert (first == second).all() == is_same
    short.save(tmp_path / "encoder")
    assert load_encoder(str(tmp_path / "encoder")).reader().tokens == 20
    assert load_encoder(max_length=5000).reader().tokens == 512


def test_an_encoder_that_says_no_length_reads_as_much_as_it_has_positions_for_beside_those_of_padding(tmp_path):
    path = tiny_models.write("FacebookAI/roberta-base", tmp_path / "model") / "tokenizer_config.json"
    said = json.loads(path.read_text())
    del said["model_max_length"]
    path.write_text(json.dumps(said))
    encoder = load_encoder(str(path.parent))
    assert encoder.reader().tokens == 512
    assert len(encoder.encode(["word " * 900])) == 1
