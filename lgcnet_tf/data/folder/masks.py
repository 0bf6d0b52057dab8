"""Masks of a data folder: index, palette or colour PNG to class indices."""

import io

import numpy as np
from PIL import Image

from lgcnet_tf.data import images
from lgcnet_tf.data.folder.classes import MaskClasses
from lgcnet_tf.data.info import VOID
from lgcnet_tf.data.orientation import PNG_SIGNATURE
from lgcnet_tf.errors import InputError

_UNKNOWN = 254
_SHOWN = 3


class MaskDecoder:
    """Decodes masks by the rules of a class file.

    - Gray masks, of 1 to 16 bits, have a class' value at each pixel; but where the
      class file gives colours that are all gray, as black and white, they have those.
    - Palette masks likewise; but where the class file gives every class a colour
      and all colours that the mask uses are among those, it is read by them.
    - Colour masks have a class' colour; alpha is left out. Where the class file
      gives no colours and red, green and blue are equal, they are values.

    Args:
        classes: of the class file.
    """

    def __init__(self, classes: MaskClasses):
        self.classes = classes
        self._by_value = np.full(256, _UNKNOWN, np.uint8)
        for value, index in classes.by_value.items():
            self._by_value[value] = index
        self._by_color: np.ndarray | None = None
        self._gray = classes.colored and all(len({*c}) == 1 for c in classes.by_color)

    def decode(self, data: bytes, where: str) -> np.ndarray:
        """Decodes a mask, upright, to uint8 `(height, width)`, 255 for void.

        Args:
            data: the encoded mask.
            where: what to call it in an error.

        Raises:
            InputError: it is damaged or no PNG, or has values or colours of no
                class; names them and where the first one is.
        """
        mode = _mode(data)
        png = data.startswith(PNG_SIGNATURE)
        if png and self._gray and mode in ("1", "L"):
            return self._colors(images.decode_image(data, where), where)
        if png and mode in ("RGB", "RGBA"):
            pixels = images.decode_image(data, where)
            gray = (pixels[..., :1] == pixels[..., 1:]).all()
            if not self.classes.colored and gray:
                return self._values(pixels[..., 0], where)
            return self._colors(pixels, where)
        values = images.decode_label(data, where)
        if mode == "P" and self.classes.colored:
            return self._palette(values, data, where)
        return self._values(values, where)

    def _values(self, values, where):
        mask = self._by_value[values]
        if (mask == _UNKNOWN).any():
            wrong = np.unique(values[mask == _UNKNOWN])
            y, x = np.argwhere(values == wrong[0])[0]
            raise InputError(
                f"{where}: {_some(wrong.tolist(), 'value')} of no class, {wrong[0]} at "
                f"x={x}, y={y}; found {_some(np.unique(values).tolist(), 'value')}. "
                f"{self.classes.path.name} has {self.classes.values_text()}."
            )
        return mask

    def _palette(self, values, data, where):
        with Image.open(io.BytesIO(data)) as image:
            given = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(given)] = given
        used = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
        by_color = {
            int(v): self.classes.by_color.get(tuple(palette[v].tolist())) for v in used
        }
        if None not in by_color.values() and (
            {*by_color.values()} != {VOID} or self._void_by_color(used, given, where)
        ):
            table = np.full(256, _UNKNOWN, np.uint8)
            for value, index in by_color.items():
                table[value] = index
            return table[values]
        for value, index in by_color.items():
            own = self.classes.by_value.get(value)
            if None not in (index, own) and VOID not in (index, own) and own != index:
                names = self.classes.info.class_names
                raise InputError(
                    f"{where}: is it read by its values or by its colours? Value "
                    f"{value} is {names[own]}, its colour in the palette that of "
                    f"{names[index]}, and other colours are of no class; write it as a "
                    "gray mask."
                )
        return self._values(values, where)

    def _void_by_color(self, used, palette, where) -> bool:
        """Whether a mask that by its colours is all void is so, and not of classes.

        In the palette of VOC the value 0 is black, which is void where a class file says
        nothing of black: a picture of background alone would have none. Where the rest of
        the palette has colours of classes the mask is read by them; where it has but
        others, by its values.
        """
        of_values = {self.classes.by_value.get(int(value), VOID) for value in used}
        if self.classes.void_colors_given or of_values == {VOID}:
            return True
        known = [self.classes.by_color.get(tuple(c.tolist())) for c in palette]
        if any(index not in (None, VOID) for index in known):
            return True
        if None in known:
            return False
        names = self.classes.info.class_names
        first = min(of_values - {VOID})
        raise InputError(
            f"{where}: is it read by its values or by its colours? By its values it has "
            f"{names[first]}, by its colours in the palette nothing but void; "
            "write it as a gray mask, or give void_colors in the class file."
        )

    def _colors(self, pixels, where):
        if not self.classes.colored:
            raise InputError(
                f"{where}: a colour mask, but {self.classes.path.name} does not give "
                "every class a colour, as in "
                '{"classes": [{"name": "floor", "color": [128, 64, 128]}]}.'
            )
        if self._by_color is None:
            table = np.full(1 << 24, _UNKNOWN, np.uint8)
            for (red, green, blue), index in self.classes.by_color.items():
                table[red << 16 | green << 8 | blue] = index
            self._by_color = table
        wide = pixels.astype(np.uint32)
        codes = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
        mask = self._by_color[codes]
        if (unknown := mask == _UNKNOWN).any():
            codes_found, counts = np.unique(codes[unknown], return_counts=True)
            most = codes_found[np.argsort(-counts, kind="stable")]
            colors = [(int(c) >> 16, int(c) >> 8 & 255, int(c) & 255) for c in most]
            y, x = np.argwhere(codes == most[0])[0]
            blurred = " An anti-aliased mask, or one that was a JPEG?"
            raise InputError(
                f"{where}: {_some(colors, 'colour')} of no class on "
                f"{int(unknown.sum())} of {mask.size} pixels, {colors[0]} at x={x}, "
                f"y={y}; {self.classes.path.name} has {self.classes.colors_text()}."
                + (blurred if len(colors) > 16 else "")
            )
        return mask


def _mode(data: bytes) -> str:
    """The mode of a picture; empty where it is none, which decoding will say."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.mode
    except Exception:  # pylint: disable=broad-exception-caught
        return ""


def _some(found, noun):
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    plural = "s" if len(found) > 1 else ""
    return f"{noun}{plural} {', '.join(map(str, found[:_SHOWN]))}{more}"
