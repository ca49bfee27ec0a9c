"""What a round found: its `metrics.json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from rarecase.core.errors import DataError
from rarecase.core.files import read_json, write_json
from rarecase.core.typed import from_json
from rarecase.data.release import Metrics, RoundScores

MOST = 10**9  # rows, and more than any table has


@dataclass(frozen=True)
class StoppingMeasures:
    """What the stopping criteria measured after a round, and which one stopped it; see `rarecase.acquire.stopping`."""

    uncertainty: float | None
    stability: float | None
    gain: float | None
    stopped: str | None


@dataclass(frozen=True)
class RoundRecord:
    """
    The measurements of one round; round 0 is the start set.

    Args:
        round (`int`): its number.
        chosen (`list[str]`): the ids that people labelled in this round, in order of choice.
        labels (`int`): human labels so far, without the start set.
        class_counts (`dict[str, int]`): rows per class acquired so far, variations too, as in the paper's Table 3.
        class_count_std (`float`): their sample standard deviation.
        found (`dict[str, int]`): rows per class that people labelled so far.
        dev (`Metrics`): accuracy, macro-F1 and F1 per class, see `rarecase.evaluate.metrics.metrics`.
        test (`Metrics`): likewise.
        stopping (`StoppingMeasures`, *optional*): where the run has stopping criteria.
        tables (`dict[str, str]`): digests of the files that it was made from, by stage; in `metrics.json` alone, and
            none where an earlier version wrote it.
    """

    round: int
    chosen: list[str]
    labels: int
    class_counts: dict[str, int]
    class_count_std: float
    found: dict[str, int]
    dev: Metrics
    test: Metrics
    stopping: StoppingMeasures | None = None
    tables: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def stopped(self) -> bool:
        """Whether a stopping criterion ended the run after this round."""
        return self.stopping is not None and self.stopping.stopped is not None

    @classmethod
    def from_json(cls, content: Any, where: Path) -> "RoundRecord":
        """Checks the content of `metrics.json`, or of a record in another file; raises `DataError` naming `where`."""
        record: RoundRecord = from_json(cls, content, str(where))
        record.check(str(where))
        return record

    def check(self, where: str) -> None:
        """Raises `DataError` naming `where` for what was never measured."""
        names = self.class_counts.keys()
        others = (self.found, self.dev["f1"], self.test["f1"])
        if not names or any(counted.keys() != names for counted in others) or not "".join(names).isprintable():
            raise DataError(f"{where}: its classes are not the same everywhere; it was changed, or is damaged")
        counts = (self.round, self.labels, *self.class_counts.values(), *self.found.values())
        figures = [
            figure
            for found in (self.dev, self.test)
            for figure in (found["accuracy"], found["macro_f1"], *found["f1"].values())
        ]
        if not all(0 <= count <= MOST for count in counts) or not 0 <= self.class_count_std <= MOST:
            raise DataError(f"{where}: a number of rows that no run has; it was changed, or is damaged")
        if not all(0 <= figure <= 100 for figure in figures):
            raise DataError(f"{where}: a figure that is not from 0 to 100 %; it was changed, or is damaged")
        measured = asdict(self.stopping) if self.stopping else {"stopped": None}
        stopped = measured.pop("stopped")
        if any(value is not None and abs(value) > 100 for value in measured.values()) or (
            stopped is not None and measured.get(stopped) is None
        ):
            raise DataError(f"{where}: stopping measures that no run has; it was changed, or is damaged")

    @classmethod
    def read(cls, path: Path) -> "RoundRecord":
        """Reads `metrics.json`; raises `DataError` where it is not the record of a round."""
        return cls.from_json(read_json(path), path)

    def to_json(self) -> dict[str, Any]:
        """The record for other files; without `stopping` where the run has no stopping criteria."""
        left_out = ("tables",) if self.stopping else ("tables", "stopping")
        return {name: value for name, value in asdict(self).items() if name not in left_out}

    def released(self) -> RoundScores:
        """What a release tells of the round: counts and scores, and no post."""
        content = {name: value for name, value in self.to_json().items() if name not in ("chosen", "found")}
        return cast(RoundScores, content)

    def write(self, path: Path) -> None:
        """Writes `metrics.json`."""
        write_json(path, {**self.to_json(), **({"tables": dict(self.tables)} if self.tables else {})})
