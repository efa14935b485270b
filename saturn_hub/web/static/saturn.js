const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => { document.documentElement.dataset.bsTheme = localStorage.theme ?? (dark.matches ? "dark" : "light"); };
theme();
dark.addEventListener("change", theme);
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("theme")?.addEventListener("click", () => {
    localStorage.theme = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    theme();
  });
  const base = document.body.dataset.base;
  let before = "";
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (before === "g" && event.key === "h") location.href = `${base}/`;
    if (event.key === "n") location.href = `${base}/new/${document.body.dataset.kind || "workspace"}`;
    before = event.key;
  });
  const log = document.querySelector("pre[data-follow]");
  if (log) {
    const source = new EventSource(`${log.dataset.follow}&_xsrf=${encodeURIComponent(document.body.dataset.xsrf)}`);
    source.onmessage = (event) => {
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      log.append(JSON.parse(event.data));
      if (atEnd) log.scrollTop = log.scrollHeight;
    };
    source.addEventListener("end", () => { source.close(); if (log.dataset.live) setTimeout(() => location.reload(), 700); });
  }
  // A page that refreshes itself waits while somebody is filling in a form on it.
  const changed = (field) => (field.type === "radio" || field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue);
  const typing = () => document.activeElement?.matches("input, textarea, select") || [...document.querySelectorAll("main input, main textarea")].some(changed);
  if (document.querySelector("[data-refresh]")) setInterval(() => { if (!typing()) location.reload(); }, 2000);
});
