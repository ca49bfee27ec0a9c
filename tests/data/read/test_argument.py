"""`PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`: what is meant, and what is said where it is not there."""

import pytest
from datasets import ClassLabel, Dataset, DatasetDict
from huggingface_hub import CommitOperationAdd, HfApi

from rarecase.core.errors import DataError
from rarecase.data.read import Argument, parse_argument, read_argument


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("posts.csv", Argument("posts.csv")),
        ("org/safety", Argument("org/safety")),
        ("org/safety:cluster", Argument("org/safety", "cluster")),
        ("org/safety:cluster/test", Argument("org/safety", "cluster", "test")),
        ("org/safety:/test", Argument("org/safety", None, "test")),
        ("/data/release:cluster/test", Argument("/data/release", "cluster", "test")),
    ],
)
def test_an_argument_is_taken_apart_at_the_last_colon(argument, meant):
    assert parse_argument(argument) == meant


def test_a_path_that_exists_as_a_whole_wins_also_with_a_colon(tmp_path):
    path = tmp_path / "posts:new.csv"
    path.write_text("text,label\none,a\n", encoding="utf-8")
    assert parse_argument(str(path)) == Argument(str(path))
    assert len(read_argument(str(path), "test")) == 1


def test_each_argument_reads_its_own_split_and_only_a_pool_goes_without_labels(tmp_path):
    files = []
    for split in ("train", "validation", "test"):
        Dataset.from_dict({"text": [split], "label": ["a"]}).to_parquet(str(tmp_path / f"{split}.parquet"))
        files.append(f"{{split: {split}, path: {split}.parquet}}")
    card = f"---\nconfigs:\n- config_name: calm\n  data_files: [{', '.join(files)}]\n---\n"
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    for name, split in (("pool", "train"), ("bootstrap", "train"), ("dev", "validation"), ("test", "test")):
        assert read_argument(f"{tmp_path}:calm", name)["text"][:] == [split]
    assert read_argument(f"{tmp_path}:calm/test", "dev")["text"][:] == ["test"]

    unlabeled = Dataset.from_dict({"text": ["one"]})
    assert len(read_argument(unlabeled, "pool")) == 1
    with pytest.raises(DataError, match="no column 'label'"):
        read_argument(unlabeled, "dev")


def test_a_missing_file_is_answered_with_the_near_name_and_is_not_looked_for_on_the_hub(tmp_path):
    (tmp_path / "posts.csv").write_text("text\none\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"post\.csv: no such file or folder, and not an id .*did you mean 'posts\.csv'"
    ):
        read_argument(str(tmp_path / "post.csv"), "pool")


def test_folders_of_one_name_and_one_card_are_not_mistaken_for_each_other(tmp_path):
    head = "---\nconfigs:\n- config_name: all\n  data_files: [{split: train, path: train.csv}]\n---\n"
    for run, text in {"one": "hey", "two": "you"}.items():
        (tmp_path / run / "data").mkdir(parents=True)
        (tmp_path / run / "data" / "README.md").write_text(head)
        (tmp_path / run / "data" / "train.csv").write_text(f"text\n{text}\n")
        assert read_argument(str(tmp_path / run / "data"), "pool")["text"][:] == [text]


def test_without_a_hub_a_name_that_could_be_an_id_says_both():
    # The tests run with HF_HUB_OFFLINE=1.
    with pytest.raises(DataError, match="org/safety: no such file or folder, and the Hub does not answer"):
        read_argument("org/safety:cluster", "pool")


def test_a_data_set_of_the_hub_is_read_and_what_it_lacks_is_answered_with_what_it_has(fresh_hub):
    rows = Dataset.from_dict({"id": ["a", "b"], "text": ["hush", "hey"], "label": [0, 1]})
    rows = rows.cast_column("label", ClassLabel(names=["calm", "loud"]))
    DatasetDict(train=rows, test=rows).push_to_hub("alice/safety", "alpha")
    DatasetDict(train=rows).push_to_hub("alice/safety", "beta")
    found = read_argument("alice/safety:alpha", "test")
    assert (found["id"][:], found["label"][:]) == (["a", "b"], ["calm", "loud"])
    said = {
        "alice/safety": "alice/safety: choose a config, as alice/safety:CONFIG; there are alpha, beta",
        "alice/safety:alfa": "alice/safety: no config 'alfa'; there are alpha, beta; did you mean 'alpha'?",
        "alice/safety:beta": "alice/safety:beta: no split 'test'; there are train, such as alice/safety:beta/train",
        "alice/nothing": "alice/nothing: no such file or folder, and no data set on the Hub that can be read "
        "(a private or gated one needs HF_TOKEN)",
    }
    for argument, answer in said.items():
        with pytest.raises(DataError) as error:
            read_argument(argument, "test")
        assert str(error.value) == answer


def test_a_revision_of_a_data_set_is_what_is_read(fresh_hub):
    api = HfApi()
    api.create_repo("acme/walks", repo_type="dataset", private=True)
    head = "---\nconfigs:\n- config_name: all\n  data_files: [{split: train, path: train.csv}]\n---\n"
    for tag, text in {"v1": "hey", "v2": "you"}.items():
        files = {"README.md": head, "train.csv": f"text,label\n{text},a\n"}
        operations = [CommitOperationAdd(path, content.encode()) for path, content in files.items()]
        api.create_commit("acme/walks", operations, commit_message=tag, repo_type="dataset")
        api.create_tag("acme/walks", tag=tag, repo_type="dataset")
    read = {name: read_argument(name, "bootstrap")["text"][:] for name in ("acme/walks@v1:all", "acme/walks")}
    assert read == {"acme/walks@v1:all": ["hey"], "acme/walks": ["you"]}
    with pytest.raises(DataError, match="acme/walks@v3"):
        read_argument("acme/walks@v3", "bootstrap")
    with pytest.raises(DataError, match="acme/walks@v1: no config 'none'; there are all"):
        read_argument("acme/walks@v1:none", "bootstrap")
