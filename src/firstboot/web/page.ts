import { html, raw } from "hono/html";
import type { PairingState } from "../pairing.ts";
import type { Said } from "./words.ts";

const DRAWING =
  '<circle cx="24" cy="24" r="6"/><path d="M24 18V6M24 42V30M18.8 21 8.4 15M39.6 33l-10.4-6M29.2 21l10.4-6M8.4 33l10.4-6"/><g class="ends"><circle cx="24" cy="5" r="3"/><circle cx="24" cy="43" r="3"/><circle cx="7.5" cy="14.5" r="3"/><circle cx="40.5" cy="33.5" r="3"/><circle cx="40.5" cy="14.5" r="3"/><circle cx="7.5" cy="33.5" r="3"/></g>';
const MARK = raw(`<svg class="mark" viewBox="0 0 48 48" aria-hidden="true">${DRAWING}</svg>`);
/** The browser's tab. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" fill="#12897e" stroke="#12897e" stroke-width="2">${DRAWING}</svg>`;

type Markup = ReturnType<typeof html>;

export interface PageDeps {
  readonly hostname: string;
  readonly url: string;
  readonly portal: string | null;
  readonly token: string;
  readonly state: PairingState;
  /** The answer to a plain form, without scripts. */
  readonly said: Said | null;
  readonly entry: string | null;
}

/** The whole page, also without scripts. Everything that varies is escaped by `html`. */
export function page(deps: PageDeps): Markup {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Set up ${deps.hostname}</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/page.css">
<script src="/static/page.js" defer></script>
</head>
<body>
<main>
<header>
${MARK}
<p class="eyebrow">MaculaOS first boot</p>
<h1>${deps.hostname}</h1>
</header>
${body(deps)}
</main>
<footer><p>Only devices on this network can open this page.</p></footer>
</body>
</html>
`;
}

function body(deps: PageDeps): Markup {
  if (deps.state === "paired") return done(deps);
  if (deps.state === "locked") {
    return html`<section class="panel" role="alert"><h2>Locked</h2>
<p>There were too many wrong codes. Restart the machine; its screen then shows a new code.</p></section>`;
  }
  return html`${form(deps)}${done(null)}`;
}

function form({ said, portal, token, url }: PageDeps): Markup {
  const wrong = (field: string): Markup => (said?.field === field ? html` aria-invalid="true"` : html``);
  return html`<form id="pair" class="panel" method="post" action="/pair" novalidate>
<input type="hidden" name="token" value="${token}">
<p class="lead">Two codes bring this machine into your organisation.</p>
<div class="field">
<label for="node_code">Machine code</label>
<input id="node_code" name="node_code" class="code" required autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="9" placeholder="ABC-234" aria-describedby="node_hint problem"${wrong("node_code")}>
<p class="hint" id="node_hint">On the machine’s own screen</p>
</div>
<div class="field">
<label for="portal_code">Portal code</label>
<input id="portal_code" name="portal_code" class="code" required autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" maxlength="64" aria-describedby="portal_hint problem"${wrong("portal_code")}>
<p class="hint" id="portal_hint">${
    portal === null
      ? "From your portal, under “Add a machine”"
      : html`From <a href="${portal}" target="_blank" rel="noopener">${new URL(portal).host}</a>, under “Add a machine”`
  }</p>
</div>
<p id="problem" class="problem" role="alert">${said?.error ?? ""}</p>
<button type="submit">Pair this machine</button>
<details><summary>No screen, or another device?</summary>
<p>Without a screen: log in over SSH and read the code with <kbd>sudo cat /run/macula-firstboot/console</kbd>.</p>
<figure><img src="/qr.svg" width="132" height="132" alt="QR code of this page’s address"><figcaption>Opens <span>${url}</span> on another device</figcaption></figure>
</details>
</form>`;
}

/** With null the same panel, hidden, for the script to fill. */
function done(deps: PageDeps | null): Markup {
  const entry = deps?.entry ?? null;
  return html`<section id="done" class="panel" role="status" tabindex="-1"${deps === null ? html` hidden` : ""}>
<svg class="tick" viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="21"/><path d="m14 25 7 7 14-15"/></svg>
<h2>Paired<span id="org">${deps?.said?.org_name === undefined ? "" : ` with ${deps.said.org_name}`}</span></h2>
<p>The machine restarts now. You can close this page.</p>
<div id="adopt"${entry === null ? html` hidden` : ""}><h3>Next: adopt it</h3>
<p>Put this into your fleet’s inventory. The machine keeps a copy in <kbd>/var/lib/maculaos/proposal.yaml</kbd>.</p>
<pre id="entry" tabindex="0">${entry ?? ""}</pre>
<button type="button" id="copy" class="second" hidden>Copy</button></div>
</section>`;
}
