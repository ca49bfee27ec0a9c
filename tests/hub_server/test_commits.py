"""Commits: all or nothing, on the parent they were made for, and no byte uploaded twice."""

import threading
from pathlib import Path

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    get_session,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError

DATASET = {"repo_id": "acme/x", "repo_type": "dataset"}


def read(path, **options):
    return Path(hf_hub_download(filename=path, **{**DATASET, **options})).read_bytes()


def test_what_is_committed_is_read_back(alice, put):
    files = {
        "a.txt": b"a",
        "b/c d+é.txt": "é".encode(),
        "empty.txt": b"",
        "big.txt": b"x" * (11 << 20),
        "p.parquet": b"p",
    }
    oid = put("acme/x", files)
    assert alice.repo_info(**DATASET).sha == oid
    assert {path: read(path) for path in files} == files
    folder = Path(snapshot_download(**DATASET))
    assert {path: (folder / path).read_bytes() for path in files} == files


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
@pytest.mark.filterwarnings("ignore:.*about to commit a data file")
def test_data_and_weights_are_large_files_in_repositories_of_each_kind(alice, put, kind):
    put("acme/x", {"a.txt": b"a", "a.parquet": b"b", "a.safetensors": b"c", "picture": b"\x89PNG\0"}, kind)
    found = {e.path: e for e in alice.list_repo_tree("acme/x", repo_type=kind)}
    assert [path for path, entry in found.items() if entry.lfs] == ["a.parquet", "a.safetensors", "picture"]
    assert found["a.parquet"].lfs.sha256 != found["a.parquet"].blob_id


def test_a_large_file_is_asked_for_once_only(alice, fresh_hub, put):
    put("acme/x", {"a.parquet": b"same"})
    put("acme/x", {"b.parquet": b"same"})  # under another name, by the store's hash
    assert len(fresh_hub.log("PUT /_lfs/")) == 1
    before = len(fresh_hub.log())
    put("acme/x", {"a.parquet": b"same", "b.parquet": b"same"})  # where it stands already, by the preupload's
    asked = [line["request"] for line in fresh_hub.log()[before:]]
    assert not any("PUT /_lfs/" in line or "/commit/" in line for line in asked)
    put("acme/y", {"a.parquet": b"same"})  # each repository has its own
    assert len(fresh_hub.log("PUT /_lfs/")) == 2


def test_an_unchanged_push_makes_no_commit(alice, put):
    files = {"a.txt": b"a", "a.parquet": b"b"}
    first = put("acme/x", files)
    assert put("acme/x", files) == first
    assert put("acme/x", {**files, "a.txt": b"c"}) != first


def test_a_commit_on_a_parent_that_is_not_the_head_is_answered_412(alice, put, refused):
    first = put("acme/x", {"a.txt": b"1"})
    put("acme/x", {"a.txt": b"2"}, parent_commit=first)
    with refused(412, "A commit has happened since"):
        put("acme/x", {"a.txt": b"3"}, parent_commit=first)
    assert read("a.txt") == b"2"


