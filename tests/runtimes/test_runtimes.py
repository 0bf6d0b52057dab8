import os
import subprocess
import sys
import types

import keras
import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.measure import samples
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.model.network import Network
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.base import static_shape
from lgcnet_tf.runtimes.settings import RUNTIMES
from lgcnet_tf.space.genotype import random_genotype

PACKAGE = "lgcnet_tf.runtimes"
PLAIN = ("tensorflow_graph", "tensorflow_xla", "keras_backend", "tftrt")
NAMES = [spec.name for spec in RUNTIMES]
HERE = [name for name in NAMES if name not in ("tftrt", "tensorrt")]
"""Those that a machine without a GPU can run."""

PACKAGES = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "litert": "ai_edge_litert.interpreter",
    "tensorrt": "tensorrt",
}

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs Keras on TensorFlow"
)


class Count(keras.layers.Layer):
    """A 3x3 convolution, wide enough to take its time."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = keras.layers.Conv2D(64, 3, padding="same", bias_initializer="ones")

    def call(self, x):
        return self.conv(keras.ops.relu(x))


def runtime_or_skip(name, **settings):
    """The runtime, or a skipped test where its package is absent."""
    try:
        return get_runtime(name, **settings)
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def deployed(small_skeleton, randomise):
    return small_network(small_skeleton, randomise, (33, 65))


def small_network(small_skeleton, randomise, size):
    skeleton = small_skeleton(
        num_cells=2, reduction_cells=(1,), fusion="cas", fusion_taps=(0, 1)
    )
    genotype = random_genotype(skeleton, np.random.default_rng(4))
    return randomise(Network(skeleton, size, genotype, "folded"))


@tensorflow_only
@pytest.mark.parametrize("name", HERE)
def test_describes_itself(name):
    runtime = runtime_or_skip(name)
    assert runtime.name == name
    assert runtime.version and runtime.device and runtime.threads >= 1
    assert runtime.precision == "float32"
    assert 0 <= runtime.call_overhead_us < 20_000


@tensorflow_only
@pytest.mark.parametrize("name", HERE)
def test_computes_a_network(name, deployed, images, small_skeleton, randomise):
    runtime = runtime_or_skip(name)
    if name == "tensorflow_xla":  # it resizes some odd sizes wrongly
        deployed = small_network(small_skeleton, randomise, (32, 64))
    x = images(*deployed.input_size, batch=2)
    expected = np.asarray(deployed(x))
    compiled = runtime.compile(deployed, x.shape, "uint8")
    logits = compiled.predict(x)
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert compiled.input_shape == x.shape and compiled.input_dtype == "uint8"
    compiled()
    # Running it on its own input changes nothing that is asked for later.
    np.testing.assert_array_equal(compiled.predict(x), logits)
    mask = runtime.compile(ClassMap(deployed), x.shape, "uint8").predict(x)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected.argmax(-1))


@tensorflow_only
@pytest.mark.parametrize("name", HERE)
def test_computes_an_operation(name):
    x = np.random.default_rng(1).standard_normal((1, 9, 7, 64), "float32")
    layer = Count()
    compiled = runtime_or_skip(name).compile(layer, x.shape)
    np.testing.assert_allclose(compiled.predict(x), np.asarray(layer(x)), atol=1e-4)


@tensorflow_only
@pytest.mark.parametrize("name", HERE)
def test_loop_does_all_the_work(name):
    loop = runtime_or_skip(name).compile_loop(Count(), (1, 48, 48, 64))
    calls = {n: lambda n=n: loop(n) for n in (1, 21)}
    times = samples(calls, repeats=7, warmup=2, min_time_us=0.0)
    assert np.median(times[21]) > 4 * np.median(times[1])


@tensorflow_only
@pytest.mark.parametrize(
    "name, precision",
    [
        ("tensorflow_graph", "bfloat16"),
        ("tensorflow_xla", "bfloat16"),
        ("keras_backend", "bfloat16"),
        ("onnxruntime", "float16"),
        ("onnxruntime", "int8"),
        ("openvino", "int8"),
        ("litert", "int8"),
    ],
)
def test_other_precisions(name, precision, deployed, images):
    calibration = [images(66, 130, seed=seed)[0] for seed in range(3)]
    runtime = runtime_or_skip(name, precision=precision, images=calibration)
    assert runtime.precision == precision
    x = images(33, 65)
    expected = np.asarray(deployed(x))
    logits = runtime.compile(deployed, x.shape, "uint8").predict(x).astype("float32")
    error = np.abs(logits - expected).mean()
    assert 1e-6 < error < 0.3 * np.abs(expected).mean()
    runtime.compile(Count(), (1, 8, 8, 64))()


@pytest.mark.parametrize(
    "name, precision",
    [
        ("tensorflow_graph", "int8"),
        ("keras_backend", "int8"),
        ("onnxruntime", "bfloat16"),
        ("litert", "float16"),
    ],
)
@tensorflow_only
def test_refuses_other_precisions(name, precision):
    runtime_or_skip(name)
    with pytest.raises(
        InputError, match=f"runtime {name}: computes .* not in {precision}"
    ):
        get_runtime(name, precision=precision)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in PLAIN])
def test_a_missing_package_is_named(name, monkeypatch):
    """Without the extra packages: one sentence that says how to get them."""
    module = PACKAGES[name]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"{PACKAGE}.{name}", raising=False)
    with pytest.raises(InputError) as error:
        get_runtime(name)
    package = module.partition(".")[0].replace("_", "-")
    assert str(error.value).startswith(
        f"runtime {name}: needs the package {package}; pip install {package}"
    )


def test_tensorrt_without_a_gpu(monkeypatch):
    class Cuda(types.ModuleType):
        cudaError_t = types.SimpleNamespace(cudaSuccess=0)

        def cudaGetDeviceCount(self):
            return 100, 0

    monkeypatch.setitem(sys.modules, "tensorrt", types.ModuleType("tensorrt"))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", Cuda("runtime"))
    with pytest.raises(InputError, match="needs an NVIDIA GPU, and there is none here"):
        get_runtime("tensorrt")
    with pytest.raises(InputError, match="leave out --threads"):
        get_runtime("tensorrt", threads=2)


@tensorflow_only
def test_tftrt_refuses_where_tensorflow_lacks_it():
    from lgcnet_tf.runtimes import tftrt

    if tftrt._has_tensorrt():
        pytest.skip("this TensorFlow has TF-TRT")
    with pytest.raises(InputError, match="without TensorRT .*--runtime=tensorrt"):
        get_runtime("tftrt")


@tensorflow_only
@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "litert"])
def test_damaged_files(name, tmp_path):
    runtime = runtime_or_skip(name)
    for suffix in runtime.suffixes:
        path = tmp_path / f"model{suffix}"
        path.write_bytes(b"no model")
        with pytest.raises(InputError, match=f"model{suffix}: .*cannot load it"):
            runtime.load(path)


def test_static_shapes():
    assert static_shape("m", (None, 8, 8, 3), 4) == (4, 8, 8, 3)
    assert static_shape("m", (-1, 8, 8, 3), None) == (1, 8, 8, 3)
    assert static_shape("m", (2, 8, 8, 3), None) == (2, 8, 8, 3)
    with pytest.raises(InputError, match="m: takes batches of 2; --batch_size=4"):
        static_shape("m", (2, 8, 8, 3), 4)
    with pytest.raises(InputError, match="m: its input has no fixed size"):
        static_shape("m", (1, None, 8, 3), None)


def test_unknown_name_lists_them():
    with pytest.raises(InputError, match="tensorflow_graph, .*litert.*'nosuch'"):
        get_runtime("nosuch")


@tensorflow_only
def test_threads_only_before_the_start():
    get_runtime("tensorflow_graph").compile(Count(), (1, 8, 8, 3))
    with pytest.raises(InputError, match="started already"):
        get_runtime("tensorflow_graph", threads=64)


def test_keras_has_no_threads():
    with pytest.raises(InputError, match="keras_backend cannot choose"):
        get_runtime("keras_backend", threads=1)


FRESH = """
import gc, importlib.util, signal
from lgcnet_tf.bin import common
with common.quiet_start(), common.without_needless_imports():
    import tensorflow as tf
