import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from rarecase.core.errors import DataError, DiskFullError
from rarecase.llm.replies import Replies, request_key, text_of

REQUEST = {"model": "words", "messages": [{"role": "user", "content": "Knee clicks"}], "seed": 1}
REPLY = json.dumps({"choices": [{"message": {"content": "My knee clicks"}}]})


def test_a_stored_reply_is_there_for_the_next_process_whatever_the_address_and_the_order_of_keys(tmp_path):
    first = Replies(tmp_path / "new" / "replies.sqlite")
    first.put(REQUEST, "http://127.0.0.1:1/v1", REPLY)
    second = Replies(tmp_path / "new" / "replies.sqlite")
    assert second.get(dict(reversed(REQUEST.items()))) == REPLY
    assert second.missing([REQUEST, {**REQUEST, "seed": 2}, {**REQUEST, "seed": 2}]) == [{**REQUEST, "seed": 2}]


def test_asking_an_absent_store_makes_no_file(tmp_path):
    replies = Replies(tmp_path / "replies.sqlite")
    assert replies.get(REQUEST) is None
    assert replies.missing([REQUEST]) == [REQUEST]
    assert list(tmp_path.iterdir()) == []


def test_a_reply_without_choices_counts_as_missing_and_the_next_one_takes_its_place(tmp_path):
    replies = Replies(tmp_path / "replies.sqlite")
    replies.put(REQUEST, "here", "<html>")
    assert replies.missing([REQUEST]) == [REQUEST]
    replies.put(REQUEST, "here", REPLY)
    assert replies.text(REQUEST) == "My knee clicks"


@pytest.mark.parametrize(
    "reply", ["<html>", "[]", "{}", '{"choices": []}', '{"choices": [{"message": {"content": 1}}]}']
)
def test_what_is_no_completion_is_told_without_being_shown(reply):
    with pytest.raises(ValueError, match=r"^(is not JSON|has no choices|has no text)$"):
        text_of(reply)


def test_a_model_that_declines_has_written_nothing():
    assert text_of('{"choices": [{"message": {"content": null, "refusal": "no"}}]}') == ""


def test_what_was_put_before_a_kill_is_there_after_it(tmp_path):
    """The writer says each number once it is put, and is killed in the middle of the next ones."""
    code = (
        "import sys; from rarecase.llm.replies import Replies; replies = Replies(sys.argv[1])\n"
        "for i in range(100000):\n    replies.put({'seed': i}, 'here', 'x' * 5000)\n    print(i, flush=True)\n"
    )
    path = tmp_path / "replies.sqlite"
    for kill_at in (1, 20, 70):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            said = [int(next(writer.stdout)) for _ in range(kill_at)]
            os.kill(writer.pid, signal.SIGKILL)
            said += [int(line) for line in writer.stdout if line.endswith("\n")]
        replies = Replies(path)
        assert [i for i in said if replies.get({"seed": i}) != "x" * 5000] == []
        replies.close()


def test_a_full_disk_is_named_and_loses_nothing(tmp_path):
    replies = Replies(tmp_path / "replies.sqlite")
    replies.put(REQUEST, "here", REPLY)
    # SQLite's own limit raises what a full disk raises.
    replies._connection.execute("PRAGMA max_page_count = 10")
    with pytest.raises(DiskFullError, match="no space left"):
        replies.put({"seed": 2}, "here", "x" * 200_000)
    assert replies.get(REQUEST) == REPLY
    assert replies.get({"seed": 2}) is None


def test_a_file_that_is_no_store_is_named(tmp_path):
    path = tmp_path / "replies.sqlite"
    path.write_text("not a database, but long enough to be looked at " * 10)
    with pytest.raises(DataError, match=r"replies\.sqlite: cannot be used as the store of replies"):
        Replies(path).get(REQUEST)


def test_the_key_is_a_hash_of_the_whole_request():
    changed = [{**REQUEST, key: None} for key in REQUEST]
    assert len({request_key(r) for r in (REQUEST, *changed)}) == 4


def test_a_reply_that_is_not_utf_8_is_not_shown(tmp_path):
    path = tmp_path / "replies.sqlite"
    store = Replies(path)
    store.put(REQUEST, "http://127.0.0.1/v1", "{}")
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE replies SET reply = CAST(x'706f7374ff' AS TEXT)")  # post\xff
    store = Replies(path)
    with pytest.raises(DataError, match="Could not decode to UTF-8 column 'reply'") as caught:
        store.get(REQUEST)
    store.close()
    assert "post" not in str(caught.value).removeprefix(str(path))
