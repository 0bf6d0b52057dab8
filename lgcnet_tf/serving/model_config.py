"""`--model_config_file`: TensorFlow Serving's text proto of the models to serve."""

import os
import pathlib
from collections.abc import Mapping

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.model_versions import ModelVersions, VersionPolicy
from lgcnet_tf.serving.status import one_line


def read_model_config(
    path: str | os.PathLike,
) -> model_server_config_pb2.ModelServerConfig:
    """Reads a `ModelServerConfig`.

    Raises:
        InputError: the file cannot be read, or is none.
    """
    config = model_server_config_pb2.ModelServerConfig()
    try:
        return text_format.Parse(pathlib.Path(path).read_text(), config)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    except text_format.ParseError as error:
        raise InputError(
            f"{path}: no ModelServerConfig: {one_line(str(error))}; expected "
            "model_config_list { config { name: ... base_path: ... } }"
        ) from None


def models_of(
    config: model_server_config_pb2.ModelServerConfig,
    limits: Limits,
    served: Mapping[str, ModelVersions],
) -> list[ModelVersions]:
    """The models that a configuration lists, not yet loaded.

    Args:
        config: what to serve.
        limits: of the server.
        served: models by name; one of the same folder goes on, with what is new.

    Raises:
        InputError: it lists none, or one of them cannot be.
    """
    models: dict[str, ModelVersions] = {}
    for one in config.model_config_list.config:
        if not one.name or not one.base_path or one.name in models:
            raise InputError(
                "A model_config needs a name of its own and a base_path. Received: "
                f"{text_format.MessageToString(one, as_one_line=True)}"
            )
        if one.model_platform not in ("", "tensorflow"):
            raise InputError(
                f"{one.name}: model_platform must be 'tensorflow'. "
                f"Received: {one.model_platform!r}"
            )
        policy = _policy(one.model_version_policy)
        labels = dict(one.version_labels)
        known = served.get(one.name)
        if known is not None and str(known.base_path) == one.base_path:
            known.policy, known.labels = policy, labels
            models[one.name] = known
        else:
            models[one.name] = ModelVersions(
                one.name, one.base_path, limits, policy, labels
            )
    if not models:
        raise InputError(
            "The configuration has no model_config_list with a config; expected "
            "model_config_list { config { name: ... base_path: ... } }"
        )
    return list(models.values())


def _policy(proto) -> VersionPolicy:
    kind = proto.WhichOneof("policy_choice")
    if kind == "all":
        return VersionPolicy(latest=0)
    if kind == "specific":
        if not proto.specific.versions:
            raise InputError("model_version_policy: specific names no versions.")
        return VersionPolicy(specific=tuple(proto.specific.versions))
    # As in TensorFlow Serving, 0 stands for the default of one.
    return VersionPolicy(latest=proto.latest.num_versions or 1)
