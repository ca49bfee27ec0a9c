"""
The labeling page: `python app.py`.

Where the texts come from and the labels go is written in labeling.json beside this file. The secret RARECASE_ROLES
says who may do what, and the secret HF_TOKEN holds a token that reads and writes the data set of the labels.
"""

from pathlib import Path

from rarecase.labeling.web import launch

if __name__ == "__main__":
    launch(Path(__file__).parent)
