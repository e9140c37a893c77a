/** An improvement, not a need: without it the form posts and the page comes back with the answer. */
export const SCRIPT = `"use strict";
const form = document.getElementById("pair");
const one = (id) => document.getElementById(id);

if (form) {
  const code = one("node_code");
  const portal = one("portal_code");
  const problem = one("problem");
  const button = form.querySelector("button");

  // The QR code on the machine's screen brings the machine's code along, behind the #.
  const carried = location.hash.slice(1);
  if (/^[A-Za-z2-9]{3}-?[A-Za-z2-9]{3}$/.test(carried)) {
    code.value = carried.toUpperCase();
    history.replaceState(null, "", location.pathname);
  }
  (form.querySelector("[aria-invalid]") || (code.value ? portal : code)).focus({ preventScroll: true });

  code.addEventListener("input", (event) => {
    if (event.inputType && event.inputType.startsWith("delete")) return;
    const bare = code.value.toUpperCase().replace(/[^A-Z0-9]/g, "").slice(0, 6);
    if (code.selectionStart === code.value.length) {
      code.value = bare.length > 3 ? bare.slice(0, 3) + "-" + bare.slice(3) : bare;
    }
  });

  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    button.setAttribute("aria-disabled", "true");
    button.textContent = "Pairing…";
    problem.textContent = "";
    for (const field of [code, portal]) field.removeAttribute("aria-invalid");
    let answer;
    try {
      const response = await fetch("/pair", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ node_code: code.value, portal_code: portal.value }),
      });
      answer = await response.json();
    } catch {
      answer = { error: "The machine does not answer. Is it still on, and are you on its network?" };
    }
    busy = false;
    button.removeAttribute("aria-disabled");
    button.textContent = "Pair this machine";
    if (answer.success) return paired(answer);
    problem.textContent = answer.error;
    const field = answer.field ? one(answer.field) : null;
    if (field) {
      field.setAttribute("aria-invalid", "true");
      field.focus();
      field.select();
    }
  });
}

// The clipboard's newer interface is only there over https.
const copy = one("copy");
if (copy) {
  copy.hidden = false;
  copy.addEventListener("click", () => {
    const all = document.createRange();
    all.selectNodeContents(one("entry"));
    getSelection().removeAllRanges();
    getSelection().addRange(all);
    copy.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  });
}

function paired(answer) {
  one("org").textContent = answer.org_name ? " with " + answer.org_name : "";
  if (answer.proposal) {
    one("entry").textContent = answer.proposal;
    one("adopt").hidden = false;
  }
  form.hidden = true;
  one("done").hidden = false;
  one("done").focus();
}
`;
