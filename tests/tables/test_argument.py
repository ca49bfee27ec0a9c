"""`PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`: what is meant, and what is said where it is not there."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets import Dataset

from rarecase.errors import DataError
from rarecase.tables import Argument, parse_argument, read_argument

SERVER = Path(__file__).parents[3] / "shared" / "reference" / "hub_server.py"


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
    with pytest.raises(DataError, match=r"post\.csv: no such file or folder, and no id .*did you mean 'posts\.csv'"):
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
    with pytest.raises(DataError, match="org/safety: no file or folder of this name, and the Hub does not answer"):
        read_argument("org/safety:cluster", "pool")


@pytest.mark.skipif(not SERVER.is_file(), reason=f"needs a Hub to run against: {SERVER}")
def test_a_data_set_of_the_hub_is_read_and_what_it_lacks_is_answered_with_what_it_has(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"},
        "HF_ENDPOINT": f"http://127.0.0.1:{port}",
        "HF_TOKEN": "hf_alice",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [sys.executable, str(SERVER), "--port", str(port), "--root", str(tmp_path / "hub")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        client = subprocess.run(
            [sys.executable, "-c", CLIENT], env=environment, capture_output=True, text=True, timeout=120
        )
    finally:
        server.terminate()
        server.wait()
    assert client.returncode == 0, client.stderr
    assert client.stdout.splitlines() == [
        "['a', 'b'] ['calm', 'loud']",
        "alice/safety: say which config, as alice/safety:CONFIG; there are alpha, beta",
        "alice/safety: no config 'alfa'; there are alpha, beta; did you mean 'alpha'?",
        "alice/safety:beta: no split 'test'; there are train, such as alice/safety:beta/train",
        "alice/nothing: no file or folder of this name, and no data set on the Hub that can be read "
        "(a private or gated one needs HF_TOKEN)",
    ]


CLIENT = """
from datasets import ClassLabel, Dataset, DatasetDict
from rarecase.errors import DataError
from rarecase.tables import read_argument

rows = Dataset.from_dict({"id": ["a", "b"], "text": ["hush", "hey"], "label": [0, 1]})
rows = rows.cast_column("label", ClassLabel(names=["calm", "loud"]))
DatasetDict(train=rows, test=rows).push_to_hub("alice/safety", "alpha")
DatasetDict(train=rows).push_to_hub("alice/safety", "beta")
found = read_argument("alice/safety:alpha", "test")
print(found["id"][:], found["label"][:])
for argument in ("alice/safety", "alice/safety:alfa", "alice/safety:beta", "alice/nothing"):
    try:
        read_argument(argument, "test")
    except DataError as error:
        print(error)
"""


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the Hub server did not start")
