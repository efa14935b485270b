// A recipe's form: rows are added and taken away, parts show by the kind of work, and problems stand at their field before the click.
const AT = 350;

function rows(form) {
  form.addEventListener("click", (event) => {
    const add = event.target.closest("[data-add]");
    const drop = event.target.closest("[data-drop]");
    if (add) {
      const list = document.getElementById(add.dataset.add);
      list.append(list.querySelector("template").content.cloneNode(true));
      list.lastElementChild.querySelector("input, select")?.focus();
    }
    if (drop) {
      drop.closest(".row-line").remove();
      form.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}

function parts(form) {
  const show = () => {
    for (const part of form.querySelectorAll("[data-when]")) {
      const [name, ...values] = part.dataset.when.split(" ");
      const chosen = new FormData(form).get(name);
      part.hidden = !values.includes(chosen);
      part.querySelectorAll("input, textarea, select").forEach((each) => { each.disabled = part.hidden; });
    }
  };
  form.addEventListener("change", show);
  show();
}

function say(form, problems, touched, all) {
  for (const slot of form.querySelectorAll("[data-problems]")) {
    const name = slot.dataset.problems;
    const found = problems.filter((each) => each.field === name && (all || touched.has(name)));
    slot.replaceChildren(...found.map((each) => Object.assign(document.createElement("div"), { textContent: each.message })));
    const field = document.getElementById(name);
    if (field?.matches("input, select, textarea")) {
      if (found.length) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }
}

export function form() {
  const found = document.querySelector("form[data-check]");
  if (!found) return;
  rows(found);
  parts(found);
  const touched = new Set();
  let timer;
  let last;
  const check = async () => {
    last?.abort();
    last = new AbortController();
    try {
      const answer = await fetch(found.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(found)), signal: last.signal });
      if (!answer.ok) return;
      const { problems, costs, state, schedule } = await answer.json();
      say(found, problems, touched, false);
      document.getElementById("costs").textContent = costs;
      document.getElementById("check-state").textContent = state;
      const words = document.getElementById("schedule-words");
      if (words) words.textContent = schedule;
    } catch (error) {
      if (error.name !== "AbortError") document.getElementById("check-state").textContent = "The check does not answer just now; saving still checks everything.";
    }
  };
  found.addEventListener("input", (event) => {
    const group = event.target.closest("[data-field]");
    if (group) touched.add(group.dataset.field);
    clearTimeout(timer);
    timer = setTimeout(check, AT);
  });
  check();
}
