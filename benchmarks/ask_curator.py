"""
Bespoke Labs' curator asking the server of `asking.py`, in an environment of its own (`pip install
bespokelabs-curator`): its arguments are the port, the number of requests, the limit a minute and a folder.
"""

import os
import sys
import time

os.environ |= {"OPENAI_API_KEY": "none", "CURATOR_DISABLE_CACHE": "1", "TELEMETRY_ENABLED": "0"}
import tiktoken


class Words:
    """Stands for tiktoken's tokens, whose table is on a server elsewhere."""

    def encode(self, text, **options):
        return text.split()


tiktoken.get_encoding = tiktoken.encoding_for_model = lambda name: Words()
from bespokelabs import curator  # noqa: E402 - reads the variables above


class Asked(curator.LLM):
    def prompt(self, row):
        return row["text"]

    def parse(self, row, response):
        return {"reply": response}


port, number, a_minute, folder = sys.argv[1:]
parameters = {
    "base_url": f"http://127.0.0.1:{port}/v1",
    "max_requests_per_minute": int(a_minute),
    "max_tokens_per_minute": 10**9,
    "max_concurrent_requests": 64,
    "require_all_responses": False,
}
model = Asked(model_name="gpt-4o-mini", backend="openai", backend_params=parameters)
text = "Say this post in different words: my knee clicks " + "word " * 60
begun = time.monotonic()
answers = model([{"text": f"{text}{i}"} for i in range(int(number))], working_dir=folder)
print("asked", time.monotonic() - begun, len(getattr(answers, "dataset", answers)))
