import errno
import json
import re
from pathlib import Path

import numpy as np
import pytest
import small
import tiny_models
import torch
from hub_server import User
from huggingface_hub import HfApi
from small import NAMES

from rarecase.core.errors import DiskFullError, ModelError
from rarecase.data.arrow import matrix, rows
from rarecase.hub.ids import name_of
from rarecase.learn import load_learner
from rarecase.learn.finetune import Finetune
from rarecase.learn.frozen import Frozen
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.checkpoint import local_folder, resolve
from rarecase.models.encoder import load_encoder


def folder_with(folder: Path, *names: str, config: dict | None = None) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "bert"}))
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        torch.save({}, folder / name)
    return str(folder)


def test_others_know_a_folder_by_its_last_name_alone(tmp_path, monkeypatch):
    (tmp_path / "guard").mkdir()
    monkeypatch.chdir(tmp_path / "guard")
    assert name_of(str(tmp_path / "guard")) == name_of(".") == "guard"
    assert name_of("org/guard@v2") == "org/guard@v2"
    assert name_of("packaged") == "packaged"


def test_packaged_is_a_folder_and_the_rest_stays():
    assert (Path(resolve("packaged")) / "model.safetensors").is_file()
    assert resolve("google-bert/bert-base-cased") == "google-bert/bert-base-cased"


@pytest.mark.parametrize(
    ("names", "config", "message"),
    [
        ((), None, "no weights in it, expected model.safetensors"),
        (("pytorch_model.bin",), None, r"only pickled weights \(pytorch_model.bin\)"),
        (("last.ckpt",), None, r"only pickled weights \(last.ckpt\)"),
        (("model.pt",), None, r"only pickled weights \(model.pt\)"),
        (
            ("model.safetensors", "2_Dense/pytorch_model.bin"),
            None,
            r"only pickled weights \(2_Dense/pytorch_model.bin\)",
        ),
        (("head.pickle",), None, r"only pickled weights \(head.pickle\)"),
        (("model.safetensors",), {"auto_map": {"AutoModel": "evil.Model"}}, r"config.json names code.*auto_map"),
        (("model.safetensors",), {"a": {"attn_implementation": "evil/kernel"}}, "config.json names code.*attn_impl"),
    ],
)
@pytest.mark.parametrize("load", [load_encoder, load_learner, local_folder])
def test_what_cannot_be_loaded_safely_is_refused_by_name(tmp_path, load, names, config, message):
    folder = folder_with(tmp_path / "model", *names, config=config)
    with pytest.raises(ModelError, match=message) as raised:
        load(folder)
    assert str(raised.value).startswith(folder)
    assert "\n" not in str(raised.value)


