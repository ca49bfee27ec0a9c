"""What a guard says of a text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rarecase.data.taxonomy import Action


@dataclass(frozen=True)
class Verdict:
    """
    What a guard says of a text; no part of the text is in it.

    Args:
        label (`str`, *optional*): of the classes over their threshold the one with the severest action, of several the
            one furthest over it. Where there is none, the likeliest class whose action is `allow`; None if the model
            has no such class.
        action (`str`): of the label: `allow`, `flag`, `route` (to help) or `block`.
        flagged (`bool`): whether any class whose action is not `allow` is over its threshold.
        windows (`int`): how many windows the text was read in.
        scores (`Mapping[str, float]`): by class the largest probability of all windows; of a class whose action is
            `allow` the smallest, for a text is harmless only if all of it is. Those of certified and `allow` classes
            are at the guard's temperature, the others at 1, so they need not sum to 1.
        thresholds (`Mapping[str, float]`): of each class whose action is not `allow`, for a text of so many windows;
            an equal score is over it.
        script (`str`): `other` where most letters are of another script than the Latin one, else `latin`.
        replaced (`int`): lone surrogates, which are half a character, that were read as U+FFFD.
        certified (`bool`): whether all thresholds are those of a certificate: of every class whose action is not
            `allow`. It says nothing about this one text.
        message (`str`): what the taxonomy has a server say where the label is acted on; empty for nothing.
    """

    label: str | None
    action: Action
    flagged: bool
    windows: int
    scores: Mapping[str, float]
    thresholds: Mapping[str, float]
    script: Literal["latin", "other"]
    replaced: int
    certified: bool
    message: str

    def to_json(self) -> dict[str, Any]:
        """What stands in a line of `rarecase guard check`, beside the id."""
        return {name: value for name, value in asdict(self).items() if name != "message"}
