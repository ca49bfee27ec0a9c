"""Where the tests find what is not theirs."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]  # of the checkout
PUBLISHED = Path(os.environ.get("RARECASE_PUBLISHED") or ROOT.parent / "shared" / "published")  # of 5.4K
OTHER = Path(os.environ.get("RARECASE_OTHER") or ROOT.parent / "shared" / "other")  # TREC and CLINC
