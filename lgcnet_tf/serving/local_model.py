"""A model that runs in this process, with the methods of `Client` that files need."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.fit import mask_of, pieces_of
from lgcnet_tf.data.images import decode_image
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.model_files import kind_of, read_card, saved_model_folder
from lgcnet_tf.evaluation.models import LoadedModel, load_model
from lgcnet_tf.serving.backend import BadPicture
from lgcnet_tf.serving.classes import ServedClasses
from lgcnet_tf.serving.export import INFO_FILE, load_info


class LocalModel:
    """Segments pictures without a server.

    Args:
        model: a name of the zoo, a `.keras` file, a SavedModel's folder, or a file
            for ONNX Runtime, OpenVINO or LiteRT, which the file's own runtime runs.

    Attributes:
        target, model_name: `model`, where a client names server and model.

    Raises:
        InputError: there is no such model, it has no trained weights, or its
            runtime cannot run here.
    """

    def __init__(self, model: str):
        self.target = self.model_name = model
        if model.endswith(".json"):
            raise InputError(
                f"{model}: a genotype has no weights; name what lgcnet-finetune made "
                "of it."
            )
        self._model = load_model(model)
        self._info = _classes_of(model, self._model)

    def classes(self) -> ServedClasses | None:
        """What the model says of itself; None where it does not name its classes."""
        if self._info is None:
            return None
        return ServedClasses(self._info, self._model.input_size, self._model.fit)

    def predict_encoded(self, encoded: Sequence[bytes]) -> list[np.ndarray]:
        """Segments PNG or JPEG files of any size.

        Returns:
            uint8 classes (height, width) of each, of the picture's own size.

        Raises:
            BadPicture: one of them is no picture.
        """
        return [self._segment(self._decode(one)) for one in encoded]

    def gives_own_sizes(self) -> bool:
        """Whether masks have the pictures' own sizes: they do."""
        return True

    def __enter__(self) -> "LocalModel":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def _decode(self, encoded: bytes) -> np.ndarray:
        try:
            return decode_image(encoded, self.target)
        except InputError as error:  # whoever asks knows the picture's name
            raise BadPicture(str(error).removeprefix(f"{self.target}: ")) from None

    def _segment(self, image: np.ndarray) -> np.ndarray:
        fit, size = self._model.fit, self._model.input_size
        pieces = pieces_of(image, fit, size)
        # One by one: a picture may have hundreds.
        masks = [self._model.predict_mask(piece[None])[0] for piece in pieces]
        return mask_of(np.stack(masks), fit, image.shape[:2], size)


def _classes_of(model: str, loaded: LoadedModel) -> DatasetInfo | None:
    """Names and colours of a model's classes, as far as it knows them."""
    kind = kind_of(model)
    if kind is None:
        return loaded.genotype.classes if loaded.genotype else None
    if kind == ".pb":
        folder = saved_model_folder(model)
        return load_info(folder)[0] if (folder / INFO_FILE).is_file() else None
    card = read_card(model)
    if not {"class_names", "palette"} <= card.keys():
        return None
    return DatasetInfo(
        name=card.get("dataset", ""),
        class_names=tuple(card["class_names"]),
        palette=np.array(card["palette"], np.uint8),
        void_label=int(card["void_label"]),
    )
