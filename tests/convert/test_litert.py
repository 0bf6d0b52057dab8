import numpy as np
import pytest

from lgcnet_tf.convert.litert import to_litert
from lgcnet_tf.model.class_map import ClassMap

interpreters = pytest.importorskip("ai_edge_litert.interpreter")


def run(model, x):
    interpreter = interpreters.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_network(deployed, images):
    x = images(33, 65, batch=2)
    logits = np.asarray(deployed(x))
    np.testing.assert_allclose(run(to_litert(deployed, x.shape), x), logits, atol=1e-4)
    mask = run(to_litert(ClassMap(deployed), x.shape), x)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, logits.argmax(-1))


def test_eight_bits_in_silence(deployed, images, capfd):
    batches = [images(33, 65, seed=seed) for seed in range(4)]
    model = to_litert(deployed, (1, 33, 65, 3), batches=batches)
    assert len(model) < 0.85 * len(to_litert(deployed, (1, 33, 65, 3)))
    assert capfd.readouterr() == ("", "")
    logits = np.asarray(deployed(batches[0]))
    error = np.abs(run(model, batches[0]) - logits).mean()
    assert 0 < error < 0.3 * np.abs(logits).mean()
