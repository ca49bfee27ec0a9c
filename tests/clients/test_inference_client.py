"""The Hub's client, as the registry has it."""

import pytest
import small
from client_environments import CRY, FINE, printed

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1800)]  # the first one installs


def test_it_reads_every_class_the_likeliest_first(guard):
    found = printed("huggingface", "inference_client.py", guard.url, guard.key, [CRY, FINE])
    cry, fine = found["found"]
    assert [cry[0][0], fine[0][0]] == ["self-harm", "not-harmful"]
    assert {label for label, _ in cry} == set(small.NAMES)
    assert cry == sorted(cry, key=lambda one: -one[1])
    assert found["refused"] == 401