def test_damaged_weights_are_one_line(tmp_path):
    folder = folder_with(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"no safetensors")
    with pytest.raises(ModelError, match="cannot be loaded: ") as raised:
        load_learner(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("model", ["no/such/folder", "./nowhere", "nobody/nothing"])
def test_a_model_that_is_nowhere_is_one_line(model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=f"^{model}: (no such folder|neither a folder nor in the cache)") as raised:
        local_folder(model)
    assert "\n" not in str(raised.value)


def upload(repo_id: str, folder: Path, **where) -> str:
    """Everything in the folder goes to the Hub; the commit."""
    HfApi().create_repo(repo_id, private=True, exist_ok=True)
    return HfApi().upload_folder(repo_id=repo_id, folder_path=folder, **where).oid


def downloaded(hub, repo_id: str) -> set[str]:
    """The files of a repository that were asked for."""
    lines = hub.log(rf"/{repo_id}/resolve/")
    return {line["request"].split("?")[0].split("/resolve/")[1].split("/", 1)[1] for line in lines}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A transformer without a head for classes, pickled weights beside its safetensors."""
    return tiny_models.write("FacebookAI/roberta-base", tmp_path_factory.mktemp("models") / "roberta-base")


@pytest.fixture(scope="module")
def guards(tiny, tmp_path_factory) -> tuple[Path, Path]:
    """Two classifiers that differ in their seed."""
    root, start = tmp_path_factory.mktemp("guards"), small.table("bootstrap")
    for seed in (0, 1):
        Finetune(str(tiny), NAMES, FitOptions(epochs=1), seed=seed).fit(start, rows(start, [])).save(root / str(seed))
    return root / "0", root / "1"


def probs(model: str | Path) -> np.ndarray:
    return matrix(load_learner(model).score(small.table("dev")), "probs")


def test_a_model_is_had_by_branch_tag_and_commit(fresh_hub, guards):
    old, new = map(probs, guards)
    assert not np.array_equal(old, new)
    first = upload("acme/tagged", guards[0])
    HfApi().create_tag("acme/tagged", tag="v1")
    HfApi().create_branch("acme/tagged", branch="next")
    upload("acme/tagged", guards[1], revision="next")
    for revision, wanted in {"": old, "@v1": old, "@next": new, f"@{first}": old}.items():
        assert np.array_equal(probs(f"acme/tagged{revision}"), wanted), revision
    upload("acme/tagged", guards[1])
    assert np.array_equal(probs("acme/tagged"), new)
    assert np.array_equal(probs("acme/tagged@v1"), old)
    learner = Finetune("acme/tagged@v1", NAMES, FitOptions(epochs=1), seed=0)
    start = small.table("bootstrap")
    learner = learner.fit(start, rows(start, []))
    assert learner.describe().model == "acme/tagged@v1"


def test_what_was_downloaded_once_is_there_without_a_hub(fresh_hub, guards, monkeypatch):
    commit = upload("acme/cached", guards[0])
    for revision in ("", f"@{commit}"):
        local_folder(f"acme/cached{revision}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for revision in ("", "@main", f"@{commit}"):
        assert (local_folder(f"acme/cached{revision}") / "model.safetensors").is_file()
    with pytest.raises(ModelError, match=r"^acme/cached@v7: neither a folder nor in the cache"):
        local_folder("acme/cached@v7")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("acme/there@v7", "the model on the Hub has no branch, tag or commit 'v7'"),
        ("acme/nothing", "the Hub has no such model"),
        ("acme/nothing@v7", "the Hub has no such model"),
        ("acme/there/too@v7", "no Hub id either"),
    ],
)
def test_a_revision_or_model_that_is_not_there_is_one_line(fresh_hub, guards, model, reason):
    upload("acme/there", guards[0])
    with pytest.raises(ModelError, match=f"^{model}: .*{reason}") as raised:
        local_folder(model)
    assert "\n" not in str(raised.value)


def test_a_gated_model_says_how_to_get_in(fresh_hub, guards):
    fresh_hub.app.state.tokens = {**fresh_hub.app.state.tokens, "hf_owners": User("owners", ("gates",))}
    with fresh_hub.in_process("hf_owners"):
        upload("gates/guard", guards[0])
        HfApi().update_repo_settings("gates/guard", gated="manual", private=False)
    with pytest.raises(ModelError, match=r"^gates/guard: gated on the Hub: accept its terms there, and set HF_TOKEN"):
        load_learner("gates/guard")


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "HF_TOKEN, HF_ENDPOINT?"), (403, "HF_TOKEN, HF_ENDPOINT?"), (429, "repeat the command later")],
)
def test_a_hub_that_refuses_can_be_reached_and_what_is_in_the_cache_is_read(fresh_hub, guards, status, hint):
    upload("acme/had", guards[0])
    folder = local_folder("acme/had")
    fresh_hub.fault("/api/models/acme/", status, times=2)
    assert local_folder("acme/had") == folder
    answer = f"acme/not: neither a folder nor in the cache, and the Hub answered with status {status} ({hint}); give"
    with pytest.raises(ModelError, match=f"^{re.escape(answer)}"):
        local_folder("acme/not")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/hub/x"),
            "acme/guard: /hub/x: Permission denied; correct",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "acme/guard: Too many open files; correct that"),
        (OSError(errno.ENOSPC, "No space left on device", "/hub/x"), "/hub/x: no space left on the disk; free some"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "acme/guard: neither a folder nor in the"),
    ],
)
def test_what_this_machine_refuses_is_no_hub_out_of_reach(monkeypatch, error, says):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("huggingface_hub.model_info", fail)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises((ModelError, DiskFullError), match=f"^{re.escape(says)}"):
        local_folder("acme/guard")


def test_a_frozen_learner_comes_from_the_hub_as_it_was_saved(fresh_hub, tmp_path):
    start = small.table("bootstrap")
    learner = Frozen("packaged", NAMES, seed=0, encoder=small.encoder()).fit(start, start)
    learner.save(tmp_path / "frozen")
    (tmp_path / "frozen" / "pytorch_model.bin").write_bytes(tiny_models.PICKLED)
    upload("acme/frozen", tmp_path / "frozen")
    again = load_learner("acme/frozen")
    assert again.names == NAMES
    assert np.array_equal(matrix(again.score(start), "probs"), matrix(learner.score(start), "probs"))
    assert {"4_Dense/model.safetensors", "model.safetensors"} <= downloaded(fresh_hub, "acme/frozen")
    assert not [name for name in downloaded(fresh_hub, "acme/frozen") if name.endswith(".bin")]


def test_pickles_beside_safetensors_and_code_are_never_downloaded(fresh_hub, tiny, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in tiny.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for name in (
        "last.ckpt",
        "training_args.bin",
        "onnx/optimizer.pt",
        "model_head.pkl",
        "modeling.py",
        "tf_model.h5",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(tiny_models.PICKLED)
    upload("acme/mixed", folder)
    start = small.table("bootstrap")
    Finetune("acme/mixed", NAMES, FitOptions(epochs=1), seed=0).fit(start, rows(start, []))
    assert downloaded(fresh_hub, "acme/mixed") == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    }
    assert not [path for path in local_folder("acme/mixed").rglob("*") if path.suffix not in (".json", ".safetensors")]


def test_pickle_only_is_refused_by_name_before_anything_is_downloaded(fresh_hub, tiny, tmp_path):
    for name in ("config.json", "tokenizer.json", "pytorch_model.bin"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    upload("acme/pickled", tmp_path)
    for load in (load_learner, load_encoder, local_folder):
        with pytest.raises(ModelError, match=r"^acme/pickled: only pickled weights \(pytorch_model.bin\)"):
            load("acme/pickled")
    assert downloaded(fresh_hub, "acme/pickled") == set()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_a_models_own_is_refused_by_name(fresh_hub, tiny, tmp_path, name):
    for path in tiny.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "theirs.py").write_text("raise SystemExit(3)")
    config = json.loads((tmp_path / name).read_text())
    auto_map = {"AutoModelForSequenceClassification": "theirs.Model", "AutoTokenizer": ["theirs.Slow", "theirs.Fast"]}
    (tmp_path / name).write_text(json.dumps({**config, "auto_map": auto_map}))
    repo_id = f"acme/code-{name.split('.')[0]}"
    upload(repo_id, tmp_path)
    for load in (load_learner, load_encoder, local_folder):
        with pytest.raises(ModelError, match=rf"^{repo_id}: {name} names code of the model's own \(auto_map\)"):
            load(repo_id)
    assert "theirs.py" not in downloaded(fresh_hub, repo_id)
