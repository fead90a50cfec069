"""The look of a report, in light and dark."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --soft: #667; --line: #d8dce2;
  --s0: #2f6fb3; --s1: #d9822b; --s2: #2a9d8f; --s3: #8d5fb0;
  --good: #8fb996; --jitter: #e3c770; --inversion: #d9822b; --swap: #8d5fb0; --miss: #c0453c; --absent: #9aa3ad; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --text: #e4e7eb; --soft: #98a1ab; --line: #343a41;
  --s0: #6aa9e9; --s1: #eda35a; --s2: #5fc7ba; --s3: #b590d6;
  --good: #5c8f67; --jitter: #c2a34a; --inversion: #d07f35; --swap: #a07cc4; --miss: #d25a50; --absent: #6b747e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 24px 16px 64px; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 8px; }
h3 { font-size: 15px; margin: 16px 0 4px; }
p, figcaption { color: var(--soft); margin: 4px 0 10px; max-width: 75ch; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; }
svg { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
svg text { fill: var(--text); } svg .tick, svg .value { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--line); } .whisker { stroke: var(--text); stroke-width: 1.5; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
polyline { fill: none; stroke-width: 2; }
.l0 { stroke: var(--s0); } .l1 { stroke: var(--s1); } .l2 { stroke: var(--s2); } .l3 { stroke: var(--s3); }
.k-good { fill: var(--good); } .k-jitter { fill: var(--jitter); } .k-inversion { fill: var(--inversion); }
.k-swap { fill: var(--swap); } .k-miss { fill: var(--miss); } .k-absent { fill: var(--absent); }
.key { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 4px 0 8px; }
.key svg { width: 12px; height: 12px; display: inline-block; vertical-align: -1px; margin-right: 6px; }
.row { display: flex; flex-wrap: wrap; gap: 24px; } .row > * { flex: 1 1 340px; min-width: 0; }
figure { margin: 0 0 20px; } figure img { max-width: 100%; border-radius: 4px; display: block; }
"""
