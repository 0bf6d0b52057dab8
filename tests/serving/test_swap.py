"""Versions that come and go under a running server; configurations of models."""

import gc
import shutil
import threading
import time
import weakref

import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import memory
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.export import export_saved_model
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.model_config import models_of, read_model_config
from lgcnet_tf.serving.model_versions import ModelVersions, VersionPolicy
from lgcnet_tf.serving.server import Server


@pytest.fixture
def base(base_path, tmp_path):
    """A folder with the versions 1, 2 and 4."""
    for version in (1, 2, 4):
        shutil.copytree(base_path / "1", tmp_path / f"models/{version}")
    return tmp_path / "models"


def states(model):
    return {number: one.state for number, one in model.states.items()}


def wait_for(condition):
    while not condition():
        time.sleep(0.02)


@pytest.mark.parametrize(
    "policy, served",
    [
        (VersionPolicy(), [4]),
        (VersionPolicy(latest=2), [2, 4]),
        (VersionPolicy(latest=0), [1, 2, 4]),
        (VersionPolicy(specific=(2, 3)), [2]),
    ],
)
def test_policies_choose_versions(base, policy, served, fake_servable):
    model = ModelVersions("m", base, Limits(), policy)
    model.refresh()
    assert model.versions == served


def test_what_is_new_is_loaded_before_what_is_old_goes(base, fake_servable):
    model = ModelVersions("m", base, Limits())
    model.refresh()
    seen = []
    fake_servable.append(lambda version: seen.append((version, model.versions)))
    (base / "5").mkdir()
    model.refresh()
    assert seen == [(5, [4])]
    assert states(model) == {4: "END", 5: "AVAILABLE"}


def test_what_is_dropped_leaves_memory(base_path, tmp_path):
    """Once its last request has ended, and without Python's own collection."""
    shutil.copytree(base_path / "1", tmp_path / "1")
    model = ModelVersions("m", tmp_path, Limits())
    model.refresh()
    under_way = model.servable(1)
    graph = weakref.ref(under_way._loaded.signatures["encoded"].graph)
    shutil.copytree(base_path / "1", tmp_path / "2")
    gc.disable()
    try:
        model.refresh()
        assert states(model) == {1: "UNLOADING", 2: "AVAILABLE"}
        assert graph()  # `is None` would keep it in a variable of pytest's
        del under_way
        assert states(model) == {1: "END", 2: "AVAILABLE"}
        for thread in threading.enumerate():
            if thread.name == memory.THREAD_NAME:
                thread.join()
        assert graph() is None
    finally:
        gc.enable()


def test_a_broken_version_is_tried_again_only_once_it_changed(base, fake_servable):
    model = ModelVersions("m", base, Limits())
    model.refresh()
    tried = []

    def break_it(version):
        tried.append(version)
        raise InputError("broken")

    fake_servable.append(break_it)
    (base / "5").mkdir()
    for _ in range(3):
        model.refresh()
    assert tried == [5] and model.versions == [4]
    assert model.states[5].error == "broken"
    (base / "5/file").write_text("new")
    model.refresh()
    assert tried == [5, 5]
    fake_servable.clear()
    (base / "5/file").write_text("newer")
    model.refresh()
    assert model.versions == [5]


def test_what_is_served_stays_when_its_folder_goes(base, fake_servable):
    model = ModelVersions("m", base, Limits())
    model.refresh()
    shutil.rmtree(base)
    model.refresh()
    assert model.versions == [4]
    with pytest.raises(InputError, match="no such model folder"):
        ModelVersions("m", base, Limits()).check_served()


@pytest.fixture
def fake_servable(monkeypatch):
    """Versions load at once; functions in the list are called with their number."""
    hooks = []

    class Fake:
        def __init__(self, name, version, folder, limits):
            for hook in hooks:
                hook(version)
            self.version = version

    monkeypatch.setattr("lgcnet_tf.serving.model_versions.Servable", Fake)
    return hooks


