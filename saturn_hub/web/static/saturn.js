// What every page does: the keyboard, the folded navigation, the theme, and sections that follow what happens.
import { follow } from "./live.js";
import { log } from "./log.js";
import { form } from "./form.js";

const { base, kind } = document.body.dataset;
const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

function keyboard() {
  const places = { h: "/", w: "/workspaces", j: "/jobs", a: "/apps", g: "/gallery" };
  let before = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((each) => { each.open = false; });
    if (typing(event.target)) return;
    if (before === "g" && places[event.key]) {
      location.href = base + places[event.key];
    } else if (event.key === "n") {
      location.href = `${base}/new/${kind || "workspace"}`;
    } else if (event.key === "/") {
      event.preventDefault();
      document.querySelector(".top").classList.add("open");
      document.getElementById("search").focus();
    }
    before = event.key;
  });
}

function frame() {
  document.getElementById("theme")?.addEventListener("click", () => {
    const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    localStorage.setItem("jupyterhub-bs-theme", next);
    document.documentElement.dataset.bsTheme = next;
  });
  const fold = document.getElementById("fold");
  fold?.addEventListener("click", () => fold.setAttribute("aria-expanded", document.querySelector(".top").classList.toggle("open")));
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((each) => { if (!each.contains(event.target)) each.open = false; });
  });
}

// Copy buttons beside snippets, and filters of long lists that are on the page already.
function small() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
  document.addEventListener("input", (event) => {
    const input = event.target.closest("[data-filter]");
    if (!input) return;
    const wanted = input.value.trim().toLowerCase();
    document.querySelectorAll(input.dataset.filter).forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
    if (wanted) document.querySelectorAll("details[data-packages]").forEach((each) => { each.open = true; });
  });
}

keyboard();
frame();
small();
log();
form();
follow();
