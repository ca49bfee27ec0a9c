"""Where people reach the pages: at this machine, at another, or through a proxy."""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from rarecase.core.errors import ConfigError
from rarecase.web.address import is_loopback


@dataclass(frozen=True)
class Site:
    """Where people reach the pages."""

    local: bool = False  # whether the server listens to this machine alone
    public: str = ""  # the URL of a proxy before it, without a slash at the end

    @property
    def is_open(self) -> bool:
        """Whether people reach it from other machines."""
        return bool(self.public) or not self.local

    @property
    def base(self) -> str:
        """The path before all paths of the pages, such as `/labels`; the proxy may strip it, or not."""
        return urlsplit(self.public).path

    @property
    def scheme(self) -> str:
        """`http` or `https`, as people reach the proxy."""
        return urlsplit(self.public).scheme

    @property
    def netloc(self) -> str:
        """Host and port of the proxy, in small letters, as browsers say them."""
        return urlsplit(self.public).netloc.lower()

    def answers_to(self, host: str) -> bool:
        """
        Whether a header `Host` is right. A page elsewhere whose name is made to lead to this machine could sign in and
        read (DNS rebinding), so who listens here alone answers to the names of this machine, and of the proxy.
        """
        if not self.local or (self.public and host == self.netloc):
            return True
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name == "localhost" or is_loopback(name)


def on_a_space() -> bool:
    """Whether this runs on a Space, or Gradio would take it for one."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SYSTEM") == "spaces"


def checked_url(given: str) -> str:
    """The URL of a proxy without a slash at the end, or nothing; raises a `ConfigError` where it is another one."""
    if given and not re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?(/[\w./~-]*)?", given, re.ASCII):
        raise ConfigError("--public-url: expected https://HOST or https://HOST/PATH, where people reach the page")
    return given.rstrip("/")
