"""What `lgcnet-serve` serves: an exported folder, or a network of the zoo."""

import json
import os
import pathlib
import signal
import socket
import sys
import tempfile

import pytest

pytest.importorskip("tensorflow")

from lgcnet_tf.commands.serve import DEMO_MODEL, ServeOptions, serve
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.model.zoo import load_genotype


@pytest.fixture
def started(monkeypatch):
    """The arguments of servers, and what lay in the model's folder while they ran."""
    found = []

    class Stub:
        versions, target, rest_port = {"lgcnet": 1}, "127.0.0.1:1", 2

        def __init__(self, models, host, port, rest_port, *, demo, **_):
            self.models, self.demo = models, demo

        def check(self):
            pass

        def start(self):
            for folder in self.models.values():
                card = pathlib.Path(folder, "1", "assets.extra", "lgcnet.json")
                known = json.loads(card.read_text()) if card.exists() else None
                found.append((pathlib.Path(folder), known, self.demo))

        def serve_forever(self, grace_s, lame_duck_s):
            return True

    monkeypatch.setattr("lgcnet_tf.serving.server.Server", Stub)
    return found


@pytest.fixture
def quick_export(monkeypatch):
    """Writes the card alone: the network's own export takes long."""

    class Network:
        genotype = load_genotype(DEMO_MODEL)

        def count_params(self):
            return 1

    def export(network, folder, info, metadata):
        card = pathlib.Path(folder, "1", "assets.extra", "lgcnet.json")
        card.parent.mkdir(parents=True)
        known = {"class_names": info.class_names, "metadata": metadata}
        card.write_text(json.dumps(known))

    monkeypatch.setattr("lgcnet_tf.model.zoo.load_network", lambda name: Network())
    monkeypatch.setattr("lgcnet_tf.model.deploy.deploy", lambda network: network)
    monkeypatch.setattr("lgcnet_tf.serving.export.export_saved_model", export)


def test_the_demo_alone_serves_the_zoos_network(started, quick_export, capsys):
    serve(ServeOptions(demo=True))
    ((folder, card, demo),) = started
    assert demo and tuple(card["class_names"]) == dataset_info("camvid").class_names
    assert card["metadata"]["model"] == DEMO_MODEL
    assert not folder.exists()  # it was made for this server alone
    said = capsys.readouterr()
    assert "The page: http://127.0.0.1:2/" in said.out
    assert f"Exporting {DEMO_MODEL}" in said.err


def test_a_folder_is_served_as_it_is(started, tmp_path):
    serve(ServeOptions(model=str(tmp_path)))
    assert started == [(tmp_path, None, False)]
    assert tmp_path.exists()


def test_a_port_in_use_is_told_before_the_export(quick_export, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} of 127.0.0.1"):
            serve(ServeOptions(demo=True, port=port))
    assert "Exporting" not in capsys.readouterr().err


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_during_the_export_leaves_nothing(
    started, quick_export, monkeypatch, tmp_path, capsys, number, status
):
    export = "lgcnet_tf.serving.export.export_saved_model"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(export, lambda *_, **__: os.kill(os.getpid(), number))
    monkeypatch.setattr(os, "_exit", sys.exit)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        serve(ServeOptions(demo=True))
    assert ended.value.code == status and not started
    assert not list(tmp_path.iterdir()) and signal.getsignal(number) is before
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["lgcnet-serve: stopped."]
