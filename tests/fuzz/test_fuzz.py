"""Mutated files, replies and requests, tens of thousands: each is accepted, or answered in one line, soon."""

import os
import subprocess
import sys

import pytest

from fuzz import guard_requests
from fuzz.blocks import TESTS
from fuzz.mutators import rng_of

SEED = 0


def test_some_of_the_requests_to_a_guard_are_answered_in_their_shape(tmp_path):
    with guard_requests.world().within:
        for number in range(300):
            name, act = guard_requests.case(rng_of(SEED, number), tmp_path)
            try:
                act()
            except AssertionError as error:
                pytest.fail(f"python -m fuzz.guard_requests {SEED} {number} ({name}): {error}")
    guard_requests.world.cache_clear()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ["files", "replies", "requests", "guard_requests"])
def test_nothing_that_strangers_send_ends_in_a_traceback_hangs_or_takes_the_memory(tmp_path, monkeypatch, what):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("HF_")]:  # that of the Hub of these tests
        monkeypatch.delenv(name)
    # A process that has imported no more than it needs: a fork for each block of cases copies all of it.
    program = [sys.executable, "-m", f"fuzz.{what}", str(SEED)]
    done = subprocess.run(program, cwd=TESTS, capture_output=True, text=True, timeout=3500)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
