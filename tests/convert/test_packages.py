import pytest

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.errors import InputError


def test_names_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    with pytest.raises(InputError) as error:
        import_package("ai_edge_litert", "runtime litert")
    assert str(error.value) == (
        "runtime litert: needs the package ai-edge-litert; pip install ai-edge-litert."
    )


def test_any_package():
    with pytest.raises(InputError, match="pip install no_such_package."):
        import_package("no_such_package.part", "x")


def test_what_is_used_with_it_is_named_too(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(InputError) as error:
        import_package("openvino", "runtime openvino")
    assert str(error.value) == (
        "runtime openvino: needs the package openvino; pip install openvino onnx tf2onnx."
    )


def test_what_is_there():
    assert import_package("json", "x").loads("1") == 1
