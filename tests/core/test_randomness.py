"""Every draw comes from a named child of the one seed."""

import warnings

from rarecase.core import randomness


def draws(seed: int, *names: str | int) -> list[int]:
    return randomness.generator(seed, *names).integers(2**40, size=4).tolist()


def test_a_name_decides_the_draw_and_not_the_order_of_the_calls():
    first, second = draws(0, "clusters"), draws(0, "batches", 3)
    assert [draws(0, "batches", 3), draws(0, "other"), draws(0, "clusters")][::2] == [second, first]


def test_children_differ_by_every_part_of_their_name_and_by_seed():
    names = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("a", 0), ("a", 1), ("a", 10), ("a", 1, 0)]
    found = [tuple(draws(seed, *name)) for seed in (0, 1, 2**40) for name in names]
    assert len(set(found)) == len(found)


def test_the_draws_of_a_name_stay_as_they_are_between_versions():
    assert randomness.integer(0, "clusters") == 690879345
    assert draws(7, "round", 2) == [513140991183, 528389424113, 270499385786, 447647271627]


def test_an_integer_has_31_bits_and_uses_them():
    found = [randomness.integer(0, "number", i) for i in range(2_000)]
    assert len(set(found)) == 2_000
    assert min(found) >= 0
    assert max(found) < 2**31
    assert sum(bool(value >> 30) for value in found) in range(900, 1_100)


def test_no_global_generator_is_touched_or_read():
    import random

    import numpy as np

    np.random.seed(0)  # noqa: NPY002 - what must not matter
    random.seed(0)
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = draws(0, "a")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert draws(0, "a") == first


def test_torch_is_seeded_inside_alone_and_says_nothing_of_other_gpus(monkeypatch):
    import torch

    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)  # which fork_rng would warn of
    torch.manual_seed(5)
    state, found = torch.get_rng_state(), []
    for seed in (1, 1, 2):
        with warnings.catch_warnings(), randomness.torch_seeded(seed, torch.device("cpu")):
            warnings.simplefilter("error")
            found.append(torch.rand(3).tolist())
    assert found[0] == found[1] != found[2]
    assert torch.equal(torch.get_rng_state(), state)
