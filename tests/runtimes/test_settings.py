"""What the choice of runtimes knows before any of them is imported."""

import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.settings import check_backend, default_runtime, keras_backend


def test_the_backend_is_the_one_that_keras_takes(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert keras_backend() == "torch"
    (tmp_path / "keras.json").write_text("[]")
    assert keras_backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert keras_backend() == "jax"


def test_another_backend_is_one_line(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "bogus")
    with pytest.raises(InputError, match="'bogus'.* one of tensorflow, jax, torch"):
        check_backend()


def test_a_network_runs_on_its_own_backend_where_nothing_is_said(monkeypatch):
    for backend, runtime in {
        "tensorflow": "tensorflow_graph",
        "jax": "keras_backend",
        "torch": "keras_backend",
    }.items():
        monkeypatch.setenv("KERAS_BACKEND", backend)
        assert default_runtime() == runtime
