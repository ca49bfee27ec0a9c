"""Branches, tags, and what is left of a state that was taken back."""

from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

DATASET = {"repo_id": "acme/x", "repo_type": "dataset"}


def read(path, **options):
    return Path(hf_hub_download(filename=path, **{**DATASET, **options})).read_bytes()


def test_a_tag_stays_where_it_was_put_and_is_not_put_twice(alice, put, refused):
    first = put("acme/x", {"a.txt": b"1"})
    alice.create_tag(tag="v1", **DATASET)
    put("acme/x", {"a.txt": b"2"})
    assert [read("a.txt", revision=revision) for revision in ("v1", first, first[:8], "main")] == [
        b"1",
        b"1",
        b"1",
        b"2",
    ]
    with refused(409, "Tag reference exists already"):
        alice.create_tag(tag="v1", **DATASET)
    alice.create_tag(tag="v1", exist_ok=True, **DATASET)
    assert alice.repo_info(revision="v1", **DATASET).sha == first
    alice.delete_tag(tag="v1", **DATASET)
    with pytest.raises(RevisionNotFoundError):
        alice.repo_info(revision="v1", **DATASET)
    with pytest.raises(RevisionNotFoundError):
        alice.delete_tag(tag="v1", **DATASET)


def test_a_branch_is_a_line_of_its_own(alice, put, refused):
    first = put("acme/x", {"a.txt": b"1"})
    put("acme/x", {"a.txt": b"2"})
    alice.create_branch(branch="try/this", revision=first, **DATASET)
    put("acme/x", {"a.txt": b"3"}, revision="try/this")
    assert (read("a.txt", revision="try/this"), read("a.txt")) == (b"3", b"2")
    with refused(409):
        alice.create_branch(branch="try/this", **DATASET)
    alice.create_branch(branch="try/this", exist_ok=True, **DATASET)
    assert {b.name for b in alice.list_repo_refs(**DATASET).branches} == {"main", "try/this"}
    alice.delete_branch(branch="try/this", **DATASET)
    for ask in (lambda: put("acme/x", {"a.txt": b"4"}, revision="try/this"), lambda: read("a.txt", revision="none")):
        with pytest.raises(RevisionNotFoundError):
            ask()
    with refused(403):
        alice.delete_branch(branch="main", **DATASET)


def test_a_tag_can_not_be_committed_to(alice, put):
    put("acme/x", {"a.txt": b"1"})
    alice.create_tag(tag="v1", **DATASET)
    with pytest.raises(RevisionNotFoundError):
        put("acme/x", {"a.txt": b"2"}, revision="v1")


def test_a_squash_leaves_one_commit_and_the_old_ones_to_who_knows_their_ids(alice, put, refused):
    first = put("acme/x", {"a.txt": b"1"})
    alice.create_tag(tag="v1", **DATASET)
    put("acme/x", {"a.txt": b"2"})
    assert [commit.title for commit in alice.list_repo_commits(**DATASET)] == ["put", "put", "initial commit"]
    alice.super_squash_history(commit_message="one", **DATASET)
    assert [commit.title for commit in alice.list_repo_commits(**DATASET)] == ["one"]
    assert (read("a.txt"), read("a.txt", revision=first), read("a.txt", revision="v1")) == (b"2", b"1", b"1")
    with refused(400):
        alice.super_squash_history(branch="v1", **DATASET)
    with pytest.raises(RevisionNotFoundError):
        alice.super_squash_history(branch="none", **DATASET)


def test_large_files_are_listed_whatever_commit_they_are_of(alice, put):
    put("acme/x", {"a.parquet": b"1"})
    put("acme/x", {"a.parquet": b"22", "b.parquet": b"333"})
    files = list(alice.list_lfs_files(**DATASET))
    assert sorted((file.filename, file.size, file.ref) for file in files) == [
        ("a.parquet", 1, "refs/heads/main"),
        ("a.parquet", 2, "refs/heads/main"),
        ("b.parquet", 3, "refs/heads/main"),
    ]


def test_large_files_deleted_for_good_are_gone_from_every_commit(alice, fresh_hub, put):
    first = put("acme/x", {"a.parquet": b"old", "a.txt": b"1"})
    alice.create_tag(tag="v1", **DATASET)
    put("acme/x", {"a.parquet": b"new"})
    old = [file for file in alice.list_lfs_files(**DATASET) if file.size == 3 and file.pushed_at][:1]
    assert fresh_hub.app.state.blob(old[0].file_oid).read_bytes() == b"old"
    alice.permanently_delete_lfs_files(lfs_files=old, **DATASET)
    assert not fresh_hub.app.state.blob(old[0].file_oid).exists()
    assert read("a.parquet") == b"new"
    assert alice.list_repo_files(revision="v1", **DATASET) == [".gitattributes", "a.txt"]
    assert [commit.title for commit in alice.list_repo_commits(**DATASET)] == ["put", "put", "initial commit"]
    with pytest.raises(RevisionNotFoundError):  # history was written anew
        alice.repo_info(revision=first, **DATASET)
    put("acme/x", {"c.parquet": b"old"})  # and has to be uploaded anew
    assert read("c.parquet") == b"old"


def test_without_a_new_history_a_deleted_file_is_a_name_without_bytes(alice, put):
    first = put("acme/x", {"a.parquet": b"old"})
    alice.permanently_delete_lfs_files(lfs_files=alice.list_lfs_files(**DATASET), rewrite_history=False, **DATASET)
    assert "a.parquet" in alice.list_repo_files(revision=first, **DATASET)
    with pytest.raises(EntryNotFoundError):
        read("a.parquet")


def test_a_file_deleted_in_one_repository_stays_in_another(alice, put):
    put("acme/x", {"a.parquet": b"same"})
    put("acme/y", {"a.parquet": b"same"})
    alice.permanently_delete_lfs_files(lfs_files=alice.list_lfs_files(**DATASET), **DATASET)
    assert read("a.parquet", repo_id="acme/y") == b"same"