@pytest.mark.parametrize(
    "text, message",
    [
        ("nonsense {", "no ModelServerConfig"),
        ("", "no model_config_list"),
        ('model_config_list { config { name: "a" } }', "a base_path"),
        (
            'model_config_list { config { name: "a" base_path: "b" '
            'model_platform: "onnx" } }',
            "must be 'tensorflow'",
        ),
        (
            'model_config_list { config { name: "a" base_path: "b" '
            "model_version_policy { specific {} } } }",
            "names no versions",
        ),
    ],
)
def test_configurations_that_cannot_be_are_named(tmp_path, text, message):
    path = tmp_path / "models.config"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        models_of(read_model_config(path), Limits(), {})
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_model_config(tmp_path / "absent")


def test_a_swap_under_load_loses_nothing(network, info, base, images):
    """Requests go on while a version appears, and while one is broken."""
    answered, failed, stop = [], [], threading.Event()

    def ask(target):
        with Client(target, "lgcnet", timeout_s=60) as client:
            while not stop.is_set():
                try:
                    client.predict(images)
                    answered.append(1)
                except InputError as error:
                    failed.append(str(error))

    with Server({"lgcnet": base}, port=0, poll_wait_s=0.1) as running:
        asking = threading.Thread(target=ask, args=(running.target,))
        asking.start()
        try:
            wait_for(lambda: answered)
            (base / "9").mkdir()  # broken
            export_saved_model(network, base, info, version=7)
            wait_for(lambda: running.versions == {"lgcnet": 7})
            before = len(answered)
            wait_for(lambda: len(answered) > before + 2)
        finally:
            stop.set()
            asking.join()
        with Client(running.target, "lgcnet") as client:
            request = get_model_status_pb2.GetModelStatusRequest()
            request.model_spec.name = "lgcnet"
            found = client._model.GetModelStatus(request).model_version_status
    assert not failed
    names = get_model_status_pb2.ModelVersionStatus.State
    states = {one.version: names.Name(one.state) for one in found}
    assert states == {4: "END", 7: "AVAILABLE", 9: "END"}


def test_a_configuration_is_read_again_and_reloaded_on_request(base, tmp_path, images):
    path = tmp_path / "models.config"
    one = 'config {{ name: "{}" base_path: "{}" model_platform: "tensorflow" }}'
    path.write_text(f"model_config_list {{ {one.format('a', base)} }}")
    with Server(port=0, model_config_file=str(path), poll_wait_s=0.1) as running:
        assert running.versions == {"a": 4}
        two = one.format("a", base) + one.format("b", base)
        path.write_text(f"model_config_list {{ {two} }}")
        wait_for(lambda: running.versions == {"a": 4, "b": 4})
        path.write_text("model_config_list { config { ")  # half written: a stays
        request = model_management_pb2.ReloadConfigRequest()
        only = request.config.model_config_list.config.add()
        only.name, only.base_path = "b", str(base)
        only.model_version_policy.specific.versions.append(2)
        with Client(running.target, "b") as client:
            answer = client._model.HandleReloadConfigRequest(request, timeout=60)
            assert answer.status.error_code == 0
            assert running.versions == {"b": 2}
            assert client.predict(images).shape == (2, 24, 40)


def test_a_configuration_written_while_the_server_starts_is_read(
    base, tmp_path, monkeypatch
):
    path = tmp_path / "models.config"
    text = 'model_config_list {{ config {{ name: "{}" base_path: "{}" }} }}'
    path.write_text(text.format("a", base))
    listen = Server._listen

    def written_meanwhile(*arguments):
        path.write_text(text.format("written-later", base))
        return listen(*arguments)

    monkeypatch.setattr(Server, "_listen", written_meanwhile)
    with Server(port=0, model_config_file=str(path), poll_wait_s=0.1) as running:
        wait_for(lambda: running.versions == {"written-later": 4})
