"""
Many people at once, and a server that is killed meanwhile: no label is lost, and none is waited for.

    pytest tests/labeling/store/test_load.py -m slow -s

prints how long an acknowledgement took.
"""

import http.client
import json
import sys
from pathlib import Path

import pytest
from many_writers import Served, Told, labelled_by_many, require_all_there, show

SERVING = Path(__file__).with_name("serving.py")


class Straight:
    """Somebody who calls the label service over HTTP, without a page."""

    def __init__(self, name: str, port: int):
        self.name, self.http = name, http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def queue(self) -> Told:
        return self._called("queue")

    def vote(self, item: str, label: str, event: str) -> Told:
        return self._called("vote", item=item, label=label, event=event)

    def _called(self, what: str, **said: str) -> Told:
        try:
            self.http.request("POST", f"/{what}", json.dumps({"person": self.name, **said}))
            answer = json.loads(self.http.getresponse().read())
        except (OSError, http.client.HTTPException):
            self.http.close()  # the next call connects again
            raise
        return Told(answer["accepted"], answer["reason"], answer["queue"])


def labelled(url: str, **how):
    return labelled_by_many(
        url, lambda port: Served([sys.executable, str(SERVING), url, str(port)], port), Straight, **how
    )


@pytest.mark.slow
def test_fifty_writers_lose_nothing_while_the_server_is_killed_five_times(url):
    people = labelled(url, writers=50, each=40, pace=2.0, lease=30.0, kills=5)
    p99 = show(people)
    require_all_there(url, people, 1_000)
    assert p99 < 500


def test_ten_writers_lose_nothing_while_the_server_is_killed_twice(url):
    people = labelled(url, writers=10, each=20, pace=0.25, lease=4.0, kills=2)
    show(people)
    require_all_there(url, people, 100)