from lgcnet_tf.runtimes import get_runtime

runtime = get_runtime("tensorflow_graph", threads=1)
print(runtime.threads, tf.config.threading.get_intra_op_parallelism_threads())
if importlib.util.find_spec("openvino"):
    first = get_runtime("openvino")
    second = get_runtime("openvino")
    del first
    gc.collect()
    del second
    gc.collect()
    got = []
    signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    signal.raise_signal(signal.SIGTERM)
    print(got)
"""


@pytest.fixture(scope="module")
def fresh():
    """What a process of its own said, line by line."""
    pytest.importorskip("tensorflow")
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_threads_of_a_fresh_process(fresh):
    assert fresh[0] == "1 1"


def test_signals_still_arrive_after_openvino_runtimes_are_gone(fresh):
    """Each `Core` would give this thread another stack for them, and take it away."""
    pytest.importorskip("openvino")
    assert fresh[1] == "[15]"


def test_jax_runs_and_waits():
    pytest.importorskip("jax")
    code = (
        "import keras\n"
        "from lgcnet_tf.runtimes import get_runtime\n"
        "runtime = get_runtime('keras_backend')\n"
        "assert 'jax' in runtime.version\n"
        "layer = keras.layers.Conv2D(4, 3)\n"
        "assert runtime.compile(layer, (1, 8, 8, 3)).run().shape == (1, 6, 6, 4)\n"
        "assert runtime.compile_loop(layer, (1, 8, 8, 3))(3).shape == (1, 6, 6, 4)\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_nothing_is_written_about_the_image_while_a_call_is_timed():
    """An error that TensorFlow raises and catches has the input's numbers in its text."""
    pytest.importorskip("tensorflow")
    run = get_runtime("tensorflow_graph").compile(keras.layers.ReLU(), (1, 9, 9, 3)).run
    run()
    called = set()
    sys.setprofile(lambda frame, *_: called.add(frame.f_code.co_name))
    try:
        run()
    finally:
        sys.setprofile(None)
    assert called and not {name for name in called if "repr" in name}
