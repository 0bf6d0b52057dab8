import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.errors import InputError
from lgcnet_tf.figures.pareto import accuracy_latency, pareto_front


def dominated(points, index):
    x, y = points[index]
    return any(a <= x and b >= y and (a < x or b > y) for a, b in points)


@pytest.mark.parametrize("seed", range(20))
def test_front_against_brute_force(seed):
    generator = np.random.default_rng(seed)
    points = generator.integers(0, 7, (seed + 1, 2)).tolist()  # with ties and copies
    front = pareto_front([x for x, _ in points], [y for _, y in points])
    expected = {i for i in range(len(points)) if not dominated(points, i)}
    assert set(front) == expected and len(front) == len(expected)
    assert [points[i][0] for i in front] == sorted(points[i][0] for i in front)


def test_no_points():
    assert pareto_front([], []) == []


def test_draws_every_setting(tmp_path):
    points = {f"λ={i}": [(10.0 - i, 0.5 - 0.02 * i), (11.0 - i, 0.5)] for i in range(9)}
    path = accuracy_latency(points, tmp_path / "pareto.png")
    with Image.open(path) as picture:
        assert np.asarray(picture.convert("RGB")).std() > 5.0


def test_nothing_to_draw(tmp_path):
    with pytest.raises(InputError, match="no point"):
        accuracy_latency({"a": []}, tmp_path / "pareto.png")
