/** No fonts, images or colours from elsewhere; contrast of text is 4.5:1 or better in both schemes. */
export const STYLE = `:root {
  color-scheme: light dark;
  --ground: #f3f1ec; --panel: #fffdf9; --text: #1d2433; --quiet: #5b6272; --line: #d9d4c8;
  --accent: #0b6a62; --on-accent: #ffffff; --glow: #0b6a621f; --bad: #b3261e; --code: #ece8de;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10151c; --panel: #19202a; --text: #e9ecf1; --quiet: #a0a9b8; --line: #323c4a;
    --accent: #5cd6c4; --on-accent: #06231f; --glow: #5cd6c42e; --bad: #ff9a90; --code: #10151c;
  }
}
* { box-sizing: border-box; }
html { height: 100%; }
body {
  margin: 0; min-height: 100%; display: flex; flex-direction: column; justify-content: center;
  padding: max(1.25rem, 4vh) 1.25rem; gap: 1.5rem;
  background: radial-gradient(60rem 34rem at 50% -12rem, var(--glow), transparent) var(--ground);
  color: var(--text); font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { width: 100%; max-width: 27rem; margin: 0 auto; }
header { text-align: center; margin-bottom: 1.5rem; }
.mark { width: 3rem; height: 3rem; fill: var(--accent); }
.mark path { stroke: var(--accent); stroke-width: 2; opacity: .55; }
.mark .ends { opacity: .8; }
.eyebrow { margin: .5rem 0 0; color: var(--quiet); font-size: .875rem; letter-spacing: .02em; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { margin: 0 0 .25rem; font-size: 1.375rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h3 { margin: 1.5rem 0 0; font-size: 1rem; }
p { margin: .25rem 0; }
a { color: var(--accent); text-underline-offset: .15em; }
.panel {
  background: var(--panel); border: 1px solid var(--line); border-radius: 1rem; padding: 1.75rem;
  box-shadow: 0 1px 2px #0000000d, 0 12px 32px -16px #00000033;
}
.panel:focus { outline: none; }
.lead { margin: 0 0 1.25rem; }
.field { margin-bottom: 1.125rem; }
label { display: block; margin-bottom: .3rem; font-weight: 600; }
.hint { margin: .3rem 0 0; color: var(--quiet); font-size: .875rem; }
.code {
  width: 100%; padding: .625rem .875rem; border: 1.5px solid var(--line); border-radius: .625rem;
  background: var(--code); color: inherit; text-transform: uppercase;
  font: 600 1.375rem/1.3 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, "DejaVu Sans Mono", monospace; letter-spacing: .12em;
}
.code::placeholder { color: var(--quiet); opacity: .55; font-weight: 400; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.code[aria-invalid="true"] { border-color: var(--bad); }
.problem { color: var(--bad); font-weight: 500; margin: 0 0 .875rem; }
.problem:empty { display: none; }
button {
  width: 100%; min-height: 3rem; padding: .625rem 1rem; border: 0; border-radius: .625rem; cursor: pointer;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 650; font-size: 1.0625rem;
}
.second {
  width: auto; min-height: 2.75rem; margin-top: .75rem; background: transparent; color: var(--accent);
  border: 1.5px solid var(--accent); font-size: 1rem;
}
button:hover { filter: brightness(1.08); }
button[aria-disabled="true"] { opacity: .65; cursor: progress; }
details { margin-top: 1.25rem; font-size: .875rem; color: var(--quiet); }
summary { cursor: pointer; width: fit-content; padding: .25rem 0; }
kbd, pre { font-family: ui-monospace, Menlo, "DejaVu Sans Mono", monospace; font-size: .8125rem; }
kbd { background: var(--code); border-radius: .25rem; padding: .1em .35em; color: var(--text); overflow-wrap: anywhere; }
figure { display: flex; gap: 1rem; align-items: center; margin: .875rem 0 0; }
figure img { border-radius: .5rem; flex: none; }
figcaption span { color: var(--text); overflow-wrap: anywhere; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; overflow-x: auto; margin: .5rem 0 0; }
.tick { width: 3rem; height: 3rem; fill: none; stroke: var(--accent); stroke-width: 3; stroke-linecap: round; stroke-linejoin: round; }
footer { text-align: center; color: var(--quiet); font-size: .875rem; }
[hidden] { display: none; }
@media (forced-colors: active) { .code, .panel, button { border: 1px solid; } }
`;
