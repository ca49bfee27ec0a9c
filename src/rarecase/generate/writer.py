"""The generator that asks a language model."""

from datasets import Dataset

from rarecase.data.taxonomy import Taxonomy
from rarecase.generate.prompt import Prompt
from rarecase.generate.template import Template
from rarecase.llm import LanguageModel


class Writer:
    """
    The generators `openai` and `local`: a language model writes the variations.

    The outcome is a function of the posts, `k` and the seed of the run (and of the model). Where posts leave this
    machine, they have placeholders for identifiers. The other arguments are those of `Template`, the prompt by its
    name or file.
    """

    def __init__(
        self,
        model: LanguageModel,
        taxonomy: Taxonomy,
        *,
        seed: int,
        temperature: float = 0.4,
        template: str = "variation",
        contrast_to: str | None = None,
    ):
        self.model, self.seed = model, seed
        self.template = Template(
            taxonomy, model.name, temperature, Prompt.load(template), contrast_to, model.leaves_machine
        )

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """Asks for what is not stored yet, and gives `k` variations of each post; see `Generator.generate`."""
        self.model.ask(self.template.requests(seeds, k, self.seed))
        self.model.ask(self.template.missing(seeds, k, self.seed, self.model.replies))
        return self.template.table(seeds, k, self.seed, self.model.replies, self.model.name)
