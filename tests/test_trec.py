"""A data set of the world, with columns and classes of its own, goes through the loop by flags alone."""

import json
import random
import shlex
import subprocess
import sys
from pathlib import Path

from rarecase.cli.main import command

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "trec.py"
KINDS = ("LOC:city", "LOC:state", "HUM:ind", "NUM:date")


def test_the_tables_of_the_script_are_simulated_without_code(tmp_path, capsys):
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghij", k=6)) for _ in range(99)]
    lines = [f"{kind} {' '.join(rng.choices(words, k=6))} ?" for kind in (*KINDS * 60, *["ABBR:exp"] * 6)]
    (tmp_path / "TREC.train").write_bytes(
        "\n".join([*lines, 'HUM:ind Who was Z\xfcrich \'s "first" mayor ?']).encode("latin-1")
    )
    (tmp_path / "TREC.test").write_bytes(
        "\n".join(line.replace("?", "or not at all ?") for line in [*lines[:12], *lines[-2:]]).encode()
    )
    out = tmp_path / "trec"
    run = [sys.executable, SCRIPT, "--other", tmp_path, "--out", out]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    start, dev, pool = (
        (out / "fine" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
        for name in ("bootstrap", "dev", "pool")
    )
    assert (len(start), len(dev), len(pool)) == (101, 101, 48)
    assert not [line for line in start if "ABBR" in line]
    assert "Zürich" in "".join([*start, *dev, *pool])
    for line in said:
        parts = shlex.split(line)
        for flag, value in {"--strategies": "random,entropy", "--seeds": "1"}.items():
            parts[parts.index(flag) + 1] = value
        assert command([*parts[1:], "--budget", "4", "--batch", "2", "--format", "json"]) == 0
        report = json.loads(capsys.readouterr().out)
        kinds = {"ABBR", "LOC", "HUM", "NUM"} if "coarse" in line else {"ABBR:exp", *KINDS}
        assert set(report["strategies"]["entropy"]["found"]) == kinds
