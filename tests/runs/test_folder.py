"""The folder of a run: a stage is made once, and a folder is used for what it was begun for."""

import json
import os
import pty
import subprocess
import sys
import termios
from dataclasses import asdict, replace

import pytest
from datasets import Dataset

from rarecase.core.errors import RunFolderError
from rarecase.core.progress import Progress
from rarecase.evaluate.record import RoundRecord
from rarecase.runs.folder import FORMAT, Manifest, RoundFiles, refuse_used, require_same_settings
from rarecase.settings.checks import check
from rarecase.settings.config import MAY_CHANGE, RunConfig, read_config, write_yaml

MEASURED = {"accuracy": 71.0, "macro_f1": 71.5, "f1": {"harmful": 71.5}}
RECORD = RoundRecord(
    round=1,
    chosen=["p3", "p1"],
    labels=2,
    class_counts={"harmful": 2},
    class_count_std=0.0,
    found={"harmful": 2},
    dev=MEASURED,
    test=MEASURED,
)
RUN = Manifest("run", strategy="cluster", origins={"pool": {}}, settings={"seed": 3}, data="abc")
GRID = Manifest("grid", inputs={"model": "cd"}, settings={"seed": 3}, data="abc")


def made(*values: int) -> Dataset:
    return Dataset.from_dict({"id": list(values)})


def never(*_):
    raise AssertionError("made again")


def test_a_fine_tuned_run_of_before_goes_on_with_the_tokens_that_it_read(tmp_path):
    old = {name: value for name, value in asdict(RunConfig(learner="finetune")).items() if name not in MAY_CHANGE}
    del old["max_length"]
    replace(RUN, settings=old).write(tmp_path)
    (tmp_path / "config.yaml").write_text(json.dumps(old))  # which is YAML
    begun = Manifest.read(tmp_path, "run").settings
    again = RunConfig(learner="finetune", max_length=50)
    assert read_config(tmp_path, RunConfig, begun)["max_length"] == 50
    require_same_settings(tmp_path, begun, again, MAY_CHANGE)
    with pytest.raises(RunFolderError, match="was begun with --max-length 50, not None"):
        require_same_settings(tmp_path, begun, replace(again, max_length=None), MAY_CHANGE)


def test_a_setting_that_no_rarecase_of_today_knows_is_named_when_the_folder_is_read(tmp_path):
    replace(RUN, settings={**RUN.settings, "label_colut_column": "x"}).write(tmp_path)
    with pytest.raises(RunFolderError, match=r"run.json: unknown setting 'label_colut_column'; use the rarecase that"):
        Manifest.read(tmp_path, "run")


@pytest.mark.parametrize("generator", ["none", "cheap", "local", "replay"])
def test_a_run_of_before_goes_on_without_what_its_generator_had_no_use_for(tmp_path, generator):
    """Once, any generator could be given the model, the address and the table of another one."""
    uses = {"local": "generator_model", "replay": "generator_data"}.get(generator)
    given = {"generator_model": "model", "generator_url": "http://127.0.0.1/v1", "generator_data": "table.csv"}
    old = asdict(RunConfig(generator=generator, **given)) | {"out": None}
    (tmp_path / "config.yaml").write_text(json.dumps(old))
    replace(RUN, settings={name: value for name, value in old.items() if name not in MAY_CHANGE}).write(tmp_path)
    begun = Manifest.read(tmp_path, "run").settings
    again = RunConfig(**read_config(tmp_path, RunConfig, begun))
    check(again)
    require_same_settings(tmp_path, begun, again, MAY_CHANGE)
    assert {name for name in given if getattr(again, name) is not None} == {uses} - {None}


def test_a_stage_is_made_once_and_then_read(tmp_path):
    with RoundFiles(tmp_path, 2) as stages:
        first = stages.table(1, "chosen", made, 3, 1)
        record = stages.record(1, lambda: RECORD)
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*.*"))] == [
        "rounds/01/chosen.parquet",
        "rounds/01/metrics.json",
    ]
    with RoundFiles(tmp_path, 2) as again:
        assert again.table(1, "chosen", never)["id"][:] == first["id"][:] == [3, 1]
        assert again.record(1, never) == record == RECORD
        assert again.table(2, "chosen", made, 5)["id"][:] == [5]


def test_a_stage_that_fails_leaves_no_file_and_is_made_the_next_time(tmp_path):
    with RoundFiles(tmp_path, 1) as stages:
        with pytest.raises(AssertionError, match="made again"):
            stages.table(1, "chosen", never)
        assert list(tmp_path.rglob("*.parquet")) == []
        assert stages.table(1, "chosen", made, 4)["id"][:] == [4]


def test_what_a_stage_gives_is_what_its_file_says(tmp_path):
    """A stage hands on the table it read back, so that the first run and a resumed one see the same."""
    with RoundFiles(tmp_path, 1) as stages:
        stages.table(1, "chosen", made, 4).to_dict()
        made_before = stages.path(1, "chosen.parquet").read_bytes()
        stages.path(1, "chosen.parquet").unlink()
        stages.table(1, "chosen", lambda: made(9, 4).select([1]))
        assert stages.path(1, "chosen.parquet").read_bytes() == made_before


