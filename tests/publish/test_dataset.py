"""A release in a repository: what is added, merged, kept, and never overwritten."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import demo_spaces
import pytest
from datasets import Dataset, load_dataset
from huggingface_hub import HfApi, hf_hub_download
from pushed import PLACE, facts, files, labelled_twice, publish, release, split
from small import NAMES

from rarecase.core.errors import ConfigError, DataError, HubError
from rarecase.data.parquet import read_parquet
from rarecase.data.release import write_release
from rarecase.data.schema import conform, hash_of
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.commit import Target, push
from rarecase.hub.errors import RETRY
from rarecase.publish.dataset import publish_dataset, read_release, require_license
from rarecase.publish.remove import plan_removal, remove


def test_every_config_comes_back_row_by_row(fresh_hub, tmp_path):
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    pushed = publish(folder)
    for config in ("bootstrap", "cluster"):
        for part, path in read_release(folder).paths[config].items():
            expected = read_parquet(folder / path)
            loaded = load_dataset("acme/safety", config, split=part, revision=pushed.revision)
            assert loaded.features == expected.features
            assert loaded.to_dict() == expected.to_dict()
            streamed = load_dataset("acme/safety", config, split=part, streaming=True)
            assert list(streamed) == list(expected)
    assert len(load_dataset("acme/safety")["train"]) == 3  # the default


def test_a_second_push_of_the_same_changes_nothing_not_even_the_version(fresh_hub, tmp_path):
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    first, again = publish(folder), publish(folder)
    assert (first.changed, again.changed) == (True, False)
    assert facts()["version"] == 1
    assert [entry["change"] for entry in facts()["changelog"]] == ["added bootstrap, cluster"]


def test_another_strategy_is_added_beside_what_stands(fresh_hub, tmp_path):
    publish(release(tmp_path / "one", "bootstrap", "cluster"))
    publish(release(tmp_path / "two", "bootstrap", "coreset"))
    found = facts()
    assert list(found["configs"]) == ["bootstrap", "cluster", "coreset"]
    assert (found["default"], found["version"], found["changelog"][-1]["change"]) == ("cluster", 2, "added coreset")
    assert files() == {
        *("README.md", "release.json", "class_counts.png", "validation.parquet", "test.parquet"),
        *(f"{name}/train.parquet" for name in found["configs"]),
    }
    for config in found["configs"]:
        assert len(load_dataset("acme/safety", config)["test"]) == 9


def test_of_a_run_that_was_begun_again_one_line_says_as_of_which_round_it_is(tmp_path, recwarn):
    run = shutil.copytree(demo_spaces.run(), tmp_path / "run")
    read_release(run)
    assert not recwarn.list
    (run / "rounds" / "03").mkdir()
    shutil.copy(run / "rounds" / "02" / "chosen.parquet", run / "rounds" / "03")
    with pytest.warns(
        UserWarning, match=r"went on after round 2, and what is published is as of that round; .*--resume"
    ):
        read_release(run)


def test_a_strategy_that_somebody_acquired_by_before_is_named_when_it_is_replaced(fresh_hub, tmp_path, recwarn):
    publish(release(tmp_path / "one", "bootstrap", "cluster"))
    publish(release(tmp_path / "one", "bootstrap", "cluster"))
    assert not [str(w.message) for w in recwarn if "replaced" in str(w.message)]
    table = {"train": split("pool", 20, 21), "test": split("test", *range(9))}
    write_release(tmp_path / "two", {"cluster": table}, default="cluster", title="Posts", taxonomy=Taxonomy.default())
    with pytest.warns(
        UserWarning, match=r"cluster exists with other texts .* \(rows: 3\), which are replaced \(rows: 2\)"
    ):
        publish(tmp_path / "two")


def test_another_test_set_never_takes_the_place_of_one_that_is_used(fresh_hub, tmp_path):
    publish(release(tmp_path / "one", "bootstrap", "cluster"))
    publish(release(tmp_path / "two", "coreset", test=7))
    publish(release(tmp_path / "three", "bootstrap", "random", test=5))
    lengths = {name: len(load_dataset("acme/safety", name)["test"]) for name in facts()["configs"]}
    assert lengths == {"bootstrap": 5, "cluster": 9, "coreset": 7, "random": 5}


def test_files_that_no_config_uses_any_more_go(fresh_hub, tmp_path):
    publish(release(tmp_path / "one", "bootstrap", "cluster"))
    publish(release(tmp_path / "two", "bootstrap", "cluster", test=5))
    assert files() == {
        *("README.md", "release.json", "class_counts.png", "validation.parquet", "test.parquet"),
        *("bootstrap/train.parquet", "cluster/train.parquet"),
    }
    assert facts()["changelog"][-1]["change"] == "replaced bootstrap, cluster"


def test_four_people_push_four_strategies_at_once(fresh_hub, tmp_path):
    folders = [release(tmp_path / name, "bootstrap", name) for name in ("cluster", "coreset", "random", "entropy")]
    with ThreadPoolExecutor(4) as people:
        list(people.map(publish, folders))
    assert list(facts()["configs"]) == ["bootstrap", "cluster", "coreset", "entropy", "random"]
    assert facts()["version"] == 4
    for name in facts()["configs"]:
        assert len(load_dataset("acme/safety", name)["train"]) == 3


def test_rows_are_taken_down_with_their_variations_and_stay_down(fresh_hub, tmp_path):
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    table = read_parquet(folder / "cluster" / "train.parquet")
    publish(folder)
    done = remove("acme/safety", [table["id"][1]])
    assert (done.rows, done.variations) == (1, 0)
    assert load_dataset("acme/safety", "cluster")["train"]["id"][:] == [table["id"][0], table["id"][2]]
    assert facts()["changelog"][-1]["change"] == "took down 1 row and 0 variations"
    assert facts()["configs"]["cluster"]["splits"]["train"]["rows"] == 2
    assert facts()["removed"] == [hash_of(table["id"][1])]
    publish(folder)
    assert load_dataset("acme/safety", "cluster")["train"]["id"][:] == [table["id"][0], table["id"][2]]


def older(release: dict) -> dict:
    """
    What rarecase 0.1.0 wrote: people and generators by config, no action of a class or its first name, no number of
    texts.
    """
    for config in release["configs"].values():
        splits = list(config["splits"].values())
        config["annotators"], *_ = [split.pop("annotators") for split in splits]
        config["generators"] = [by for split in splits for by in split.pop("generators")]
    for one in release["classes"]:
        del one["action"]
        one |= {"action": "help"} if one["name"] == "self-harm" else {}
    return {name: value for name, value in release.items() if name not in ("texts", "description")}


@pytest.mark.parametrize("act", ["push", "remove"])
def test_a_release_of_an_older_version_is_counted_anew(fresh_hub, tmp_path, act):
    folder = labelled_twice(tmp_path / "data")
    publish(folder)
    before = facts()
    content = json.dumps(older(facts())).encode()
    push(PLACE, lambda _: {"release.json": content}, "As it was")
    if act == "push":
        publish(release(tmp_path / "more", "random"))
    else:
        remove("acme/safety", [read_parquet(folder / "cluster" / "train.parquet")["id"][2]])
    after = facts()
    split = after["configs"]["cluster"]["splits"]["train"]
    assert split["annotators"]["names"] == ["A1", "A2", "gold"]
    assert [one["action"] for one in after["classes"]] == [one.action for one in Taxonomy.default().classes]
    if act == "push":
        assert after["configs"]["cluster"] == before["configs"]["cluster"]
        assert after["changelog"][-1]["change"] == "added random"


def test_a_row_that_several_files_have_is_taken_down_and_counted_once(fresh_hub, tmp_path):
    tables = {name: {"train": split("pool", 0, 1, place)} for name, place in (("cluster", 2), ("random", 3))}
    write_release(tmp_path / "data", tables, default="cluster", title="Posts", taxonomy=Taxonomy.default())
    publish(tmp_path / "data")
    row = tables["cluster"]["train"]["id"][1]
    planned = plan_removal("acme/safety", [row])
    done = remove("acme/safety", [row])
    assert (len(planned.rows), len(planned.variations)) == (done.rows, done.variations) == (1, 0)
    assert facts()["changelog"][-1]["change"] == "took down 1 row and 0 variations"


def test_a_config_without_any_row_left_goes_as_a_whole(fresh_hub, tmp_path):
    """`load_dataset` cannot load a split without rows."""
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    publish(folder)
    done = remove("acme/safety", [read_parquet(folder / "cluster" / "train.parquet")["id"][0]])
    assert (done.rows, done.variations) == (1, 2)
    for _ in range(2):
        assert list(facts()["configs"]) == ["bootstrap"]
        assert len(load_dataset("acme/safety")["train"]) == 3  # the default that is left
        assert "cluster/train.parquet" not in files()
        publish(folder)
    with pytest.raises(ConfigError, match="acme/safety: no row would be left; delete the repository"):
        remove("acme/safety", [read_parquet(folder / "bootstrap" / "train.parquet")["id"][0]])


def test_a_row_that_is_not_there_is_named_and_nothing_changes(fresh_hub, tmp_path):
    before = publish(release(tmp_path / "data", "bootstrap")).revision
    with pytest.raises(ConfigError, match=r"--ids 'nobody': no row of acme/safety has this id"):
        remove("acme/safety", ["nobody"])
    assert HfApi().dataset_info("acme/safety").sha == before
    with pytest.raises(ConfigError, match="no such data set"):
        remove("acme/other", ["nobody"])


def test_a_removal_whose_answer_is_lost_is_counted_all_the_same(fresh_hub, tmp_path, monkeypatch):
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    publish(folder)
    monkeypatch.setattr(RETRY, "wait", lambda seconds: None)
    fresh_hub.fault("/commit/", drop="after")
    done = remove("acme/safety", [read_parquet(folder / "bootstrap" / "train.parquet")["id"][1]])
    assert (done.rows, done.variations, facts()["version"]) == (1, 0, 2)


def test_the_demo_that_still_shows_the_rows_is_named(fresh_hub, tmp_path):
    folder = release(tmp_path / "data", "bootstrap")
    publish(folder)
    first, second = read_parquet(folder / "bootstrap" / "train.parquet")["id"][1:]
    assert remove("acme/safety", [first]).demo is None
    space = Target(kind="space", repo_id="acme/safety-demo")
    push(space, lambda _: {"app.py": b"", "demo.json": b"{}"}, "Add the demo")
    assert remove("acme/safety", [second]).demo == "acme/safety-demo"


def test_a_demo_that_cannot_be_looked_up_stops_a_removal_before_it_begins(fresh_hub, tmp_path, monkeypatch):
    folder = release(tmp_path / "data", "bootstrap")
    before = publish(folder).revision
    monkeypatch.setattr(RETRY, "wait", lambda seconds: None)
    fresh_hub.fault("/spaces/acme/safety-demo", 500, times=100)
    with pytest.raises(HubError, match="acme/safety-demo"):
        remove("acme/safety", [read_parquet(folder / "bootstrap" / "train.parquet")["id"][1]])
    assert HfApi().dataset_info("acme/safety").sha == before


def test_a_purge_deletes_no_file_that_somebody_adds_meanwhile(fresh_hub, tmp_path, monkeypatch):
    folder = release(tmp_path / "data", "bootstrap")
    publish(folder)
    listed = HfApi.list_lfs_files

    def slowly(*args, **how):
        publish(release(tmp_path / "other", "cluster"))
        return listed(*args, **how)

    monkeypatch.setattr(HfApi, "list_lfs_files", slowly)
    remove("acme/safety", [read_parquet(folder / "bootstrap" / "train.parquet")["id"][1]], purge=True)
    assert len(load_dataset("acme/safety", "cluster", download_mode="force_redownload")["train"]) == 3


def test_a_purge_waits_for_pull_requests_that_could_hold_the_rows(fresh_hub, tmp_path):
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    before = publish(folder).revision
    publish(release(tmp_path / "other", "random"), Target(kind="dataset", repo_id="acme/safety", create_pr=True))
    wanted = [read_parquet(folder / "cluster" / "train.parquet")["id"][1]]
    with pytest.raises(ConfigError, match=r"--purge: acme/safety has the open pull request 1, .*/discussions/1\)"):
        remove("acme/safety", wanted, purge=True)
    assert HfApi().dataset_info("acme/safety").sha == before
    HfApi().change_discussion_status("acme/safety", 1, "closed", repo_type="dataset")
    assert remove("acme/safety", wanted, purge=True).rows == 1


def test_a_purge_leaves_no_older_revision_no_tag_and_no_file_behind(fresh_hub, tmp_path):
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    old = publish(folder, Target(kind="dataset", repo_id="acme/safety", tag="v1")).revision
    table = read_parquet(folder / "cluster" / "train.parquet")
    held = {f.file_oid for f in HfApi().list_lfs_files("acme/safety", repo_type="dataset")}
    done = remove("acme/safety", [table["id"][1]], purge=True)
    assert done.purged
    api = HfApi()
    assert not api.list_repo_refs("acme/safety", repo_type="dataset").tags
    assert len(api.list_repo_commits("acme/safety", repo_type="dataset")) == 1
    left = {file.file_oid for file in api.list_lfs_files("acme/safety", repo_type="dataset")}
    assert len(held - left) == 2  # the training rows, and the picture that counted them
    assert not api.revision_exists("acme/safety", old, repo_type="dataset")
    assert len(load_dataset("acme/safety", "bootstrap", revision=done.pushed.revision)["test"]) == 9
    assert remove("acme/safety", [table["id"][1]], purge=True).rows == 0  # again, as after a kill


def test_annotators_leave_as_a1_and_a2(fresh_hub, tmp_path):
    publish(labelled_twice(tmp_path / "data"))
    pushed = load_dataset("acme/safety")["train"]
    assert pushed["annotator"][:] == ["A2", "gold", None]
    assert [vote["annotator"] for vote in pushed["votes"][0]] == ["A2", "A1"]
    assert "maria" not in json.dumps(facts())


def test_annotators_are_text_also_where_nobody_labelled_any_row(fresh_hub, tmp_path):
    train = read_parquet(labelled_twice(tmp_path / "twice") / "cluster" / "train.parquet")
    nobody = conform(Dataset.from_dict({"id": ["a"], "text": ["x"], "label": [0]}), NAMES)
    write_release(tmp_path / "data", {"cluster": {"train": train, "test": nobody}}, default="cluster", title="Posts")
    publish(tmp_path / "data")
    path = hf_hub_download("acme/safety", "cluster/test.parquet", repo_type="dataset")
    assert read_parquet(Path(path)).features["annotator"].dtype == "string"


def test_a_source_without_a_licence_stops_until_that_is_known(tmp_path):
    told = read_release(release(tmp_path / "data", "cluster", source="some forum")).release
    with pytest.raises(ConfigError, match=r"states no licence \(some forum\).*--accept-no-license"):
        require_license(told, accepted=False)
    require_license(told, accepted=True)
    require_license(read_release(release(tmp_path / "own", "cluster")).release, accepted=False)


def test_what_is_no_release_and_what_is_another_repository_is_said(fresh_hub, tmp_path):
    with pytest.raises(DataError, match="no run and no release"):
        publish(tmp_path)
    HfApi().create_repo("acme/safety", repo_type="dataset", private=True)
    HfApi().upload_file(repo_id="acme/safety", repo_type="dataset", path_or_fileobj=b"a,b", path_in_repo="mine.csv")
    with pytest.raises(ConfigError, match=r"acme/safety: has mine\.csv, which rarecase did not write"):
        publish(release(tmp_path / "data", "cluster"))


def test_nobody_relicenses_what_others_published(fresh_hub, tmp_path):
    publish(release(tmp_path / "one", "bootstrap", "cluster"))
    two = release(tmp_path / "two", "bootstrap", "random")
    with pytest.raises(ConfigError, match=r"--license mit: cluster of acme/safety came under cc-by-4\.0, "):
        publish_dataset(two, PLACE, "mit")
    assert facts()["license"] == "cc-by-4.0"
    publish_dataset(release(tmp_path / "all", "bootstrap", "cluster"), PLACE, "mit")  # nothing of others is left
    assert facts()["license"] == "mit"


def test_one_test_set_in_two_files_is_stored_and_counted_once(fresh_hub, tmp_path):
    """Each config has it as a table of its own, so the release has it twice."""
    tables = {
        name: {"train": split("pool", place), "test": split("test", *range(9))}
        for place, name in enumerate(("cluster", "random"))
    }
    write_release(tmp_path / "data", tables, default="cluster", title="Posts", taxonomy=Taxonomy.default())
    publish(tmp_path / "data")
    assert {path for path in files() if path.endswith("parquet")} == {
        *("cluster/train.parquet", "random/train.parquet", "cluster/test.parquet"),
    }
    card = Path(hf_hub_download("acme/safety", "README.md", repo_type="dataset")).read_text()
    assert "\n11 different texts, each with one of" in card
    # What random uses stays when cluster gets another one.
    publish(release(tmp_path / "other", "cluster", test=5))
    assert {name: len(load_dataset("acme/safety", name)["test"]) for name in ("cluster", "random")} == {
        "cluster": 5,
        "random": 9,
    }


def test_the_title_is_the_publishers_and_stays(fresh_hub, tmp_path):
    def told() -> tuple[str, str, str]:
        card = Path(hf_hub_download("acme/safety", "README.md", repo_type="dataset")).read_text()
        return facts()["title"], facts()["description"], card.split("\n# ")[1].split("\n")[0]

    one, two = release(tmp_path / "one", "bootstrap", "cluster"), release(tmp_path / "two", "bootstrap", "random")
    publish_dataset(one, PLACE, "mit", about={"title": "Floods", "description": "Of a *river*."})
    for again in (one, two):
        publish_dataset(again, PLACE, "mit", about={"contact": "data@example.org"})
        assert told() == ("Floods", "Of a *river*.", "Floods")
    publish_dataset(two, PLACE, "mit", about={"title": "High\nwater", "description": ""})
    assert told() == ("High water", "", "High water")
    assert (
        "publisher's words" not in Path(hf_hub_download("acme/safety", "README.md", repo_type="dataset")).read_text()
    )


def test_other_classes_are_refused(fresh_hub, tmp_path):
    publish(release(tmp_path / "data", "cluster"))
    table = conform(Dataset.from_dict({"id": ["a"], "text": ["x"], "label": [0]}), ("harmful", "not-harmful"))
    write_release(tmp_path / "other", {"walks": {"train": table}}, default="walks", title="Walks")
    with pytest.raises(ConfigError, match="acme/safety has other classes than"):
        publish(tmp_path / "other")


def test_the_command_says_what_it_did(hub, tmp_path):
    hub.reset()
    folder = release(tmp_path / "data", "bootstrap", "cluster")
    flags = ["--repo", "acme/safety", "--license", "cc-by-4.0"]

    def rarecase(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("rarecase")), "publish", *arguments]
        return subprocess.run(command, env=hub.environment, capture_output=True, text=True, check=False)

    planned = rarecase("dataset", str(folder), *flags, "--dry-run")
    assert "dataset acme/safety, private: " in planned.stdout, planned.stderr
    assert "cluster/train.parquet" in planned.stdout
    assert "license: cc-by-4.0" in planned.stdout
    done = rarecase("dataset", str(folder), *flags, "--format", "json")
    (pushed,) = json.loads(done.stdout)
    assert (pushed["kind"], pushed["repo_id"], pushed["private"]) == ("dataset", "acme/safety", True)
    assert {"revision", "url", "files"} < set(pushed)
    assert done.stderr == ""
    shown = rarecase("dataset", str(folder), *flags, "--public")
    assert shown.returncode == 2
    assert "--public: anybody will be able to read acme/safety" in shown.stderr
    table = read_parquet(folder / "cluster" / "train.parquet")
    gone = rarecase("remove", "--repo", "acme/safety", "--ids", table["id"][0])
    assert "1 row and 2 variations taken down" in gone.stdout
    assert "older revisions of acme/safety still have the rows" in gone.stderr
