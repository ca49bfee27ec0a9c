"""
A guard over HTTP, in the shapes that clients already send: OpenAI's (`moderations.py`), LiteLLM's (`guardrail.py`) and
text-embeddings-inference's (`predict.py`). `boundary.py` is what every request passes, `app.py` the routes behind it,
`batching.py` the one thread that scores what they bring, `server.py` the process.
"""

KEY = "RARECASE_API_KEY"  # the environment variable with what requests have to bring
