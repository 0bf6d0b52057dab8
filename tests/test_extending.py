"""The page that shows how to add to the package is one extension that works."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import lgcnet_tf as lt
from lgcnet_tf import extensions
from lgcnet_tf.extensions import load_extensions
from lgcnet_tf.space.operations import KINDS, OPERATIONS

ROOT = pathlib.Path(__file__).parents[1]
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.DOTALL
)
SPACE = {
    "initial_channels": 2,
    "num_cells": 2,
    "reduction_cells": (1,),
    "fusion": "ladder",
    "fusion_taps": (0, 1),
    "fusion_channels": 4,
    "cell_operations": ("none", "sep_conv_5x5", "asym_conv_5x5"),
    "fusion_operations": ("conv_1x1", "asym_conv_5x5"),
}
SIZE = (32, 64)


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    """The page's blocks as a file, imported."""
    path = tmp_path_factory.mktemp("extension") / "my_extension.py"
    path.write_text("\n\n".join(BLOCKS))
    load_extensions([str(path)])
    yield path
    del sys.modules["my_extension"]


@pytest.fixture(scope="module")
def skeleton(extension):
    return lt.Skeleton(num_classes=2, **SPACE)


@pytest.fixture(scope="module")
def table(extension, tmp_path_factory):
    """Measured with the added runtime."""
    found = lt.measure_latency(
        extension=(str(extension),),
        runtime="eager",
        dataset="stripes",
        input_size=SIZE,
        repeats=1,
        warmup=0,
        calibration_networks=0,
        **SPACE,
    )
    path = tmp_path_factory.mktemp("table") / "table.json"
    found.save(path)
    return path


