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


def print_operation_times(title, run, calls=3, most=30):
    """Runs TensorFlow's profiler; prints the time by kind of operation.

    Times of operations that run side by side add up to more than the wall's.
    """
    import collections
    import glob
    import tempfile
    import time

    import tensorflow as tf

    for _ in range(3):
        run()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        started = time.monotonic()
        for _ in range(calls):
            run()
        wall = (time.monotonic() - started) / calls
        tf.profiler.experimental.stop()
        (path,) = glob.glob(f"{glob.escape(folder)}/**/*.xplane.pb", recursive=True)
        from tensorflow.tsl.profiler.protobuf import xplane_pb2

        with open(path, "rb") as file:
            space = xplane_pb2.XSpace.FromString(file.read())
    total, count = collections.Counter(), collections.Counter()
    for plane in space.planes:
        names = {i: m.name for i, m in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name = names[event.metadata_id]
                kind = name.rpartition(":")[2] if ":" in name else name
                total[kind] += event.duration_ps / 1e9 / calls
                count[kind] += 1
    print(f"{title}: {1000 * wall:.0f} ms (profiled)")
    for kind, ms in total.most_common(most):
        print(f"{ms:9.2f} ms {count[kind] / calls:6.0f} x {kind}")


def product_rate(size=1024, repeats=10):
    """GMAC/s of a product of two float32 matrices, as TensorFlow is set up."""
    import statistics
    import time

    import tensorflow as tf

    x = tf.random.normal((size, size))
    times = []
    for _ in range(repeats + 2):
        started = time.monotonic()
        (x @ x).numpy()
        times.append(time.monotonic() - started)
    return size**3 / statistics.median(times[2:]) / 1e9
