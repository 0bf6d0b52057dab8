"""How every report looks: on a screen, light or dark, on a phone, and on paper."""

STYLE = """
:root { color-scheme: light dark; --paper: #f4f5f7; --card: #fff; --ink: #222;
        --soft: #5d646c; --line: #dfe3e7; --code: #f6f7f9; --accent: #0b62a8;
        --c0: #1f5fa8; --c1: #b8520a; --c2: #1d7f4e; --c3: #7b3fa0; --c4: #0b7a85;
        --c5: #a8324a; --heat: 11, 98, 168; --wrong: #c62828; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15191d; --card: #1e2429; --ink: #e9edf0; --soft: #a9b4bd;
          --line: #3a444d; --code: #171c20; --accent: #7dbdf2; --c0: #7dbdf2;
          --c1: #f2a35e; --c2: #6fcf97; --c3: #c9a2ec; --c4: #5cc8d3; --c5: #f08ba0;
          --heat: 62, 146, 214; }
  .edge path, .mix, #course .swatches i { filter: brightness(1.5); }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
       background: var(--paper); margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 12px; }
h2.part { font-size: 22px; margin: 36px 0 0; }
h3 { font-size: 15px; margin: 14px 0 8px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
          padding: 18px 20px; margin-top: 20px; overflow-x: auto; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; }
.card b { display: block; font-size: 20px; }
.card span, .muted { color: var(--soft); font-size: 13px; }
p.line { margin: 2px 0; }
p.muted { margin: -6px 0 12px; max-width: 80ch; }
table { border-collapse: collapse; font-size: 14px; }
caption { text-align: left; color: var(--soft); padding-bottom: 6px; }
th, td { text-align: left; padding: 3px 16px 3px 0; font-weight: normal;
         border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { font-weight: bold; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.bar { width: 100%; min-width: 120px; padding-right: 0; }
td.bar div { position: relative; height: 12px; background: var(--code);
             border-radius: 3px; }
td.bar i { position: absolute; inset: 0 auto 0 0; border-radius: 3px;
           background: var(--accent); }
td.bar b { position: absolute; top: -3px; bottom: -3px; width: 3px;
           background: var(--c1); }
tr.marked { outline: 2px solid var(--accent); }
img { max-width: 100%; height: auto; display: block; }
pre { background: var(--code); padding: 12px; border-radius: 6px; overflow-x: auto;
      font-size: 13px; margin: 0; }
summary { cursor: pointer; color: var(--accent); margin: 8px 0; }
figure { margin: 0; }
figcaption { font-size: 14px; font-weight: bold; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 11px; }
.panels { display: grid; gap: 18px;
          grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); }
.panel { max-width: 430px; }
.legend { display: block; font-weight: normal; font-size: 12.5px; color: var(--soft);
          min-height: 1.5em; }
.legend span { margin-right: 12px; white-space: nowrap; }
.legend i { display: inline-block; width: 14px; height: 10px; margin-right: 5px;
            border-radius: 3px; background: currentColor; }
.lone .panel { display: grid; max-width: none; gap: 6px 24px; align-items: start;
               grid-template-columns: minmax(0, 560px) minmax(200px, 1fr); }
.lone figcaption { order: 1; }
.lone .legend span { display: block; white-space: normal; }
.grid { stroke: var(--line); }
svg text.tick { fill: var(--soft); }
.curve { fill: none; stroke: currentColor; stroke-width: 1.8; }
circle { fill: currentColor; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
.frontline { color: var(--soft); }
.legend i.frontline { height: 0; border-radius: 0; background: none;
                      border-top: 2px dashed; vertical-align: 4px; }
.front { fill: none; stroke: var(--soft); stroke-width: 1.4; stroke-dasharray: 5 3; }
circle.ring { fill: none; stroke: var(--soft); stroke-width: 1.2; }
circle.hit { fill: transparent; }
.point { outline: none; cursor: pointer; }
.point .tip { display: none; }
.point:hover .tip, .point:focus .tip { display: inline; }
.point:hover .hit, .point:focus .hit { stroke: var(--accent); stroke-width: 2.5; }
.tip { pointer-events: none; }
.tip rect { fill: var(--ink); }
.tip text { fill: var(--card); font-size: 11px; }
.cells { display: grid; gap: 12px;
         grid-template-columns: repeat(auto-fill, minmax(min(225px, 100%), 1fr)); }
.cell { border: 1px solid var(--line); border-radius: 8px; padding: 8px; }
.cell.reduction { border-color: var(--c1); }
.cell figcaption { display: flex; justify-content: space-between; gap: 8px;
                   white-space: nowrap; overflow: hidden; }
.cell figcaption span { font-weight: normal; color: var(--soft); font-size: 12px; }
.wide { overflow-x: auto; margin: 12px 0; }
.wide svg { min-width: 680px; max-width: 860px; }
.edge path, .joint { fill: none; stroke: var(--k, var(--soft)); }
.joint { stroke-width: 1.2; opacity: .6; }
.edge rect { fill: var(--k, var(--soft)); }
.edge text { fill: #fff; font-size: 9.5px; font-weight: bold; text-anchor: middle; }
.edge.dead path { stroke: var(--soft); stroke-dasharray: 3 3; stroke-width: 1.2;
                  opacity: .6; }
.edge.dead rect { fill: var(--card); stroke: var(--line); }
.edge.dead text { fill: var(--soft); font-weight: normal; }
.node { fill: var(--code); stroke: var(--soft); }
svg text.name { font-size: 10px; text-anchor: middle; }
svg text.label { font-size: 9.5px; fill: var(--soft); }
.mix rect { fill: var(--k); stroke: var(--card); stroke-width: .7; }
.band { fill: var(--code); }
.slider { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center;
          margin-bottom: 12px; position: sticky; left: 0; }
.slider[hidden] { display: none; }
.slider input { flex: 1 1 220px; max-width: 560px; accent-color: var(--accent); }
.slider output { flex: 1 1 100%; min-height: 1.5em; }
button { font: inherit; color: var(--accent); background: none; border-radius: 6px;
         border: 1px solid var(--line); padding: 3px 12px; cursor: pointer; }
.confusion { font-size: 12.5px; font-variant-numeric: tabular-nums; }
.confusion td { text-align: right; padding: 3px 5px; min-width: 34px;
                border: 1px solid var(--card);
                background: rgba(var(--heat), var(--p)); }
.confusion td.strong { color: #fff; }
.confusion thead th { vertical-align: bottom; padding: 2px 4px; }
.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg);
                           font-weight: normal; }
.confusion tbody th { position: sticky; left: 0; background: var(--card);
                      padding-right: 8px; }
.shown { display: grid; gap: 6px 10px; margin-bottom: 14px;
         grid-template-columns: repeat(4, minmax(0, 1fr)); }
.shown h3 { grid-column: 1 / -1; margin: 6px 0 0; overflow-wrap: anywhere; }
.shown figcaption { font-weight: normal; color: var(--soft); font-size: 12.5px; }
.shown img { width: 100%; }
.swatches span { display: inline-block; margin: 0 12px 4px 0; font-size: 13px; }
.swatches i { display: inline-block; width: 12px; height: 12px; margin-right: 5px;
              border: 1px solid var(--line); vertical-align: -1px; }
@media (max-width: 600px) {
  main { padding: 14px 10px 40px; }
  section { padding: 12px; margin-top: 12px; }
  .cards { gap: 8px; }
  .card { padding: 8px 12px; flex: 1 1 40%; }
  .shown { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .lone .panel { display: block; }
  th, td { padding-right: 10px; }
  td.bar { min-width: 70px; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  section { border: 0; padding: 8px 0; overflow: visible; }
  figure, tr, .cards, .shown { break-inside: avoid; }
  h2 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
  pre { white-space: pre-wrap; }
  .wide svg { min-width: 0; }
  .slider, button, .hint { display: none; }
}
"""

SCRIPT = """
(() => {
  for (const figure of document.querySelectorAll("figure.panel")) {
    const points = [...figure.querySelectorAll(".point")];
    if (!points.length) continue;
    const mark = (point, on) => {
      for (const row of document.querySelectorAll("tr[data-key]"))
        if (row.dataset.key === point.dataset.key) row.classList.toggle("marked", on);
    };
    points.forEach((point, place) => {
      point.tabIndex = place ? -1 : 0;
      for (const event of ["pointerenter", "focus"])
        point.addEventListener(event, () => mark(point, true));
      for (const event of ["pointerleave", "blur"])
        point.addEventListener(event, () => mark(point, false));
      point.addEventListener("keydown", (event) => {
        const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1};
        let to = place + (step[event.key] ?? 0);
        if (event.key === "Home") to = 0;
        if (event.key === "End") to = points.length - 1;
        if (to === place || !points[to]) return;
        event.preventDefault();
        point.tabIndex = -1;
        points[to].tabIndex = 0;
        points[to].focus();
      });
    });
  }
})();
"""
