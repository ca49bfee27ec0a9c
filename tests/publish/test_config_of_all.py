"""The config `all` of a repository: every row of the other configs once, or no such config."""

from pathlib import Path

import pytest
from datasets import load_dataset
from huggingface_hub import hf_hub_download
from pushed import facts, publish, release, split

from rarecase.data.release import write_release
from rarecase.data.taxonomy import Taxonomy
from rarecase.publish.remove import remove


def all_of_it() -> dict[str, list[str]]:
    """The ids that `load_dataset` gives where no config is named."""
    return {name: table["id"][:] for name, table in load_dataset("acme/safety").items()}


def test_all_is_every_row_once_after_a_merge_and_after_a_removal(fresh_hub, tmp_path):
    publish(release(tmp_path / "one", "bootstrap", "cluster", default="all"))
    publish(release(tmp_path / "two", "bootstrap", "random", default="all"))
    found = facts()
    assert (found["default"], list(found["configs"])) == ("all", ["bootstrap", "cluster", "random"])
    there = all_of_it()
    assert {name: len(ids) for name, ids in there.items()} == {"train": 9, "validation": 4, "test": 9}
    assert len(set(there["train"])) == 9
    card = Path(hf_hub_download("acme/safety", "README.md", repo_type="dataset")).read_text()
    assert "\n22 different texts, each with one of" in card  # nothing is counted twice
    assert "and `all`, which lists the files of these" in card
    assert "- `all`:" not in card  # nor taken for an acquisition
    remove("acme/safety", [there["train"][1]])
    assert all_of_it()["train"] == [there["train"][0], *there["train"][2:]]
    assert publish(release(tmp_path / "two", "bootstrap", "random", default="all")).changed is False


def test_where_two_strategies_chose_one_text_there_is_no_config_of_all(fresh_hub, tmp_path):
    publish(release(tmp_path / "one", "bootstrap", "cluster", default="all"))
    again = {"train": split("pool", 5, 20), "test": split("test", *range(9))}
    write_release(tmp_path / "two", {"random": again}, default="all", title="Posts", taxonomy=Taxonomy.default())
    with pytest.warns(UserWarning, match="texts stand in several configs now.* takes cluster"):
        publish(tmp_path / "two")
    assert facts()["default"] == "cluster"
    assert len(all_of_it()["train"]) == 3
    card = Path(hf_hub_download("acme/safety", "README.md", repo_type="dataset")).read_text()
    assert "config_name: all" not in card


def test_a_repository_keeps_the_default_that_it_has(fresh_hub, tmp_path):
    publish(release(tmp_path / "one", "bootstrap", "cluster"))
    publish(release(tmp_path / "two", "bootstrap", "random", default="all"))
    assert facts()["default"] == "cluster"
