import pathlib

import pytest

from lgcnet_tf.evaluation.models import Prepared, load_model
from lgcnet_tf.evaluation.peak_memory import peak_memory
from lgcnet_tf.runtimes import get_runtime


def test_more_images_take_more(trained):
    """Converted here, loaded there; a larger batch has larger maps."""
    pytest.importorskip("ai_edge_litert")
    runtime, model = get_runtime("litert"), load_model(str(trained))
    small, large = (
        peak_memory(model.prepare(runtime, batch), model.name, (32, 64), batch)
        for batch in (1, 16)
    )
    maps = 15 * 32 * 64 * 8 * 4  # the logits alone
    assert 0 < small < large - maps


def test_loaded_by_name_where_there_is_no_file(trained):
    runtime, model = get_runtime("keras_backend"), load_model(str(trained))
    found = peak_memory(model.prepare(runtime, 1), model.name, (32, 64), 1)
    assert found > 1_000_000


def test_a_process_that_fails(tmp_path):
    pytest.importorskip("onnxruntime")
    path = pathlib.Path(tmp_path, "model.onnx")
    path.write_bytes(b"damaged")
    prepared = Prepared(get_runtime("onnxruntime"), str(path), 1)
    assert peak_memory(prepared, str(path), (32, 64), 1) is None
