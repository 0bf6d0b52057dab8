"""Painting in perspective, on a picture and on its label map at once."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Color = tuple[float, float, float]
Point = tuple[float, float, float]

# Drawing this much larger and averaging smooths the picture's edges.
_OVERSAMPLING = 2


class Canvas:
    """A picture and a label map seen through one pinhole camera.

    Points are (x, y, z) in metres: right of the camera, above the ground and
    away from the camera. Colours are 0-255 and fade into the haze with z.
    """

    def __init__(
        self,
        size: tuple[int, int],
        horizon: float,
        vanishing: float,
        haze: Color,
        haze_depth: float,
        camera_height: float = 1.6,
    ):
        """Makes an empty canvas.

        Args:
            size: (height, width) of the results.
            horizon: height of the horizon, 0 (top) to 1.
            vanishing: place of the vanishing point, 0 (left) to 1.
            haze: colour of things far away.
            haze_depth: metres after which two thirds of a colour are haze.
            camera_height: metres above the ground.
        """
        self.size = size
        self.height = size[0] * _OVERSAMPLING
        self.width = size[1] * _OVERSAMPLING
        self._horizon = horizon * self.height
        self._vanishing = vanishing * self.width
        self._focal = 0.8 * self.width
        self._camera_height = camera_height
        self._haze = np.array(haze)
        self._haze_depth = haze_depth
        self._image = Image.new("RGB", (self.width, self.height))
        self._label = Image.new("L", (self.width, self.height))
        self._draw = ImageDraw.Draw(self._image)
        self._draw_label = ImageDraw.Draw(self._label)

    def project(self, point: Point) -> tuple[float, float]:
        """Returns the pixel (column, row) of a point in metres."""
        x, y, z = point
        scale = self._focal / z
        row = self._horizon + (self._camera_height - y) * scale
        return self._vanishing + x * scale, row

    def _fill(self, color: Color, depth: float) -> tuple[int, ...]:
        share = 1 - np.exp(-depth / self._haze_depth)
        mixed = np.asarray(color) * (1 - share) + self._haze * share
        return tuple(int(value) for value in np.clip(mixed, 0, 255))

    def sky(self, top: Color, bottom: Color, label: int) -> None:
        """Fills everything with a gradient that ends at the horizon."""
        share = np.clip(np.arange(self.height) / self._horizon, 0, 1)[:, None, None]
        rows = np.array(top) * (1 - share) + np.array(bottom) * share
        pixels = np.broadcast_to(rows, (self.height, self.width, 3))
        self._image.paste(Image.fromarray(pixels.astype(np.uint8)))
        self._label.paste(label, (0, 0, self.width, self.height))

    def polygon(self, points: Sequence[Point], color: Color, label: int) -> None:
        """Fills a polygon; its haze is that of its nearest point."""
        pixels = [self.project(point) for point in points]
        depth = min(point[2] for point in points)
        self._draw.polygon(pixels, fill=self._fill(color, depth))
        self._draw_label.polygon(pixels, fill=label)

    def ellipse(
        self, centre: Point, radii: tuple[float, float], color: Color, label: int
    ) -> None:
        """Fills an upright ellipse; `radii` are (sideways, up) in metres."""
        (x, y, z), (across, up) = centre, radii
        left, top = self.project((x - across, y + up, z))
        right, bottom = self.project((x + across, y - up, z))
        self._draw.ellipse((left, top, right, bottom), fill=self._fill(color, z))
        self._draw_label.ellipse((left, top, right, bottom), fill=label)

    def upright(
        self,
        left: float,
        right: float,
        bottom: float,
        top: float,
        z: float,
        color: Color,
        label: int,
    ) -> None:
        """Fills a rectangle that faces the camera, in metres."""
        self.polygon(
            [(left, bottom, z), (right, bottom, z), (right, top, z), (left, top, z)],
            color,
            label,
        )

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        color: Color,
        label: int,
    ) -> None:
        """Fills a box: its top, the side that is seen and its near face."""
        dark = tuple(0.7 * value for value in color)
        light = tuple(min(255.0, 1.15 * value) for value in color)
        side = x[1] if x[1] < 0 else x[0]
        if y[1] < self._camera_height:
            self.polygon(
                [(x[0], y[1], z[0]), (x[1], y[1], z[0]),
                 (x[1], y[1], z[1]), (x[0], y[1], z[1])],
                light,
                label,
            )  # fmt: skip
        if x[1] < 0 or x[0] > 0:
            self.polygon(
                [(side, y[0], z[0]), (side, y[1], z[0]),
                 (side, y[1], z[1]), (side, y[0], z[1])],
                dark,
                label,
            )  # fmt: skip
        self.upright(x[0], x[1], y[0], y[1], z[0], color, label)

    def bottom_strip(self, rows: float, color: Color, label: int) -> None:
        """Fills a bulge at the bottom edge, such as the own car's bonnet."""
        top = self.height * (1 - rows)
        bounds = (-0.2 * self.width, top, 1.2 * self.width, 2 * self.height - top)
        fill = self._fill(color, 0)
        self._draw.ellipse(bounds, fill=fill)
        self._draw_label.ellipse(bounds, fill=label)

    def results(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns picture `(height, width, 3)` and label `(height, width)`."""
        height, width = self.size
        image = self._image.resize((width, height), Image.Resampling.BOX)
        label = np.asarray(self._label)[::_OVERSAMPLING, ::_OVERSAMPLING]
        return np.array(image), np.ascontiguousarray(label)
