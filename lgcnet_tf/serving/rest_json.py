"""TensorFlow Serving's JSON for Predict: `instances` and `inputs`, `{"b64": ...}`.

https://www.tensorflow.org/tfx/serving/api_rest has the format.

Numbers are written, and arrays made of lists, piece by piece: C code for all of them
would keep Python's lock, and the server could not even say its health meanwhile.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from lgcnet_tf.serving.status import exhausted, invalid, one_line

# What is parsed takes up to 100 bytes a bracket and 40 a comma.
_MAX_BRACKETS, _MAX_COMMAS = 2**20, 2**22
_B64 = "b64"
_MAX_SIDES = 32
_PIECE = 2**14  # numbers, which take about a millisecond


def parse_json(body: bytes) -> dict[str, Any]:
    """The object that a request's body is.

    Raises:
        RequestError: INVALID_ARGUMENT, it is none; RESOURCE_EXHAUSTED, it would
            take too much memory.
    """
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > _MAX_BRACKETS or body.count(b",") > _MAX_COMMAS:
        raise exhausted(
            f"JSON of more than {_MAX_BRACKETS} brackets or {_MAX_COMMAS} commas; send "
            "PNG or JPEG files, or use gRPC."
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(found, dict):
        raise invalid("The request is no JSON object.")
    return found


def fill_request(
    values: Mapping[str, Any],
    request: predict_pb2.PredictRequest,
    signature: meta_graph_pb2.SignatureDef,
) -> bool:
    """Puts the inputs of a JSON object into a request.

    Args:
        values: of `parse_json`.
        request: gets `inputs`.
        signature: says their names and types.

    Returns:
        Whether they came as rows (`instances`), as the answer must too.

    Raises:
        RequestError: INVALID_ARGUMENT.
    """
    if ("instances" in values) == ("inputs" in values):
        raise invalid("The request must have either 'instances' or 'inputs'.")
    names = sorted(signature.inputs)
    if by_row := "instances" in values:
        columns = _columns(values["instances"], names)
    else:
        columns = values["inputs"]
        if not isinstance(columns, dict) or _is_bytes(columns):
            if len(names) != 1:
                raise invalid(f"'inputs' must be an object of {names}.")
            columns = {names[0]: columns}
    for name, column in columns.items():
        if name not in signature.inputs:
            raise invalid(f"No input {one_line(name)[:200]!r}; there are {names}.")
        dtype = tf.dtypes.as_dtype(signature.inputs[name].dtype)
        request.inputs[name].CopyFrom(_tensor(name, column, dtype))
    return by_row


def wanted_outputs(values: Mapping[str, Any]) -> list[str]:
    """The outputs that a request wants, `output_filter`; all where it lists none.

    Raises:
        RequestError: INVALID_ARGUMENT.
    """
    names = values.get("output_filter", [])
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise invalid("'output_filter' must be a list of names.")
    return names


def answer_json(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """The body of an answer: `predictions`, a row each, or `outputs`.

    Raises:
        RequestError: INVALID_ARGUMENT where the outputs' batches differ and rows
            were asked for.
    """
    if not by_row:
        texts = {name: _text(_plain(name, one)) for name, one in outputs.items()}
        whole = _object(texts) if len(texts) != 1 else next(iter(texts.values()))
        return f'{{"outputs": {whole}}}'.encode()
    if len({one.shape[:1] for one in outputs.values()}) != 1:
        raise invalid("The outputs have different batches; ask with 'inputs'.")
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        whole = _text(_plain(name, array))
    else:
        rows = zip(*(_plain(name, array) for name, array in outputs.items()))
        texts = [_object(dict(zip(outputs, map(_text, row)))) for row in rows]
        whole = f"[{', '.join(texts)}]"
    return f'{{"predictions": {whole}}}'.encode()


def _object(texts: Mapping[str, str]) -> str:
    """A JSON object of values that are JSON already."""
    return f"{{{', '.join(f'{json.dumps(k)}: {one}' for k, one in texts.items())}}}"


def _text(value: Any) -> str:
    """JSON of an array or of nested lists, written piece by piece."""
    if not isinstance(value, np.ndarray | np.generic):
        return json.dumps(value)
    if value.ndim == 0 or value.size <= _PIECE:
        return json.dumps(value.tolist())
    if value.ndim > 1:
        return f"[{', '.join(map(_text, value))}]"
    pieces = (value[i : i + _PIECE] for i in range(0, len(value), _PIECE))
    return f"[{', '.join(json.dumps(one.tolist())[1:-1] for one in pieces)}]"


def _columns(rows: Any, names: list[str]) -> dict[str, list]:
    if not isinstance(rows, list) or not rows:
        raise invalid("'instances' must be a list of at least one.")
    named = isinstance(rows[0], dict) and not _is_bytes(rows[0])
    if not named and len(names) != 1:
        raise invalid(f"Each of 'instances' must be an object of {names}.")
    columns: dict[str, list] = {}
    for row in rows:
        if named != (isinstance(row, dict) and not _is_bytes(row)):
            raise invalid("The 'instances' must be alike: objects or values.")
        for name, value in row.items() if named else ((names[0], row),):
            columns.setdefault(name, []).append(value)
    if {len(column) for column in columns.values()} != {len(rows)}:
        raise invalid("Each of 'instances' must have the same names.")
    return columns


def _tensor(name: str, column: Any, dtype: tf.DType) -> tensor_pb2.TensorProto:
    if dtype == tf.string:
        texts: list[bytes] = []
        shape = _gather_texts(name, column, texts)
        return tf.make_tensor_proto(texts, tf.string, shape)
    try:
        array = _array(column)
    except (ValueError, OverflowError):
        array = np.array("")
    kinds = {"b": "b", "i": "iu", "u": "iu"}.get(np.dtype(dtype.as_numpy_dtype).kind)
    if array.size == 0:
        array = array.astype(dtype.as_numpy_dtype)
    if array.dtype.kind not in (kinds or "iuf"):
        raise invalid(f"{name!r} must be {dtype.name} numbers in lists of one length.")
    if kinds == "iu" and array.size:
        if array.min() < dtype.min or array.max() > dtype.max:
            raise invalid(
                f"{name!r} must be {dtype.name}, from {dtype.min} to {dtype.max}."
            )
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for side in array.shape:
        proto.tensor_shape.dim.add(size=side)
    proto.tensor_content = array.astype(dtype.as_numpy_dtype).tobytes()
    return proto


def _array(value: Any) -> np.ndarray:
    """As `np.array`, made of pieces."""
    size, first, sides = 1, value, 0
    while isinstance(first, list):
        size, sides = size * len(first), sides + 1
        first = first[0] if first else None
    if sides > _MAX_SIDES:
        raise ValueError("too many lists in lists")
    if size <= _PIECE:
        return np.array(value)
    row = size // len(value)
    if row > _PIECE:
        return np.stack([_array(one) for one in value])
    rows = _PIECE // row
    starts = range(0, len(value), rows)
    return np.concatenate([np.array(value[i : i + rows]) for i in starts])


def _gather_texts(name: str, value: Any, texts: list[bytes]) -> list[int]:
    """Appends a nested list's strings; returns its shape."""
    if isinstance(value, list):
        shapes = [_gather_texts(name, one, texts) for one in value]
        if any(shape != shapes[0] for shape in shapes):
            raise invalid(f"{name!r} must be strings in lists of one length.")
        return [len(value), *(shapes[0] if shapes else ())]
    if _is_bytes(value):
        try:
            texts.append(base64.b64decode(value[_B64], validate=True))
        except (binascii.Error, ValueError, TypeError):
            raise invalid(f"{name!r}: no base64 under {_B64!r}.") from None
    elif isinstance(value, str):
        texts.append(value.encode(errors="replace"))
    else:
        raise invalid(f'{name!r} must be strings or {{"{_B64}": ...}}.')
    return []


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_B64}


def _plain(name: str, array: np.ndarray) -> Any:
    """Numbers as they are; strings as nested lists of text, or of base64 where the
    name ends so."""
    if array.dtype != object:
        return array
    if name.endswith("_bytes"):
        encode = lambda text: {_B64: base64.b64encode(text).decode()}
    else:
        encode = lambda text: text.decode(errors="replace")
    coded = np.empty(array.shape, object)
    for place, text in np.ndenumerate(array):
        coded[place] = encode(text)
    return coded.tolist()
