"""TFDS builder of CamVid, over the folder reader.

`download_and_prepare` reads the folder given as TFDS' manual folder, in either
layout, and checks every sample.
"""

import tensorflow_datasets.public_api as tfds

from lgcnet_tf.data.camvid.folder import CamvidFolder


class Builder(tfds.core.GeneratorBasedBuilder):
    """CamVid with 11 classes and 255 for void.

    Attributes:
        only_split: the one split that is prepared; all where None.
    """

    only_split: str | None = None

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {
        "1.0.0": "Both layouts, 11 classes.",
        "1.1.0": "Labels turned by their EXIF orientation.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Give a folder with train/, trainannot/, val/, valannot/, ... or with
    701_StillsRaw_full/ and LabeledApproved_full/.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.Image(
                        shape=(None, None, 1), encoding_format="png"
                    ),
                }
            ),
            supervised_keys=("image", "label"),
            # Sample i has to be the same one with and without TFDS.
            disable_shuffling=True,
            homepage="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        reader = CamvidFolder(dl_manager.manual_dir)
        return {
            split: self._generate_examples(reader, pairs)
            for split, pairs in reader.splits.items()
            if self.only_split in (None, split)
        }

    def _generate_examples(self, reader: CamvidFolder, pairs):
        for pair in pairs:
            sample = reader.read(pair)
            # The image's path, not its pixels: TFDS then keeps the file's bytes.
            yield (
                pair.name,
                {
                    "name": pair.name,
                    "image": str(pair.image),
                    "label": sample.label[..., None],
                },
            )
