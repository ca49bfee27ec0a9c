"""What a release says of its source goes along with its texts, to whatever is made of them."""

from pathlib import Path

import pytest
import small
from small import NAMES

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.read.origin import combined, origin
from rarecase.data.release import Config, write_release
from rarecase.data.schema import conform
from rarecase.publish.dataset import read_release, require_license
from rarecase.runs.session import begin, go_on
from rarecase.runs.start import begin as begin_start
from rarecase.runs.start import label
from rarecase.settings.config import RunConfig, StartConfig

SILENT = {"source": "a forum", "source_states_no_license": True}


@pytest.fixture
def release(tmp_path) -> str:
    splits = {"train": "pool", "validation": "dev", "test": "test"}
    tables = {split: conform(small.table(name), NAMES) for split, name in splits.items()}
    start = {**tables, "train": conform(small.table("bootstrap"), NAMES)}
    known = {"posts": Config(**SILENT)}
    configs = {"posts": tables, "first": start}
    write_release(tmp_path / "safety", configs, default="first", title="Posts", known=known)
    return str(tmp_path / "safety")


def test_the_origin_is_that_of_the_config(release, tmp_path):
    assert origin(f"{release}:posts") == SILENT
    assert origin(f"{release}:posts/test") == SILENT
    assert origin(release) == origin(f"{release}:first") == {}
    card = Path(release) / "release.json"
    card.write_text(card.read_text().replace('"default": "first"', '"default": "all"'))
    assert origin(release) == origin(f"{release}:all") == SILENT  # that of all its configs
    (tmp_path / "posts.csv").write_text("text\nhello\n")
    assert origin(str(tmp_path / "posts.csv")) == {}
    assert origin(str(tmp_path)) == {}


def test_the_origin_is_read_from_the_hub_too(fresh_hub, release):
    from huggingface_hub import HfApi

    HfApi().create_repo("acme/safety", repo_type="dataset", private=True)
    HfApi().upload_folder(repo_id="acme/safety", repo_type="dataset", folder_path=release)
    assert origin("acme/safety:posts") == SILENT
    assert origin("acme/other") == {}


def test_several_origins_are_one_and_silence_stays():
    assert combined([SILENT, {}, {"source": "an archive"}, SILENT]) == {**SILENT, "source": "a forum; an archive"}
    assert combined([]) == {"source": None, "source_states_no_license": False}


def test_a_run_on_a_source_without_a_licence_is_stopped_at_publishing_as_the_source_is(release, tmp_path):
    sets = {"bootstrap": f"{release}:first", "dev": f"{release}:first", "test": f"{release}:first"}
    config = RunConfig(
        **sets, pool=f"{release}:posts", annotator="gold", generator="none", strategy="random", budget=5, batch=5,
        out=tmp_path / "run",
    )  # fmt: skip
    list(go_on(begin(config), config))
    made = read_release(tmp_path / "run").release
    assert made.configs["random"].source == "a forum"
    assert not made.configs["bootstrap"].source_states_no_license
    with pytest.raises(ConfigError, match="accept-no-license"):
        require_license(made, accepted=False)


def test_sets_drawn_from_such_a_pool_carry_it_on(release, tmp_path):
    drawn = StartConfig(
        pool=f"{release}:posts", bootstrap=10, dev=10, test=10, annotator="gold", out=tmp_path / "start"
    )
    label(begin_start(drawn), drawn)
    config = RunConfig(
        start=str(tmp_path / "start"), annotator="file", generator="none", strategy="random", budget=5, batch=5,
        out=tmp_path / "run",
    )  # fmt: skip
    from rarecase.runs.folder import Manifest

    assert Manifest.read(begin(config), "run").origins["pool"] == SILENT


@pytest.mark.parametrize("content", ['{"format": 2, "configs": {}}', '{"format": 1, "title": null, "configs": {}}'])
def test_a_release_that_cannot_be_read_is_an_error_and_not_silent_about_its_licence(release, content):
    (Path(release) / "release.json").write_text(content)
    with pytest.raises(DataError, match=r"release\.json"):
        origin(release)


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"configs": 7}'])
def test_a_release_json_of_another_program_says_nothing(release, content):
    (Path(release) / "release.json").write_text(content)
    assert origin(release) == {}
