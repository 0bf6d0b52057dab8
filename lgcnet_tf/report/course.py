"""The architecture over the epochs of a search, with a slider, in the page itself."""

import html
import json
from collections.abc import Sequence

import numpy as np

SHADES = 100
"""The probabilities are kept in hundredths: a report stays small."""

_SCRIPT = """
(() => {
  const box = document.getElementById("course");
  const {shape, shades, operations, edges} = JSON.parse(box.dataset.what);
  const [epochs, rows, columns] = shape;
  const values = JSON.parse(document.getElementById("course-values").textContent);
  const canvas = box.querySelector("canvas"), slider = box.querySelector("input");
  const context = canvas.getContext("2d"), under = box.querySelector("p");
  const at = (row, column) => values[(slider.value - 1) * rows * columns
    + row * columns + column];
  function draw() {
    const image = context.createImageData(rows, columns);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const share = at(row, column) / shades, k = 4 * (column * rows + row);
        image.data.set([255 - 244 * share, 255 - 157 * share, 255 - 87 * share, 255], k);
      }
    context.putImageData(image, 0, 0);
    box.querySelector("output").textContent = `epoch ${slider.value} of ${epochs}`;
  }
  canvas.addEventListener("pointermove", (event) => {
    const area = canvas.getBoundingClientRect();
    const row = Math.min(rows - 1, Math.max(0,
      Math.floor((event.clientX - area.left) / area.width * rows)));
    const column = Math.min(columns - 1, Math.max(0,
      Math.floor((event.clientY - area.top) / area.height * columns)));
    under.textContent = `cell ${Math.floor(row / edges.length)}, `
      + `${edges[row % edges.length]}: ${operations[column]} `
      + `${Math.round(100 * at(row, column) / shades)} %`;
  });
  slider.addEventListener("input", draw);
  draw();
})();
"""


def course_of(
    probabilities: np.ndarray, edges: Sequence[str], operations: Sequence[str]
) -> str:
    """HTML that shows the cells' probabilities of each epoch, one at a time.

    Each column of the picture is an edge, cell by cell, each row an operation; the
    darker, the more probable. The pointer tells edge, operation and probability.

    Args:
        probabilities: (epochs, cells, edges, operations), 0 to 1.
        edges, operations: names along the last two axes.
    """
    epochs, cells, per_cell, choices = probabilities.shape
    rounded = np.rint(probabilities * SHADES).astype(int)
    what = {
        "shape": (epochs, cells * per_cell, choices),
        "shades": SHADES,
        "operations": list(operations),
        "edges": list(edges),
    }
    values = ",".join(map(str, rounded.ravel()))
    return (
        f'<div id="course" class="screen" data-what="{html.escape(json.dumps(what))}">'
        f'<label>Epoch <input type="range" min="1" max="{epochs}" value="{epochs}">'
        f'</label><output></output><div><canvas width="{cells * per_cell}" '
        f'height="{choices}" role="img" aria-label="Probability of each operation of '
        'each edge"></canvas></div><p class="muted">Point at the picture.</p></div>'
        f'<script type="application/json" id="course-values">[{values}]</script>'
        f"<script>{_SCRIPT}</script>"
    )
