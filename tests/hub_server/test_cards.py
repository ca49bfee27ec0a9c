"""What the Hub takes and refuses in a card."""

import json

import pytest
from huggingface_hub import DatasetCard, EvalResult, ModelCard, ModelCardData, get_session

RESULT = {
    "task": {"type": "text-classification"},
    "dataset": {"type": "acme/x", "name": "X", "config": "cluster", "split": "test", "revision": "abc"},
    "metrics": [{"type": "f1", "value": 71.6}],
}


def index(**changed):
    return {"model-index": [{"name": "x", "results": [{**RESULT, **changed}]}]}


def config(**changed):
    return {"configs": [{"config_name": "a", "data_files": [{"split": "train", "path": "a/*.parquet"}], **changed}]}


BAD = [
    ("dataset", {"license": "cc-by-5.0"}, r'"license" must be one of \[apache-2\.0, mit'),
    ("model", {"license": ["mit", "CC-BY-4.0"]}, r'"license\[1\]" must be one of'),
    ("space", {"sdk": "gradio", "license": 1}, r'"license" must be one of'),
    ("model", {"tags": "one"}, '"tags" must be an array'),
    ("dataset", {"language": "English"}, r'"language" must only contain lowercase'),
    ("model", {"base_model": "/home/me/model"}, r'"base_model" with value "/home/me/model" is not valid'),
    ("dataset", {"size_categories": ["5K"]}, r'"size_categories\[0\]" must be one of'),
    ("dataset", {"configs": {"a": 1}}, '"configs" must be an array'),
    ("dataset", {"configs": [{"data_files": "a.csv"}]}, r'"configs\[0\]\.config_name" is required'),
    ("dataset", config(data_files=3), r'"configs\[0\]\.data_files" must be one of \[string, array\]'),
    ("dataset", config(data_files=[{"path": "a"}]), r'"configs\[0\]\.data_files\[0\]\.split" is required'),
    ("dataset", config(data_files=[{"split": "train"}]), r'"configs\[0\]\.data_files\[0\]\.path" must be one of'),
    ("dataset", config(data_files=[{"split": "a-b", "path": "a"}]), r'split" with value "a-b" fails to match'),
    ("dataset", {"configs": [{"config_name": "a"}, {"config_name": "a"}]}, '"configs" contains a duplicate'),
    (
        "dataset",
        {"configs": [{"config_name": "a", "default": True}, {"config_name": "b", "default": True}]},
        '"configs" must have at most one default',
    ),
    ("dataset", {"dataset_info": "none"}, '"dataset_info" must be one of'),
    ("model", {"model-index": {}}, '"model-index" must be an array'),
    ("model", {"model-index": [{"results": []}]}, r'"model-index\[0\]\.name" is required'),
    ("model", {"model-index": [{"name": "x"}]}, r'"model-index\[0\]\.results" must be an array'),
    ("model", index(task=None), r'"model-index\[0\]\.results\[0\]\.task" is required'),
    ("model", index(dataset={"type": "a"}), r'results\[0\]\.dataset\.name" is required'),
    ("model", index(dataset={"type": "no id", "name": "X"}), r'dataset\.type" with value "no id" fails to match'),
    ("model", index(dataset={**RESULT["dataset"], "config": 1}), r'results\[0\]\.dataset\.config" must be a string'),
    ("model", index(metrics=[]), r'results\[0\]\.metrics" must be an array with at least 1 item'),
    ("model", index(metrics=[{"type": "f1"}]), r'results\[0\]\.metrics\[0\]\.value" is required'),
    ("space", {"sdk": "flask"}, r'"sdk" must be one of \[gradio, docker, static\]'),
    ("space", {"sdk": "gradio", "colorFrom": "black"}, '"colorFrom" must be one of'),
    ("space", {"sdk": "gradio", "short_description": "x" * 61}, '"short_description" length'),
    ("space", {"sdk": "gradio", "hf_oauth": "yes"}, '"hf_oauth" must be a boolean'),
]
GOOD = [
    ("dataset", {"license": "cc-by-4.0", "language": ["en"], "size_categories": ["1K<n<10K"], **config(default=True)}),
    ("dataset", {"license": "other", "license_name": "mine", "dataset_info": [{"config_name": "a", "features": []}]}),
    ("model", {"license": "apache-2.0", "base_model": "google-bert/bert-base-cased", **index()}),
    ("space", {"sdk": "gradio", "app_file": "app.py", "colorFrom": "red", "pinned": False}),
]


def card(meta):
    return f"---\n{json.dumps(meta)}\n---\n# Title\n".encode()


@pytest.mark.parametrize(("kind", "meta", "said"), BAD, ids=[said[:40] for *_, said in BAD])
def test_a_bad_card_is_refused_before_anything_is_uploaded_and_at_the_commit(alice, fresh_hub, put, kind, meta, said):
    put("acme/x", {"a.txt": b"a"}, kind)
    with pytest.raises(ValueError, match=said):
        put("acme/x", {"README.md": card(meta), "b.safetensors": b"b"}, kind)
    assert not fresh_hub.log("PUT /_lfs/")
    value = {"path": "README.md", "content": card(meta).decode(), "encoding": "utf-8"}
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": value}]
    answer = get_session().post(
        f"{fresh_hub.url}/api/{kind}s/acme/x/commit/main",
        content="\n".join(map(json.dumps, lines)),
        headers={"Authorization": "Bearer hf_alice"},
    )
    assert answer.status_code == 400
    assert "Invalid metadata in README.md" in answer.json()["error"]


@pytest.mark.parametrize(("kind", "meta"), GOOD)
def test_a_good_card_is_taken(alice, put, kind, meta):
    put("acme/x", {"README.md": card(meta)}, kind)
    info = alice.repo_info("acme/x", repo_type=kind)
    assert info.card_data.to_dict().get("license") == meta.get("license")


@pytest.mark.parametrize("front", ["license: [mit", "- a\n- b", "a: !!python/tuple [1]"])
def test_front_matter_that_is_no_mapping_in_yaml_is_refused(put, front):
    with pytest.raises(ValueError, match=r"Invalid YAML in README\.md"):
        put("acme/x", {"README.md": f"---\n{front}\n---\n".encode()})


def test_a_card_without_front_matter_is_taken_with_a_warning(put):
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        put("acme/x", {"README.md": b"# Title"})


def test_cards_of_the_client_are_taken_and_shown(alice, put):
    result = EvalResult(
        "text-classification", "acme/x", "X", "f1", 71.6, dataset_config="cluster", dataset_split="test"
    )
    data = ModelCardData(license="mit", model_name="x", eval_results=[result], pipeline_tag="text-classification")
    put("acme/x", {"README.md": str(ModelCard(f"---\n{data.to_yaml()}\n---\n# Title")).encode()}, "model")
    shown = alice.model_info("acme/x")
    assert (shown.pipeline_tag, shown.card_data.eval_results[0].metric_value) == ("text-classification", 71.6)
    put("acme/x", {"README.md": str(DatasetCard("---\nlicense: mit\n---\n# Title")).encode()})
    assert DatasetCard.load("acme/x").data.license == "mit"
