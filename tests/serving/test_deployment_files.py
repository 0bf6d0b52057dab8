"""The deployment files, as the parsers and schemas of who takes them read them."""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from lgcnet_tf.commands.serve import ServeOptions

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


def documents(name):
    yaml = pytest.importorskip("yaml")
    return [one for one in yaml.safe_load_all((_FOLDER / name).read_text()) if one]


@pytest.mark.parametrize("name", ["kubernetes.yaml", "lgcnet-serve.yaml"])
def test_objects_are_what_kubernetes_takes(name):
    checker = pytest.importorskip("kubernetes_validate")
    for each in documents(name):
        checker.validate(each, "1.32", strict=True)
        broken = {**each, "spec": {**each["spec"], "no_such_field": 1}}
        with pytest.raises(checker.ValidationError):
            checker.validate(broken, "1.32", strict=True)


def test_compose_file_fits_its_specification():
    pytest.importorskip("check_jsonschema")
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema",
         "vendor.compose-spec", _FOLDER / "docker-compose.yml"],
        check=True,
    )  # fmt: skip


def _flags(arguments):
    """The options of lgcnet-serve that a container's arguments make."""
    names = {field.name: field for field in dataclasses.fields(ServeOptions)}
    given = {}
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        kind = type(names[name].default)
        given[name] = kind(value)
    return ServeOptions(**given)


def test_containers_of_the_embedded_server():
    compose = documents("docker-compose.yml")[0]["services"]["lgcnet-serve"]
    kinds = {one["kind"]: one for one in documents("lgcnet-serve.yaml")}
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    patience_s = int(compose["stop_grace_period"].removesuffix("s"))
    for arguments, mounts, seconds in (
        (compose["command"], [v.split(":")[-2] for v in compose["volumes"]], patience_s),
        (
            container["args"],
            [one["mountPath"] for one in container["volumeMounts"]],
            pod["terminationGracePeriodSeconds"],
        ),
    ):  # fmt: skip
        options = _flags(arguments)
        assert not list(options.problems())
        assert options.lame_duck_s + options.grace_s < seconds
        for path in (options.ssl_key, options.token_file, options.model_config_file):
            assert any(path.startswith(mount) for mount in mounts), path


def test_the_autoscaler_follows_a_metric_that_there_is(server):
    (scaler,) = [
        one
        for one in documents("lgcnet-serve.yaml")
        if one["kind"] == "HorizontalPodAutoscaler"
    ]
    (metric,) = scaler["spec"]["metrics"]
    name = metric["pods"]["metric"]["name"]
    assert f"\n{name} 0.0\n" in server._core.metrics.page().decode()


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not on the PATH"
)
def test_kustomize_builds_the_manifest():
    built = subprocess.run(
        ["kubectl", "kustomize", _FOLDER], capture_output=True, text=True, check=True
    ).stdout
    kinds = re.findall(r"^kind: (\w+)", built, flags=re.MULTILINE)
    assert sorted(kinds) == [
        "ConfigMap", "ConfigMap", "Deployment", "Deployment",
        "HorizontalPodAutoscaler", "PersistentVolumeClaim", "PodDisruptionBudget",
        "Service", "Service",
    ]  # fmt: skip
    assert re.search(r"name: lgcnet-serving-config-\w+\n +name: config", built)
