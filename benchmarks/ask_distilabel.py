"""
distilabel asking the server of `asking.py`, in an environment of its own (`pip install 'distilabel[openai]'
requests`): its arguments are the port, the number of requests, the limit a minute, which it has no place for, and a
folder. Its batches are of 64 rows, so that 64 are asked at a time.
"""

import os
import sys
import time

os.environ |= {"HF_HUB_OFFLINE": "1", "DISTILABEL_LOG_LEVEL": "ERROR"}
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main() -> None:
    port, number, _, folder = sys.argv[1:]
    text = "Say this post in different words: my knee clicks " + "word " * 60
    with Pipeline(name="asked", cache_dir=folder) as pipeline:
        rows = LoadDataFromDicts(data=[{"instruction": f"{text}{i}"} for i in range(int(number))], batch_size=64)
        llm = OpenAILLM(model="words", base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
        rows >> TextGeneration(llm=llm, input_batch_size=64)
    begun = time.monotonic()
    written = pipeline.run(use_cache=False)["default"]["train"]["generation"]
    print("asked", time.monotonic() - begun, sum(reply is not None for reply in written))


if __name__ == "__main__":  # since its steps are processes that begin by importing this file
    main()
