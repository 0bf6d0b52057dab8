"""One loaded version of one model: runs its signatures within limits."""

import math
import os
import pathlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import predict_pb2

from lgcnet_tf.data.info import VOID
from lgcnet_tf.data.orientation import TRANSPOSED, orientation
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.model_files import check_loadable
from lgcnet_tf.serving import signatures
from lgcnet_tf.serving.batching import Batcher
from lgcnet_tf.serving.export import INFO_FILE, load_info
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.picture_headers import read_header
from lgcnet_tf.serving.request_tensors import input_array
from lgcnet_tf.serving.status import Code, RequestError, invalid, one_line
from lgcnet_tf.serving.warmup import read_warmup

DEFAULT_SIGNATURE = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"
_METHODS = (
    PREDICT_METHOD,
    "tensorflow/serving/classify",
    "tensorflow/serving/regress",
)
_IN_BATCHES = {
    signatures.IMAGES_SIGNATURE: signatures.IMAGES_INPUT,
    signatures.ENCODED_SIGNATURE: signatures.ENCODED_INPUT,
}


class Servable:
    """A version that is loaded and warm.

    Args:
        name: the name it is served under.
        version: its number.
        folder: its SavedModel.
        limits: of the server.

    Attributes:
        name, version: as given.
        signature_defs: the SavedModel's `SignatureDef` messages by name.

    Raises:
        InputError: it is no readable SavedModel, or its own warm-up requests fail.
    """

    def __init__(
        self, name: str, version: int, folder: str | os.PathLike, limits: Limits
    ):
        self.name, self.version = name, version
        folder = pathlib.Path(folder)
        self.signature_defs = _read_signature_defs(folder)
        self._limits = limits
        self._smallest = _smallest_canvas(folder)
        check_loadable(folder)
        _check_served_here(folder)
        try:
            # The loaded object owns the variables: signatures alone would
            # let them be collected.
            self._loaded = tf.saved_model.load(str(folder))
        except Exception as error:  # a damaged file may raise anything
            raise InputError(
                f"{folder}: cannot load: {one_line(str(error)) or type(error).__name__}"
            ) from None
        for request in read_warmup(folder):
            try:
                self.predict(request)
            except RequestError as error:
                raise InputError(
                    f"{folder}: its warm-up request fails: {error.message} Export it again."
                ) from None

    def predict(
        self,
        request: predict_pb2.PredictRequest,
        stopped: Callable[[], bool] = lambda: False,
        batcher: Batcher | None = None,
        saw_batch: Callable[[int], None] = lambda images: None,
    ) -> dict[str, np.ndarray]:
        """Runs the signature that a request names.

        Args:
            request: its `inputs`, `output_filter` and signature count.
            stopped: asked between batches whether anyone still waits.
            batcher: joins requests of one batch at most with others'.
            saw_batch: told how many images the network is given at once, each time.

        Returns:
            Arrays by output name, as many as were asked for.

        Raises:
            RequestError: with the status to answer; CANCELLED where `stopped`.
        """
        signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        self.check_signature(signature_name)
        signature = self._loaded.signatures[signature_name]
        specs = signature.structured_input_signature[1]
        if set(request.inputs) != set(specs):
            raise invalid(
                f"The inputs must be {sorted(specs)}. "
                f"Received: {sorted(request.inputs)}."
            )
        names = _output_names(request.output_filter, signature)
        inputs = {
            name: input_array(name, request.inputs[name], spec, self._limits)
            for name, spec in specs.items()
        }
        if list(inputs) != [_IN_BATCHES.get(signature_name)]:
            return _run(signature, inputs, names)
        ((name, values),) = inputs.items()
        if not len(values):
            return {output: _empty(signature, output) for output in names}
        compute = lambda part: _run(signature, {name: part}, names)
        size, step = None, self._limits.max_batch
        if signature_name == signatures.ENCODED_SIGNATURE:
            size = self._check_pictures(values)
            compute = lambda part: _run_files(signature, name, part, names)

        def run(part):
            saw_batch(len(part))
            return compute(part)

        if batcher is not None and len(values) <= step:
            # Only pictures of one size: so the masks need no other margins.
            most = self._limits.max_pixels // math.prod(size) if size else sys.maxsize
            key = (self, signature_name, tuple(names), size)
            return batcher.run(key, values, run, most)
        parts = []
        for first in range(0, len(values), step):
            if stopped():
                raise RequestError(Code.CANCELLED, "Nobody waits for it any more.")
            part = values[first : first + step]
            try:
                parts.append(batcher.alone(part, run) if batcher else run(part))
            except _BadPicture as error:
                raise error.among(len(values), first) from None
        return {output: _joined([part[output] for part in parts]) for output in names}

    def check_signature(self, signature_name: str) -> None:
        """Refuses a signature that Predict cannot run.

        Raises:
            RequestError: as TensorFlow Serving, FAILED_PRECONDITION where it is
                unknown and INTERNAL where it is none of a known method, as
                `__saved_model_init_op`.
        """
        if signature_name not in self.signature_defs:
            raise RequestError(
                Code.FAILED_PRECONDITION,
                f"Serving signature key {one_line(signature_name)[:200]!r} not found; "
                f"{self.name} has {', '.join(sorted(self._loaded.signatures))}.",
            )
        method = self.signature_defs[signature_name].method_name
        if method not in _METHODS or signature_name not in self._loaded.signatures:
            raise RequestError(
                Code.INTERNAL,
                "Expected prediction signature method_name to be one of "
                f"{{{', '.join(_METHODS)}}}. Was: {method}",
            )

    def _check_pictures(self, files: np.ndarray) -> tuple[int, int]:
        """Refuses what is no picture and what would decode to too many pixels.

        Returns:
            The largest height and width.
        """
        height = width = cost = 0
        for index, data in enumerate(files):
            try:
                header = read_header(data)
            except ValueError as error:
                raise _BadPicture(str(error), index, len(files)) from None
            sides = header.height, header.width
            if orientation(data) in TRANSPOSED:
                sides = sides[::-1]
            sides = tuple(map(max, sides, self._smallest))
            height, width = max(height, sides[0]), max(width, sides[1])
            cost += header.cost
            if max((index + 1) * height * width, cost) > self._limits.max_pixels:
                raise _BadPicture(
                    f"with {header.width}x{header.height} pixels of {header.bits} "
                    f"bits there are more than the {self._limits.max_pixels} that a "
                    "request may have (--max_megapixels)",
                    index,
                    len(files),
                )
        return height, width


