import numpy as np
import pytest


@pytest.fixture(scope="session")
def trained(small_skeleton, randomise, tmp_path_factory):
    """A small network with random weights in a `.keras` file."""
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.space.genotype import random_genotype

    genotype = random_genotype(small_skeleton(num_classes=8), np.random.default_rng(1))
    network = randomise(Network(genotype.skeleton, (32, 64), genotype))
    path = tmp_path_factory.mktemp("trained") / "model.keras"
    network.save(path)
    return path


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory):
    """The same network as `lgcnet-export` writes it, by format."""
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs Keras on TensorFlow")
    for package in ("onnxruntime", "openvino", "ai_edge_litert", "tf2onnx"):
        pytest.importorskip(package)
    from lgcnet_tf.data import dataset_info
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.serving.export import export_saved_model
    from lgcnet_tf.serving.export_files import FORMATS, export_file

    root = tmp_path_factory.mktemp("exported")
    network = load_network(trained)
    deployed, info = deploy(network), dataset_info("toy_streets")
    card = {"params": network.count_params(), "genotype": network.genotype.to_dict()}
    paths = {
        name: export_file(deployed, root / name, info, name, metadata=card)
        for name in FORMATS
    }
    export_saved_model(
        deployed, root / "saved_model", info, input_size=(32, 64), num_classes=8
    )
    return paths | {"saved_model": root / "saved_model"}