@pytest.fixture(scope="module")
def searched(extension, table, tmp_path_factory):
    """A search that is broken off in its second epoch and goes on in another process."""
    from lgcnet_tf.architecture_search.observer import AlphasHistory
    from lgcnet_tf.commands.search import SearchOptions, search

    folder = tmp_path_factory.mktemp("searched") / "run"
    options = SearchOptions(
        extension=(str(extension),),
        dataset="stripes",
        validation_split="",
        input_size=SIZE,
        crop_size=SIZE,
        latency_table=str(table),
        communication="average",
        epochs=2,
        batch_size=4,
        pictures_every=0,
        output_dir=str(folder),
        **SPACE,
    )
    real = AlphasHistory.put

    def break_off(self, epoch, probabilities):
        if epoch == 1:
            raise KeyboardInterrupt
        real(self, epoch, probabilities)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AlphasHistory, "put", break_off)
        with pytest.raises(KeyboardInterrupt):
            search(options)
    before = json.loads((folder / "history.json").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "lgcnet_tf", "search", f"--flagfile={folder}/flags.txt"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, before


def test_each_is_short():
    assert len(BLOCKS) >= 6
    assert max(len(block.splitlines()) for block in BLOCKS) <= 40
    for block in BLOCKS:
        code = [line for line in block.splitlines() if line.strip()]
        assert len(code) < 30, code[:3]


def test_every_public_name_for_it_is_on_the_page():
    page = "\n".join(BLOCKS)
    names = [name for name in lt.__all__ if name.startswith("register_")]
    parts = ["Operation", "Unit", "Runtime", "FusionTable", "FusionNode", "FusionEdge"]
    for name in (*names, *parts, "FusionHead"):
        assert f"lt.{name}" in page


def test_a_search_resumes_in_another_process_with_everything_added(searched, table):
    folder, before = searched
    history = json.loads((folder / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2]
    assert history[0]["loss"] == before[0]["loss"]
    genotype = lt.Genotype.load(folder / "genotype.json")
    assert genotype.skeleton == lt.Skeleton(num_classes=2, **SPACE)
    assert genotype.skeleton.extensions == ("my_extension",)
    assert genotype.classes.class_names == ("left", "right")
    assert genotype.provenance["communication"] == "average"
    assert lt.LatencyTable.load(table).runtime == "eager"
    assert (
        "my_extension"
        in json.loads((folder / "inputs.json").read_text())["--extension"]
    )


def test_a_changed_extension_does_not_go_on(searched, extension):
    from lgcnet_tf.extensions import extension_inputs
    from lgcnet_tf.run_folder import input_changes

    before = json.loads((searched[0] / "inputs.json").read_text())
    text = extension.read_text()
    extension.write_text(text + "\n")
    now = before | extension_inputs([str(extension)])
    extension.write_text(text)
    assert input_changes(before, now) == ["--extension: my_extension changed"]


def test_it_is_drawn(searched):
    from lgcnet_tf.report.run import plot_run

    drawn = {path.name for path in plot_run(searched[0])}
    assert {"cells.png", "fusion_cell.png", "alphas.png", "choices.png"} <= drawn


def everywhere(skeleton, operation):
    """A network that has the operation on every edge that can have it."""
    found = uniform_of(skeleton, operation)
    fusion = {
        edge.name.removeprefix("fusion "): operation
        for edge in skeleton.edges
        if edge.cell is None and operation in edge.candidates
    }
    return dataclasses.replace(found, fusion=found.fusion | fusion)


def uniform_of(skeleton, operation):
    from lgcnet_tf.space.genotype import uniform

    return uniform(skeleton, operation)


@pytest.fixture(scope="module")
def network(skeleton, randomise, tmp_path_factory):
    genotype = everywhere(skeleton, "asym_conv_5x5")
    assert "asym_conv_5x5" in genotype.fusion.values()
    net = randomise(lt.Network(skeleton, SIZE, genotype))
    path = tmp_path_factory.mktemp("network") / "model.keras"
    net.save(path)
    return net, path


def test_an_added_operation_is_deployed_as_it_was_trained(network, images):
    net, path = network
    x = images(*SIZE, batch=2)
    deployed = lt.deploy(lt.load(path))
    np.testing.assert_allclose(
        np.asarray(deployed(x)), np.asarray(net(x)), atol=2e-4, rtol=2e-4
    )
    assert {"asym_conv_5x5"} <= {name.split("/")[-1] for name in net.units}


def test_it_is_exported(network, images, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    net, path = network
    file = lt.export(
        path, format="onnx", dataset="stripes", output_dir=tmp_path / "run"
    )
    session = onnxruntime.InferenceSession(str(file))
    x = images(*SIZE)
    (mask,) = session.run(None, {session.get_inputs()[0].name: x})
    assert (mask == np.asarray(net(x)).argmax(-1)).mean() > 0.99


def test_an_added_head(extension, randomise, images):
    skeleton = lt.Skeleton(2, 2, 2, (1,), fusion="small_aspp", fusion_channels=4)
    net = randomise(lt.Network(skeleton, SIZE, uniform_of(skeleton, "conv_3x3")))
    assert "fusion/fusion_conv_3x3_d3" in net.units
    x = images(*SIZE)
    np.testing.assert_allclose(
        np.asarray(lt.deploy(net)(x)), np.asarray(net(x)), atol=2e-4, rtol=2e-4
    )


def test_stages_of_other_commands_get_it(extension, table, tmp_path):
    """`lgcnet-run` and `lgcnet-sweep` start processes."""
    from lgcnet_tf.commands.run import RunPathOptions
    from lgcnet_tf.commands.run_stages import stages_of
    from lgcnet_tf.commands.sweep import SweepOptions, _given
    from lgcnet_tf.sweep.trial import STAGES, Trial

    named = (str(extension),)
    options = RunPathOptions(
        extension=named, dataset="stripes", output_dir="run", **SPACE
    )
    stages = stages_of(options, tmp_path, SIZE, SIZE)
    assert {stage.extension for stage in stages.values()} == {named}
    given = _given(SweepOptions(extension=named, output_dir="sweep"))
    assert {given[stage]["extension"] for stage in STAGES} == set(named)
    assert "extension" not in _given(SweepOptions(output_dir="sweep"))["evaluate"]
    trial = Trial(
        "t", {}, 0, "t", {"search": "s.txt", "finetune": "f.txt"}, str(tmp_path)
    )
    (trial / "finetune").mkdir(parents=True)
    (trial / "finetune" / "flags.txt").write_text(f"--extension={extension}\n")
    assert f"--extension={extension}" in trial.flags("evaluate")


def test_old_tables_and_runs_stay_what_they_were(skeleton, make_table):
    """Registering changes no space; of another space only what lacks is refused."""
    paper = lt.Skeleton(2, 2, 2, (1,), fusion="none")
    table = make_table(paper, SIZE)
    table.check(paper, SIZE)
    more = dataclasses.replace(
        paper, cell_operations=(*paper.cell_operations, "asym_conv_5x5")
    )
    with pytest.raises(lt.InputError, match="without asym_conv_5x5: measure") as error:
        table.check(more, SIZE)
    assert "it lacks 'asym_conv_5x5 " in str(error.value)
    assert "\n" not in str(error.value)
    make_table(more, SIZE).check(paper, SIZE)  # it has more than is asked for
    assert "cell_operations" not in paper.to_dict()


def test_without_the_extension(skeleton, network, tmp_path, monkeypatch):
    """What it brought is named where it is needed, and drawn where it is not."""
    from lgcnet_tf.figures import draw_genotype
    from lgcnet_tf.space.fusion import FUSION_CELLS

    plain = dataclasses.replace(skeleton, fusion="none")
    uniform_of(plain, "asym_conv_5x5").save(tmp_path / "genotype.json")
    for registry in (KINDS, OPERATIONS, FUSION_CELLS):
        monkeypatch.setattr(registry, "_added", {})
        monkeypatch.setattr(registry, "_origins", {})
    genotype = lt.Genotype.load(tmp_path / "genotype.json")
    draw_genotype(genotype, tmp_path / "cells.png")
    with pytest.raises(lt.InputError, match="'asym_conv_5x5' .*--extension=my_ext"):
        lt.Network(genotype.skeleton, SIZE, genotype)
    with pytest.raises(lt.InputError, match="fusion must be .*extension=my_ext"):
        lt.load(network[1])
    with pytest.raises(lt.InputError, match="cell_operations: .*'asym_conv_5x5'"):
        lt.measure_latency(cell_operations=("+asym_conv_5x5",))


def test_an_installed_package_is_found_by_itself(monkeypatch):
    class Entry:
        name = "a package"

        def load(self):
            lt.register_communication("brought", lambda **kwargs: None)

    def entry_points(group):
        return [Entry()] if group == extensions.ENTRY_POINTS else []

    monkeypatch.setattr(extensions.importlib.metadata, "entry_points", entry_points)
    extensions.load_installed.cache_clear()
    with pytest.raises(lt.InputError, match="absent.json"):
        lt.search("absent.json", communication="brought")
    extensions.load_installed.cache_clear()


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "--extension={path}: no such file"),
        ("import no_such_module", "ModuleNotFoundError: No module named"),
        ("\n\n1 / 0", "ZeroDivisionError: division by zero .*line 3"),
        (
            "import lgcnet_tf as lt\n"
            "lt.register_operation(lt.Operation('conv_3x3', 'conv'))",
            "'conv_3x3' is the package's own",
        ),
        (
            "import lgcnet_tf as lt\nlt.register_operation(lt.Operation('a', 'b'))",
            "operation: kind must be one of none, skip, conv.* Received: 'b'",
        ),
    ],
)
def test_an_extension_that_fails_is_one_line(text, words, tmp_path):
    path = tmp_path / "wrong_extension.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(lt.InputError, match=words.format(path=path)) as error:
        load_extensions([str(path)])
    assert "\n" not in str(error.value)
    assert "wrong_extension" not in sys.modules


