"""Checkpoints, loaded safely, and the sentence encoder."""
