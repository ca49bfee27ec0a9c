import subprocess
import sys

import numpy as np
import pytest
import tiny_models
from datasets import Dataset
from transformers import T5Config, T5EncoderModel

from rarecase.core.errors import DataError, ModelError
from rarecase.data import arrow
from rarecase.models.encoder import SentenceEncoder, distinct, embed, load_encoder

TEXTS = [
    "How do I prune an apple tree in winter?",
    "My bicycle chain slips in third gear.",
    "Which trees keep their leaves?",
    "A very long story about a walk along the river, past the mill and the bakery, and back through the orchard.",
    "My bicycle chain slips in third gear.",
    "Tea or coffee?",
]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return load_encoder()


@pytest.fixture
def pool() -> Dataset:
    return Dataset.from_dict({"id": [f"p{i}" for i in range(len(TEXTS))], "text": TEXTS})


def test_the_packaged_encoder_knows_which_texts_are_alike(encoder, pool):
    vectors = arrow.matrix(embed(pool, encoder), "embedding")
    assert vectors.shape == (6, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1] + 0.1


def test_the_order_of_the_rows_changes_no_bit(encoder, pool):
    many = Dataset.from_dict({"text": [f"{text} {i}" for i in range(30) for text in TEXTS]})
    order = np.random.default_rng(0).permutation(len(many))
    straight = arrow.matrix(embed(many, encoder), "embedding")
    scrambled = arrow.matrix(embed(many.select(order), encoder), "embedding")
    assert np.array_equal(straight[order], scrambled)


def test_equal_texts_have_equal_vectors(encoder, pool):
    vectors = arrow.matrix(embed(pool, encoder), "embedding")
    assert np.array_equal(vectors[1], vectors[4])


def test_the_upper_layers_end_with_the_vectors_themselves(encoder, pool):
    vectors, layers = encoder.encode(TEXTS), encoder.encode_layers(TEXTS)
    assert layers.shape == (6, 4 * 384)
    last = layers[:, -384:]
    assert np.allclose(last / np.linalg.norm(last, axis=1, keepdims=True), vectors, atol=1e-5)
    assert np.array_equal(encoder.encode_layers(TEXTS[::-1]), layers[::-1])
    # Afterwards it is as it was; of the same list it would be what tests/vectors.py remembers.
    after = encoder.encode([*TEXTS, "after the layers"])[:-1]
    assert after.shape == vectors.shape
    assert np.allclose(after, vectors, atol=1e-5)


def test_a_column_that_is_there_stays(encoder, pool):
    given = arrow.with_column(pool, "embedding", np.ones((6, 2), np.float32))
    assert embed(given, encoder) is given


def test_a_table_without_rows_gets_the_column(encoder, pool):
    empty = embed(pool.select([]), encoder)
    assert arrow.matrix(empty, "embedding").shape == (0, 384)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_an_error_with_row_and_id_but_no_text(pool, bad):
    vectors = np.ones((6, 2), np.float32)
    vectors[3, 1] = bad

    class Broken:
        def encode(self, texts):
            return vectors

    with pytest.raises(ModelError, match=r"encoder Broken: .*row 3 \(id 'p3'\)") as raised:
        embed(pool, Broken())
    assert "river" not in str(raised.value)
    with pytest.raises(DataError, match=r"'embedding' row 3 \(id 'p3'\)"):
        embed(arrow.with_column(pool, "embedding", vectors), Broken())


def test_an_id_that_may_be_a_post_is_not_shown(encoder, pool):
    named = arrow.with_column(pool, "id", TEXTS)
    with pytest.raises(DataError) as raised:
        embed(arrow.with_column(named, "embedding", np.full((6, 2), np.nan, np.float32)).select([3]), encoder)
    assert "river" not in str(raised.value)


def test_an_encoder_of_another_shape_is_refused(pool):
    class Short:
        def encode(self, texts):
            return np.ones((2, 3), np.float32)

    with pytest.raises(ModelError, match=r"Short: gave shape \(2, 3\) for 6 texts"):
        embed(pool, Short())


def test_a_saved_encoder_gives_the_same_vectors(encoder, tmp_path):
    encoder.save(tmp_path / "encoder")
    again = load_encoder(str(tmp_path / "encoder")).encode(TEXTS)
    assert np.array_equal(encoder.encode(TEXTS), again)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


def test_distinct_places_every_text():
    unique, place = distinct(["b", "a", "b", "ä"])
    assert unique == ["a", "b", "ä"]
    assert [unique[i] for i in place] == ["b", "a", "b", "ä"]


def test_loading_and_encoding_say_nothing_where_nobody_watches():
    code = "from rarecase.models.encoder import load_encoder; load_encoder().encode(['a', 'b'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_of_an_encoder_whose_configuration_describes_a_decoder_too_the_weights_are_enough(tmp_path):
    tokenizer = tiny_models.wordpiece(lowercase=False)
    sizes = {"d_model": 768, "d_kv": 64, "d_ff": 768, "num_layers": 1, "num_heads": 12}
    T5EncoderModel(T5Config(vocab_size=len(tokenizer), **sizes)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert load_encoder(str(tmp_path)).encode(TEXTS).shape == (6, 768)
