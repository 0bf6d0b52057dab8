"""Where the milliseconds go: the parts of a prediction."""

import collections

import numpy as np
import pytest

from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.parts import latency_by_part
from lgcnet_tf.space.genotype import random_genotype

SIZE = (64, 96)


@pytest.mark.parametrize("fusion, taps", [("dense", (0, 2, 4)), ("none", (0, 2, 4))])
def test_the_parts_are_what_is_done_there(
    small_skeleton, make_table, derived_work, fusion, taps
):
    skeleton = small_skeleton(fusion=fusion, fusion_taps=taps)
    table = make_table(skeleton, SIZE)
    costs = CostModel(table, skeleton, SIZE)
    work = costs.work
    head = work.head  # the table has no argmax
    for seed in range(20):
        genotype = random_genotype(skeleton, np.random.default_rng(seed))
        parts = latency_by_part(costs, genotype)
        assert sum(parts.values()) == pytest.approx(costs.predicted_latency(genotype))
        assert parts["stem"] == pytest.approx(sum(table[w] for w in work.stem))
        assert parts["head"] == pytest.approx(sum(table[w] for w in head))
        done = collections.Counter(derived_work(genotype, work))
        done -= collections.Counter([*work.stem, *head, work.argmax])
        if fusion == "none":
            assert "fusion" not in parts
        else:  # nothing of the cells is done in the fusion cell, at these widths
            own = {w for tap in work.taps for w in tap}
            own |= {w for edge in work.fusion.values() for w in edge}
            cells = {w for cell in work.cells for edge in cell for w in edge}
            cells |= {w for cell in work.inputs for source in cell for w in source}
            assert not own & cells
            expected = sum(table[w] * n for w, n in done.items() if w in own)
            assert parts["fusion"] == pytest.approx(expected)
        built = {name for name in parts if name.startswith("cell")}
        assert built <= {f"cell {n}" for n in range(skeleton.num_cells)}
