"""OpenAI's client, as the registry has it."""

import threading
import time

import pytest
from client_environments import CRY, FINE, FLAGGED, printed
from guard_server import Served, served

from rarecase.serve.moderations import CATEGORIES

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1800)]  # the first one installs


def test_it_reads_what_the_guard_says_of_each_text(guard):
    found = printed("openai", "openai_client.py", guard.url, guard.key, [CRY, FINE, FLAGGED])
    assert [one["flagged"] for one in found["results"]] == [True, False, True]
    assert found["at once"] == [True, False, True] * 4
    assert found["model"].startswith("guard@")
    assert found["refused"] == 401
    assert found["retries"] == 0
    for one in found["results"]:
        for key in ("categories", "category_scores", "category_applied_input_types"):
            assert set(CATEGORIES) < set(one[key])
            assert None not in one[key].values()
    cry, _, landlord = found["results"]
    assert cry["categories"]["self-harm"] is True
    assert (cry["action"], landlord["action"]) == ("route", "flag")


def test_it_waits_as_long_as_a_full_guard_says_and_asks_again():
    with served(key="sk-busy") as there:
        busy = round(3 * there.batcher.speed)
        there.batcher.first += busy  # three seconds of work, which nobody does
        thread = threading.Thread(target=empty_once_it_refused, args=(there, busy))
        thread.start()
        found = printed("openai", "openai_client.py", there.url, there.key, ["a 0.9 0 0 0.1"])
        thread.join()
    assert found["retries"] == 1
    assert [one["flagged"] for one in found["results"]] == [True]


def empty_once_it_refused(there: Served, busy: int) -> None:
    while 'status="429"' not in there.ask("/metrics")[1]:
        time.sleep(0.1)
    there.batcher.first -= busy
