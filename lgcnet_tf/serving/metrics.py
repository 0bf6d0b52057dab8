"""Counters of one server, as Prometheus reads them."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import prometheus_client
from prometheus_client.core import GaugeMetricFamily

from lgcnet_tf.serving.pool import Pool
from lgcnet_tf.serving.status import RequestError

_PREFIX = "lgcnet_serving"
_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30
)  # fmt: skip


class Metrics:
    """Requests, latencies, queue, batch sizes and versions.

    Args:
        pool: whose queue is shown.
        models: gives the models by name.
    """

    def __init__(self, pool: Pool, models: Callable[[], Mapping[str, Any]]):
        self._registry = prometheus_client.CollectorRegistry()
        self._requests = prometheus_client.Counter(
            f"{_PREFIX}_requests",
            "Requests answered, by face, method and status.",
            ("face", "method", "status"),
            registry=self._registry,
        )
        self._seconds = prometheus_client.Histogram(
            f"{_PREFIX}_request_seconds",
            "Time from the whole request to its answer.",
            ("face", "method"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._images = prometheus_client.Histogram(
            f"{_PREFIX}_images",
            "Images of a request that was computed.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self._registry,
        )
        self._batches = prometheus_client.Histogram(
            f"{_PREFIX}_batch_size",
            "Images that the network was given at once, of one request or several.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self._registry,
        )
        self._registry.register(_State(pool, models))

    @contextlib.contextmanager
    def counting(self, face: str, method: str) -> Iterator[None]:
        """Counts what the block answers: OK, or the status of what it raises."""
        status, start = "CANCELLED", time.perf_counter()
        try:
            yield
            status = "OK"
        except RequestError as error:
            status = error.code.name
            raise
        except Exception:
            status = "INTERNAL"
            raise
        finally:
            self._requests.labels(face, method, status).inc()
            self._seconds.labels(face, method).observe(time.perf_counter() - start)

    def saw_images(self, number: int) -> None:
        """Counts the images of a request that was computed."""
        self._images.observe(number)

    def saw_batch(self, images: int) -> None:
        """Counts a batch that was computed."""
        self._batches.observe(images)

    def page(self) -> bytes:
        """The text that Prometheus scrapes."""
        return prometheus_client.generate_latest(self._registry)


class _State:
    """What is looked up at the time of a scrape."""

    def __init__(self, pool, models):
        self._pool, self._models = pool, models

    def collect(self):
        yield GaugeMetricFamily(
            f"{_PREFIX}_queue_length", "Requests that wait.", value=self._pool.waiting
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}_running", "Requests being computed.", value=self._pool.running
        )
        versions = GaugeMetricFamily(
            f"{_PREFIX}_version_state",
            "1 for the state that each version is in.",
            labels=("model", "version", "state"),
        )
        for model in self._models().values():
            for number, one in model.states.items():
                versions.add_metric((model.name, str(number), one.state), 1)
        yield versions
