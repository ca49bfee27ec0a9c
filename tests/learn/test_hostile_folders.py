"""Model folders as somebody makes them who wants to break it: one line by name, whatever a library raises."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from safetensors.numpy import load_file, save_file

from rarecase.core.errors import ModelError
from rarecase.learn import FitOptions, load_learner, make_learner
from rarecase.learn.record import ModelRecord
from rarecase.publish.model import read_model

DEEP, DIGITS = "[" * 10_000, '{"format": ' + "7" * 5_000 + "}"


@pytest.fixture(scope="module")
def saved(train, dev, tmp_path_factory) -> Path:
    """A tiny learner of each kind, saved under the name of its kind."""
    folder = tmp_path_factory.mktemp("saved")
    body = str(tiny_models.made()["google-bert/bert-base-cased"])
    for kind, options in {"frozen": FitOptions(), "finetune": FitOptions(updates=1)}.items():
        learner = make_learner(kind, body, train.features["label"].names, options, seed=0)
        learner.fit(train, dev).save(folder / kind)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """Copies one of them."""
    return lambda kind: Path(shutil.copytree(saved / kind, tmp_path / kind))


def use(folder: Path, dev) -> None:
    """What a user would do with it; it is answered by one line that names the folder."""
    with pytest.raises(ModelError) as raised:
        load_learner(folder).score(dev)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)


JSON = [
    *[("frozen", "head.json", content) for content in (DEEP, DIGITS, "7", '{"format": 1}', "\ufeff\ufeff{}")],
    *[("finetune", "config.json", content) for content in (DEEP, DIGITS, "[]", "null")],
    *[("finetune", name, DEEP) for name in ("tokenizer_config.json", "tokenizer.json")],
    ("finetune", "tokenizer.json", '{"version": ' + "7" * 5_000 + "}"),
    ("frozen", "1_Pooling/config.json", '{"\\u0000": 1}'),
    ("frozen", "modules.json", '[{"idx": 0, "name": "0", "path": "", "type": "os.abort"}]'),
    ("frozen", "modules.json", "[[]]"),
]


@pytest.mark.parametrize(("kind", "name", "content"), JSON, ids=[f"{kind} {name}" for kind, name, _ in JSON])
def test_json_that_is_none_or_of_another_kind(folder, dev, kind, name, content):
    place = folder(kind)
    (place / name).write_text(content, encoding="utf-8")
    use(place, dev)


@pytest.mark.parametrize(
    ("kind", "name", "changes"),
    [
        ("frozen", "head.json", {"names": "abc"}),
        ("frozen", "head.json", {"names": ["a", "a", "b"]}),
        ("frozen", "head.json", {"names": [["a"], "b", "c"]}),
        ("frozen", "head.json", {"C": "strong"}),
        ("frozen", "head.json", {"encoder": 7}),
        ("frozen", "head.json", {"learner": ["frozen"]}),
        ("frozen", "config.json", {"vocab_size": 5}),
        ("frozen", "config.json", {"num_hidden_layers": 10**7}),
        ("frozen", "3_Dense/config.json", {"in_features": 10**5, "out_features": 10**5}),
        ("frozen", "3_Dense/config.json", {"in_features": [32]}),
        ("frozen", "sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}),
        ("frozen", "sentence_bert_config.json", {"config_args": {"attn_implementation": "evil/kernel"}}),
        (
            "frozen",
            "config_sentence_transformers.json",
            {"prompts": {"a": "b" * 10**6}, "default_prompt_name": "a"},
        ),
        ("finetune", "config.json", {"id2label": {"0": "a", "1": "a", "2": "b"}}),
        ("finetune", "config.json", {"id2label": ["a"]}),
        ("finetune", "config.json", {"layer_norm_eps": [0.5]}),
        ("finetune", "config.json", {"hidden_act": "evil"}),
        ("finetune", "config.json", {"num_attention_heads": 0}),
        ("finetune", "config.json", {"num_hidden_layers": 10**7}),
        ("finetune", "tokenizer_config.json", {"cls_token": [7]}),
    ],
)
def test_values_of_another_type_or_meaning(folder, dev, kind, name, changes):
    place = folder(kind)
    path = place / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    use(place, dev)


@pytest.mark.parametrize(
    "changes",
    [{"architectures": [["BertForSequenceClassification"]]}, {"id2label": {"2[[": "a"}}, {"id2label": {"0": ["a"]}}],
    ids=["architectures", "no number", "no name"],
)
def test_neither_are_they_published(folder, changes):
    path = folder("finetune") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match="no classifier in it, expected"):
        read_model(path.parent)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_hidden_layers": 10**7}, "more layers than its weights have"),
        ({"vocab_size": 10**9}, "a larger model than its weights are"),
        ({"text_config": {"num_local_experts": 10**7}}, "more layers than its weights have"),
        ({"model_type": "albert", "inner_group_num": 10**8}, "more modules than its weights fill"),
        ({"model_type": "mobilebert", "num_feedforward_networks": 10**8}, "more modules than its weights fill"),
    ],
)
def test_a_model_that_its_weights_do_not_fill_is_not_made_first(folder, train, dev, changes, says):
    path = folder("finetune") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=f"finetune: its config.json describes {says}; save or download"):
        make_learner("finetune", str(path.parent), train.features["label"].names, FitOptions(), seed=0).fit(train, dev)


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("config.json", {"num_labels": 10**8}, "its config.json names more than 10,000 classes"),
        ("config.json", {"id2label": {str(i): f"c{i}" for i in range(10_001)}}, "more than 10,000 classes"),
        ("config.json", {"attn_implementation": "evil/kernel"}, r"code of the model's own \(attn_implementation\)"),
        (
            "config.json",
            {"text_config": {"_attn_implementation_internal": {"": "evil/kernel"}}},
            "code of the model's",
        ),
        ("config.json", {"experts_implementation": "evil/kernel:Mlp"}, "code of the model's own"),
        ("tokenizer_config.json", {"model_max_length": 2}, "would read 2 tokens of a text, and adds 2 of its own"),
    ],
)
def test_what_a_model_says_of_classes_code_and_length(folder, train, dev, name, changes, says):
    path = folder("finetune") / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=f"finetune: .*{says}"):
        make_learner("finetune", str(path.parent), train.features["label"].names, FitOptions(), seed=0).fit(train, dev)


BOMB = {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40}
ENDLESS = {"type": "Split", "pattern": {"Regex": "(([a-z]+\\s*)+)+x$"}, "behavior": "Isolated", "invert": False}
TOKENIZERS = {
    "grows": ({"normalizer": BOMB}, "its tokenizer.json makes a text over 100 times as long"),
    "panics": ({"pre_tokenizer": ENDLESS}, "cannot be used: "),
    "no words": ({"model": {"type": "WordPiece", "vocab": {}}}, "cannot be used: .*WordPiece error: Missing"),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_that_grows_panics_or_knows_no_word(folder, train, dev, name):
    changes, says = TOKENIZERS[name]
    place = folder("finetune")
    classes = {"tokenizer_class": "PreTrainedTokenizerFast"}  # which reads tokenizer.json as it is
    for file, change in {"tokenizer.json": changes, "tokenizer_config.json": classes}.items():
        content = json.loads((place / file).read_text())
        added = {key: content.get(key, {}) | value for key, value in change.items() if key == "model"}
        (place / file).write_text(json.dumps(content | change | added))
    learner = make_learner("finetune", str(place), train.features["label"].names, FitOptions(updates=1), seed=0)
    for fails in (lambda: learner.fit(train, dev), lambda: load_learner(place).score(dev)):
        with pytest.raises(ModelError, match=f"finetune: {says}"):
            fails()


@pytest.mark.parametrize("longest", ["many", -1, 0, None, [], 1e300])
def test_a_longest_text_that_is_no_number_is_not_known(folder, dev, longest):
    place = folder("finetune")
    path = place / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": longest}))
    assert len(load_learner(place).score(dev)) == len(dev)
    assert read_model(place).longest is None


@pytest.mark.parametrize(
    "change",
    [
        {"weight": np.zeros((3, 2, 2), np.float32)},
        {"weight": np.full((3, 32), np.nan, np.float32)},
        {"bias": np.full(3, -np.inf, np.float32)},
        {"bias": np.full(3, np.inf, np.float32)},
        {"bias": np.zeros(3, np.int64)},
        {"weight": np.zeros((3, 32), np.float16)},
    ],
    ids=["dimensions", "NaN", "no class", "infinite", "whole numbers", "half precision"],
)
def test_a_head_of_other_numbers(folder, dev, change):
    place = folder("frozen")
    weights = place / "3_Dense" / "model.safetensors"
    save_file(load_file(weights) | {f"linear.{name}": value for name, value in change.items()}, weights)
    use(place, dev)


@pytest.mark.parametrize("changes", [{"path": "../frozen/3_Dense"}, {"path": 7}, {"name": "3"}, {"path": "4_Dense"}])
def test_a_head_that_is_somewhere_else(folder, dev, changes):
    place = folder("frozen")
    modules = json.loads((place / "modules.json").read_text())
    modules[-1] |= changes
    (place / "modules.json").write_text(json.dumps(modules))
    use(place, dev)


@pytest.mark.parametrize("content", [DEEP, DIGITS, "[]", '{"format": 1, "names": "\\ud800"}', "\0"])
def test_a_record_that_is_none(tmp_path, content):
    (tmp_path / "rarecase.json").write_text(content)
    with pytest.raises(ModelError, match=r"rarecase\.json: .*; (train the model again|use the rarecase)"):
        ModelRecord.read(tmp_path)


def test_nothing_pickled_and_no_code_beside_the_weights_is_ever_run(folder, dev):
    place = folder("frozen")
    for part in (place, place / "1_Pooling"):
        (part / "pytorch_model.bin").write_bytes(tiny_models.PICKLED)
        (part / "evil.py").write_text("import os\nos.abort()\n")
    use(place, dev)  # the pooling has no other weights
    (place / "1_Pooling" / "pytorch_model.bin").unlink()
    assert len(load_learner(place).score(dev)) == len(dev)
    (place / "modules.json").write_text(
        (place / "modules.json").read_text().replace("sentence_transformers.", "evil.", 1)
    )
    use(place, dev)