def test_of_commits_on_one_parent_at_once_exactly_one_succeeds(alice, put):
    parent = put("acme/x", {"a.txt": b"0"})
    outcomes = []

    def push(word):
        try:
            outcomes.append(put("acme/x", {f"{word}.txt": word.encode()}, parent_commit=parent))
        except HfHubHTTPError as error:
            outcomes.append(error.response.status_code)

    threads = [threading.Thread(target=push, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(412) == 3
    assert len(alice.list_repo_files(**DATASET)) == 3


def test_deleting_what_is_not_there_is_answered_404_and_nothing_is_done(alice, put):
    head = put("acme/x", {"a.txt": b"a", "folder/b.txt": b"b"})
    for missing in ("none.txt", "folder", "none/"):
        operations = [CommitOperationAdd("new.txt", b"n"), CommitOperationDelete(missing)]
        with pytest.raises(RemoteEntryNotFoundError) as answer:
            alice.create_commit(operations=operations, commit_message="x", **DATASET)
        assert answer.value.response.status_code == 404
    assert alice.repo_info(**DATASET).sha == head
    alice.delete_file("a.txt", **DATASET)
    alice.delete_folder("folder", **DATASET)
    assert alice.list_repo_files(**DATASET) == [".gitattributes"]
    with pytest.raises(RemoteEntryNotFoundError):
        alice.delete_file("a.txt", **DATASET)


def test_a_file_is_copied_without_its_bytes(alice, fresh_hub, put):
    put("acme/x", {"a.txt": b"a", "a.parquet": b"b"})
    operations = [CommitOperationCopy("a.txt", "c.txt"), CommitOperationCopy("a.parquet", "c.parquet")]
    alice.create_commit(operations=operations, commit_message="copy", **DATASET)
    assert (read("c.txt"), read("c.parquet")) == (b"a", b"b")
    assert len(fresh_hub.log("PUT /_lfs/")) == 1


def test_a_large_file_that_was_never_uploaded_can_not_be_committed(alice, fresh_hub, put):
    head = put("acme/x", {"a.txt": b"a"})
    lines = [
        b'{"key": "header", "value": {"summary": "x"}}',
        b'{"key": "lfsFile", "value": {"path": "a.parquet", "algo": "sha256", "oid": "%s"}}' % (b"0" * 64),
    ]
    answer = get_session().post(
        f"{fresh_hub.url}/api/datasets/acme/x/commit/main",
        content=b"\n".join(lines),
        headers={"Authorization": "Bearer hf_alice"},
    )
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "LFS pointer pointed to a file that does not exist: a.parquet",
    )
    assert alice.repo_info(**DATASET).sha == head


def test_ignored_files_stay_away(alice, put):
    put("acme/x", {".gitignore": b"*.log\n", "a.log": b"a", "b.txt": b"b"})
    assert alice.list_repo_files(**DATASET) == [".gitattributes", ".gitignore", "b.txt"]


def test_a_pull_request_is_a_branch_until_it_is_merged(alice, put):
    put("acme/x", {"a.txt": b"1"})
    proposed = alice.create_commit(
        operations=[CommitOperationAdd("a.txt", b"2"), CommitOperationAdd("b.parquet", b"3")],
        commit_message="mine",
        create_pr=True,
        **DATASET,
    )
    assert proposed.pr_revision == "refs/pr/1"
    assert (read("a.txt"), read("a.txt", revision="refs/pr/1")) == (b"1", b"2")
    put("acme/x", {"c.txt": b"c"})
    alice.merge_pull_request("acme/x", 1, repo_type="dataset")
    assert (read("a.txt"), read("b.parquet"), read("c.txt")) == (b"2", b"3", b"c")
    details = alice.get_discussion_details("acme/x", 1, repo_type="dataset")
    assert (details.status, details.target_branch) == ("merged", "refs/heads/main")
    assert details.merge_commit_oid == alice.repo_info(**DATASET).sha
    assert [pull.num for pull in alice.get_repo_discussions("acme/x", repo_type="dataset")] == [1]


def test_a_pull_request_that_conflicts_is_not_merged(alice, put, refused):
    put("acme/x", {"a.txt": b"1"})
    put("acme/x", {"a.txt": b"2"}, create_pr=True)
    put("acme/x", {"a.txt": b"3"})
    with refused(409, "conflicts"):
        alice.merge_pull_request("acme/x", 1, repo_type="dataset")
    assert read("a.txt") == b"3"


def test_a_stranger_proposes_to_a_public_repository_and_not_to_a_private_one(alice, bob, put, refused):
    put("acme/x", {"a.txt": b"1"})
    operations = {"b.parquet": b"b", "b.txt": b"b"}
    add = [CommitOperationAdd(path, data) for path, data in operations.items()]
    proposed = bob.create_commit(operations=add, commit_message="mine", create_pr=True, **DATASET)
    bob.upload_file(path_or_fileobj=b"c", path_in_repo="c.txt", revision=proposed.pr_revision, **DATASET)
    assert (read("b.parquet", revision="refs/pr/1"), read("c.txt", revision="refs/pr/1")) == (b"b", b"c")
    with refused(403):
        bob.merge_pull_request("acme/x", 1, repo_type="dataset")
    alice.update_repo_settings("acme/x", repo_type="dataset", private=True)
    with refused(404):
        bob.create_commit(
            operations=[CommitOperationAdd("d.txt", b"d")], commit_message="no", create_pr=True, **DATASET
        )


def test_a_draft_is_opened_talked_about_and_then_merged(alice, put, refused):
    put("acme/x", {"a.txt": b"1"})
    pull = alice.create_pull_request("acme/x", title="a draft", repo_type="dataset")
    assert pull.status == "draft"
    put("acme/x", {"a.txt": b"2"}, revision=pull.git_reference)
    with refused(400, "Only an open pull request"):
        alice.merge_pull_request("acme/x", pull.num, repo_type="dataset")
    alice.change_discussion_status("acme/x", pull.num, new_status="open", repo_type="dataset")
    alice.rename_discussion("acme/x", pull.num, new_title="better", repo_type="dataset")
    alice.comment_discussion("acme/x", pull.num, comment="fine", repo_type="dataset")
    alice.merge_pull_request("acme/x", pull.num, repo_type="dataset")
    details = alice.get_discussion_details("acme/x", pull.num, repo_type="dataset")
    assert [event.type for event in details.events] == [
        "comment",
        "status-change",
        "title-change",
        "comment",
        "status-change",
    ]
    assert (details.title, read("a.txt")) == ("better", b"2")
