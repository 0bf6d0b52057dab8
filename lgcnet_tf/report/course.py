"""The architecture over the epochs of a search: a slider that redraws the cells."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lgcnet_tf.figures.style import short_name
from lgcnet_tf.report.cells import (
    Drawing,
    color_of,
    draw_cells,
    draw_fusion,
    edge_text,
    geometry,
    legend_of,
    pill_width,
)
from lgcnet_tf.report.html import text
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.operations import operation
from lgcnet_tf.space.skeleton import Skeleton

MOST_FRAMES = 100
"""Epochs of a longer search that are kept, evenly chosen, its last among them."""

SHADES = 100
"""The probabilities are kept in hundredths: a report stays small."""

_SCRIPT = """
(() => {
  const box = document.getElementById("course");
  const what = JSON.parse(document.getElementById("course-values").textContent);
  const slider = box.querySelector("input"), said = box.querySelector("output");
  const play = box.querySelector("button");
  const edges = new Map(), mixes = new Map();
  for (const g of box.querySelectorAll(".edge")) edges.set(+g.dataset.edge, g);
  for (const g of box.querySelectorAll(".mix")) mixes.set(+g.dataset.edge, g);
  function draw() {
    const frame = what.frames[slider.value - 1];
    let place = 0;
    what.edges.forEach((edge, number) => {
      const group = edges.get(edge.place), index = frame.choice[number];
      const operation = what.operations[what.candidates[edge.candidates][index]];
      group.style.setProperty("--k", operation.color);
      group.classList.toggle("dead", frame.live[number] === "0");
      group.querySelector("title").textContent = edge.texts[index];
      group.querySelector("path").setAttribute("stroke-width", edge.widths[index]);
      const box = group.querySelector("rect"), name = group.querySelector("text");
      box.setAttribute("x", name.getAttribute("x") - operation.width / 2);
      box.setAttribute("width", operation.width);
      name.textContent = operation.name;
      let x = what.geometry.left;
      const bars = [...mixes.get(edge.place).children];
      const own = frame.shares.slice(place, place += bars.length);
      const whole = own.reduce((sum, share) => sum + share, 0) || 1;
      bars.forEach((bar, at) => {
        const share = own[at] / whole;
        bar.setAttribute("x", x.toFixed(1));
        bar.setAttribute("width", (what.geometry.wide * share).toFixed(1));
        const title = bar.querySelector("title");
        title.textContent = title.textContent.replace(/[^ ]+%$/,
          `${Math.round(100 * share)}%`);
        x += what.geometry.wide * share;
      });
    });
    said.textContent = frame.said;
    slider.setAttribute("aria-valuetext", frame.said);
  }
  let timer = 0;
  play.addEventListener("click", () => {
    if (timer) { clearInterval(timer); timer = 0; play.textContent = "Play"; return; }
    if (slider.value === slider.max) slider.value = 1;
    draw();
    play.textContent = "Stop";
    timer = setInterval(() => {
      if (slider.value === slider.max) { play.click(); return; }
      slider.value = +slider.value + 1;
      draw();
    }, 350);
  });
  slider.addEventListener("input", draw);
  box.querySelector(".slider").hidden = false;
  draw();
})();
"""


def course_of(
    probabilities: np.ndarray,
    skeleton: Skeleton,
    costs_us: np.ndarray | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    genotype: Genotype | None = None,
) -> str:
    """The cells with the shares of their candidates, and a slider over the epochs.

    Without a script the page shows the end of the search.

    Args:
        probabilities: softmax(α') at the ends of the epochs, (epochs, E, C). An epoch
            of NaN is not known and left out.
        skeleton: of the search.
        costs_us: see `Drawing`.
        history: the epochs' figures; some stand beside the slider.
        genotype: what was derived in the end. Where it is not the likeliest network
            of the last epoch, as a target asked for another, it comes last.

    Returns:
        HTML; empty where no epoch is known.
    """
    known = [*np.flatnonzero(~np.isnan(probabilities).any((1, 2)))]
    if not known:
        return ""
    if len(known) > MOST_FRAMES:
        places = np.linspace(0, len(known) - 1, MOST_FRAMES).round().astype(int)
        known = [known[place] for place in places]
    choices = probabilities[known].argmax(-1)
    by_edge = [
        probabilities[:, place, : len(edge.candidates)].astype("float64")
        for place, edge in enumerate(skeleton.edges)
    ]
    last = [shares[known[-1]] for shares in by_edge]
    said = _said_of_epochs(known, history)
    if genotype is not None and (choices[-1] != genotype.choice).any():
        choices = np.vstack([choices, genotype.choice])
        known, said = [*known, known[-1]], [*said, _said_of_derived(genotype)]
    drawing = Drawing(skeleton, costs_us, choices[-1], last)
    what = _values(drawing, by_edge, known, choices, said)
    values = json.dumps(what, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<div id="course"><div class="slider" hidden><label for="epoch">Epoch</label>'
        f'<input id="epoch" type="range" min="1" max="{len(known)}" '
        f'value="{len(known)}"><button type="button">Play</button>'
        f'<output for="epoch">{text(said[-1])}</output></div>{legend_of(drawing)}'
        f"{draw_cells(drawing)}{draw_fusion(drawing)}</div>"
        f'<script type="application/json" id="course-values">{values}</script>'
        f"<script>{_SCRIPT}</script>"
    )


def _values(drawing: Drawing, by_edge, known, choices, said) -> dict[str, Any]:
    skeleton, widths = drawing.skeleton, drawing.widths()
    names = list(dict.fromkeys(o for _, e in drawing.edges for o in e.candidates))
    lists = list(dict.fromkeys(edge.candidates for _, edge in drawing.edges))
    drawn = [place for place, _ in drawing.edges]
    edges = [
        {
            "place": place,
            "candidates": lists.index(edge.candidates),
            "widths": [round(float(w), 1) for w in widths[place][: len(edge.candidates)]],
            "texts": [
                edge_text(drawing, place, index) for index in range(len(edge.candidates))
            ],
        }
        for place, edge in drawing.edges
    ]  # fmt: skip
    carries = [
        np.array([operation(name).carries for name in edge.candidates])
        for edge in skeleton.edges
    ]
    live = drawing.live(choices)
    frames = []
    for number, epoch in enumerate(known):
        shares = np.concatenate([by_edge[place][epoch] for place in drawn])
        choice = choices[number]
        alive = [live[number, p] and carries[p][choice[p]] for p in drawn]
        frames.append(
            {
                "said": said[number],
                "choice": [int(choice[place]) for place in drawn],
                "live": "".join("01"[bool(one)] for one in alive),
                "shares": [int(s) for s in np.rint(SHADES * shares)],
            }
        )
    return {
        "geometry": dict(geometry()),
        "operations": [
            {
                "name": short_name(name),
                "color": color_of(name),
                "width": pill_width(short_name(name)),
            }
            for name in names
        ],
        "candidates": [[names.index(name) for name in each] for each in lists],
        "edges": edges,
        "frames": frames,
    }


def _said_of_epochs(known, history) -> list[str]:
    """Each epoch and its figures, in words."""
    figures = {entry.get("epoch", n): entry for n, entry in enumerate(history, start=1)}
    return [_said(epoch + 1, figures.get(epoch + 1, {})) for epoch in known]


def _said(epoch: int, figures: Mapping[str, Any]) -> str:
    """An epoch and its figures, in words."""
    parts = []
    for name, form in (
        ("derived_latency_ms", "derived network {:.4g} ms by the table"),
        ("miou", "mIoU {:.1%} of the search network on its crops"),
        ("alpha_entropy", "entropy {:.3g} nats"),
        ("temperature", "temperature {:.3g}"),
    ):
        if isinstance(figures.get(name), int | float):
            parts.append(form.format(figures[name]))
    return f"epoch {epoch}" + (f": {', '.join(parts)}" if parts else "")


def _said_of_derived(genotype: Genotype) -> str:
    latency = genotype.provenance.get("predicted_latency_ms")
    at = f": {latency:.4g} ms by the table" if isinstance(latency, float) else ""
    return f"the network that was derived in the end{at}"
