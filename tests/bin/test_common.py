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
