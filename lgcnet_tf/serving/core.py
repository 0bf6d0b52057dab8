"""What a server does, whatever the transport: models, queue, limits, metrics."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf import message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.batching import Batcher, BatchingParameters
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.metrics import Metrics
from lgcnet_tf.serving.model_versions import ModelVersions
from lgcnet_tf.serving.pool import Job, Pool
from lgcnet_tf.serving.servable import DEFAULT_SIGNATURE, Servable
from lgcnet_tf.serving.status import Code, RequestError, invalid, one_line

METADATA_FIELD = "signature_def"


class Core:
    """The models of a server.

    Args:
        limits: what it takes on at most.
        batching: joins requests of several clients; None for each by itself.

    Attributes:
        limits: as given.
        pool: computes; faces submit to it.
        metrics: counted by whoever answers.
    """

    def __init__(self, limits: Limits, batching: BatchingParameters | None = None):
        limits.check()
        self.limits = limits
        self._batcher = Batcher(batching) if batching else None
        threads, max_queue = limits.num_threads, limits.max_queue
        if self._batcher:
            threads = max(threads, self._batcher.threads)
            max_queue = min(max_queue, self._batcher.max_queue)
        self.pool = Pool(threads, max_queue, limits.max_queue_bytes)
        self.metrics = Metrics(self.pool, lambda: self.models)
        self._models: dict[str, ModelVersions] = {}
        self._changing = threading.Lock()

    @property
    def models(self) -> Mapping[str, ModelVersions]:
        """The models by name."""
        return self._models

    def serve(self, models: Sequence[ModelVersions]) -> None:
        """Serves these models and no others; blocks while it loads.

        Raises:
            InputError: nothing of one of them can be served; what was served goes
                on.
        """
        if not models:
            raise InputError("Nothing to serve: give at least one model.")
        with self._changing:
            for model in models:
                model.refresh()
                model.check_served()
            before = self._models.values()
            self._models = {model.name: model for model in models}
            for model in before:
                if all(model is not kept for kept in models):
                    model.give_back()

    def refresh(self) -> None:
        """Looks for new versions of every model; blocks while it loads."""
        with self._changing:
            for model in self._models.values():
                model.refresh()

    def submit(self, size: int, work: Callable[[Job], Any]) -> Job:
        """Queues work on a request of `size` bytes.

        Raises:
            RequestError: there is no room.
        """
        return self.pool.submit(size, work)

    def predict(
        self, request: predict_pb2.PredictRequest, job: Job
    ) -> tuple[Servable, str, dict[str, Any]]:
        """Runs a request in the calling thread.

        Returns:
            The version that answered, the signature's name, its outputs.

        Raises:
            RequestError: with the status to answer.
        """
        servable = self.find(request)
        if job.stopped():
            raise RequestError(Code.CANCELLED, "Nobody waits for it any more.")
        signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        outputs = servable.predict(
            request, job.stopped, self._batcher, self.metrics.saw_batch
        )
        batches = [one.tensor_shape.dim[:1] for one in request.inputs.values()]
        self.metrics.saw_images(max((b[0].size for b in batches if b), default=1))
        return servable, signature_name, outputs

    def find(self, request: Any) -> Servable:
        """The version that a request's `model_spec` names.

        Raises:
            RequestError: INVALID_ARGUMENT without one, or NOT_FOUND.
        """
        spec = _spec(request)
        model = self._model(spec)
        if spec.version_label:
            return model.servable(model.version_of_label(spec.version_label))
        has_version = spec.HasField("version")
        return model.servable(spec.version.value if has_version else None)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version.

        Raises:
            RequestError: as `find`, or the fields asked for are not
                `signature_def`.
        """
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid(
                "GetModelMetadataRequest must specify at least one metadata_field, "
                f"{METADATA_FIELD!r}."
            )
        for field in request.metadata_field:
            if field != METADATA_FIELD:
                raise invalid(
                    f"Metadata field {one_line(field)[:200]!r} is not supported; "
                    f"metadata_field must be {METADATA_FIELD!r}."
                )
        servable = self.find(request)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in servable.signature_defs.items():
            signature_map.signature_def[name].CopyFrom(signature)
        response.metadata[METADATA_FIELD].Pack(signature_map)
        return response

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of a model's versions, or of the one that is named.

        Raises:
            RequestError: INVALID_ARGUMENT, or NOT_FOUND.
        """
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        model = self._model(spec)
        states = model.states
        version = spec.version.value if spec.HasField("version") else None
        if spec.version_label:
            version = model.version_of_label(spec.version_label)
        if version is not None:
            if version not in states:
                raise RequestError(
                    Code.NOT_FOUND,
                    f"Could not find version {version} of model {spec.name}",
                )
            states = {version: states[version]}
        response = get_model_status_pb2.GetModelStatusResponse()
        for number, one in states.items():
            added = response.model_version_status.add(
                version=number,
                state=get_model_status_pb2.ModelVersionStatus.State.Value(one.state),
            )
            added.status.error_code = Code.UNKNOWN if one.error else 0
            added.status.error_message = one.error
        return response

    def classify(self, request: Any, method: str) -> None:
        """Answers Classify and Regress as the real one does for a Predict signature.

        Raises:
            RequestError: always; no signature here is of that method.
        """
        servable = self.find(request)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        if name not in servable.signature_defs:
            raise invalid(f"No signature was found with the name: {one_line(name)}")
        raise invalid(
            f"Expected {method} signature method_name to be "
            f"tensorflow/serving/{'classify' if method[0] == 'c' else 'regress'}. "
            f"Was: {servable.signature_defs[name].method_name}"
        )

    def _model(self, spec: model_pb2.ModelSpec) -> ModelVersions:
        model = self._models.get(spec.name)
        if model is None:
            raise RequestError(
                Code.NOT_FOUND,
                f"No model {one_line(spec.name)[:200]!r} here; there are "
                f"{sorted(self._models)}.",
            )
        return model


def parse(kind: type, body: bytes) -> Any:
    """A message of `kind` from its bytes.

    Raises:
        RequestError: INVALID_ARGUMENT; they are none.
    """
    try:
        return kind.FromString(body)
    except (message.DecodeError, ValueError):
        raise invalid(f"The body is no {kind.DESCRIPTOR.name}.") from None


def _spec(request: Any) -> model_pb2.ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    if not request.model_spec.name:
        raise invalid("ModelSpec has no name specified.")
    return request.model_spec
