"""The client of `openai` for any server: it sends our headers alone, and reads no answer beyond a limit."""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import openai

from rarecase.core.documents import MEBIBYTE

LONGEST = 4 * MEBIBYTE  # bytes of an answer: 512 tokens are kilobytes, and what some servers add to them hardly more
# What the requests need; whatever else the libraries add comes from the environment, or describes this machine.
_SENT = ("host", "connection", "accept", "accept-encoding", "authorization", "content-type", "content-length")


class Client(openai.AsyncOpenAI):
    """Takes no header from the environment: `OPENAI_CUSTOM_HEADERS`, an organisation, a project."""

    @property
    def default_headers(self) -> dict[str, Any]:
        """The headers of every request beside the key."""
        return {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"}


class _Bounded(openai.DefaultAsyncHttpxClient):
    """Answers with status, `Retry-After` and the bytes that came, of which one more than `LONGEST` is too many."""

    def __init__(self, key: str, **options: Any):
        super().__init__(**options)
        self._key = key

    async def send(self, request: Any, **options: Any) -> Any:
        """The answer without its other headers: it is read as JSON in UTF-8, whatever it calls itself."""
        headers = {name: value for name, value in request.headers.items() if name in _SENT}
        if not self._key:
            headers.pop("authorization", None)
        # A request of its own: the library reads in the headers of the first what it is to make of the answer.
        sent = self.build_request(
            request.method,
            request.url,
            content=await request.aread(),
            headers=headers | {"user-agent": "rarecase"},
            extensions=request.extensions,
        )
        response = await super().send(sent, **{**options, "stream": True})
        content = bytearray()
        try:
            async for part in response.aiter_raw():  # a compressed body, which was not asked for, stays one
                content += part
                if len(content) > LONGEST:
                    break
        finally:
            await response.aclose()
        kept = [(name, value) for name, value in response.headers.raw if name.lower() == b"retry-after"]
        kept.append((b"content-type", b"application/json"))
        return type(response)(
            response.status_code, headers=kept, content=bytes(content[: LONGEST + 1]), request=request
        )


def client_of(url: str, key: str, *, trust_env: bool) -> Client:
    """The client of one endpoint, with a key or none; `trust_env` is whether a proxy of the environment is used."""
    timeout = openai.Timeout(None, connect=2.5)  # the whole of a request has a deadline
    http = _Bounded(
        key,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # takes none, so none is sent
        trust_env=trust_env,
        follow_redirects=False,  # a redirect may not carry posts to another host than the one allowed
        timeout=timeout,
    )
    # Retries are made by whoever asks: the client's own pause each request by itself.
    return Client(api_key=key or "none", base_url=url, max_retries=0, timeout=timeout, http_client=http)
