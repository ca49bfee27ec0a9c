"""A `transformers` language model in this process: no server, and no post leaves the machine."""

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from rarecase.core.errors import ModelError
from rarecase.core.progress import bar
from rarecase.hub.ids import name_of
from rarecase.llm.ledger import Entry, Ledger
from rarecase.llm.replies import Replies, Request, reply_stored, request_key
from rarecase.models.checkpoint import loading, local_folder, require_tokenizer, require_weights

if TYPE_CHECKING:
    import torch

# By their folder, as long as somebody has them: who writes, judges and labels may be the same model, loaded once.
_WEIGHTS: WeakValueDictionary[Path, Any] = WeakValueDictionary()


class Local:
    """
    A causal language model with a chat template, asked one request at a time.

    A reply is a function of its request: the sampling has a seed of its own, which the request carries.
    """

    def __init__(self, model: str, *, replies: Replies):
        self.model, self.replies = model, replies
        self.name, self.leaves_machine = name_of(model), False

    def ask(self, requests: Iterable[Request]) -> None:
        """Writes what is not stored yet."""
        missing, number = self.replies.missing(requests), Ledger(self.replies).next_number()
        for request in bar(len(missing), "replies", "reply", iterable=missing, delay=2):
            # In the shape of an endpoint's reply, so that one reader reads both.
            choice, prompt, completion = self._write(request)
            reply = json.dumps({"choices": [choice]}, ensure_ascii=False)
            entry = Entry(number, request_key(request), prompt, completion, 0.0)
            settled = entry.settled(prompt, completion, 0.0)
            self.replies.write([entry.entered, settled, reply_stored(request, "local", reply)])
            number += 1

    def check(self) -> None:
        """Loads the tokenizer, so that a model that cannot be used is known at once; a Hub id is downloaded."""
        _ = self._tokenizer

    def _write(self, request: Request) -> tuple[dict[str, Any], int, int]:
        """The one choice of a reply, and how many tokens were read and written."""
        import torch

        prompt = self._tokenizer.apply_chat_template(
            request["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._model.device)
        greedy = request["temperature"] == 0
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(request["seed"])
            written = self._model.generate(
                **prompt,
                do_sample=not greedy,
                temperature=None if greedy else request["temperature"],
                max_new_tokens=request["max_tokens"],
                return_dict_in_generate=True,
                output_logits=request.get("logprobs", False),
            )
        read = prompt["input_ids"].shape[1]
        tokens = written.sequences[0, read:]
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        is_cut = len(tokens) == request["max_tokens"] and tokens[-1].item() not in self._ends
        finish = "length" if is_cut else "stop"
        choice: dict[str, Any] = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
        if request.get("logprobs"):
            listed = [self._likeliest(logits[0], request["top_logprobs"]) for logits in written.logits]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top} for top in listed]}
        return choice, read, len(tokens)

    def _likeliest(self, logits: "torch.Tensor", most: int) -> list[dict[str, Any]]:
        """The likeliest tokens with their log-probabilities, the likeliest first."""
        log_probabilities, tokens = logits.log_softmax(dim=-1).topk(min(most, len(logits)))
        pairs = zip(self._tokenizer.batch_decode(tokens[:, None]), log_probabilities.tolist(), strict=True)
        return [{"token": token, "logprob": logprob} for token, logprob in pairs]

    @property
    def _ends(self) -> list[int | None]:
        """The tokens after which the model has ended what it writes."""
        ends = self._model.generation_config.eos_token_id
        return ends if isinstance(ends, list) else [ends]

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        folder = local_folder(self.model)
        with loading(self.model):
            require_tokenizer(self.model, folder)
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not tokenizer.chat_template:
            raise ModelError(
                f"{self.model}: its tokenizer has no chat template, so it is a base model; "
                "choose one that is tuned to follow instructions (often called Instruct)"
            )
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        folder = local_folder(self.model).resolve()
        model: Any = _WEIGHTS.get(folder)
        if model is None:
            with loading(self.model):
                require_weights(self.model, folder)
                loaded: Any = AutoModelForCausalLM.from_pretrained(
                    folder, use_safetensors=True, trust_remote_code=False
                )
            model = _WEIGHTS[folder] = loaded.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        return model
