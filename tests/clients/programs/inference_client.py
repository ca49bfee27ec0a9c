"""Asks a guard by the Hub's client."""

import json
import os

import huggingface_hub

client = huggingface_hub.InferenceClient(base_url=os.environ["GUARD"], token=os.environ["KEY"])
found = [client.text_classification(text) for text in json.loads(os.environ["TEXTS"])]
try:
    huggingface_hub.InferenceClient(base_url=os.environ["GUARD"], token="wrong").text_classification("x")
    refused = None
except huggingface_hub.errors.HfHubHTTPError as error:
    refused = error.response.status_code
said = [[[one.label, one.score] for one in ranked] for ranked in found]
print(json.dumps({"version": huggingface_hub.__version__, "found": said, "refused": refused}))
