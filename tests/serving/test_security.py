"""TLS, client certificates and tokens on both faces; what is said without them."""

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.security import Tls, exposure, read_token
from lgcnet_tf.serving.server import Server

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not on the PATH"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """(certificate, key) for localhost, its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-out", paths[0], "-keyout", paths[1],
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return tuple(map(str, paths))


def status(url, context=None, token=""):
    """HTTP's status of the model's status."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    request = urllib.request.Request(f"{url}/v1/models/lgcnet", headers=headers)
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        assert json.load(error)["error"]
        return error.code


@needs_openssl
def test_both_faces_take_tls_with_client_certificates_and_a_token(
    base_path, certificates, images, live_mask
):
    certificate, key = certificates
    tls = Tls(certificate, key, client_ca=certificate)
    with Server(
        {"lgcnet": base_path}, "localhost", 0, 0, tls=tls, token="secret"
    ) as running:
        target, url = running.target, f"https://localhost:{running.rest_port}"
        mine = {"ca": certificate, "certificate": certificate, "key": key}
        with Client(target, "lgcnet", token="secret", **mine) as client:
            assert (client.predict(images) == live_mask(images)).all()
            assert client.wait_until_ready(20) == 1
        with Client(target, "lgcnet", token="other", **mine) as client:
            with pytest.raises(InputError, match="UNAUTHENTICATED: A bearer token"):
                client.predict(images)
        for given in ({}, {"ca": certificate}):  # in the clear; without a certificate
            with Client(target, "lgcnet", timeout_s=3, **given) as client:
                with pytest.raises(InputError, match="UNAVAILABLE|DEADLINE"):
                    client.predict(images)
        context = ssl.create_default_context(cafile=certificate)
        with pytest.raises((urllib.error.URLError, ConnectionError, ssl.SSLError)):
            status(url, context, "secret")
        context.load_cert_chain(certificate, key)
        assert status(url, context, "secret") == 200
        assert status(url, context) == status(url, context, "x") == 401


def test_health_needs_no_token(base_path):
    with Server({"lgcnet": base_path}, port=0, rest_port=0, token="secret") as running:
        with grpc.insecure_channel(running.target) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            answer = check(health_pb2.HealthCheckRequest(), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert status(f"http://127.0.0.1:{running.rest_port}") == 401


def test_files_that_are_no_certificate_or_token(tmp_path):
    (tmp_path / "a.pem").write_text("nothing")
    for path in ("a.pem", "absent.pem"):
        with pytest.raises(InputError, match=f"{path}.*no PEM certificate") as caught:
            Tls(str(tmp_path / path), str(tmp_path / path)).credentials()
        assert "\n" not in str(caught.value)
    (tmp_path / "token").write_text(" secret\n")
    assert read_token(str(tmp_path / "token")) == "secret"
    for text in ("", "two words", "é"):
        (tmp_path / "token").write_text(text)
        with pytest.raises(InputError, match="one word of ASCII"):
            read_token(str(tmp_path / "token"))


def test_an_open_server_warns():
    assert "0.0.0.0 is open to the network without TLS" in exposure("0.0.0.0", None, "")
    assert "neither a token" in exposure("10.0.0.1", Tls("a", "b"), "")
    for quiet in (
        ("127.0.0.1", None, ""),
        ("localhost", None, ""),
        ("::1", None, ""),
        ("0.0.0.0", None, "secret"),
        ("0.0.0.0", Tls("a", "b", "c"), ""),
    ):
        assert exposure(*quiet) == ""
