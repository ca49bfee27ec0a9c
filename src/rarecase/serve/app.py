"""The routes of a guard."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from rarecase.core.documents import parse_json
from rarecase.guard.verdict import Verdict
from rarecase.serve import guardrail, moderations, predict
from rarecase.serve.audit import Audit
from rarecase.serve.batching import Batcher
from rarecase.serve.boundary import Boundary
from rarecase.serve.refused import Refused

_ABOUT = "A guard. POST /v1/moderations, /beta/litellm_basic_guardrail_api, /predict; GET /health, /ready, /metrics.\n"


@dataclass
class Endpoints:
    """The handlers; each reads what its client sends, has the texts judged, and answers in its client's shape."""

    batcher: Batcher
    model: str
    audit: Audit | None = None

    def __post_init__(self) -> None:
        self.guard, self.metrics = self.batcher.guard, self.batcher.metrics
        harmful = [one for one in self.guard.taxonomy.classes if one.action != "allow"]  # of others nothing is said
        self.mapped = {one.name: one.openai or one.name for one in harmful}

    async def moderations(self, request: Request) -> Response:
        """OpenAI's."""
        verdicts = await self._judge(request, moderations.texts_of(await _json_of(request, 400)))
        return JSONResponse(moderations.reply(verdicts, id_=request.state.id, model=self.model, mapped=self.mapped))

    async def guardrail(self, request: Request) -> Response:
        """LiteLLM's."""
        body = await _json_of(request, 400)
        verdicts = await self._judge(request, guardrail.texts_of(body))
        return JSONResponse(guardrail.reply(verdicts, answer=guardrail.is_answer(body)))

    async def predict(self, request: Request, *, root: bool = False) -> Response:
        """Text-embeddings-inference's; at the `root` what `InferenceClient.text_classification` asks."""
        inputs = predict.inputs_of(await _json_of(request, 422), root=root)
        return JSONResponse(predict.reply(inputs, await self._judge(request, inputs.texts)))

    async def ready(self, request: Request) -> Response:
        """Whether a request would be judged now."""
        if self.batcher.ready:
            return PlainTextResponse("ok")
        raise Refused(503, "the model is being loaded", headers={"Retry-After": "2"})

    async def health(self, request: Request) -> Response:
        """Whether the server runs."""
        if self.batcher.thread.is_alive():
            return PlainTextResponse("ok")
        raise Refused(500, "the model failed; start the server again")

    async def figures(self, request: Request) -> Response:
        """For Prometheus."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _judge(self, request: Request, texts: Sequence[str]) -> list[Verdict]:
        if not texts:
            return []
        verdicts = list(self.guard.verdicts(await self.batcher.scores(texts, partial(_gone, request))))
        self.metrics.count(verdicts)
        if self.audit is not None:
            self.audit.write(request.state.id, self.model, verdicts)
        return verdicts


def application(
    batcher: Batcher, model: str, *, key: str, max_body: int, audit: Audit | None, closing: Callable[[], bool]
) -> ASGIApp:
    """The app; replies call the model `model`, and connections end with a reply once the server ends (`closing`)."""
    endpoints = Endpoints(batcher, model, audit)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        yield
        batcher.close()

    routes = [
        Route("/v1/moderations", endpoints.moderations, methods=["POST"]),
        Route("/beta/litellm_basic_guardrail_api", endpoints.guardrail, methods=["POST"]),
        Route("/predict", endpoints.predict, methods=["POST"]),
        Route("/", partial(endpoints.predict, root=True), methods=["POST"]),
        Route("/", _about),
        Route("/health", endpoints.health),
        Route("/ready", endpoints.ready),
        Route("/metrics", endpoints.figures),
    ]
    router = Router(routes, redirect_slashes=False, lifespan=lifespan)
    return Boundary(router, {one.path for one in routes}, batcher.metrics, key, max_body, closing)


async def _about(request: Request) -> Response:
    return PlainTextResponse(_ABOUT)


async def _gone(request: Request) -> None:
    """Ends with the connection of a request whose body is read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _json_of(request: Request, status: int) -> dict[str, object]:
    """The body as a JSON object, whatever its type is said to be; texts may have half a character."""
    try:
        body = parse_json(await request.body(), surrogates=True)
    except ValueError:
        raise Refused(status, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise Refused(status, "the body is no JSON object")
    return body
