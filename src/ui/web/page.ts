/**
 * The page: no framework and no bundle. The server folds; the browser puts spans into the document as text,
 * never as markup, and asks again when an event arrives.
 */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>macula-fleet</title>
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<header><h1>macula-fleet</h1><p id="connection" role="status">connecting</p></header>
<nav aria-label="Runs"><ul id="runs"></ul></nav>
<main><pre id="view" aria-live="off" tabindex="0">no run yet</pre></main>
</body>
</html>
`;

export const STYLE = `:root { color-scheme: light dark; --ok: #1a7f37; --bad: #c22; --warn: #8a6100; --accent: #0a66a8; --dim: #666; }
@media (prefers-color-scheme: dark) { :root { --ok: #56d364; --bad: #ff7b72; --warn: #e3b341; --accent: #79c0ff; --dim: #999; } }
body { font: 14px/1.45 ui-monospace, monospace; margin: 1rem; }
header { display: flex; gap: 1rem; align-items: baseline; }
h1 { font-size: 1.1rem; margin: 0; }
#connection { color: var(--dim); margin: 0; }
#runs { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0; }
#runs a[aria-current] { font-weight: bold; }
pre { overflow-x: auto; }
.strong { font-weight: bold; }
.ok { color: var(--ok); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.accent { color: var(--accent); } .dim { color: var(--dim); }
`;

export const SCRIPT = `"use strict";
const view = document.getElementById("view");
const list = document.getElementById("runs");
const connection = document.getElementById("connection");
let source = null;
let shown = null;
let over = false;

function draw(lines) {
  const rows = lines.map((line) => {
    const row = document.createElement("div");
    for (const part of line) {
      const span = document.createElement("span");
      span.className = part.tone;
      span.textContent = part.text;
      row.append(span);
    }
    if (line.length === 0) row.textContent = "\\u00a0";
    return row;
  });
  view.replaceChildren(...rows);
}

async function json(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(path + ": " + response.status);
  return response.json();
}

let busy = false;
let again = false;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const columns = Math.max(40, Math.floor(view.clientWidth / 8.5));
    const run = shown;
    const answer = await json("/runs/" + encodeURIComponent(run) + "/view?columns=" + columns);
    if (run === shown) draw(answer.lines);
  } catch { connection.textContent = "not connected"; }
  busy = false;
  if (again) { again = false; setTimeout(refresh, 100); }
}

function show(run) {
  if (run === shown) return;
  shown = run;
  over = false;
  if (source) source.close();
  source = new EventSource("/runs/" + encodeURIComponent(run) + "/events");
  source.onopen = () => { connection.textContent = "live"; };
  source.onerror = () => { connection.textContent = "not connected; trying again"; };
  source.onmessage = refresh;
  source.addEventListener("end", () => { source.close(); over = true; connection.textContent = "over"; refresh(); });
  refresh();
}

async function runs() {
  try {
    const all = await json("/runs");
    const wanted = decodeURIComponent(location.hash.slice(1)) || (all[0] && all[0].id);
    list.replaceChildren(...all.map((run) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = "#" + encodeURIComponent(run.id);
      link.textContent = run.id + " " + run.state.replaceAll("_", " ");
      if (run.id === wanted) link.setAttribute("aria-current", "true");
      item.append(link);
      return item;
    }));
    if (wanted) show(wanted);
  } catch { connection.textContent = "not connected; trying again"; }
}

addEventListener("hashchange", runs);
setInterval(runs, 5000);
// Countdowns move even when nothing happens.
setInterval(() => { if (shown && !over) refresh(); }, 1000);
runs();
`;
