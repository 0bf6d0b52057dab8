"""TFDS builder of toy_streets: draws the streets once and stores them."""

import tensorflow_datasets.public_api as tfds

from lgcnet_tf.data.toy_streets.streets import ToyStreets


class Builder(tfds.core.GeneratorBasedBuilder):
    """Procedurally drawn streets with 8 classes and 255 for void."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "128, 32 and 32 streets of 96x160."}

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "image": tfds.features.Image(
                        shape=(None, None, 3), encoding_format="png"
                    ),
                    "label": tfds.features.Image(
                        shape=(None, None, 1), encoding_format="png"
                    ),
                }
            ),
            supervised_keys=("image", "label"),
            # Sample i has to be the same one with and without TFDS.
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        del dl_manager
        reader = ToyStreets()
        return {
            split: self._generate_examples(reader, streets)
            for split, streets in reader.splits.items()
        }

    def _generate_examples(self, reader: ToyStreets, streets):
        for street in streets:
            sample = reader.read(street)
            yield (
                street.name,
                {
                    "name": street.name,
                    "image": sample.image,
                    "label": sample.label[..., None],
                },
            )
