"""What stands on a street: trees, poles, pedestrians, bins and cars."""

from collections.abc import Callable

import numpy as np

from lgcnet_tf.data.info import VOID
from lgcnet_tf.data.toy_streets.canvas import Canvas, Color
from lgcnet_tf.data.toy_streets.classes import INFO

_NAMES = INFO.class_names
ROAD, PAVEMENT, BUILDING, SKY, TREE, POLE, CAR, PEDESTRIAN = (
    _NAMES.index(name)
    for name in (
        "road",
        "pavement",
        "building",
        "sky",
        "tree",
        "pole",
        "car",
        "pedestrian",
    )
)

_PAINTS = ((170, 30, 30), (35, 50, 120), (200, 200, 205), (30, 30, 35),
           (120, 125, 130), (30, 90, 60), (210, 180, 60))  # fmt: skip
_CLOTHES = ((40, 40, 60), (150, 40, 40), (60, 90, 130), (190, 180, 160),
            (200, 120, 40), (50, 100, 60))  # fmt: skip
_SKINS = ((230, 190, 160), (190, 140, 105), (115, 80, 60))


def shade(rng: np.random.Generator, color: Color, spread: float = 20) -> Color:
    """Returns the colour, lighter or darker and slightly tinted."""
    change = rng.normal(0, spread) + rng.normal(0, spread / 4, 3)
    return tuple(np.clip(np.array(color) + change, 5, 250))


