"""datasets and transformers against the Hub, as their documentation has it."""

import json
import time

import pandas
import pytest
import torch
from datasets import Dataset, DatasetDict, get_dataset_config_names, load_dataset, load_dataset_builder
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub.errors import HfHubHTTPError
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    pipeline,
)

RELEASE = """---
license: mit
configs:
- config_name: cluster
  default: true
  data_files:
  - {split: train, path: cluster/train.parquet}
  - {split: test, path: test.parquet}
- config_name: random
  data_files:
  - {split: train, path: random/train.parquet}
---
# A release
"""


def table(*texts):
    return Dataset.from_dict({"text": list(texts), "label": [i % 2 for i in range(len(texts))]})


@pytest.fixture
def release(put, tmp_path):
    """A repository filled in one commit, its configs in the card."""
    files = {"README.md": RELEASE.encode()}
    for path, rows in {"cluster/train": table("a", "b"), "random/train": table("c"), "test": table("d")}.items():
        rows.to_parquet(tmp_path / "rows.parquet")
        files[f"{path}.parquet"] = (tmp_path / "rows.parquet").read_bytes()
    return put("acme/x", files)


def test_a_release_is_loaded_by_config_and_by_revision_and_streamed(alice, put, release):
    assert get_dataset_config_names("acme/x") == ["cluster", "random"]
    assert {split: rows["text"][:] for split, rows in load_dataset("acme/x").items()} == {
        "train": ["a", "b"],
        "test": ["d"],
    }
    assert load_dataset("acme/x", "random", split="train")["text"][:] == ["c"]
    streamed = load_dataset("acme/x", "cluster", split="train", streaming=True)
    assert [row["text"] for row in streamed] == ["a", "b"]
    assert list(pandas.read_parquet("hf://datasets/acme/x/cluster/train.parquet")["text"]) == ["a", "b"]
    put("acme/x", {"random/train.parquet": b""})
    assert load_dataset("acme/x", "random", split="train", revision=release)["text"][:] == ["c"]


def test_a_new_commit_is_loaded_and_not_the_cached_one(put):
    for texts in (["a"], ["a", "b"]):
        put("acme/x", {"train.csv": "\n".join(["text", *texts]).encode()})
        assert load_dataset("acme/x", split="train")["text"][:] == texts


def test_what_may_not_be_read_is_not_loaded(alice, put, release):
    alice.update_repo_settings("acme/x", repo_type="dataset", private=True)
    with pytest.raises(DatasetNotFoundError, match="doesn't exist on the Hub or cannot be accessed"):
        load_dataset("acme/x", token="hf_bob")
    alice.update_repo_settings("acme/x", repo_type="dataset", gated="auto", private=False)
    with pytest.raises(DatasetNotFoundError, match="gated"):
        load_dataset("acme/x", token="hf_bob")
    assert load_dataset("acme/x", split="test")["text"][:] == ["d"]


def test_datasets_pushes_config_after_config(alice):
    DatasetDict(train=table("a", "b"), test=table("c")).push_to_hub("acme/x", "one", private=True)
    table("d", "e", "f").push_to_hub("acme/x", "two", num_shards=2)
    assert alice.repo_info("acme/x", repo_type="dataset").private
    assert load_dataset("acme/x", "two", split="train")["text"][:] == ["d", "e", "f"]
    assert load_dataset_builder("acme/x", "one").info.splits["train"].num_examples == 2


def test_datasets_does_not_ask_again_after_412(alice, fresh_hub):
    table("a").push_to_hub("acme/x", "one")
    fresh_hub.fault("POST .*/commit/main", 412, message="A commit has happened since. Please refresh and try again.")
    with pytest.raises(HfHubHTTPError, match="A commit has happened since"):
        table("a").push_to_hub("acme/x", "two")
    assert get_dataset_config_names("acme/x") == ["one"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    names = {"id2label": {0: "calm", 1: "loud"}, "label2id": {"calm": 0, "loud": 1}}
    config = BertConfig(vocab_size=7, max_position_embeddings=16, **small, **names)
    return BertForSequenceClassification(config).eval()


@pytest.fixture
def tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hey", "you"]
    return BertTokenizer(vocab={word: i for i, word in enumerate(words)})


def test_a_model_is_pushed_and_loaded_and_found_by_its_task(alice, model, tokenizer):
    model.push_to_hub("acme/guard", private=True)
    tokenizer.push_to_hub("acme/guard")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(alice.list_repo_files("acme/guard"))
    told = alice.model_info("acme/guard")
    assert (told.private, told.pipeline_tag, told.library_name) == (True, "text-classification", "transformers")
    loaded = AutoModelForSequenceClassification.from_pretrained("acme/guard").eval()
    inputs = AutoTokenizer.from_pretrained("acme/guard")("hey you", return_tensors="pt")
    assert torch.allclose(loaded(**inputs).logits, model(**inputs).logits)
    assert pipeline(model="acme/guard")("hey")[0]["label"] in ("calm", "loud")
    with pytest.raises(OSError, match=r"Repository Not Found|not a valid model identifier"):
        AutoTokenizer.from_pretrained("acme/guard", token="hf_bob")


def test_weights_of_a_revision_are_those_of_that_revision(alice, model):
    first = model.push_to_hub("acme/guard").oid
    with torch.no_grad():
        model.classifier.bias.fill_(7.0)
    model.push_to_hub("acme/guard")
    biases = [
        AutoModelForSequenceClassification.from_pretrained("acme/guard", revision=revision).classifier.bias[0].item()
        for revision in (first, "main")
    ]
    assert biases == [0.0, 7.0]


def test_pickled_weights_are_not_sent_to_be_converted(put, model, fresh_hub, tmp_path):
    torch.save(model.state_dict(), tmp_path / "weights")
    files = {"config.json": json.dumps(model.config.to_dict()).encode()}
    put("acme/guard", {**files, "pytorch_model.bin": (tmp_path / "weights").read_bytes()}, "model")
    AutoModelForSequenceClassification.from_pretrained("acme/guard")
    time.sleep(1)
    assert not fresh_hub.log("discussions")
