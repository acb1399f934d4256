// The explanation page's style and its one script.
#pragma once

namespace ringshift {

inline constexpr const char* kExplainStyle = R"(
:root { color-scheme: light dark; --back: #ffffff; --text: #1b1f24; --faint: #57606a; --line: #d0d7de;
  --row: #f6f8fa; --guest: #0550ae; --reason: #7d4e00; --focus: #0969da; }
@media (prefers-color-scheme: dark) {
  :root { --back: #0d1117; --text: #e6edf3; --faint: #9da7b3; --line: #30363d; --row: #161b22;
    --guest: #79c0ff; --reason: #f0b95b; --focus: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem 1.5rem 4rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--guest); }
a:focus-visible, summary:focus-visible, button:focus-visible, .wide:focus-visible {
  outline: 3px solid var(--focus); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; } .skip:focus { position: static; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 0.25rem; }
code, pre, td.code { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", Consolas, monospace; }
.faint { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.15rem 0.6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; background: var(--row); }
td.code { white-space: pre; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tbody.insn > tr:first-child > td { border-top: 2px solid var(--line); }
td.guest { color: var(--guest); }
td.why a { color: var(--reason); }
td.note { color: var(--faint); }
.bytes { color: var(--faint); }
dt { font-weight: 600; color: var(--reason); } dd { margin: 0 0 0.5rem 1.5rem; }
dt:target, h2:target { outline: 2px solid var(--focus); }
summary { cursor: pointer; margin: 0.5rem 0; }
button { font: inherit; padding: 0.2rem 0.8rem; }
@media print {
  :root { --back: #fff; --text: #000; --faint: #333; --line: #999; --row: #eee; --guest: #003; --reason: #420; }
  body { max-width: none; padding: 0; font-size: 10pt; } .no-print, nav { display: none; }
  code, pre, td.code { font-size: 8pt; } tbody.insn { break-inside: avoid; } .wide { overflow: visible; }
  td.code { white-space: pre-wrap; }
}
)";

// Opens or closes all details; printing opens them.
inline constexpr const char* kExplainScript = R"(
const all = open => document.querySelectorAll('details').forEach(d => d.open = open);
document.getElementById('open').onclick = () => all(true);
document.getElementById('close').onclick = () => all(false);
addEventListener('beforeprint', () => all(true));
)";

}  // namespace ringshift
