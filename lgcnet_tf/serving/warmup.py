"""Warm-up requests: what a server runs before it calls a model ready.

TensorFlow Serving replays `assets.extra/tf_serving_warmup_requests` of a
SavedModel at load, so that the first user does not pay for lazy set-up.
"""

import io
import os
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from google.protobuf import message
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import protos, signatures
from lgcnet_tf.serving.classes import CLASSES_SIGNATURE, QUERY_INPUT
from lgcnet_tf.serving.status import one_line

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def write_warmup(folder: str | os.PathLike, input_size: tuple[int, int]) -> None:
    """Writes one request for each signature into a SavedModel's folder.

    Args:
        folder: the SavedModel.
        input_size: the network's (height, width) in pixels.
    """
    height, width = input_size
    ramp = np.linspace(0, 255, width, dtype=np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (height, width, 3))
    png = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(png, "PNG")
    requests = (
        protos.predict_request(
            signatures.IMAGES_SIGNATURE, {signatures.IMAGES_INPUT: image[None]}
        ),
        protos.predict_request(
            signatures.ENCODED_SIGNATURE,
            {signatures.ENCODED_INPUT: [png.getvalue()]},
        ),
        protos.predict_request(CLASSES_SIGNATURE, {QUERY_INPUT: np.zeros(1, np.int32)}),
    )
    path = pathlib.Path(folder, WARMUP_FILE)
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def read_warmup(folder: str | os.PathLike) -> Iterator[predict_pb2.PredictRequest]:
    """Yields the warm-up requests of a SavedModel, none where it has no file.

    Raises:
        InputError: the file is damaged.
    """
    path = pathlib.Path(folder, WARMUP_FILE)
    if not path.exists():
        return
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.HasField("predict_log"):
                yield log.predict_log.request
    except (tf.errors.OpError, message.DecodeError) as error:
        raise InputError(
            f"{path}: damaged warm-up requests: {one_line(str(error))}; export the model "
            "again."
        ) from None
