"""What every command does before it begins."""

import importlib
import sys

import pytest

from lgcnet_tf.bin import common


@pytest.fixture
def needless(monkeypatch):
    """A module that stands for what is needless, not imported so far."""
    monkeypatch.setattr(common, "_NEEDLESS", ("wave",))
    monkeypatch.delitem(sys.modules, "wave", raising=False)


def test_needless_packages_are_absent_only_meanwhile(needless, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with common.without_needless_imports():
        with pytest.raises(ImportError):
            importlib.import_module("wave")
    assert importlib.import_module("wave").open
    with common.without_needless_imports():  # it is there: it stays
        assert importlib.import_module("wave").open


def test_another_backend_may_need_them(needless, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with common.without_needless_imports():
        assert importlib.import_module("wave").open


def test_the_backend_is_the_one_that_keras_takes(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert common.keras_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert common.keras_backend() == "torch"
    (tmp_path / "keras.json").write_text("[]")
    assert common.keras_backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert common.keras_backend() == "jax"
