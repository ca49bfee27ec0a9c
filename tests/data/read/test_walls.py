"""A release, or a data set of the Hub, that names what is not its own is refused before anything is read or asked."""

import errno
import json
import socket
import threading
from contextlib import suppress

import pytest
import releases
import yaml
from datasets.exceptions import DatasetGenerationError
from huggingface_hub import HfApi

from rarecase.cli.main import command
from rarecase.core.errors import DataError
from rarecase.data.release import Release
from rarecase.demo_space.data import load_data

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
CARDS = {  # what is at the head of a card
    "number": "configs: 7",
    "numbers": "configs: [7]",
    "nameless": "configs: [{data_files: posts.csv}]",
    "deep": "configs: " + "[" * 3000 + "]" * 3000,
    "laughs": f"{LAUGHS}configs: *i",
    "loop": "configs: &a [*a]",
    "tag": "configs: !!int abc",
    "open": "configs: [[[",
    "word": "configs: !!python/object/apply:os.getcwd []",
}
OUTSIDE = ["/etc/hosts", "../pool.csv", "a/../../pool.csv", "..\\pool.csv", "C:/a.csv", "~/posts.csv"]
OUTSIDE += ["file:///etc/hosts", "hf://datasets/acme/other/posts.csv", "http://HOST/posts.csv"]
OUTSIDE += ["zip://posts.csv::http://HOST/posts.zip"]
RECORDS = ["[]", "7", "[" * 100_000, '{"format": 1}', '{"format": 1, "configs": 7}', "\ud800"]


@pytest.fixture
def host():
    """An address, and a list that gets an entry for everybody who connects to it."""
    asked: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, address = server.accept()
                    asked.append(address)
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", asked


def card(files: object, **more: object) -> str:
    return f"---\n{yaml.safe_dump({'configs': [{'config_name': 'default', 'data_files': files, **more}]})}---\n"


@pytest.mark.parametrize("head", CARDS.values(), ids=CARDS)
def test_an_odd_card_is_one_line(refused, tmp_path, head):
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "README.md").write_text(f"---\n{head}\n---\n")
    (tmp_path / "posts" / "posts.csv").write_text("id,text\n1,a tree by the river\n")
    assert "README.md: " in refused("pool", "posts", "--out", "out.parquet")


def test_a_card_that_only_the_library_cannot_read_is_one_line(refused, tmp_path):
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "README.md").write_text("---\nx: 2024-13-45\n" + card("posts.csv").removeprefix("---\n"))
    (tmp_path / "posts" / "posts.csv").write_text("id,text\n1,a tree by the river\n")
    assert "posts: cannot be read (ValueError)" in refused("pool", "posts", "--out", "out.parquet")


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_release_that_names_files_of_others_is_neither_read_nor_published(refused, host, tmp_path, path):
    address, asked = host
    path = path.replace("HOST", address)
    folder = releases.write(tmp_path / "mine", most=10)
    (tmp_path / "pool.csv").write_text("id,text\n1,a tree by the river\n")
    publish = ["publish", "dataset", "mine", "--repo", "acme/mine", "--license", "mit", "--dry-run"]
    for files in (path, [path], [{"split": "train", "path": path}], [{"split": "train", "path": ["a.csv", path]}]):
        (folder / "README.md").write_text(card(files))
        assert "names files outside of its folder" in refused("pool", "mine", "--out", "out.parquet")
        assert "names files outside of its folder" in refused(*publish)
    (folder / "README.md").write_text(card("posts.csv", data_dir=path))
    assert "names files outside of its folder" in refused("train", "mine", "--config-name", "a", "--out", "model")
    (folder / "README.md").write_text(card("*.parquet"))
    (folder / ".huggingface.yaml").write_text(card(path).strip("-\n"))
    assert ".huggingface.yaml: config 'default' names" in refused("pool", "mine", "--out", "out.parquet")
    assert ".huggingface.yaml: config 'default' names" in refused(*publish)
    assert asked == []


def test_a_link_that_leads_out_of_a_release_is_refused_and_one_within_is_followed(refused, tmp_path):
    folder = releases.write(tmp_path / "mine", most=10)
    train = folder / "cluster" / "train.parquet"
    train.rename(folder / "cluster" / "moved.parquet")
    train.symlink_to("moved.parquet")
    assert command(["pool", "mine:cluster", "--out", "whole.parquet"]) == 0
    (folder / "cluster" / "moved.parquet").rename(tmp_path / "moved.parquet")
    train.unlink()
    train.symlink_to("../../moved.parquet")
    for arguments in (
        ["pool", "mine:cluster", "--out", "out.parquet"],
        ["publish", "dataset", "mine", "--repo", "acme/mine", "--license", "mit", "--dry-run"],
    ):
        assert "train.parquet: a link that leads out of mine" in refused(*arguments)


