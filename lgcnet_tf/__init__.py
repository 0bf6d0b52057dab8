"""Search, train and serve real-time segmentation networks (LGCNet).

    import lgcnet_tf as lt

    table = lt.measure_latency(input_size=(96, 160))
    result = lt.search(table, dataset="toy_streets", target_latency_ms=10)
    net = lt.finetune(result.genotype, initial_model=result, dataset="toy_streets")
    print(lt.evaluate(net))
    lt.export(net, output_dir="runs/export")

Names are imported when they are first used, and TensorFlow with the first that needs
it. What does not stand in `__all__` may change without notice.
"""

import importlib
import typing

from lgcnet_tf.cpu import use_onednn as _use_onednn

if typing.TYPE_CHECKING:
    from lgcnet_tf.api.models import list_models, load, load_dataset
    from lgcnet_tf.api.tables import measure_latency
    from lgcnet_tf.api.trained import Evaluation, evaluate, export
    from lgcnet_tf.api.training import (
        SearchResult,
        choose,
        derive,
        finetune,
        search,
    )
    from lgcnet_tf.data.registry import register_dataset
    from lgcnet_tf.errors import InputError
    from lgcnet_tf.guidance.settings import register_communication
    from lgcnet_tf.latency.table import LatencyTable
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.model.units import Unit
    from lgcnet_tf.runtimes.base import Runtime
    from lgcnet_tf.runtimes.settings import register_runtime
    from lgcnet_tf.serving.client import Client
    from lgcnet_tf.serving.server import Server
    from lgcnet_tf.space.fusion import register_fusion, register_head
    from lgcnet_tf.space.fusion_table import (
        FusionEdge,
        FusionHead,
        FusionNode,
        FusionTable,
    )
    from lgcnet_tf.space.genotype import Genotype
    from lgcnet_tf.space.operations import Operation, register_operation
    from lgcnet_tf.space.skeleton import Skeleton

__version__ = "0.1.0"

_use_onednn()  # before anything of the package imports TensorFlow

_MODULES = {
    "Client": "serving.client",
    "Evaluation": "api.trained",
    "FusionEdge": "space.fusion_table",
    "FusionHead": "space.fusion_table",
    "FusionNode": "space.fusion_table",
    "FusionTable": "space.fusion_table",
    "Genotype": "space.genotype",
    "InputError": "errors",
    "LatencyTable": "latency.table",
    "Network": "model.network",
    "Operation": "space.operations",
    "Runtime": "runtimes.base",
    "SearchResult": "api.training",
    "Server": "serving.server",
    "Skeleton": "space.skeleton",
    "Unit": "model.units",
    "choose": "api.training",
    "deploy": "model.deploy",
    "derive": "api.training",
    "evaluate": "api.trained",
    "export": "api.trained",
    "finetune": "api.training",
    "list_models": "api.models",
    "load": "api.models",
    "load_dataset": "api.models",
    "measure_latency": "api.tables",
    "register_communication": "guidance.settings",
    "register_dataset": "data.registry",
    "register_fusion": "space.fusion",
    "register_head": "space.fusion",
    "register_operation": "space.operations",
    "register_runtime": "runtimes.settings",
    "search": "api.training",
}
_HEAVY = ("Client", "Network", "Runtime", "Server", "Unit", "deploy")

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _HEAVY:
        importlib.import_module("lgcnet_tf.api.run").import_quietly()
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    globals()[name] = value = getattr(module, name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})
