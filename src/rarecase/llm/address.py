"""Where requests may go: the address of an endpoint, the host that posts may be sent to, the key and the proxy."""

import os
import re
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from rarecase.core.errors import ConfigError, is_more_than_address
from rarecase.web import address


def is_loopback(url: str, send_to: str | None) -> bool:
    """Whether the address is this machine; an error where it is neither that nor allowed by `send_to`."""
    expected = "expected http://HOST:PORT/v1 or https://HOST/v1"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"--generator-url is not an address; {expected}") from None
    if is_more_than_address(url):  # which is not shown
        raise ConfigError(f"--generator-url is more than an address; {expected}, and a key in OPENAI_API_KEY")
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[\w.:-]+", host):
        raise ConfigError(f"--generator-url {url!r} is not an address; {expected}")
    if host == "localhost" or address.is_loopback(host):  # of names only this is known to be this machine
        return True
    if send_to is None or send_to.casefold() != host:
        raise ConfigError(f"posts would leave this machine for {host}; add --send-to {host} to allow this")
    return False


def key_of(loopback: bool) -> str:
    """The key in `OPENAI_API_KEY`; empty where there is none, which only a server on this machine allows."""
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key.isascii() or not key.isprintable():
        # As a header it would fail with a traceback that shows it.
        raise ConfigError("OPENAI_API_KEY has characters that are not allowed in a key; set it again")
    if not key and not loopback:
        raise ConfigError("OPENAI_API_KEY is not set; set it to your key (or to any word, if the server needs no key)")
    return key


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for an address elsewhere; a `ConfigError` where it cannot be used."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"  # as curl reads it
    socks = ("socks5", "socks5h") if find_spec("socksio") else ()  # without it the client knows none
    try:
        found = urlsplit(proxy)
        host, _ = found.hostname or "", found.port
    except ValueError:
        host = ""
    if not re.fullmatch(r"[\w.:-]+", host) or found.scheme not in ("http", "https", *socks):
        # Not shown: it may hold a password.
        raise ConfigError(
            f"{parts.scheme.upper()}_PROXY or ALL_PROXY names no proxy that can be used; expected http://HOST:PORT, "
            f"or {parts.hostname} in NO_PROXY to use none"
        )
    return proxy
