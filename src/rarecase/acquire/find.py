"""A strategy by the name that the command line gives it: one that ships with rarecase, or the user's own function."""

import importlib
import os
import sys

from rarecase.acquire.strategy import Strategy, name_of
from rarecase.core.errors import ConfigError, did_you_mean
from rarecase.data.arrow import HELPERS
from rarecase.data.release import check_names

# Each strategy that ships with rarecase, and the module of `rarecase.acquire` that it is in.
_HOME = {
    "random": "strategies",
    "entropy": "strategies",
    "coreset": "strategies",
    "cluster": "strategies",
    "least_confidence": "uncertainty",
    "margin": "uncertainty",
    "bald": "uncertainty",
    "badge": "badge",
    "contrastive": "contrast",
    "disagreement": "contrast",
    "typiclust": "diversity",
    "probcover": "diversity",
    "rare": "rare",
}
STRATEGIES = tuple(_HOME)
ANCHORS = "anchors-"  # before another name: that strategy, shown the part of the pool around the labelled examples


def find_strategy(name: str) -> Strategy:
    """
    One that ships with rarecase, or a function of the user's own.

    Args:
        name (`str`): one of `STRATEGIES`; `module:function`, the module found from the working folder; or either after
            `anchors-`, see `rarecase.acquire.anchors`.

    Raises:
        `ConfigError`: where there is no such function, with the near name; or where its own name cannot name a config
            of the release, or it needs a column that nobody makes.

    Example:
        >>> find_strategy("anchors-entropy")
    """
    if name.startswith(ANCHORS):
        from rarecase.acquire.anchors import anchors

        return anchors(_find(name, name.removeprefix(ANCHORS)))
    return _find(name, name)


def _find(given: str, name: str) -> Strategy:
    if name in STRATEGIES:
        return getattr(importlib.import_module(f"rarecase.acquire.{_HOME[name]}"), name)
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ConfigError(
            f"--strategy {given}: expected one of {', '.join(STRATEGIES)}, or module:function, or either after "
            f"{ANCHORS}{did_you_mean(name, STRATEGIES)}"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".")[0] and error.name != module_name:
            raise
        raise ConfigError(
            f"--strategy {given}: no module {module_name!r} in {os.getcwd()} or the environment"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        functions = [other for other, value in vars(module).items() if callable(value)]
        raise ConfigError(
            f"--strategy {given}: no such function in {module_name}{did_you_mean(function_name, functions)}"
        )
    _require_usable(given, function)
    return function


def _require_usable(name: str, function: Strategy) -> None:
    """What it acquires becomes a config of its name, beside `bootstrap`: known before a label is spent on it."""
    config = name_of(function)
    if config == "bootstrap":
        raise ConfigError(f"--strategy {name}: 'bootstrap' names the start set already; rename the function")
    try:
        check_names({config: {}}, config)
    except ConfigError as error:
        raise ConfigError(f"--strategy {name}: {error}; give the function another name") from None
    of_labeled = [column for column in HELPERS if column not in ("cluster", "similarity")]  # these are the pool's
    for attribute, where, made in (("needs", "", HELPERS), ("needs_labeled", " of the labelled rows", of_labeled)):
        unknown = next((column for column in getattr(function, attribute, ()) if column not in made), None)
        if unknown is not None:
            raise ConfigError(
                f"--strategy {name}: needs the column {unknown!r}{where}, which nothing makes; expected any of "
                f"{', '.join(made)}{did_you_mean(unknown, made)}"
            )
