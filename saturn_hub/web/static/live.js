// Sections that follow what happens: the page is asked for again and its changed `data-live` sections are put in place.
const { base, xsrf, watch } = document.body.dataset;
let busy = false;
let again = false;

// A section in which somebody is choosing or typing stays as it is.
const changed = (field) => (["radio", "checkbox"].includes(field.type) ? field.checked !== field.defaultChecked : field.tagName !== "SELECT" && field.value !== field.defaultValue);
const occupied = (section) =>
  (section.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) ||
  [...section.querySelectorAll("input:not([type=hidden]), textarea")].some(changed);

export async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-XSRFToken": xsrf } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const section of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(section.id);
      if (!next || section.outerHTML === next.outerHTML || occupied(section)) continue;
      const focused = section.contains(document.activeElement) ? document.activeElement : null;
      const path = focused && [focused.tagName, focused.textContent.trim()];
      section.replaceWith(document.adoptNode(next));
      if (path) [...next.querySelectorAll(path[0])].find((each) => each.textContent.trim() === path[1])?.focus();
    }
  } catch {
    // The service is away for a moment; the next event or look finds it again.
  } finally {
    busy = false;
    if (again) { again = false; refresh(); }
  }
}

export function follow() {
  if (!document.querySelector("[data-live]")) return;
  if (watch) {
    const source = new EventSource(`${base}/api/v1/events?_xsrf=${encodeURIComponent(xsrf)}`);
    // What happened between the drawing of the page and this connection is on no event that we hear.
    source.onopen = refresh;
    // What happened between the page and its connection, or while that was lost, is seen by one more look.
    source.onopen = refresh;
    source.onmessage = (event) => {
      const { resource } = JSON.parse(event.data);
      if (watch === "*" || watch.split(" ").includes(resource)) refresh();
    };
    addEventListener("pagehide", () => source.close());
  }
  // Sentences of a preparation are no events: while something starts, the page looks once a second.
  setInterval(() => { if (document.querySelector("[data-moving]") && !document.hidden) refresh(); }, 1000);
}
