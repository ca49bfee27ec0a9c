"""The record of a round: read back as it was written, and checked whole."""

import json
import math
from dataclasses import asdict, replace

import pytest

from rarecase.core.errors import DataError
from rarecase.evaluate.record import RoundRecord, StoppingMeasures
from rarecase.experiment.cells import read_cell

MEASURED = {"accuracy": 71.0, "macro_f1": 70.5, "f1": {"harmful": 68.0, "not-harmful": 73.0}}
RECORD = RoundRecord(
    round=1,
    chosen=["p3", "p1"],
    labels=2,
    class_counts={"harmful": 4, "not-harmful": 2},
    class_count_std=1.41,
    found={"harmful": 2, "not-harmful": 1},
    dev=MEASURED,
    test=MEASURED,
)
STOPPED = replace(RECORD, stopping=StoppingMeasures(uncertainty=0.2, stability=None, gain=None, stopped="uncertainty"))


@pytest.mark.parametrize("record", [RECORD, STOPPED])
def test_a_record_is_read_as_it_was_written(tmp_path, record):
    record.write(tmp_path / "metrics.json")
    assert RoundRecord.read(tmp_path / "metrics.json") == record
    assert record.stopped == (record is STOPPED)
    assert ("stopping" in json.loads((tmp_path / "metrics.json").read_text())) == (record is STOPPED)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {name: value for name, value in RECORD.to_json().items() if name != "found"},
        {**RECORD.to_json(), "test": {"accuracy": 71.0}},
        {**RECORD.to_json(), "dev": None},
        {**RECORD.to_json(), "stopping": {"gain": 1.0}},
    ],
    ids=["a list", "without a key", "without figures", "null", "of half a criterion"],
)
def test_what_is_no_record_is_named(tmp_path, content):
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"metrics\.json.*(missing|expected)"):
        RoundRecord.read(tmp_path / "metrics.json")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"round": -1}, "a number of rows that no run has"),
        ({"labels": 10**15}, "a number of rows that no run has"),
        ({"class_counts": {"harmful": -4, "not-harmful": 2}}, "a number of rows that no run has"),
        ({"class_count_std": 1e308}, "a number of rows that no run has"),
        ({"class_count_std": math.nan}, "class_count_std: nan, expected a finite number"),
        ({"dev": {**MEASURED, "accuracy": math.inf}}, "dev.accuracy: inf, expected a finite number"),
        ({"test": {**MEASURED, "macro_f1": 1e308}}, "a figure that is not from 0 to 100 %"),
        ({"test": {**MEASURED, "f1": {"harmful": -1.0, "not-harmful": 73.0}}}, "a figure that is not from 0 to 100 %"),
        ({"stopping": {**asdict(STOPPED.stopping), "uncertainty": 1e308}}, "stopping measures that no run has"),
        ({"stopping": {**asdict(STOPPED.stopping), "stopped": "gain"}}, "stopping measures that no run has"),
        ({"stopping": {**asdict(STOPPED.stopping), "stopped": "stopped"}}, "stopping measures that no run has"),
    ],
)
def test_a_number_that_was_never_measured_is_refused(tmp_path, changed, says):
    content = {**RECORD.to_json(), **changed}
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"metrics\.json.*{says}"):
        RoundRecord.read(tmp_path / "metrics.json")
    cell = tmp_path / "cell.json"
    cell.write_text(json.dumps({"strategy": "random", "seed": 0, "rounds": [content]}))
    with pytest.raises(DataError, match=r"cell\.json: no record of a cell"):
        read_cell(cell)
    cell.write_text(json.dumps({"strategy": "random", "seed": 0, "rounds": [RECORD.to_json()]}))
    assert read_cell(cell)[1].rounds == (RECORD,)
