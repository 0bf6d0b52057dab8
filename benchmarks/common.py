"""What the benchmarks share."""


def random_table(skeleton, input_size, seed=0):
    """A latency table of a search space with random times, where only its form matters."""
    import numpy as np

    from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
    from lgcnet_tf.space.workloads import space_id

    draw = np.random.default_rng(seed).uniform
    return LatencyTable(
        entries={
            work.key: LatencyEntry(float(draw(1, 5000)), 1.0, 1)
            for work in timed(skeleton, input_size)
        },
        device="none",
        runtime="tensorflow_graph",
        runtime_version="0",
        precision="float32",
        threads=1,
        input_size=input_size,
        skeleton=skeleton,
        space_id=space_id(skeleton, input_size),
        date="2000-01-01T00:00:00+00:00",
        noise=0.0,
    )
