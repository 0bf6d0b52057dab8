"""One loaded version of one model: checks a request and answers it."""

import os
import pathlib
import re

import grpc
import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import predict_pb2

from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.model_files import check_loadable
from lgcnet_tf.serving import protos
from lgcnet_tf.serving.export import versions
from lgcnet_tf.serving.protos import RequestError
from lgcnet_tf.serving.warmup import read_warmup

_DEFAULT_SIGNATURE = "serving_default"
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Servable:
    """The newest version under a model's base path.

    Args:
        name: the name it is served under.
        base_path: the folder with the integer version folders.
        max_tensor_bytes: the largest input tensor accepted.

    Attributes:
        name: the name it is served under.
        version: the version loaded.
        signature_defs: the SavedModel's `SignatureDef` messages by name.

    Raises:
        InputError: the folder is missing or has no version, or the version is
            no readable SavedModel, or its own warm-up requests fail.
    """

    def __init__(self, name: str, base_path: str | os.PathLike, max_tensor_bytes: int):
        self.name = name
        self.version = _newest_version(base_path)
        folder = pathlib.Path(base_path, str(self.version))
        self.signature_defs = _read_signature_defs(folder)
        self._max_tensor_bytes = max_tensor_bytes
        check_loadable(folder)
        try:
            # The loaded object owns the variables: signatures alone would
            # let them be collected.
            self._loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise InputError(
                f"{folder}: cannot load: {protos.one_line(str(error))}"
            ) from None
        for request in read_warmup(folder):
            try:
                self.predict(request)
            except RequestError as error:
                raise InputError(
                    f"{folder}: its warm-up request fails: {error.message}"
                ) from None

    def predict(
        self, request: predict_pb2.PredictRequest
    ) -> predict_pb2.PredictResponse:
        """Runs a signature.

        Raises:
            RequestError: with the status to answer.
        """
        signature_name = request.model_spec.signature_name or _DEFAULT_SIGNATURE
        signature = self._loaded.signatures.get(signature_name)
        if signature is None:
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"{self.name} has no signature {signature_name!r}; it has "
                f"{', '.join(sorted(self._loaded.signatures))}.",
            )
        inputs = self._inputs(request, signature)
        names = self._output_names(request, signature)
        try:
            outputs = signature(**inputs)
        except tf.errors.OpError as error:
            raise RequestError(
                _GRPC_CODES.get(error.error_code, grpc.StatusCode.INTERNAL),
                _reason(error),
            ) from None
        response = predict_pb2.PredictResponse()
        response.model_spec.name = self.name
        response.model_spec.version.value = self.version
        response.model_spec.signature_name = signature_name
        for name in names:
            response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name].numpy()))
        return response

    def _inputs(self, request, signature) -> dict[str, tf.Tensor]:
        specs = signature.structured_input_signature[1]
        if set(request.inputs) != set(specs):
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"The inputs must be {sorted(specs)}. "
                f"Received: {sorted(request.inputs)}.",
            )
        return {
            name: tf.constant(
                protos.input_array(
                    name, request.inputs[name], spec, self._max_tensor_bytes
                ),
                spec.dtype,
            )
            for name, spec in specs.items()
        }

    def _output_names(self, request, signature) -> list[str]:
        known = sorted(signature.structured_outputs)
        unknown = sorted(set(request.output_filter) - set(known))
        if unknown:
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"output_filter: no output {unknown}; there are {known}.",
            )
        return sorted(set(request.output_filter)) or known


def _newest_version(base_path: str | os.PathLike) -> int:
    base = pathlib.Path(base_path)
    if not base.is_dir():
        raise InputError(f"{base}: no such model folder.")
    existing = versions(base)
    if existing:
        return existing[-1]
    if (base / "saved_model.pb").exists():
        raise InputError(
            f"{base}: a SavedModel; give the folder that holds its integer "
            "version folder."
        )
    raise InputError(
        f"{base}: no version in this model folder; an export writes an integer "
        "folder such as 1/."
    )


def _read_signature_defs(
    folder: pathlib.Path,
) -> dict[str, meta_graph_pb2.SignatureDef]:
    path = folder / "saved_model.pb"
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        return dict(saved_model.meta_graphs[0].signature_def)
    except FileNotFoundError:
        raise InputError(f"{folder}: no saved_model.pb in this version.") from None
    except (OSError, message.DecodeError, IndexError) as error:
        raise InputError(f"{path}: no SavedModel: {error}") from None


def _reason(error: tf.errors.OpError) -> str:
    """Takes the sentence that says what is wrong out of a graph's error."""
    text = re.sub(r"\{\{function_node [^}]*\}\}", "", error.message)
    text = re.sub(r"\[\[.*?\]\]|\[Op:[^\]]*\]", "", text, flags=re.DOTALL)
    text = text.rpartition("<stack traces unavailable>")[2]
    return protos.one_line(text) or type(error).__name__
