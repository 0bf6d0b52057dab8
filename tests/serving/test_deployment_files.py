"""The deployment files, as the parsers and schemas of who takes them read them."""

import dataclasses
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from lgcnet_tf.commands.serve import ServeOptions
from lgcnet_tf.serving.security import Tls, read_token
from lgcnet_tf.serving.server import Server

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


def _probes():
    """Name and command of each probe that asks through Python."""
    compose = documents("docker-compose.yml")[0]["services"]["lgcnet-serve"]
    yield "compose", compose["healthcheck"]["test"][1:]
    kinds = {one["kind"]: one for one in documents("lgcnet-serve.yaml")}
    (container,) = kinds["Deployment"]["spec"]["template"]["spec"]["containers"]
    for kind in ("startupProbe", "readinessProbe"):
        yield kind, container[kind]["exec"]["command"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on the PATH")
def test_probes_and_prometheus_accept_the_certificate(base_path, tmp_path):
    """The certificate is made as the README says, the probes are the files' own."""
    text = (_FOLDER / "README.md").read_text()
    (made,) = re.findall(r"^mkdir tls(?:.*\n)+?(?=```)", text, re.MULTILINE)
    subprocess.run(made, shell=True, check=True, cwd=tmp_path, capture_output=True)
    tls = Tls(*(str(tmp_path / "tls" / name) for name in ("tls.crt", "tls.key")))
    token = read_token(tmp_path / "tls/token")
    with Server(
        {"lgcnet": base_path}, port=0, rest_port=0, tls=tls, token=token
    ) as running:
        commands = {}
        for name, (python, *arguments) in _probes():
            assert python == "python"
            program = [
                one.replace("/tls/", f"{tmp_path}/tls/").replace(
                    ":8500", f":{running.port}"
                )
                for one in arguments
            ]
            commands[tuple(program)] = name
        for program, name in commands.items():
            done = subprocess.run([sys.executable, *program], capture_output=True)
            assert done.returncode == 0, (name, done.stderr[-2000:])
        (scrape,) = [
            one
            for one in documents("prometheus.yml")[0]["scrape_configs"]
            if one["job_name"] == "lgcnet-serve"
        ]
        host = scrape["static_configs"][0]["targets"][0].partition(":")[0]
        files = {
            path: tmp_path / path.lstrip("/")
            for path in (
                scrape["tls_config"]["ca_file"],
                scrape["authorization"]["credentials_file"],
            )
        }
        authority, secret = files.values()
        context = ssl.create_default_context(cafile=str(authority))
        with (
            socket.create_connection(("127.0.0.1", running.rest_port)) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.sendall(
                f"GET {scrape['metrics_path']} HTTP/1.0\r\nAuthorization: Bearer "
                f"{secret.read_text().strip()}\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.0 200 ") and b"lgcnet_serving_queue" in answer


_DURATION = r"\d+(ms|[smhdwy])"
_SCRAPES = {
    "job_name": str, "metrics_path": str, "scheme": str, "scrape_interval": str,
    "static_configs": [{"targets": [str], "labels": dict}],
    "authorization": {"type": str, "credentials_file": str},
    "tls_config": {"ca_file": str, "server_name": str},
}  # fmt: skip
_PROMETHEUS = {
    "global": {"scrape_interval": str, "evaluation_interval": str},
    "scrape_configs": [_SCRAPES],
}
"""The part of Prometheus' configuration that the file may have of; it takes no other
names. https://prometheus.io/docs/prometheus/latest/configuration/configuration/"""


def _check(value, shape, where="prometheus.yml"):
    if isinstance(shape, type):
        assert isinstance(value, shape), where
    elif isinstance(shape, list):
        assert isinstance(value, list) and value, where
        for one in value:
            _check(one, shape[0], where)
    else:
        assert isinstance(value, dict) and set(value) <= set(shape), where
        for name, one in value.items():
            _check(one, shape[name], f"{where}: {name}")


def test_prometheus_takes_its_file():
    (config,) = documents("prometheus.yml")
    _check(config, _PROMETHEUS)
    assert re.fullmatch(_DURATION, config["global"]["scrape_interval"])
    jobs = [one["job_name"] for one in config["scrape_configs"]]
    assert len(set(jobs)) == len(jobs)
    services = documents("docker-compose.yml")[0]["services"]
    for one in config["scrape_configs"]:
        for target in one["static_configs"][0]["targets"]:
            host, _, port = target.partition(":")
            assert host in services and port == "8501"
        assert one.get("scheme", "http") in ("http", "https")


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
