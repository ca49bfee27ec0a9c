"""What `label serve` and `publish labeling` are told of how a store is labelled."""

from pathlib import Path

from rarecase.core.errors import ConfigError


def require_sense(
    *,
    votes: int | None = None,
    lease: float | None = None,
    calibrate_every: int | None = None,
    qualify: Path | None = None,
) -> None:
    """
    Stops before a store is labelled in a way that nobody can mean; what is not said is not looked at.

    Raises:
        `ConfigError`: naming the flag.

    Example:
        >>> require_sense(votes=0)
        Traceback (most recent call last):
        rarecase.core.errors.ConfigError: --votes 0: expected at least 1
    """
    for name, value, least in (("votes", votes, 1), ("calibrate-every", calibrate_every, 0)):
        if value is not None and value < least:
            raise ConfigError(f"--{name} {value}: expected at least {least}")
    if lease is not None and not lease > 0:
        raise ConfigError(f"--lease {lease}: expected more than 0 seconds")
    if calibrate_every and qualify is None:
        raise ConfigError("--calibrate-every needs --qualify FILE: texts with known labels")
