"""
A data set of the Hub, or a release in a folder, through `datasets.load_dataset`; what goes wrong said in one line.
"""

import re
from pathlib import Path

from datasets import Dataset, get_dataset_config_names, get_dataset_split_names, load_dataset
from datasets.exceptions import DatasetNotFoundError, DatasetsError

from rarecase.errors import DataError, did_you_mean
from rarecase.tables.formats import FORMATS
from rarecase.tables.lines import COMPRESSED

_HUB_ID = re.compile(r"([\w.-]{1,96}/)?[\w.-]{1,96}")


def load(source: str, config: str | None, split: str) -> Dataset:
    """
    One split of a data set.

    Args:
        source (`str`): a folder that is a release, or `owner/name` on the Hub.
        config (`str`, *optional*): may be left out where there is one, or a default.
        split (`str`): such as `train`.

    Raises:
        `DataError`: naming what there is instead of the config or split, or why the data set can't be had.

    Example:
        >>> test = load("org/safety", "cluster", "test")
    """
    path = Path(source)
    if not path.exists() and (not _HUB_ID.fullmatch(source) or path.suffix.lower() in (*FORMATS, *COMPRESSED)):
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(
            f"{source}: no such file or folder, and no id on the Hub (owner/name){did_you_mean(path.name, siblings)}"
        )
    try:
        return load_dataset(source, config, split=split)
    except ValueError:
        raise _mistaken(source, config, split) from None
    except ConnectionError:
        raise DataError(
            f"{source}: no file or folder of this name, and the Hub does not answer (HF_ENDPOINT, HF_HUB_OFFLINE?)"
        ) from None
    except (DatasetNotFoundError, FileNotFoundError):
        raise DataError(
            f"{source}: no file or folder of this name, and no data set on the Hub that can be read "
            "(a private or gated one needs HF_TOKEN)"
        ) from None
    except (DatasetsError, OSError) as error:
        # Its words could hold a row of the data.
        raise DataError(f"{source}: can not be read ({type(error).__name__}); are its files damaged?") from None


def _mistaken(source: str, config: str | None, split: str) -> DataError:
    """What was wrong, once `load_dataset` has refused config or split."""
    configs = get_dataset_config_names(source)
    if config is None and len(configs) > 1:
        return DataError(f"{source}: say which config, as {source}:CONFIG; there are {', '.join(configs)}")
    if config is not None and config not in configs:
        return DataError(
            f"{source}: no config {config!r}; there are {', '.join(configs)}{did_you_mean(config, configs)}"
        )
    splits = get_dataset_split_names(source, config)
    if split not in splits:
        name = f"{source}:{config or configs[0]}"
        return DataError(f"{name}: no split {split!r}; there are {', '.join(splits)}, such as {name}/{splits[0]}")
    return DataError(f"{source}: config {config!r}, split {split!r} can not be read; are its files damaged?")