def test_a_used_folder_is_refused_and_a_run_is_answered_with_resume(tmp_path):
    RUN.write(tmp_path / "run")
    Manifest("start").write(tmp_path / "start")
    GRID.write(tmp_path / "grid")
    for kind in ("run", "start"):
        way = f"{kind} holds a {kind} already; name another --out, or go on with: rarecase {kind} --resume .*/{kind}$"
        with pytest.raises(RunFolderError, match=way):
            refuse_used(tmp_path / kind)
    with pytest.raises(RunFolderError, match=r"grid holds a grid already; name another --out, or repeat its command$"):
        refuse_used(tmp_path / "grid")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    for place in (tmp_path / "other", tmp_path / "other" / "thesis.tex"):
        with pytest.raises(RunFolderError, match=r"exists and is not empty; name another --out"):
            refuse_used(place)
    assert (tmp_path / "other" / "thesis.tex").read_text() == "mine"


def test_an_absent_or_empty_folder_is_taken_and_knows_what_it_was_begun_for(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent/deep"):
        refuse_used(tmp_path / name)
        GRID.write(tmp_path / name)
        assert Manifest.read(tmp_path / name, "run", "grid") == GRID


def test_a_folder_of_another_kind_or_format_is_named(tmp_path):
    Manifest("start").write(tmp_path)
    with pytest.raises(RunFolderError, match=r"is the folder of a start, expected a run or grid"):
        Manifest.read(tmp_path, "run", "grid")
    (tmp_path / "run.json").write_text(json.dumps({"kind": "run", "format": FORMAT + 1}))
    with pytest.raises(RunFolderError, match=rf"run\.json: format {FORMAT + 1}, this rarecase reads {FORMAT}; use"):
        Manifest.read(tmp_path, "run")


@pytest.mark.parametrize("content", [None, "{", "[1]", "3", "null"])
def test_a_folder_without_a_readable_run_json_is_no_run(tmp_path, content):
    if content:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"is not the folder of a run: no readable run\.json"):
        Manifest.read(tmp_path, "run")


def test_a_setting_that_changed_is_named_by_its_flag_and_some_may_change(tmp_path):
    config = RunConfig(seed=3, strategy="cluster")
    begun = asdict(config)
    require_same_settings(tmp_path, begun, config, ())
    require_same_settings(tmp_path, begun, replace(config, budget=300, out=tmp_path), ("budget", "out"))
    with pytest.raises(RunFolderError, match=r"was begun with --seed 3, not 4; leave it as it was, or name another"):
        require_same_settings(tmp_path, begun, replace(config, seed=4), ())
    with pytest.raises(RunFolderError, match=r"was begun without --learning-rate, not 0\.1"):
        require_same_settings(tmp_path, begun, replace(config, learning_rate=0.1), ())


def test_a_setting_that_the_folder_does_not_know_had_its_default(tmp_path):
    config = RunConfig(seed=3)
    older = {name: value for name, value in asdict(config).items() if name not in ("class_weights", "tune")}
    require_same_settings(tmp_path, older, config, ())
    with pytest.raises(RunFolderError, match=r"was begun without --class-weights, not none"):
        require_same_settings(tmp_path, older, replace(config, class_weights="none"), ())
    with pytest.raises(RunFolderError, match=r"was begun with --tune False, not True"):
        require_same_settings(tmp_path, older, replace(config, tune=True), ())


# --- the progress line -----------------------------------------------------------------------------------------------


def test_what_is_measured_after_the_last_round_is_said_to_be_of_it(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(Progress, "step", lambda _, description: said.append(description))
    with RoundFiles(tmp_path, 2) as stages:
        for number in (1, 2, 3):
            stages.table(number, "scores", made, number)
    assert said == ["round 1 of 2: scores", "round 2 of 2: scores", "round 2 of 2: scores"]


STEPS = """
import time
from rarecase.core.progress import Progress
with Progress(10) as progress:
    for number in (1, 2):
        for stage in ("scores", "chosen"):
            progress.step(f"round {number} of 5: {stage}")
            time.sleep(0.15)
"""


def test_progress_says_round_step_count_and_time_left_on_a_terminal():
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    subprocess.run([sys.executable, "-c", STEPS], stderr=theirs, check=True)
    shown = os.read(ours, 100_000).decode()
    os.close(theirs)
    os.close(ours)
    assert "round 2 of 5: chosen" in shown
    assert "3/10" in shown
    assert "<00:0" in shown  # tqdm's time left


def test_progress_is_silent_where_stderr_is_no_terminal():
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_config_that_is_cut_anywhere_is_damaged_and_the_way_out_is_named(tmp_path, refused):
    config = RunConfig(strategy="random", generator="openai", out=tmp_path / "out")
    settings = {name: value for name, value in vars(config).items() if name not in MAY_CHANGE}
    Manifest("run", strategy="random", settings=settings).write(tmp_path / "out")
    path = tmp_path / "out" / "config.yaml"
    write_yaml(path, config)
    whole = path.read_bytes()
    for cut in (0, 20, whole.index(b"budget:") + 4, whole.index(b"budget:"), len(whole) - 16):
        path.write_bytes(whole[:cut])
        line = refused("run", "--resume", "out")
        assert line.startswith("rarecase: out/config.yaml: ")
        assert "; the file is damaged: put it back, or write in it what run.json has under `settings`" in line
    path.write_text(json.dumps(settings))
    assert "needs --generator-url" in refused("run", "--resume", "out")  # which may change, and is not there
    Manifest("start").write(tmp_path / "out")
    path.write_bytes(b"pool: [")
    line = "out/config.yaml: invalid YAML; the file is damaged: put it back, or begin anew in another --out"
    assert line in refused("start", "--resume", "out")