class _BadPicture(RequestError):
    """One picture of a request is at fault; says which."""

    def __init__(self, reason: str, index: int, count: int, code=Code.INVALID_ARGUMENT):
        where = f"Picture {index + 1} of {count}: " if count > 1 else ""
        super().__init__(code, f"{where}{reason}")
        self._reason, self._index = reason, index

    def among(self, count: int, first: int) -> "_BadPicture":
        """The same, of a part that begins with picture `first` of `count`."""
        return _BadPicture(self._reason, first + self._index, count, self.code)


def _run(signature, inputs: Mapping, names: Sequence[str]) -> dict[str, np.ndarray]:
    specs = signature.structured_input_signature[1]
    try:
        outputs = signature(
            **{
                name: tf.constant(one, specs[name].dtype)
                for name, one in inputs.items()
            }
        )
        return {name: outputs[name].numpy() for name in names}
    except tf.errors.OpError as error:
        raise RequestError(_code(error.error_code), _reason(error)) from None


def _run_files(signature, name: str, files: np.ndarray, names: Sequence[str]):
    """As `_run`; finds the picture at fault by running one by one."""
    try:
        return _run(signature, {name: files}, names)
    except RequestError as error:
        for index in range(len(files)):
            try:
                _run(signature, {name: files[index : index + 1]}, ())
            except RequestError as one:
                raise _BadPicture(one.message, index, len(files), one.code) from None
        raise error


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Batches one behind the other, filled up to the largest as the graph does."""
    if len(parts) == 1:
        return parts[0]
    rest = np.max([part.shape[1:] for part in parts], axis=0)
    fill = VOID if parts[0].dtype == np.uint8 else 0
    whole = np.full((sum(map(len, parts)), *rest), fill, parts[0].dtype)
    first = 0
    for part in parts:
        where = tuple(slice(0, n) for n in part.shape[1:])
        whole[(slice(first, first + len(part)), *where)] = part
        first += len(part)
    return whole


def _empty(signature, output: str) -> np.ndarray:
    """The output of no image at all; some kernels give it other channels."""
    spec = signature.structured_outputs[output]
    return np.zeros([n or 0 for n in spec.shape.as_list()], spec.dtype.as_numpy_dtype)


def _output_names(output_filter: Sequence[str], signature) -> list[str]:
    known = sorted(signature.structured_outputs)
    asked: list[str] = []
    for name in output_filter:
        if name not in known:
            raise invalid(
                f"output_filter: no output [{one_line(name)[:200]!r}]; there are {known}."
            )
        if name in asked:
            raise invalid(f"duplicate output tensor alias: {name}")
        asked.append(name)
    return asked or known


def _read_signature_defs(
    folder: pathlib.Path,
) -> dict[str, meta_graph_pb2.SignatureDef]:
    path = folder / "saved_model.pb"
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        return dict(saved_model.meta_graphs[0].signature_def)
    except FileNotFoundError:
        raise InputError(
            f"{folder}: no saved_model.pb in this version; export it again."
        ) from None
    except (OSError, message.DecodeError, IndexError) as error:
        raise InputError(f"{path}: no SavedModel: {error}; export it again.") from None


def _check_served_here(folder: pathlib.Path) -> None:
    """Refuses a form of the network that only other servers run rightly."""
    if (folder / INFO_FILE).is_file() and load_info(folder)[1].get("served_on"):
        raise InputError(
            f"{folder}: made for TF-TRT; convert it with the convert.py of its export "
            "and serve it with TensorFlow Serving's GPU image, or export with "
            "--format=saved_model to serve it here."
        )


def _smallest_canvas(folder: pathlib.Path) -> tuple[int, int]:
    """What a picture's height and width grow to at least: a tile's, if it is tiled."""
    if (folder / INFO_FILE).is_file():
        values = load_info(folder)[1]
        if values.get("fit") == "tile":
            return tuple(values["input_size"])
    return 1, 1


def _code(number: int) -> Code:
    return Code(number) if number in Code._value2member_map_ else Code.INTERNAL


def _reason(error: tf.errors.OpError) -> str:
    """Takes the sentence that says what is wrong out of a graph's error."""
    text = re.sub(r"\{\{function_node [^}]*\}\}", "", error.message)
    text = re.sub(r"\[\[.*?\]\]|\[Op:[^\]]*\]", "", text, flags=re.DOTALL)
    text = text.rpartition("<stack traces unavailable>")[2]
    return one_line(text) or type(error).__name__
