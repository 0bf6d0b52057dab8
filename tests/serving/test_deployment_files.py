"""The files for TensorFlow Serving, as its own parsers read them."""

import pathlib
import re
import shutil
import subprocess

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

_FOLDER = pathlib.Path(__file__).parents[2] / "serving"


def test_models_config_serves_the_newest_lgcnet():
    config = text_format.Parse(
        (_FOLDER / "models.config").read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("lgcnet", "/models/lgcnet")
    assert model.model_version_policy.latest.num_versions == 1


def test_batch_sizes_rise_to_the_largest():
    text = (_FOLDER / "batching.config").read_text()
    sizes = [int(n) for n in re.findall(r"allowed_batch_sizes: (\d+)", text)]
    largest = int(re.search(r"max_batch_size \{ value: (\d+) \}", text)[1])
    assert sizes == sorted(set(sizes)) and sizes[-1] == largest


def test_scrape_and_server_name_the_same_metrics_path():
    path = re.search(r'path: "(.*)"', (_FOLDER / "monitoring.config").read_text())[1]
    for name in ("prometheus.yml", "kubernetes.yaml"):
        assert path in (_FOLDER / name).read_text()


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not on the PATH"
)
def test_kustomize_builds_the_manifest():
    built = subprocess.run(
        ["kubectl", "kustomize", _FOLDER], capture_output=True, text=True, check=True
    ).stdout
    kinds = re.findall(r"^kind: (\w+)", built, flags=re.MULTILINE)
    assert sorted(kinds) == [
        "ConfigMap",
        "Deployment",
        "PersistentVolumeClaim",
        "Service",
    ]
    assert re.search(r"name: lgcnet-serving-config-\w+\n +name: config", built)
