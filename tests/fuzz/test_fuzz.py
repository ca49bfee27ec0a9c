"""Mutated files, replies and requests, tens of thousands: each is accepted, or answered in one line, soon."""

import pytest

from fuzz.blocks import TESTS

SEED = 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ["files", "replies", "requests"])
def test_nothing_that_strangers_send_ends_in_a_traceback_hangs_or_takes_the_memory(forks, tmp_path, what):
    program = f"import fuzz.{what} as cases; cases.main()"
    done = forks.run(["-c", program, SEED], cwd=TESTS, within=3500, TMPDIR=str(tmp_path))
    print(done.stdout)
    assert done.status == 0, done.stdout + done.stderr
