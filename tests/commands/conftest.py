"""Small sets of classified images, and a small genotype."""

import io
import pathlib
import tarfile

import numpy as np
import pytest
from PIL import Image

COLORS = {"blue": (40, 60, 200), "green": (40, 190, 60), "red": (200, 50, 40)}


def picture(color, seed):
    """30x40 of a colour with noise: what a stem tells apart at once."""
    noise = np.random.default_rng(seed).normal(0, 25, (30, 40, 3))
    return Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8))


def fill(folder: pathlib.Path, count, first=0):
    """One subfolder a class."""
    for number, (name, color) in enumerate(COLORS.items()):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            suffix = ("jpg", "png", "JPEG")[index % 3]
            seed = 1000 * number + first + index
            picture(color, seed).save(folder / name / f"{index}.{suffix}")


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory):
    """TFDS' ImageFolder layout: 8 images a class to train, 4 to validate."""
    folder = tmp_path_factory.mktemp("images")
    fill(folder / "train", 8)
    fill(folder / "validation", 4, first=100)
    return folder


@pytest.fixture(scope="session")
def imagenet_archives(tmp_path_factory):
    """The two archives of ILSVRC2012, with 2 classes of 4 images and 3 to validate."""
    folder = tmp_path_factory.mktemp("ilsvrc")

    def add(archive, name, data):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))

    def jpeg(seed):
        found = io.BytesIO()
        picture((120, 110, 100), seed).save(found, "JPEG")
        return found.getvalue()

    with tarfile.open(folder / "ILSVRC2012_img_train.tar", "w") as archive:
        for number, synset in enumerate(("n01440764", "n01443537")):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as images:
                for index in range(4):
                    add(images, f"{synset}_{index}.JPEG", jpeg(10 * number + index))
            add(archive, f"{synset}.tar", inner.getvalue())
    with tarfile.open(folder / "ILSVRC2012_img_val.tar", "w") as archive:
        for index in range(1, 4):
            add(archive, f"ILSVRC2012_val_{index:08d}.JPEG", jpeg(100 + index))
    return folder


@pytest.fixture(scope="session")
def small_genotype(tmp_path_factory):
    """Path of a genotype of two small cells with a small fusion cell."""
    from lgcnet_tf.space.genotype import uniform
    from lgcnet_tf.space.skeleton import Skeleton

    skeleton = Skeleton(
        num_classes=8,
        initial_channels=2,
        num_cells=2,
        reduction_cells=(1,),
        fusion="cas",
        fusion_taps=(0, 1),
        fusion_channels=4,
    )
    path = tmp_path_factory.mktemp("genotype") / "genotype.json"
    uniform(skeleton, "conv_3x3").save(path)
    return path


@pytest.fixture
def without_training(monkeypatch):
    """Has trainings end before their first step: what is before and after is asked."""
    from lgcnet_tf.training.resumption import Position

    def fit(model, samples, folder, options, *, best=None, **_):
        if best:
            best.follow(Position(options.epochs, 1), folder)
        return [{"epoch": 1, "loss": 1.0}]

    monkeypatch.setattr("lgcnet_tf.training.run.fit", fit)
