"""TensorFlow Serving's REST interface over a `Core`, and the metrics.

`/v1/models/NAME[/versions/V|/labels/L]` with nothing (status), `/metadata`,
`:predict`, `:classify` or `:regress` behind it, and
`/monitoring/prometheus/metrics`; with `demo` the page of `demo_page`, too.

Beyond TensorFlow Serving, a request for Predict may list the outputs that it wants,
as `output_filter` does in gRPC, and its answer says in the header `Server-Timing` how
many milliseconds it waited (`queue`), was computed (`network`, with the picture's
decoding) and was written as JSON (`answer`).
"""

import asyncio
import hmac
import json
import logging
import re
import ssl
import time
from collections.abc import Callable

from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from lgcnet_tf.serving.core import METADATA_FIELD, Core
from lgcnet_tf.serving.demo_page import HEADERS, MODELS_PATH, models_json, page_files
from lgcnet_tf.serving.pool import Job
from lgcnet_tf.serving.receiving import Receivers
from lgcnet_tf.serving.rest_json import (
    answer_json,
    fill_request,
    parse_json,
    wanted_outputs,
)
from lgcnet_tf.serving.servable import DEFAULT_SIGNATURE
from lgcnet_tf.serving.status import Code, RequestError, exhausted, invalid, one_line

METRICS_PATH = "/monitoring/prometheus/metrics"
_LOG = logging.getLogger(__name__)
_MODEL = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
    r"(/metadata|:predict|:classify|:regress)?",
    re.IGNORECASE,
)
_RECEIVE_AT_ONCE = 8
_TIMEOUT_S = 30.0  # as TensorFlow Serving's --rest_api_timeout_in_ms
_LARGEST_VERSION = 2**63 - 1
_HTTP = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


