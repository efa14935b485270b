// The log viewer: live, with ANSI colours, search within, and a way to the end.
const KEPT = 400_000;
const SEQUENCE = /\x1b\[([0-9;]*)([A-Za-z])/g;

function painter(target) {
  let classes = [];
  let rest = "";
  const put = (text) => {
    if (!text) return;
    const span = document.createElement("span");
    span.className = classes.join(" ");
    span.textContent = text;
    target.append(classes.length ? span : text);
  };
  const style = (codes) => {
    for (const code of codes) {
      if (code === 0) classes = [];
      else if (code <= 4) classes = [...classes, `a${code}`];
      else if (code === 22) classes = classes.filter((each) => !["a1", "a2"].includes(each));
      else if (code >= 30 && code <= 39) classes = [...classes.filter((each) => !/^a3\d/.test(each)), ...(code === 39 ? [] : [`a${code}`])];
      else if (code >= 90 && code <= 97) classes = [...classes.filter((each) => !/^a3\d/.test(each)), `a${code - 60}`];
    }
  };
  return (chunk) => {
    let text = rest + chunk.replace(/\r\n/g, "\n").replace(/[^\n]*\r(?!\n)/g, "");
    const cut = text.search(/\x1b(\[[0-9;]*)?$/);
    rest = cut >= 0 ? text.slice(cut) : "";
    text = cut >= 0 ? text.slice(0, cut) : text;
    let at = 0;
    for (const match of text.matchAll(SEQUENCE)) {
      put(text.slice(at, match.index));
      if (match[2] === "m") style((match[1] || "0").split(";").map(Number));
      at = match.index + match[0].length;
    }
    put(text.slice(at));
  };
}

function finder(pre, input, count) {
  let hits = [];
  let now = -1;
  const clear = () => { pre.querySelectorAll("mark").forEach((each) => each.replaceWith(each.textContent)); pre.normalize(); };
  const mark = () => {
    clear();
    hits = [];
    const wanted = input.value.toLowerCase();
    const walker = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (wanted && walker.nextNode()) nodes.push(walker.currentNode);
    for (let node of nodes) {
      let at;
      while ((at = node.textContent.toLowerCase().indexOf(wanted)) >= 0 && hits.length < 1000) {
        const found = node.splitText(at);
        node = found.splitText(wanted.length);
        const element = document.createElement("mark");
        found.replaceWith(element);
        element.append(found);
        hits.push(element);
      }
    }
    now = -1;
    count.textContent = wanted ? `${hits.length} found` : "";
  };
  input.addEventListener("input", mark);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !hits.length) return;
    event.preventDefault();
    hits[now]?.classList.remove("now");
    now = (now + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
    hits[now].classList.add("now");
    hits[now].scrollIntoView({ block: "nearest" });
    count.textContent = `${now + 1} of ${hits.length}`;
  });
}

export function log() {
  const pre = document.querySelector("pre[data-follow]");
  if (!pre) return;
  const box = pre.closest(".log-box");
  const state = box.querySelector(".log-state");
  const write = painter(pre);
  const words = box.querySelector("input");
  finder(pre, words, state);
  // While somebody searches, the line says what was found.
  const say = (text) => { if (!words.value) state.textContent = text; };
  box.querySelector("[data-end]").addEventListener("click", () => { pre.scrollTop = pre.scrollHeight; pre.focus(); });
  const source = new EventSource(`${pre.dataset.follow}&_xsrf=${encodeURIComponent(document.body.dataset.xsrf)}`);
  let length = 0;
  source.onopen = () => say("Live");
  source.onmessage = (event) => {
    const atEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40;
    const text = JSON.parse(event.data);
    length += text.length;
    if (length > KEPT) {
      pre.replaceChildren("… the beginning is in the download …\n");
      length = text.length;
    }
    write(text);
    if (atEnd) pre.scrollTop = pre.scrollHeight;
  };
  source.onerror = () => say("Connecting again …");
  source.addEventListener("end", () => {
    source.close();
    say(length ? "Complete" : "Nothing was written");
    pre.dispatchEvent(new CustomEvent("logend", { bubbles: true }));
  });
}