def pick(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    """Returns a shade of one of the colours."""
    return shade(rng, colors[rng.integers(len(colors))], 12)


def street_things(
    rng: np.random.Generator, kerbs: tuple[float, float], width: float
) -> list[tuple[float, Callable[[Canvas], None]]]:
    """Chooses all that stands on road and pavements.

    Args:
        rng: source of randomness.
        kerbs: x of the left and of the right kerb, in metres.
        width: width of each pavement, in metres.

    Returns:
        For each thing its depth in metres and a function that draws it.
    """
    things = []

    def add(maker, x, z):
        things.append((z, maker(rng, x, z)))

    for kerb, side in zip(kerbs, (-1, 1)):
        trees = rng.random() < 0.6
        for z in np.arange(rng.uniform(5, 12), 60, rng.uniform(7, 14)):
            if trees and rng.random() < 0.8:
                add(_tree, kerb + side * rng.uniform(0.6, 0.4 * width), z)
        for z in np.arange(rng.uniform(4, 12), 60, rng.uniform(10, 20)):
            add(_pole, kerb + side * rng.uniform(0.3, 0.6), z)
        for _ in range(rng.integers(1, 4)):
            x = kerb + side * rng.uniform(0.5, width - 0.4)
            add(_pedestrian, x, rng.uniform(4, 22))
        if rng.random() < 0.4:
            add(_bin, kerb + side * 0.7, rng.uniform(5, 18))
        if rng.random() < 0.6:
            for z in np.arange(rng.uniform(5, 12), 50, rng.uniform(5.5, 9)):
                if rng.random() < 0.7:
                    add(_car, kerb - side * rng.uniform(1.0, 1.2), z)
    lane = (kerbs[1] - kerbs[0]) / 4
    for x in (kerbs[0] + lane, kerbs[1] - lane):
        if rng.random() < 0.5:
            add(_car, x, rng.uniform(7, 35))
    if rng.random() < 0.2:
        add(_pedestrian, rng.uniform(*kerbs), rng.uniform(8, 20))
    return things


def _shadow(canvas: Canvas, x: float, z: float, reach: float, label: int) -> None:
    canvas.ellipse((x, 0, z), (reach, 0.06 * reach), (45, 45, 50), label)


def _tree(rng, x, z):
    trunk = shade(rng, (85, 65, 50), 10)
    leaves = shade(rng, (65, 100, 45), 15)
    height = rng.uniform(2.2, 3.2)
    radius = rng.uniform(1.0, 1.8)
    blobs = rng.normal(0, 0.45, (10, 2)) * radius
    greens = [shade(rng, leaves, 12) for _ in blobs]

    def draw(canvas):
        canvas.upright(x - 0.13, x + 0.13, 0, height, z, trunk, TREE)
        for (across, up), green in zip(blobs, greens):
            centre = (x + across, height + radius * 0.7 + up, z)
            canvas.ellipse(centre, (0.6 * radius, 0.55 * radius), green, TREE)

    return draw


def _pole(rng, x, z):
    color = shade(rng, (95, 98, 100), 25)
    height = rng.uniform(4.5, 7)
    sign = rng.random() < 0.4
    plate = pick(rng, ((40, 80, 170), (200, 50, 45), (235, 235, 235)))
    arm = -np.sign(x) * rng.uniform(0.8, 1.5)

    def draw(canvas):
        if sign:
            canvas.upright(x - 0.07, x + 0.07, 0, 2.9, z, color, POLE)
            canvas.ellipse((x, 2.7, z), (0.4, 0.4), plate, POLE)
        else:
            canvas.upright(x - 0.08, x + 0.08, 0, height, z, color, POLE)
            ends = sorted((x, x + arm))
            canvas.upright(*ends, height - 0.12, height, z, color, POLE)

    return draw


def _pedestrian(rng, x, z):
    coat, trousers = pick(rng, _CLOTHES), pick(rng, _CLOTHES)
    skin = pick(rng, _SKINS)
    tall = rng.uniform(0.85, 1.1)
    stride = rng.uniform(0.02, 0.22)

    def draw(canvas):
        for side in (-1, 1):
            foot = x + side * stride
            canvas.polygon(
                [(foot - 0.08, 0, z), (foot + 0.08, 0, z),
                 (x + 0.1 + side * 0.05, 0.85 * tall, z),
                 (x - 0.1 + side * 0.05, 0.85 * tall, z)],
                trousers,
                PEDESTRIAN,
            )  # fmt: skip
        middle = (x, 1.12 * tall, z)
        canvas.ellipse(middle, (0.27, 0.36 * tall), coat, PEDESTRIAN)
        canvas.ellipse((x, 1.58 * tall, z), (0.12, 0.15), skin, PEDESTRIAN)

    return draw


def _bin(rng, x, z):
    color = pick(rng, ((60, 80, 60), (70, 70, 75), (150, 90, 40)))

    def draw(canvas):
        canvas.box((x - 0.35, x + 0.35), (0, 1.1), (z, z + 0.7), color, VOID)

    return draw


def _car(rng, x, z):
    paint = pick(rng, _PAINTS)
    glass = shade(rng, (45, 55, 65), 10)
    lamps = (200, 40, 35) if rng.random() < 0.6 else (240, 235, 210)
    half, length = rng.uniform(0.8, 0.95), rng.uniform(3.6, 4.6)
    roof = rng.uniform(1.4, 1.75)

    def draw(canvas):
        _shadow(canvas, x, z, 1.1 * half, CAR)
        for side in (-1, 1):
            wheel = x + side * 0.75 * half
            canvas.upright(
                wheel - 0.13, wheel + 0.13, 0, 0.5, z + 0.1, (25, 25, 28), CAR
            )
        inner = 0.82 * half
        canvas.box((x - half, x + half), (0.3, 0.95), (z, z + length), paint, CAR)
        depth = (z + 0.5, z + 0.75 * length)
        canvas.box((x - inner, x + inner), (0.95, roof), depth, paint, CAR)
        window = 0.88 * inner
        canvas.upright(x - window, x + window, 1.0, roof - 0.12, depth[0], glass, CAR)
        for side in (-1, 1):
            lamp = x + side * 0.8 * half
            canvas.upright(lamp - 0.12, lamp + 0.12, 0.65, 0.82, z, lamps, CAR)
        canvas.upright(x - 0.25, x + 0.25, 0.45, 0.57, z, (225, 225, 200), CAR)

    return draw
