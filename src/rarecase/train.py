"""`rarecase train`: a learner on a released set, outside the loop."""

from functools import partial
from pathlib import Path
from typing import Any

from datasets import concatenate_datasets

from rarecase.config import TrainConfig, check, require_out
from rarecase.errors import ConfigError, DataError
from rarecase.evaluate.metrics import metrics
from rarecase.learn import make_learner
from rarecase.schema import matrix
from rarecase.sets import taxonomy_of, with_classes
from rarecase.tables import read_argument, row_of
from rarecase.tables.read import is_release


def train(data: str, config: TrainConfig) -> dict[str, Any]:
    """
    Trains on the `train` splits of some configs, chooses epochs on `validation` and measures on `test`.

    Args:
        data (`str`): a release folder or a Hub id.
        config (`TrainConfig`): the configs whose rows to put together (dev and test are the first one's), the learner,
            and the model folder to write, which may not hold anything yet.

    Returns:
        `dict`: `train` (rows), `dev` and `test` (metrics in percent).

    Raises:
        `ConfigError`: where the folder holds something, or no config is named.
        `DataError`: naming the config and the row that cannot be learned from.

    Example:
        >>> config = TrainConfig(config_name="bootstrap,cluster", learner="finetune", out=Path("guard"))
        >>> train("run/data", config)["test"]["macro_f1"]
        71.2
    """
    check(config)
    out = require_out(config)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists and is not empty; name another --out")
    configs = [name.strip() for name in config.config_name.split(",") if name.strip()]
    if not configs:
        raise ConfigError("--config-name is empty: expected names separated by commas, such as bootstrap,cluster")
    if Path(data).exists() and not is_release(Path(data)):
        raise DataError(
            f"{data} is no release (a folder with a README.md that lists configs, such as the data/ of a run); give "
            "one, or a data set of the Hub"
        )
    parts = {name: (f"{data}:{name}", "train") for name in configs}
    parts |= {role: (f"{data}:{configs[0]}", role) for role in ("dev", "test")}
    raw = {name: read_argument(*part) for name, part in parts.items()}
    taxonomy = taxonomy_of(config.taxonomy, [label for table in raw.values() for label in table["label"][:]])
    learner = make_learner(
        config.learner,
        config.model,
        taxonomy.names,
        seed=config.seed,
        precision=config.precision,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
    )
    ready = {
        name: learner.prepare(with_classes(table, taxonomy, partial(row_of, *parts[name], "label")))
        for name, table in raw.items()
    }
    rows = concatenate_datasets([ready[name] for name in configs])
    learner.fit(rows, ready["dev"]).save(out)
    measured = {}
    for name in ("dev", "test"):
        probs = matrix(learner.score(ready[name]), "probs")
        measured[name] = metrics(matrix(ready[name], "label"), probs.argmax(axis=1), taxonomy.names)
    return {"train": len(rows), **measured}
