"""Several processes: what they share out comes together in order, and what the main one does the others get."""

import json

import pytest
from launched import launched

from rarecase.core.errors import ConfigError
from rarecase.core.processes import alone, from_all, is_main, join, on_main, share

PROGRAM = """
import json
import sys
from pathlib import Path

from rarecase.cli.together import end
from rarecase.core.errors import ConfigError, WaitingForLabels
from rarecase.core.processes import (
    alone, from_all, from_main, is_distributed, is_in_all, is_main, join, leave, on_main, share
)


def refuse():
    raise ConfigError("no such post")


def wait():
    raise WaitingForLabels("label some")


def fail():
    raise ZeroDivisionError("a defect")


def met(function):
    try:
        return on_main(function)
    except BaseException as error:
        return [type(error).__name__, str(error), is_in_all(error)]


rank = join().process_index
calls = []
with alone():
    apart = [is_distributed(), share(3), from_all(rank)]
found = {
    "main": is_main(),
    "value": on_main(lambda: calls.append(rank) or rank),
    "nested": on_main(lambda: on_main(lambda: rank)),
    "told": from_main(rank),
    "calls": calls,
    "refused": met(refuse),
    "waiting": met(wait),
    "failed": met(fail),
    "share": [share(parts) for parts in (0, 1, 5)],
    "all": from_all(rank),
    "apart": apart,
}
Path(sys.argv[1], f"{rank}.json").write_text(json.dumps(found))
leave()
end(0)
"""


def test_what_is_shared_comes_together_and_what_main_does_all_know(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = launched(["program.py", str(tmp_path)], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    main, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert (main["main"], other["main"]) == (True, False)
    for found in (main, other):
        assert [found[name] for name in ("value", "nested", "told")] == [0, 0, 0]
        assert found["refused"] == ["ConfigError", "no such post", True]
        assert found["waiting"] == ["WaitingForLabels", "label some", True]
        assert found["all"] == [0, 1]
    assert (main["calls"], other["calls"]) == ([0], [])
    assert main["failed"][:2] == ["ZeroDivisionError", "a defect"]
    assert other["failed"][0] == "ProcessEndedError"
    # As many for each; of five parts one is computed twice.
    assert (main["share"], other["share"]) == ([[], [0], [0, 2, 4]], [[], [0], [1, 3, 0]])
    assert (main["apart"], other["apart"]) == ([False, [0, 1, 2], [0]], [False, [0, 1, 2], [1]])


def test_one_process_does_all_itself():
    assert is_main()
    assert on_main(str.upper, "a") == "A"
    assert share(3) == [0, 1, 2]
    assert from_all("a") == ["a"]
    assert join().num_processes == 1
    with alone():
        assert share(2) == [0, 1]


@pytest.mark.parametrize("plugin", ["FSDP", "DEEPSPEED"])
def test_what_shards_a_model_over_gpus_is_refused_on_a_processor(plugin, monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true", f"ACCELERATE_USE_{plugin}": "true"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"ACCELERATE_USE_{plugin} shards a model over GPUs, and this machine"):
        is_main()


def test_a_world_size_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ConfigError, match="WORLD_SIZE 'two': expected how many processes"):
        is_main()
