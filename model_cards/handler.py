"""What Hugging Face Inference Endpoints run: every class of a text and its probability, as a `pipeline` answers."""

import json
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer


class EndpointHandler:
    """Loads the model once, and answers requests."""

    def __init__(self, path: str = ""):
        self.names = json.loads((Path(path) / "head.json").read_text(encoding="utf-8"))["names"]
        self.model = SentenceTransformer(path, model_kwargs={"use_safetensors": True})

    def __call__(self, data: dict[str, Any]) -> list[Any]:
        """
        `{"inputs": text or list of texts, "parameters": {"top_k": number}}` to a list of `{"label", "score"}`, the
        likeliest class first, or a list of such lists for a list of texts; without `top_k`, every class.
        """
        inputs, top_k = data["inputs"], (data.get("parameters") or {}).get("top_k")
        texts = [inputs] if isinstance(inputs, str) else inputs
        answers = []
        for logits in self.model.encode(texts, convert_to_tensor=True, show_progress_bar=False):
            scores = zip(self.names, logits.softmax(dim=0).tolist(), strict=True)
            ranked = sorted(scores, key=lambda score: score[1], reverse=True)
            answers.append([{"label": name, "score": score} for name, score in ranked[:top_k]])
        return answers[0] if isinstance(inputs, str) else answers
