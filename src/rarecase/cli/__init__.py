"""The commands: each reads its settings, calls one function and prints."""
