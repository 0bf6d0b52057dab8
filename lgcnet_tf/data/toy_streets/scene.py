"""Drawing one random street: what stands where, and what it looks like."""

import numpy as np

from lgcnet_tf.data.info import VOID
from lgcnet_tf.data.toy_streets.canvas import Canvas
from lgcnet_tf.data.toy_streets.things import (
    BUILDING,
    PAVEMENT,
    ROAD,
    SKY,
    TREE,
    pick,
    shade,
    street_things,
)

_NEAR = 1.0
_FAR = 90.0
_SKIES = (((90, 140, 210), (190, 215, 240)), ((150, 155, 165), (205, 208, 212)),
          ((110, 130, 180), (245, 215, 180)))  # fmt: skip
_WALLS = ((165, 95, 75), (190, 175, 150), (140, 135, 130), (205, 195, 180),
          (120, 85, 70), (170, 160, 175))  # fmt: skip


def draw_street(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a street scene, wholly determined by the generator's state.

    Args:
        rng: source of randomness.
        size: (height, width) of the picture.

    Returns:
        The picture, uint8 `(height, width, 3)`, and its label, uint8
        `(height, width)` with 255 for void.
    """
    sky_top, sky_bottom = _SKIES[rng.integers(len(_SKIES))]
    canvas = Canvas(
        size,
        horizon=rng.uniform(0.4, 0.52),
        vanishing=rng.uniform(0.38, 0.62),
        haze=sky_bottom,
        haze_depth=rng.uniform(60, 250),
    )
    canvas.sky(sky_top, sky_bottom, SKY)
    _clouds(rng, canvas)
    _skyline(rng, canvas)
    centre = rng.uniform(-1.5, 1.5)
    half_road = rng.uniform(3.5, 5.5)
    kerbs = (centre - half_road, centre + half_road)
    width = rng.uniform(2.0, 3.5)
    _ground(rng, canvas, kerbs, width)
    _buildings(rng, canvas, (kerbs[0] - width, kerbs[1] + width))
    things = street_things(rng, kerbs, width)
    for _, draw in sorted(things, key=lambda thing: -thing[0]):
        draw(canvas)
    if rng.random() < 0.3:
        canvas.bottom_strip(rng.uniform(0.05, 0.12), shade(rng, (50, 50, 55), 15), VOID)
    image, label = canvas.results()
    return _exposure(rng, image, label), label


def _clouds(rng: np.random.Generator, canvas: Canvas) -> None:
    for _ in range(rng.integers(0, 5)):
        x, y = rng.uniform(-55, 55), rng.uniform(8, 45)
        for _ in range(4):
            centre = (x + rng.normal(0, 6), y + rng.normal(0, 1), _FAR)
            radii = (rng.uniform(4, 10), rng.uniform(0.8, 2.5))
            canvas.ellipse(centre, radii, shade(rng, (235, 235, 240), 6), SKY)


def _skyline(rng: np.random.Generator, canvas: Canvas) -> None:
    """Closes the street's far end with houses and trees."""
    x = -70.0
    while x < 70:
        width = rng.uniform(4, 12)
        if rng.random() < 0.6:
            color = pick(rng, _WALLS)
            top = rng.uniform(5, 14)
            canvas.upright(x, x + width, 0, top, _FAR, color, BUILDING)
        else:
            color = shade(rng, (70, 95, 55))
            radii = (0.6 * width, rng.uniform(3, 6))
            canvas.ellipse((x + width / 2, 2, _FAR), radii, color, TREE)
        x += width


def _ground(
    rng: np.random.Generator,
    canvas: Canvas,
    kerbs: tuple[float, float],
    width: float,
) -> None:
    """Pavement everywhere, the road upon it, its markings, sometimes a verge."""

    def strip(left, right, color, label, near=_NEAR, far=_FAR):
        canvas.polygon(
            [(left, 0, near), (right, 0, near), (right, 0, far), (left, 0, far)],
            color,
            label,
        )

    strip(-200, 200, shade(rng, (165, 158, 150), 15), PAVEMENT)
    if rng.random() < 0.3:
        edge = kerbs[rng.integers(2)]
        verge = width * rng.uniform(0.2, 0.4)
        inner = edge if edge > 0 else edge - verge
        strip(inner, inner + verge, shade(rng, (85, 115, 60)), VOID)
    asphalt = shade(rng, (88, 88, 92), 14)
    strip(*kerbs, asphalt, ROAD)
    for _ in range(rng.integers(0, 4)):
        x, z = rng.uniform(*kerbs), rng.uniform(4, 30)
        right = min(x + rng.uniform(0.5, 2), kerbs[1])
        strip(x, right, shade(rng, asphalt, 8), ROAD, z, z + rng.uniform(1, 6))
    paint = shade(rng, (215, 215, 205), 10)
    middle = sum(kerbs) / 2
    for z in np.arange(_NEAR + rng.uniform(0, 3), 60, 6):
        strip(middle - 0.08, middle + 0.08, paint, ROAD, z, z + 3)
    for kerb, side in zip(kerbs, (-1, 1)):
        if rng.random() < 0.5:
            line = kerb - side * 0.3
            strip(line - 0.06, line + 0.06, paint, ROAD)
        strip(*sorted((kerb, kerb + side * 0.18)), (185, 182, 178), PAVEMENT)
    if rng.random() < 0.25:
        z = rng.uniform(6, 14)
        for x in np.arange(kerbs[0] + 0.3, kerbs[1] - 0.5, 1.0):
            strip(x, x + 0.5, paint, ROAD, z, z + 3)


def _buildings(
    rng: np.random.Generator, canvas: Canvas, fronts: tuple[float, float]
) -> None:
    """Rows of houses on both sides, with gaps, from far to near."""
    for front, side in zip(fronts, (-1, 1)):
        z = 1.5 - rng.uniform(0, 8)
        houses = []
        while z < 75:
            length = rng.uniform(6, 18)
            if rng.random() < 0.85:
                houses.append((max(z, _NEAR), z + length))
            z += length
        for near, far in reversed(houses):
            _house(rng, canvas, front, side, near, far)


def _house(rng, canvas, front, side, near, far) -> None:
    wall = pick(rng, _WALLS)
    floors = int(rng.integers(2, 6))
    height = 3.0 * floors + rng.uniform(0.3, 1.5)
    dark = tuple(0.75 * value for value in wall)
    canvas.upright(*sorted((front, front + side * 12)), 0, height, near, dark, BUILDING)

    def panel(z0, z1, bottom, top, color):
        corners = ((bottom, z0), (bottom, z1), (top, z1), (top, z0))
        canvas.polygon([(front, y, z) for y, z in corners], color, BUILDING)

    panel(near, far, 0, height, wall)
    panel(near, far, height - 0.4, height, shade(rng, dark, 10))
    if near > 45:
        return
    glass = shade(rng, (70, 85, 105), 20)
    lit = (225, 205, 150)
    pitch = rng.uniform(2.0, 3.2)
    for floor in range(floors):
        for z in np.arange(near + 0.6, far - 1.2, pitch):
            color = lit if rng.random() < 0.08 else shade(rng, glass, 8)
            if floor == 0 and rng.random() < 0.3:
                panel(z, z + 1.0, 0, 2.2, shade(rng, dark, 25))
            else:
                bottom = 3.0 * floor + 0.9
                panel(z, z + 1.1, bottom, bottom + 1.4, color)


def _exposure(
    rng: np.random.Generator, image: np.ndarray, label: np.ndarray
) -> np.ndarray:
    """Adds texture, light, tint and noise, as a camera would."""
    height, width = label.shape
    pixels = image.astype(np.float32)
    # Solid things are rough; the sky is smooth.
    rough = np.where(label == SKY, 2.0, 7.0)[..., None].astype(np.float32)
    pixels += rng.standard_normal((height, width, 1), np.float32) * rough
    coarse = rng.standard_normal((height // 8 + 1, width // 8 + 1, 1), np.float32)
    coarse = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    pixels += coarse * rough * 0.6
    slope = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    light = rng.uniform(0.65, 1.2) * (1 + rng.uniform(-0.15, 0.15) * slope)
    pixels = pixels * light * rng.normal(1, 0.04, 3).astype(np.float32)
    noise = rng.standard_normal(pixels.shape, np.float32) * rng.uniform(1, 6)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)