def test_a_module_in_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "beside_me.py").write_text("import lgcnet_tf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    load_extensions(["beside_me"])
    assert "beside_me" in extensions.extension_inputs(["beside_me"])["--extension"]
    with pytest.raises(lt.InputError, match="nor not_here.py here"):
        load_extensions(["not_here"])
    del sys.modules["beside_me"]


def node(name, level, **more):
    return lt.FusionNode(name, level, **more)


@pytest.mark.parametrize(
    "nodes, edges, outputs, words",
    [
        ([("b", 0)], [], ["b"], "no edge ends in b"),
        ([("b", 0)], [("b", "a", False)], ["b"], "from a node to a later one"),
        ([("b", 0)], [("c", "b", False)], ["b"], "from a node to a later one"),
        ([("b", 0)], [("a", "b", True)], ["b"], "must end one level finer"),
        ([("b", 0)], [("a", "b", False)], ["a"], "outputs must be nodes"),
        (
            [("b", 0), ("c", 0)],
            [("a", "b", False), ("a", "c", False), ("b", "c", False)],
            ["b", "c"],
            "leaves an output",
        ),
        (
            [("b", 0), ("c", 0), ("d", 0)],
            [
                ("a", "b", False),
                ("a", "c", False),
                ("b", "c", False),
                ("c", "d", False),
            ],
            ["d"],
            "c has several maps and needs project=True",
        ),
    ],
)
def test_a_fusion_table_that_does_not_fit_is_refused(nodes, edges, outputs, words):
    with pytest.raises(lt.InputError, match=words):
        lt.FusionTable(
            title="odd",
            inputs=("a",),
            nodes=(node("a", 0), *(node(*each) for each in nodes)),
            edges=tuple(lt.FusionEdge(*edge) for edge in edges),
            outputs=tuple(outputs),
        )


def test_a_run_of_before_goes_on_with_flags_that_it_did_not_know(tmp_path):
    """Not with another value of one, nor without one that it had."""
    from lgcnet_tf.commands.search import SearchOptions
    from lgcnet_tf.run_folder import flag_changes, flag_lines

    options = SearchOptions(output_dir=str(tmp_path), epochs=3)
    now = flag_lines(options)
    new = ("--extension=", "--cell_operations=")
    before = [line for line in now if line not in new]
    assert len(before) == len(now) - 2
    assert flag_changes(before, now, SearchOptions) == []
    other = dataclasses.replace(options, cell_operations=("+conv_1x1",))
    assert flag_changes(before, flag_lines(other), SearchOptions) == [
        "--cell_operations=+conv_1x1"
    ]
    assert flag_changes([*before, "--gone=3"], now, SearchOptions) == ["--gone=3"]
    changed = flag_changes(
        before, flag_lines(SearchOptions(output_dir=str(tmp_path))), SearchOptions
    )
    assert changed == ["--epochs=3", "--epochs=50"]


@pytest.mark.parametrize("taps", [1, 4])
def test_tables_of_any_number_of_taps(taps, randomise, images, tmp_path):
    """Also without an edge that doubles a map, or with four taps."""
    from lgcnet_tf.architecture_search.architecture import Architecture
    from lgcnet_tf.figures import draw_fusion_cell

    names = [f"P{level}" for level in range(taps)]
    nodes, edges = [node(n, i) for i, n in enumerate(names)], []
    for level in reversed(range(taps)):
        nodes.append(node(f"Q{level}", level, project=0 < level < taps - 1))
        edges.append(lt.FusionEdge(f"P{level}", f"Q{level}", up=False))
        if level + 1 < taps:
            edges.append(lt.FusionEdge(f"Q{level + 1}", f"Q{level}", up=True))
    table = lt.FusionTable(
        "a way down", tuple(names), tuple(nodes), tuple(edges), ("Q0",)
    )
    lt.register_fusion(f"way_{taps}", table)
    skeleton = lt.Skeleton(
        2, 1, taps, tuple(range(1, taps)), f"way_{taps}", tuple(range(taps)), 4
    )
    assert Architecture(skeleton).alpha.shape[0] == 5 * taps + len(edges)
    genotype = uniform_of(skeleton, "conv_3x3")
    path = draw_fusion_cell(genotype, tmp_path / "fusion_cell.png")
    assert path.stat().st_size > 5000
    net = randomise(lt.Network(skeleton, SIZE, genotype))
    x = images(*SIZE)
    np.testing.assert_allclose(
        np.asarray(lt.deploy(net)(x)), np.asarray(net(x)), atol=2e-4, rtol=2e-4
    )
