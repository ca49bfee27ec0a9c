"""Asks a guard by OpenAI's client: at once, without waiting, and with a wrong key."""

import asyncio
import json
import os

import openai

GUARD = {"base_url": os.environ["GUARD"] + "/v1", "api_key": os.environ["KEY"]}
TEXTS = json.loads(os.environ["TEXTS"])


async def all_at_once():
    async with openai.AsyncOpenAI(**GUARD) as client:
        return await asyncio.gather(*[client.moderations.create(input=text) for text in TEXTS * 4])


raw = openai.OpenAI(**GUARD).moderations.with_raw_response.create(model="omni-moderation-latest", input=TEXTS)
found = raw.parse()
try:
    openai.OpenAI(**GUARD | {"api_key": "wrong"}).moderations.create(input=TEXTS[0])
    refused = None
except openai.AuthenticationError as error:
    refused = error.status_code
said = {
    "version": openai.__version__,
    "model": found.model,
    "results": [one.model_dump(by_alias=True) for one in found.results],
    "at once": [one.results[0].flagged for one in asyncio.run(all_at_once())],
    "refused": refused,
    "retries": raw.retries_taken,
}
print(json.dumps(said))
