"""Options of what makes a recipe: losses, augmentation, sizes, heads, teachers."""

import dataclasses
from collections.abc import Iterator

from lgcnet_tf.config import option
from lgcnet_tf.errors import InputError
from lgcnet_tf.training.crop_schedule import CropSchedule
from lgcnet_tf.training.options import TrainingOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecipeOptions(TrainingOptions):
    """Ingredients of a recipe, all left out by default."""

    lovasz_weight: float = option(
        0.0,
        "Weight of the Lovász-softmax loss (Berman et al.), added to the "
        "cross-entropy; 0 for none. It follows the IoU itself and every class of an "
        "image counts alike: try 0.5 to 1 where thin and rare classes lag behind. "
        "Sorting the pixels costs time.",
        minimum=0,
    )
    dice_weight: float = option(
        0.0,
        "Weight of the Dice loss, added to the cross-entropy; 0 for none. It serves "
        "what --lovasz_weight serves, costs almost no time, and is blunter.",
        minimum=0,
    )
    color_jitter: float = option(
        0.0,
        "Brightness, contrast and saturation of each crop change at random by up to "
        "this share, such as 0.4; 0 for not at all. For few images, or where light and "
        "camera differ between training and use.",
        minimum=0,
    )
    rare_crops: float = option(
        0.0,
        "Probability of a crop that is centred on a rare class, where the image has "
        "one; 0 for never. A class is rare that has less than half of an equal share "
        "of the training split's pixels; the log names them. Try 0.5 where crops are "
        "much smaller than images and small things are seldom in them.",
        minimum=0,
    )
    crop_schedule: tuple[str, ...] = option(
        (),
        "Sizes of the crops from a fraction of the epochs on, instead of --crop_size: "
        "0:176x240,0.5:240x320,0.85:352x480 begins with a fourth of the pixels and "
        "ends at full size. More passes in the same time; the learning rate does not "
        "notice. Each size is compiled once.",
    )
    auxiliary_weight: float = option(
        0.0,
        "Weight of the loss of classifiers in the midst of the network, at strides 8 "
        "and 16, such as 0.4; 0 for none. They help deep networks that are trained "
        "from scratch, cost some time in training and none afterwards: the saved "
        "network is without them.",
        minimum=0,
    )
    teacher: tuple[str, ...] = option(
        (),
        "Networks to learn from besides the labels, with commas between: names of the "
        "zoo, .keras files, ONNX models that give logits. Take larger or better "
        "networks of the same classes. Each is run on every crop.",
    )
    teacher_temperature: float = option(
        2.0,
        "By which the teachers' and the network's logits are divided; the higher, the "
        "more the unlikely classes of a teacher say.",
        above=0,
    )
    teacher_weight: float = option(
        1.0, "Weight of the distance from the teachers, beside the loss.", above=0
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        for name in ("color_jitter", "rare_crops"):
            value = getattr(self, name)
            if value > 1.0:
                yield f"--{name} must be at most 1. Received: {value}"
        try:
            if self.crop_schedule:
                self.crops()
        except InputError as error:
            yield str(error)

    def crops(self) -> CropSchedule:
        """The sizes of the crops.

        Raises:
            InputError: `crop_schedule` is malformed.
        """
        return CropSchedule.parse(self.crop_schedule, self.crop_size)