def test_a_link_that_leads_out_of_a_folder_of_tables_is_refused_and_one_that_is_named_is_followed(refused, tmp_path):
    (tmp_path / "mine.csv").write_text("text\nmine\n")
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "posts.csv").write_text("text\ngot\n")
    (tmp_path / "got" / "same.csv").symlink_to("posts.csv")
    (tmp_path / "named").symlink_to("got")
    assert command(["pool", "named", "--out", "named.parquet"]) == 0
    (tmp_path / "got" / "more.csv").symlink_to("../mine.csv")
    line = "got/more.csv: a link that leads out of got; copy the file into it"
    assert line in refused("pool", "got", "--out", "out.parquet")
    assert line in refused("start", "--pool", "got", "--out", "out")
    (tmp_path / "named.csv").symlink_to("mine.csv")
    assert command(["pool", "named.csv", "--out", "out.parquet"]) == 0


def test_a_data_set_of_the_hub_that_names_files_of_others_is_refused_before_they_are_asked(refused, host, fresh_hub):
    address, asked = host
    hub = HfApi()
    hub.create_repo("acme/evil", repo_type="dataset")

    def write(name: str, content: str) -> None:
        hub.upload_file(path_or_fileobj=content.encode(), path_in_repo=name, repo_id="acme/evil", repo_type="dataset")

    for path in ("http://HOST/posts.csv", "/etc/hosts", "file:///etc/hosts", "../other/posts.csv"):
        write("README.md", card(path.replace("HOST", address)))
        line = refused("pool", "acme/evil", "--out", "out.parquet")
        assert "acme/evil: README.md: config 'default' names files outside of its folder" in line
    write("README.md", "# Posts\n")
    write(".huggingface.yaml", card(f"http://{address}/posts.csv").strip("-\n"))
    assert "acme/evil: .huggingface.yaml: config" in refused("pool", "acme/evil", "--out", "out.parquet")
    assert asked == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/hub/x"),
            "evil: /hub/x: Permission denied; correct that",
        ),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "Too many open files; correct that and repeat the command (raise",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/hub/x"), "/hub/x: no space left on the disk; free some"),
        (OSError("Not enough disk space. Needed: 2 TiB"), ": no space left on the disk; free some"),
        (
            OSError("I/O error: I/O error: Permission denied (os error 13)"),
            "acme/evil: hf_xet, which transfers files, ",
        ),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_this_machine_refuses_is_no_damage(refused, monkeypatch, error, says, wrapped):
    def fail(*_, **__):
        if wrapped:
            raise DatasetGenerationError("An error occurred") from error
        raise error

    monkeypatch.setattr("rarecase.data.read.hub.hf_hub_download", fail)
    assert says in refused("pool", "acme/evil", "--out", "out.parquet")


def test_a_hub_that_says_nothing_for_too_long_is_no_damage(refused, monkeypatch):
    def fail(*_, **__):
        raise TimeoutError("Timeout: after 60 s")

    monkeypatch.setattr("rarecase.data.read.hub.hf_hub_download", fail)
    assert "and the Hub does not answer (HF_ENDPOINT" in refused("pool", "acme/evil", "--out", "out.parquet")


def test_a_card_of_the_hub_that_comes_in_part_is_one_line(refused, monkeypatch):
    def in_part(*_, **__):
        raise OSError("Consistency check failed: file should be of size 123 but has size 45")

    monkeypatch.setattr("rarecase.data.read.hub.hf_hub_download", in_part)
    line = refused("pool", "acme/evil", "--out", "out.parquet")
    assert "acme/evil: cannot be read (OSError); are its files damaged?" in line


@pytest.mark.parametrize("content", RECORDS)
def test_an_odd_record_of_a_release_is_one_line(refused, tmp_path, content):
    folder = releases.write(tmp_path / "mine", most=10)
    (folder / "release.json").write_bytes(content.encode(errors="surrogatepass"))
    publish = ["publish", "dataset", "mine", "--repo", "acme/mine", "--license", "mit", "--dry-run"]
    assert "release.json: " in refused(*publish)
    with pytest.raises(DataError, match="cannot be read"):
        load_data(str(folder))


def test_a_record_that_names_files_of_others_is_refused():
    split = {"rows": 1, "class_counts": {}, "class_count_std": 0.0, "human": 1, "generated": 0, "not_used": 0}
    split |= {"num_bytes": 1, "path": "../../other.parquet", "file_bytes": 1, "sha256": ""}
    content = {"format": 1, "title": "", "default": "a", "classes": [], "configs": {"a": {"splits": {"train": split}}}}
    with pytest.raises(DataError, match="names a file outside of its folder"):
        Release.from_json(json.loads(json.dumps(content)))
