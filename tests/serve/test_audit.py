"""The file of verdicts, where it is moved away, its disk is full, or nobody reads it: each request is answered."""

import json
import os
import resource

import pytest
from guard_server import served

from rarecase.core.errors import ConfigError
from rarecase.serve.audit import Audit
from rarecase.serve.metrics import Metrics

BODY = {"input": "x 0.9 0 0 0.1"}
FAILURES = "rarecase_audit_failures_total"


def ids(path):
    """The ids of the lines, of those that are whole."""
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line)["id"])
        except ValueError:
            found.append(None)
    return found


def failures(there):
    return [line for line in there.ask("/metrics")[1].splitlines() if line.startswith(FAILURES)]


def test_a_file_that_was_moved_away_is_begun_again(tmp_path):
    path = tmp_path / "audit.jsonl"
    with served(audit=path) as there:
        first = there.ask("/v1/moderations", BODY)[1]["id"]
        path.rename(tmp_path / "audit.1")
        second = there.ask("/v1/moderations", BODY)[1]["id"]
    assert ids(tmp_path / "audit.1") == [first]
    assert ids(path) == [second]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_counted_and_the_lines_after_it_are_whole(tmp_path):
    path = tmp_path / "audit.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with served(audit=path) as there:
        first = there.ask("/v1/moderations", BODY)[1]["id"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, hard))
        try:
            for _ in range(2):  # of the first a part can be written, of the second nothing
                assert there.ask("/v1/moderations", BODY)[0] == 200
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        last = there.ask("/v1/moderations", BODY)[1]["id"]
        assert failures(there) == [f"{FAILURES} 2.0"]
    assert ids(path) == [first, None, last]


def test_a_folder_that_is_gone_is_counted(tmp_path):
    (tmp_path / "logs").mkdir()
    with served(audit=tmp_path / "logs" / "audit.jsonl") as there:
        (tmp_path / "logs" / "audit.jsonl").unlink()
        (tmp_path / "logs").rmdir()
        assert there.ask("/v1/moderations", BODY)[0] == 200
        assert failures(there) == [f"{FAILURES} 1.0"]


def test_a_pipe_that_nobody_reads_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"--audit .*pipe"):
        Audit(tmp_path / "pipe", Metrics())
