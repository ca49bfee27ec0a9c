"""What all other packages use: errors, files, randomness, progress, JSON into dataclasses."""
