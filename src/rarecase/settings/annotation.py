"""The settings of who labels what a run chooses."""

from dataclasses import Field, dataclass
from typing import Any, Literal

from rarecase.core.errors import ConfigError
from rarecase.settings.checks import between, no_effect_beside, no_effect_without, no_key, no_password, setting

OF_PEOPLE = (no_effect_beside(annotator=("file", "gold", "llm"), unless={"doubtful_to": "people"}), no_password)
_OF_LLM = no_effect_without("annotator", "llm")


def _known(config: Any, entry: Field[Any]) -> None:
    """The language model that labels has a name: its own, or that of the generator's."""
    if config.annotator == "llm" and config.annotator_model is None and not config.asks_a_model:
        raise ConfigError(
            "--annotator llm needs --annotator-model (or --generator openai or local, whose model then labels, too)"
        )


@dataclass(frozen=True, kw_only=True)
class AnnotationConfig:
    """
    Who labels.

    Args:
        annotator (`str`): `file` (people fill in `to_label.csv`), `people` (on the page of `rarecase label serve`),
            `gold` (labels that are in the pool already) or `llm` (a language model, whose labels are marked as such).
        store (`str`, *optional*): of `people`: the label store, a file, `postgresql://…` or
            `hf://datasets/OWNER/NAME`; by default that of `--start`, where people labelled it, else `labels.sqlite`
            in the output folder. It may be another one when a run goes on, until a label is stored. One outside of the
            output folder, but for that of `--start`, is named again by whoever goes on.
        annotator_url (`str`, *optional*): of `llm`: base URL of the endpoint; by default that of the generator, and
            where it has none, the model is a transformers model in this process.
        annotator_model (`str`, *optional*): of `llm`: the model's name there, or a Hub id or folder; by default the
            generator's.
        doubtful_to (`str`, *optional*): beside `llm`: people who label what it doubts and what may be of a rare class,
            by `file` or as `people`; by default it labels everything.
        sure (`float`, *optional*): the probability from which a label of `llm` stands, else people label the text; by
            default 0.9.
    """

    annotator: Literal["file", "people", "gold", "llm"] = "file"
    store: str | None = setting(None, *OF_PEOPLE)
    annotator_url: str | None = setting(None, _OF_LLM, no_key)
    annotator_model: str | None = setting(None, _OF_LLM, _known)
    doubtful_to: Literal["file", "people"] | None = setting(None, _OF_LLM)
    sure: float | None = setting(None, between(0, 1), no_effect_without("doubtful_to", "file", "people"))

    @property
    def by_people(self) -> str | None:
        """How people label, `file` or `people`, all or a part of it; None where they do not."""
        return self.doubtful_to if self.annotator == "llm" else self.annotator if self.annotator != "gold" else None
