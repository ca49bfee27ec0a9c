"""
A guard over HTTP, in the shapes that clients already send: OpenAI's moderation endpoint (`moderations.py`), LiteLLM's
generic guardrail (`guardrail.py`), and text-embeddings-inference (`predict.py`).

`boundary.py` is what every request passes, `app.py` the routes behind it, `batching.py` the one thread that reads and
scores what they bring, `server.py` the process.
"""

KEY = "RARECASE_API_KEY"  # the environment variable with what requests have to bring
