// Loaded before the page is drawn, so that no page flashes in the other theme. The key is JupyterHub's own: both change together.
const dark = matchMedia("(prefers-color-scheme: dark)");
const stored = () => localStorage.getItem("jupyterhub-bs-theme");
const theme = () => { document.documentElement.dataset.bsTheme = ["dark", "light"].includes(stored()) ? stored() : dark.matches ? "dark" : "light"; };
theme();
document.documentElement.classList.add("js");
dark.addEventListener("change", theme);
