"""The settings of who writes variations, and of what is asked for them."""

from dataclasses import Field, dataclass
from typing import Any, Literal

from rarecase.core.errors import ConfigError, flag
from rarecase.settings.checks import (
    Rule,
    above,
    at_least,
    needed_by,
    no_effect_beside,
    no_effect_without,
    no_key,
    setting,
)

# The generators that need each of these settings; no other one has a use for it.
GENERATORS = {"generator_url": ("openai",), "generator_model": ("openai", "local"), "generator_data": ("replay",)}

# What may change of how an endpoint is asked: none of these has a part in what it answers.
ENDPOINT_MAY_CHANGE = ("concurrency", "generator_url", "send_to", "max_cost", "max_tokens", "max_requests", "prices")

_OF_MODELS = no_effect_without("generator", *GENERATORS["generator_model"])


def _of_generator(name: str) -> tuple[Rule, Rule]:
    kinds = GENERATORS[name]
    needed = needed_by("generator", *kinds, otherwise="--generator none: no variations")
    return needed, no_effect_without("generator", *kinds)


def _of_endpoints(config: Any, entry: Field[Any]) -> None:
    """The setting has an effect where an endpoint is asked, by the generator or by the annotator."""
    asks = config.generator == "openai" or getattr(config, "annotator_url", None) is not None
    if getattr(config, entry.name) is not None and not asks:
        raise ConfigError(f"{flag(entry.name)} has no effect without --generator openai; add that, or leave it out")


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """
    Who writes variations of the labelled posts.

    Args:
        generator (`str`): who writes variations: `openai` (any compatible endpoint), `local` (a transformers model),
            `replay` (variations that exist), `cheap` (words swapped and left out, no model) or `none` (the default).
        variations (`int`): of each labelled text.
        generator_url (`str`, *optional*): base URL of the endpoint, such as `http://127.0.0.1:8000/v1`.
        generator_model (`str`, *optional*): the model's name there; for `local` its Hub id or folder.
        template (`str`, *optional*): what the language model is asked: `variation` (the default: keeps the label),
            `contrast` (contradicts it), `small` (keeps it; for models of up to a billion parameters) or a file of
            your own.
        contrast_to (`str`, *optional*): the class that contrasts are to be of; by default the first whose action is
            `allow`.
        generator_data (`str`, *optional*): for `replay`: the table of variations.
        concurrency (`int`): requests in flight at most; fewer where the server does not take as many.
        temperature (`float`): of the language model.
        policy (`str`): which variations are learned from, after what the checks of each found: `strict` (those that
            failed none), `majority` (those that failed none, or only that of the judge or only that of the learner) or
            `none` (all but empty texts, refusals and copies of dev or test).
        judge (`bool`): asks the language model for the class of each variation that failed no other check, a request
            each, which does not name the one that is meant.
        send_to (`str`, *optional*): the host that posts may be sent to where it is not this machine.
        max_cost (`float`, *optional*): dollars that the endpoint may cost in all; the run stops before.
        max_tokens (`int`, *optional*): tokens that may be sent and written in all; the run stops before.
        max_requests (`int`, *optional*): requests to the endpoint in all; the run stops before.
        prices (`str`, *optional*): a YAML file of dollars per million tokens, for models that have no price here.
    """

    generator: Literal["openai", "local", "replay", "cheap", "none"] = "none"
    variations: int = setting(5, at_least(0))
    generator_url: str | None = setting(None, *_of_generator("generator_url"), no_key)
    generator_model: str | None = setting(None, *_of_generator("generator_model"))
    template: str | None = setting(None, _OF_MODELS)
    contrast_to: str | None = setting(None, _OF_MODELS)
    generator_data: str | None = setting(None, *_of_generator("generator_data"))
    concurrency: int = setting(16, at_least(1))
    temperature: float = setting(0.4, at_least(0))
    policy: Literal["strict", "majority", "none"] = setting("majority", no_effect_beside(generator=("none",)))
    judge: bool = setting(False, _OF_MODELS)
    send_to: str | None = None
    max_cost: float | None = setting(None, above(0), _of_endpoints)
    max_tokens: int | None = setting(None, at_least(1), _of_endpoints)
    max_requests: int | None = setting(None, at_least(1), _of_endpoints)
    prices: str | None = setting(None, _of_endpoints)

    @property
    def asks_a_model(self) -> bool:
        """Whether a language model writes the variations."""
        return self.generator in GENERATORS["generator_model"]
