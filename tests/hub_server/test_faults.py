"""What goes wrong on request, what the clients make of it, and that the log tells it."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import get_session
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import http_backoff

DATASET = {"repo_id": "acme/x", "repo_type": "dataset"}
COMMIT = "POST .*/commit/main$"


def faults(hub, match=""):
    return [(line["status"], line["fault"]) for line in hub.log(match)]


@pytest.mark.parametrize("status", [412, 429, 500, 503])
def test_a_status_is_answered_as_often_as_asked_and_nothing_is_done(alice, fresh_hub, put, refused, status):
    head = put("acme/x", {"a.txt": b"1"})
    fresh_hub.fault(COMMIT, status, times=2, message="not now")
    for _ in range(2):
        with refused(status, "not now"):
            put("acme/x", {"a.txt": b"2"})
        assert alice.repo_info(**DATASET).sha == head
    assert put("acme/x", {"a.txt": b"2"}) != head
    assert faults(fresh_hub, COMMIT)[1:] == [(status, str(status)), (status, str(status)), (200, None)]


def test_requests_can_be_let_through_first(alice, fresh_hub, put, refused):
    fresh_hub.fault(COMMIT, 500, skip=1)
    put("acme/x", {"a.txt": b"1"})
    with refused(500):
        put("acme/x", {"a.txt": b"2"})
    put("acme/x", {"a.txt": b"3"})
    assert [fault for _, fault in faults(fresh_hub, COMMIT)] == [None, "500", None]


def test_a_client_that_may_ask_again_waits_as_long_as_it_is_told(fresh_hub):
    fresh_hub.fault("whoami", 429, retry_after=1)
    fresh_hub.fault("whoami", 503)
    began = time.monotonic()
    answer = http_backoff("GET", f"{fresh_hub.url}/api/whoami-v2", headers={"Authorization": "Bearer hf_alice"})
    assert answer.json()["name"] == "alice"
    assert time.monotonic() - began >= 3  # a second and one more for 429, then its own two for 503
    assert faults(fresh_hub, "whoami") == [(429, "429"), (503, "503"), (200, None)]
    fresh_hub.fault("whoami", 429, retry_after=7)
    assert get_session().get(f"{fresh_hub.url}/api/whoami-v2").headers["Retry-After"] == "7"


def test_an_upload_that_fails_is_tried_again_by_the_client(fresh_hub, put, alice):
    fresh_hub.fault("PUT /_lfs/", 500)
    put("acme/x", {"a.parquet": b"a"})
    assert faults(fresh_hub, "PUT /_lfs/") == [(500, "500"), (200, None)]
    assert "a.parquet" in alice.list_repo_files(**DATASET)


@pytest.mark.parametrize(("drop", "took_effect"), [("before", False), ("after", True)])
def test_a_connection_is_reset_before_the_commit_took_effect_or_after(alice, fresh_hub, put, drop, took_effect):
    head = put("acme/x", {"a.txt": b"1"})
    fresh_hub.fault(COMMIT, drop=drop)
    with pytest.raises(HTTPError) as lost:
        put("acme/x", {"a.txt": b"2"}, parent_commit=head)
    assert not isinstance(lost.value, HfHubHTTPError)  # there was no answer
    assert (alice.repo_info(**DATASET).sha != head) is took_effect
    assert faults(fresh_hub, COMMIT)[-1] == (None, f"dropped {drop}")
    if took_effect:  # who asks again for the same finds it done
        assert put("acme/x", {"a.txt": b"2"}) == alice.repo_info(**DATASET).sha
    else:
        put("acme/x", {"a.txt": b"2"}, parent_commit=head)
    assert len(alice.list_repo_commits(**DATASET)) == 3


def test_a_reset_connection_has_no_orderly_end(fresh_hub):
    fresh_hub.fault("GET /api/whoami-v2", drop="before")
    with socket.create_connection(("127.0.0.1", fresh_hub.port), timeout=10) as connection:
        connection.sendall(b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)


def test_a_delay_holds_one_request_and_no_other(alice, fresh_hub, put):
    put("acme/x", {"a.txt": b"1"})
    fresh_hub.fault(COMMIT, delay=3)
    slow = threading.Thread(target=put, args=("acme/x", {"a.txt": b"2"}))
    slow.start()
    while len(fresh_hub.log(COMMIT)) < 2:
        time.sleep(0.01)
    assert len(alice.list_repo_commits(**DATASET)) == 2
    assert fresh_hub.log(COMMIT)[1]["seconds"] is None
    slow.join()
    while fresh_hub.log(COMMIT)[1]["seconds"] is None:  # which is noted after the answer
        time.sleep(0.01)
    assert fresh_hub.log(COMMIT)[1]["fault"] == "delayed"
    assert fresh_hub.log(COMMIT)[1]["seconds"] >= 3
    assert len(alice.list_repo_commits(**DATASET)) == 3


def test_a_commit_goes_through_though_its_client_was_killed(alice, fresh_hub, put):
    put("acme/x", {"a.txt": b"1"})
    fresh_hub.fault(COMMIT, delay=1.0)
    code = "from huggingface_hub import HfApi; HfApi().upload_file(path_or_fileobj=b'2', path_in_repo='a.txt', "
    code += "repo_id='acme/x', repo_type='dataset')"
    with subprocess.Popen([sys.executable, "-c", code], env=fresh_hub.environment) as client:
        while not any(line["arrived"] for line in fresh_hub.log(COMMIT)):
            time.sleep(0.01)
        client.kill()
    while fresh_hub.log(COMMIT)[1]["seconds"] is None:
        time.sleep(0.01)
    assert Path(alice.hf_hub_download(filename="a.txt", **DATASET)).read_bytes() == b"2"
    assert len(alice.list_repo_commits(**DATASET)) == 3


def test_an_upload_that_breaks_off_leaves_nothing(alice, fresh_hub):
    alice.create_repo(**DATASET)
    asked = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 100}]}
    url = f"{fresh_hub.url}/datasets/acme/x.git/info/lfs/objects/batch"
    answer = get_session().post(url, json=asked, headers={"Authorization": "Bearer hf_alice"})
    address = urlsplit(answer.json()["objects"][0]["actions"]["upload"]["href"])
    head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", fresh_hub.port)) as connection:
        connection.sendall(head.encode() + b"ten bytes.")
    while not fresh_hub.log("PUT") or fresh_hub.log("PUT")[0]["seconds"] is None:
        time.sleep(0.01)
    assert fresh_hub.log("PUT")[0]["fault"] == "client gone"
    assert [path.name for path in fresh_hub.app.state.blobs.iterdir() if path.name.startswith("0" * 64)] == []


def test_a_dead_server_comes_back_at_its_address_with_all_it_held(alice, fresh_hub, put):
    oid = put("acme/x", {"a.txt": b"1", "a.parquet": b"2"})
    alice.create_tag(tag="v1", **DATASET)
    url = fresh_hub.url
    with fresh_hub.down():
        with pytest.raises(HTTPError):
            alice.repo_info(**DATASET)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", fresh_hub.port))
    assert fresh_hub.url == url
    assert alice.repo_info(revision="v1", **DATASET).sha == oid
    assert Path(alice.hf_hub_download(filename="a.parquet", **DATASET)).read_bytes() == b"2"
    assert put("acme/x", {"a.txt": b"1", "a.parquet": b"2"}) == oid


def test_a_server_that_dies_answers_none_of_what_is_under_way(alice, fresh_hub, put):
    put("acme/x", {"a.txt": b"1"})
    fresh_hub.fault("GET .*/refs", delay=60)
    lost = []

    def ask():
        try:
            alice.list_repo_refs(**DATASET)
        except HTTPError as error:
            lost.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not fresh_hub.log("/refs"):
        time.sleep(0.01)
    with fresh_hub.down():
        asking.join(timeout=60)
    assert len(lost) == 1
    assert alice.list_repo_refs(**DATASET)


def test_a_reset_forgets_repositories_faults_and_log_and_gives_clients_an_empty_cache(alice, fresh_hub, put):
    put("acme/x", {"a.txt": b"1"})
    fresh_hub.fault("", 500, times=100)
    home = fresh_hub.environment["HF_HOME"]
    fresh_hub.reset()
    assert fresh_hub.log() == []
    assert not alice.repo_exists(**DATASET)
    assert fresh_hub.environment["HF_HOME"] != home


def test_without_the_hub_the_clients_in_this_process_are_offline(hub):
    with hub.in_process():
        assert get_session().get(f"{hub.url}/api/whoami-v2").status_code == 401
    with pytest.raises(OfflineModeIsEnabled):
        get_session().get(f"{hub.url}/api/whoami-v2")
    import datasets.config

    assert datasets.config.HF_HUB_OFFLINE
    assert os.environ["HF_HUB_OFFLINE"] == "1"
