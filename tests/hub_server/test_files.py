"""Reading files: by range, by etag, a page at a time, and as a file system."""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfFileSystem, get_hf_file_metadata, get_session, hf_hub_url, try_to_load_from_cache

from hub_server import routes_files

DATASET = {"repo_id": "acme/x", "repo_type": "dataset"}
BYTES = bytes(range(256)) * 16
TEXT = b"0123456789abcde\n" * 256


@pytest.mark.parametrize(("path", "whole"), [("a.txt", TEXT), ("a.parquet", BYTES)])
def test_a_range_of_bytes_is_what_was_asked_for(put, path, whole):
    put("acme/x", {path: whole})
    url = hf_hub_url(filename=path, **DATASET)
    part = get_session().get(url, headers={"Range": "bytes=100-149"})
    assert (part.status_code, part.content) == (206, whole[100:150])
    assert part.headers["Content-Range"] == f"bytes 100-149/{len(whole)}"
    assert get_session().get(url).content == whole
    assert get_session().get(url, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416


def test_the_headers_of_a_file_tell_its_commit_its_size_and_its_etag(put):
    oid = put("acme/x", {"a.txt": TEXT, "a.parquet": BYTES})
    small, large = (get_hf_file_metadata(hf_hub_url(filename=path, **DATASET)) for path in ("a.txt", "a.parquet"))
    assert small.commit_hash == large.commit_hash == oid
    assert (small.size, large.size) == (len(TEXT), len(BYTES))
    assert small.etag == hashlib.sha1(b"blob %d\0" % len(TEXT) + TEXT).hexdigest()
    assert large.etag == hashlib.sha256(BYTES).hexdigest()


def test_a_large_file_comes_from_elsewhere_by_a_signed_address(put):
    put("acme/x", {"a.parquet": BYTES})
    url = hf_hub_url(filename="a.parquet", **DATASET)
    sent = get_session().get(url, follow_redirects=False, headers={"Authorization": "Bearer hf_alice"})
    there = sent.headers["Location"]
    assert (sent.status_code, urlsplit(there).hostname) == (302, "localhost")
    assert get_session().get(there).content == BYTES
    assert get_session().get(there[:-1]).status_code == 403  # the signature is what opens it


def test_an_unchanged_file_is_not_downloaded_again(alice, fresh_hub, put):
    put("acme/x", {"a.parquet": BYTES})
    alice.hf_hub_download(filename="a.parquet", **DATASET)
    put("acme/x", {"b.txt": b"b"})
    alice.hf_hub_download(filename="a.parquet", **DATASET)
    assert len(fresh_hub.log("GET /_lfs/")) == 1


def test_a_long_listing_comes_in_pages(alice, put, monkeypatch):
    monkeypatch.setattr(routes_files, "PAGE", 10)
    put("acme/x", {f"{i % 3}/{i:02}.txt": b"x" for i in range(25)})
    assert len(alice.list_repo_files(**DATASET)) == 26
    top = list(alice.list_repo_tree(**DATASET))
    assert [entry.path for entry in top] == [".gitattributes", "0", "1", "2"]
    assert len(list(alice.list_repo_tree(path_in_repo="1", **DATASET))) == 8


def test_a_path_is_told_with_its_last_commit(alice, put):
    put("acme/x", {"a/1.txt": b"1", "b/2.txt": b"2"})
    head = put("acme/x", {"a/1.txt": b"3"})
    told = {
        e.path: e for e in alice.get_paths_info(paths=["a", "a/1.txt", "b", "b/2.txt", "c"], expand=True, **DATASET)
    }
    assert list(told) == ["a", "a/1.txt", "b", "b/2.txt"]
    assert [path for path, entry in told.items() if entry.last_commit.oid == head] == ["a", "a/1.txt"]


def test_the_file_system_reads_lists_and_writes(put):
    put("acme/x", {"a/1.parquet": BYTES, "a/2.txt": b"2"})
    put("acme/x", {"a/2.txt": b"3"}, create_pr=True)
    files = HfFileSystem(token="hf_alice")
    assert files.cat("datasets/acme/x/a/2.txt") == b"2"
    assert files.cat("datasets/acme/x@refs/pr/1/a/2.txt") == b"3"
    with files.open("hf://datasets/acme/x/a/1.parquet", "rb") as file:
        file.seek(1000)
        assert file.read(50) == BYTES[1000:1050]
    assert files.glob("datasets/acme/x/**/*.parquet") == ["datasets/acme/x/a/1.parquet"]
    with files.open("datasets/acme/x/b.txt", "w") as file:
        file.write("written")
    assert files.cat("datasets/acme/x/b.txt") == b"written"
    files.rm("datasets/acme/x/b.txt")
    assert not files.exists("datasets/acme/x/b.txt", refresh=True)


def test_a_file_that_is_not_there_is_remembered_as_missing_at_that_commit(alice, put):
    put("acme/x", {"a.txt": b"a"})
    assert not alice.file_exists(filename="b.txt", **DATASET)
    with pytest.raises(Exception, match="Entry Not Found"):
        alice.hf_hub_download(filename="b.txt", **DATASET)
    assert not isinstance(try_to_load_from_cache(filename="b.txt", **DATASET), str | None)
    put("acme/x", {"b.txt": b"b"})
    assert Path(alice.hf_hub_download(filename="b.txt", **DATASET)).read_bytes() == b"b"
