"""The page of the demo Space; `spaces/demo/app.py` only starts it."""
