"""How every report looks: on a screen, light or dark, on a phone, and on paper."""

STYLE = """
:root { color-scheme: light dark; --paper: #f4f5f7; --card: #fff; --ink: #222;
        --soft: #5d646c; --line: #dfe3e7; --code: #f6f7f9; --accent: #0b62a8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15191d; --card: #1e2429; --ink: #e9edf0; --soft: #a9b4bd;
          --line: #3a444d; --code: #171c20; --accent: #7dbdf2; }
  img { background: #fff; border-radius: 4px; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
       background: var(--paper); margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 12px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
          padding: 18px 20px; margin-top: 20px; overflow-x: auto; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; }
.card b { display: block; font-size: 20px; }
.card span, .muted { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; font-size: 14px; }
th, td { text-align: left; padding: 3px 16px 3px 0;
         border-bottom: 1px solid var(--line); white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.bar { width: 100%; min-width: 90px; padding-right: 0; }
td.bar i { display: block; height: 10px; border-radius: 3px; background: var(--accent); }
img { max-width: 100%; height: auto; display: block; }
pre { background: var(--code); padding: 12px; border-radius: 6px; overflow-x: auto;
      font-size: 13px; margin: 0; }
canvas { width: 100%; max-width: 760px; height: auto; image-rendering: pixelated;
         border: 1px solid var(--line); }
input[type=range] { width: 100%; max-width: 760px; accent-color: var(--accent); }
@media (max-width: 600px) {
  main { padding: 14px 10px 40px; }
  section { padding: 12px; margin-top: 12px; }
  .cards { gap: 8px; }
  .card { padding: 8px 12px; flex: 1 1 40%; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; }
  section { break-inside: avoid; border: 0; padding: 8px 0; overflow: visible; }
  pre { white-space: pre-wrap; }
  .screen { display: none; }
}
"""
