"""Multiply-accumulates against counts by hand."""

import keras
import numpy as np
import pytest

from lgcnet_tf.evaluation.macs import count_macs
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import (
    DENSE,
    Genotype,
    Skeleton,
    random_genotype,
)


def test_plain_model_by_hand():
    model = keras.Sequential(
        [
            keras.Input((9, 12, 3)),
            keras.layers.Conv2D(8, 3, strides=2, padding="same"),  # 5 x 6
            keras.layers.DepthwiseConv2D(3, padding="same"),
            keras.layers.MaxPooling2D(2),  # 2 x 3
            keras.layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
            keras.layers.Conv2D(2, 1),  # 4 x 6
        ]
    )
    by_hand = 5 * 6 * 9 * 3 * 8 + 5 * 6 * 9 * 8 + 2 * 3 * 9 * 8 * 4 + 4 * 6 * 4 * 2
    assert count_macs(model) == by_hand
    assert count_macs(model) == by_hand
    model.predict_on_batch(np.zeros((1, 9, 12, 3)))


def test_pruned_network_by_hand():
    """One live cell of two, every live edge at its own shape."""
    skeleton = Skeleton(
        num_classes=5,
        initial_channels=2,
        num_cells=2,
        reduction_cells=(1,),
        fusion="none",
        fusion_taps=(0,),
    )
    cells = (
        # n1 alone: its first input is skipped, its second a dilated one.
        ("none", "none", "none", "sep_conv_3x3", "conv_3x3"),
        ("none", "conv_3x3", "none", "none", "dil_sep_conv_3x3_d2"),
    )
    # 33 x 50 → 17 x 25 → 9 x 13 (stride 4) → 5 x 7 (stride 8)
    by_hand = (
        17 * 25 * 9 * 3 * 4  # stem: 4, 4 and 8 channels
        + 17 * 25 * 9 * 4 * 4
        + 9 * 13 * 9 * 4 * 8
        + 9 * 13 * 8 * 8  # cell 0: s1 alone is brought to 8 channels
        + 9 * 13 * (9 * 8 + 8 * 8)  # s1->n1; n0->n1 starts at nothing
        + 9 * 13 * 8 * 16  # cell 1: s1 to 16 channels
        + 5 * 7 * 9 * 16 * 16  # s1->n0 at stride 2
        + 5 * 7 * (9 * 16 + 16 * 16)  # n0->n1
        + 5 * 7 * 32 * 5  # classifier
    )
    genotype = Genotype(skeleton, cells, {})
    assert count_macs(Network(skeleton, (33, 50), genotype)) == by_hand


def test_fusion_edges_count_with_their_own_shapes():
    """Global pooling leaves its conv 1, 4 or 25 positions; a doubling its input's."""
    skeleton = Skeleton(
        5,
        2,
        num_cells=3,
        reduction_cells=(1, 2),
        fusion_taps=(0, 1, 2),
        fusion_channels=4,
    )
    pooled = dict.fromkeys((edge.name for edge in DENSE.keep_edges), "global_pool_1x1")
    plain = pooled | dict.fromkeys((edge.name for edge in DENSE.up_edges), "bilinear")
    changed = plain | {
        "P16->Q16": "dil_sep_conv_3x3_d12",
        "Q16->Q8": "deconv_3x3",
        "P8->Q8": "conv_3x3",
        "P4->R8": "global_pool_5x5",
    }

    def macs(fusion, normalization):
        genotype = Genotype(skeleton, (("skip_connect",) * 5,) * 3, fusion)
        return count_macs(Network(skeleton, (64, 96), genotype, normalization))

    # Sizes 16x24, 8x12 and 4x6; 4 channels, so 16 weights for each position.
    more = 4 * 6 * (9 * 4 + 16) + 4 * 6 * 9 * 16 + 8 * 12 * 9 * 16 + 25 * 16
    less = 3 * 16
    assert macs(changed, "affine") == macs(plain, "affine") + more - less

    # Deployed, edges into the output have 5 classes instead: one 1x1 conv for the
    # three that pool P4, one for the three doublings of each map at 8x12; the
    # projection of Q8 goes into its two edges, one of which doubles at 4x6.
    projection = 8 * 12 * (2 * 4) * 4
    classifier = 16 * 24 * (3 * 4) * 5
    less = 3 * 16 + projection + classifier
    more = 1 * 20 + 2 * 8 * 12 * 20 + 4 * 6 * 16
    assert macs(plain, "folded") == macs(plain, "affine") + more - less


@pytest.mark.parametrize(
    "fusion, by_hand",
    [
        # 16 channels at 8 x 12; a width of 6. Pooled branches: 1, 4, 9, 36 positions.
        ("aspp", 8 * 12 * (16 + 3 * 9 * 16) * 6 + 16 * 6 + 8 * 12 * 30 * 6),
        ("ppm", (1 + 4 + 9 + 36) * 16 * 2 + 8 * 12 * 9 * (16 + 4 * 2) * 6),
    ],
)
def test_heads_by_hand(fusion, by_hand):
    def macs(fusion):
        skeleton = Skeleton(
            5, 2, num_cells=1, reduction_cells=(), fusion=fusion, fusion_channels=6
        )
        genotype = Genotype(skeleton, (("skip_connect",) * 5,), {})
        return count_macs(Network(skeleton, (32, 48), genotype, "folded"))

    classifiers = 8 * 12 * (16 - 6) * 5
    assert macs(fusion) == macs("none") + by_hand - classifiers


def test_agrees_with_the_sum_over_units_of_random_networks():
    """Every conv of the backbone by its kernel and its cell's own size."""
    skeleton = Skeleton(
        num_classes=4,
        initial_channels=2,
        num_cells=4,
        reduction_cells=(1,),
        fusion="none",
        fusion_taps=(0,),
    )
    genotype = random_genotype(skeleton, np.random.default_rng(2))
    network = Network(skeleton, (32, 64), genotype)
    sizes = {"stem_0": 16 * 32, "stem_1": 16 * 32, "stem_2": 8 * 16}
    expected = network.classifier.kernel.shape[-2] * 4 * 4 * 8
    for path, unit in network.units.items():
        kernels = [w for w in unit.weights if len(w.shape) == 4]
        if path in sizes:
            positions = sizes[path]
        else:
            spec = skeleton.cells[int(path.split("/")[0].removeprefix("cell_"))]
            stride = spec.input_stride if "preprocess" in path else spec.stride
            positions = 32 * 64 // stride**2
        expected += positions * sum(int(np.prod(w.shape)) for w in kernels)
    assert count_macs(network) == expected
