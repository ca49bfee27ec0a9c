"""Codes by which a second device signs in as somebody: short enough to type, and worth nothing after minutes."""

import hashlib
import secrets

LASTS = 600.0  # seconds
LENGTH = 8  # signs, with 40 random bits: with SIGN_INS tries a minute nobody guesses one
SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that look like others


def new_code() -> str:
    """A code as it is shown, in two halves."""
    signs = "".join(secrets.choice(SIGNS) for _ in range(LENGTH))
    return f"{signs[: LENGTH // 2]}-{signs[LENGTH // 2 :]}"


def kept(code: str, name: str) -> str:
    """What a store keeps of a code, however it was typed: slow to compute, since so few bits could be searched."""
    typed = "".join(filter(str.isalnum, code.upper()))
    return hashlib.pbkdf2_hmac("sha256", typed.encode(errors="replace"), name.encode(errors="replace"), 100_000).hex()


def hashed(secret: str) -> str:
    """What is kept of a secret, which has more than a hundred random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
