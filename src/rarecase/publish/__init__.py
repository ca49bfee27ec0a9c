"""Data sets, models and Spaces to the Hub, with their cards; `rarecase.hub` does the writing."""
