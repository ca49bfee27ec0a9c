"""
The demo of a data set and a model: `python app.py`.

Which ones is written in demo.json beside this file, or in RARECASE_DATASET and RARECASE_MODEL: `ORG/NAME` or
`ORG/NAME@REVISION`; the two variables may name a folder too. Private ones are read with the secret HF_TOKEN.
"""

from pathlib import Path

from rarecase.demo_space.page import launch

if __name__ == "__main__":
    launch(Path(__file__).parent)