class RestFace:
    """The interface of one server; use it in the thread of `event_loop`.

    Args:
        core: answers.
        token: what a client must send as bearer token; none where empty.
        demo: answer with the page for trying the models, too.
    """

    def __init__(self, core: Core, token: str = "", demo: bool = False):
        self._core, self._token = core, token
        self._demo, self._page = demo, page_files() if demo else {}
        self._receivers = Receivers(_RECEIVE_AT_ONCE, core.limits.receive_timeout_s)
        self._runner: web.AppRunner | None = None

    async def start(
        self, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> int:
        """Takes a port and begins to answer; returns the port.

        Raises:
            OSError: the port cannot be had.
        """
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            application,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=60,
        )
        await runner.setup()
        site = web.TCPSite(runner, host, port, ssl_context=tls, reuse_address=True)
        try:
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return runner.addresses[0][1]

    async def stop(self, grace_s: float) -> None:
        """Refuses new requests, lets those under way end within `grace_s`."""
        if self._runner is not None:
            self._runner._shutdown_timeout = grace_s
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.Response:
        timing = ""
        try:
            if request.method == "GET" and request.path in self._page:
                kind, page = self._page[request.path]
                return web.Response(
                    body=page, content_type=kind, charset="utf-8", headers=HEADERS
                )
            self._check_token(request)
            if request.path == METRICS_PATH and request.method == "GET":
                # Not in asyncio's threads: reloads and compression may fill them.
                page = self._core.metrics.page()
                return web.Response(body=page, content_type="text/plain")
            body, timing = await self._answer(request)
            status = 200
        except RequestError as error:
            status = _HTTP.get(error.code, 500)
            body = json.dumps({"error": error.message}).encode()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            _LOG.exception("%s failed", request.path)
            status, body = 500, json.dumps({"error": one_line(repr(error))}).encode()
        response = web.Response(
            body=body, status=status, content_type="application/json"
        )
        if timing:
            response.headers["Server-Timing"] = timing
        if len(body) > 1024:
            response.enable_compression()  # where the client takes it
        return response

    async def _answer(self, request: web.Request) -> tuple[bytes, str]:
        """The body, and of Predict the header `Server-Timing`."""
        if self._demo and request.path == MODELS_PATH and request.method == "GET":
            return models_json(self._core.models), ""
        match = _MODEL.fullmatch(request.path)
        action = (match[4] or "").lower() if match else ""
        method = "POST" if action.startswith(":") else "GET"
        if match is None or request.method != method:
            raise invalid(f"Malformed request: {request.method} {request.path}")
        name, version, label = match[1], match[2], match[3]

        def name_model(spec) -> None:
            spec.name = name
            if version is not None:
                if len(version) > 19 or int(version) > _LARGEST_VERSION:
                    raise invalid(f"Failed to convert version: {version} to numeric.")
                spec.version.value = int(version)
            if label is not None:
                spec.version_label = label

        metrics = self._core.metrics
        if action == "":
            with metrics.counting("rest", "GetModelStatus"):
                return self._status(name_model), ""
        if action == "/metadata":
            with metrics.counting("rest", "GetModelMetadata"):
                return self._metadata(name_model), ""
        self._core.pool.check()
        body = await self._receivers.receive(lambda: self._body(request))
        if action == ":predict":
            with metrics.counting("rest", "Predict"):
                return await self._predict(body, name_model)
        kind = "classification" if action == ":classify" else "regression"
        with metrics.counting("rest", action[1:].capitalize()):
            return self._classify(name_model, kind)

    async def _predict(self, body: bytes, name_model: Callable) -> tuple[bytes, str]:
        submitted = time.perf_counter()

        def work(job: Job) -> tuple[bytes, str]:
            begun = time.perf_counter()
            values = parse_json(body)
            request = predict_pb2.PredictRequest()
            name_model(request.model_spec)
            signature_name = values.get("signature_name", DEFAULT_SIGNATURE)
            if not isinstance(signature_name, str):
                raise invalid("'signature_name' must be a string.")
            servable = self._core.find(request)
            servable.check_signature(signature_name)
            request.model_spec.signature_name = signature_name
            signature = servable.signature_defs[signature_name]
            by_row = fill_request(values, request, signature)
            request.output_filter.extend(wanted_outputs(values))
            del values
            _, _, outputs = self._core.predict(request, job)
            computed = time.perf_counter()
            limit = self._core.limits.max_message_bytes
            # A number takes at least two characters.
            if 2 * sum(one.size for one in outputs.values()) <= limit:
                answer = answer_json(outputs, by_row)
                if len(answer) <= limit:
                    marks = submitted, begun, computed, time.perf_counter()
                    return answer, _server_timing(marks)
            raise exhausted(
                f"The answer is larger than {limit} bytes (--max_message_mb); use gRPC."
            )

        try:
            result = self._core.submit(len(body), work).result()
            return await asyncio.wait_for(result, _TIMEOUT_S)
        except TimeoutError:
            raise RequestError(
                Code.DEADLINE_EXCEEDED, f"No answer within {_TIMEOUT_S:g} s."
            ) from None

    def _status(self, name_model: Callable) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest()
        name_model(request.model_spec)
        return json_format.MessageToJson(
            self._core.status(request),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        ).encode()

    def _metadata(self, name_model: Callable) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        name_model(request.model_spec)
        request.metadata_field.append(METADATA_FIELD)
        response = self._core.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[METADATA_FIELD].Unpack(signatures)
        as_dict = json_format.MessageToDict
        names = {
            "preserving_proto_field_name": True,
            "always_print_fields_with_no_presence": True,
        }
        return json.dumps(
            {
                "model_spec": as_dict(response.model_spec, **names),
                "metadata": {METADATA_FIELD: as_dict(signatures, **names)},
            }
        ).encode()

    def _classify(self, name_model: Callable, kind: str) -> bytes:
        message = {
            "classification": classification_pb2.ClassificationRequest,
            "regression": regression_pb2.RegressionRequest,
        }[kind]()
        name_model(message.model_spec)
        self._core.classify(message, kind)
        raise AssertionError("unreachable")

    async def _body(self, request: web.Request) -> bytes:
        limit, parts, size = self._core.limits.max_message_bytes, [], 0
        try:
            async for part in request.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise exhausted(
                        f"The request is larger than {limit} bytes (--max_message_mb)."
                    )
        except web.HTTPException:
            raise invalid("The body cannot be read.") from None
        return b"".join(parts)

    def _check_token(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        wanted = f"Bearer {self._token}"
        if self._token and not hmac.compare_digest(given.encode(), wanted.encode()):
            raise RequestError(
                Code.UNAUTHENTICATED, "A bearer token is needed (Authorization)."
            )


def _server_timing(marks: tuple[float, float, float, float]) -> str:
    """The header of https://www.w3.org/TR/server-timing/ from four moments in s."""
    spans = zip(("queue", "network", "answer"), marks, marks[1:])
    return ", ".join(f"{name};dur={(b - a) * 1e3:.2f}" for name, a, b in spans)
