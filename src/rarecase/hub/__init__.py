"""Commits to the Hub with retries, and Hub errors as one line."""
