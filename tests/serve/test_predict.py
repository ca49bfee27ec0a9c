"""`/predict` as text-embeddings-inference answers it, and `/`, asked by the Hub's own client."""

import math

import pytest
from guard_server import served
from huggingface_hub import InferenceClient, constants

TEXT, OTHER = "a 0.6 0.1 0.1 0.2", "b 0 0 0 1"
RANKED = ["threat", "fine"]


@pytest.fixture(scope="module")
def server():
    with served(key="hf_right") as there:
        yield there


def test_a_string_gives_all_classes_the_likeliest_first(server):
    status, found, _ = server.ask("/predict", {"inputs": TEXT})
    assert status == 200
    assert [one["label"] for one in found][:2] == RANKED
    assert [round(one["score"], 6) for one in found] == [0.6, 0.2, 0.1, 0.1]
    assert server.ask("/predict", {"inputs": [TEXT]})[1] == found


def test_a_batch_gives_a_list_for_each(server):
    _, found, _ = server.ask("/predict", {"inputs": [[TEXT], [OTHER]], "truncate": True})
    assert [one[0]["label"] for one in found] == ["threat", "fine"]


def test_raw_scores_are_logits(server):
    _, found, _ = server.ask("/predict", {"inputs": TEXT, "raw_scores": True})
    assert found[0]["score"] == pytest.approx(math.log(0.6), abs=1e-6)


@pytest.mark.parametrize(
    "inputs", [None, 3, [], ["a", "b"], [["a", "b"]], [["a"], ["b", "c"]], [[1]], [[]], {"text": "a"}]
)
def test_pairs_and_what_is_no_text_are_a_422_in_its_shape(server, inputs):
    status, found, _ = server.ask("/predict", {"inputs": inputs})
    assert status == 422
    assert found["error_type"] == "Validation"
    assert set(found) == {"error", "error_type"}


def test_the_hubs_client_reads_every_class(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # the server is on this machine
    client = InferenceClient(base_url=server.url, token=server.key)
    found = client.text_classification(TEXT)
    assert [one.label for one in found][:2] == RANKED
    assert len(found) == 4
    assert found[0].score == pytest.approx(0.6)
    assert len(client.text_classification(TEXT, top_k=2)) == 2


def test_a_list_at_the_root_is_several_texts(server):
    _, found, _ = server.ask("/", {"inputs": [TEXT, OTHER]})
    assert [one[0]["label"] for one in found] == ["threat", "fine"]
