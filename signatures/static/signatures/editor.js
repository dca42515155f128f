// The template editor's live preview. Without it, the Preview button does the same on request.
"use strict";
(() => {
  const form = document.querySelector("form[data-live]");
  const button = form?.querySelector("[data-preview]");
  if (!button) return;
  const PAUSE = 400; // milliseconds without typing before the source is tried
  let timer = 0;
  let coming = null;
  let drafts = 0;

  // A new frame takes the answer and then the old one's place: nothing flickers, and since a frame's first
  // page replaces its empty one, the browser's way back is not filled with drafts.
  const preview = (pressed = button) => {
    const shown = form.querySelector("iframe.preview:not([hidden])");
    coming?.remove();
    coming = shown.cloneNode();
    coming.removeAttribute("src");
    coming.hidden = true;
    coming.name = `preview-${++drafts}`; // a name of its own: two frames of one name, and the old one is sent to
    pressed.setAttribute("formtarget", coming.name);
    const next = coming;
    shown.after(next);
    form.requestSubmit(pressed);
    next.addEventListener("load", () => {
      if (next !== coming) return;
      coming = null;
      next.hidden = false;
      shown.remove();
    });
  };

  form.addEventListener("input", (event) => {
    if (event.target.name === "name" || event.target.name === "width") return;
    clearTimeout(timer);
    timer = setTimeout(() => preview(), event.target.type === "radio" ? 0 : PAUSE);
  });
  form.addEventListener("submit", () => clearTimeout(timer));
  form.addEventListener("click", (event) => {
    const pin = event.target.closest("[data-pin]");
    if (!pin) return;
    event.preventDefault();
    preview(pin);
  });

  button.hidden = true;
  if (form.querySelector("[aria-invalid=true]") || !form.querySelector("iframe.preview").getAttribute("src")) preview();
})();

// The blocks: their source and the page's are one. What the server wrote is put into the source; what was typed there
// is read again. Undo goes back to an earlier source; versions keep what was saved.
(() => {
  const form = document.querySelector("form[data-live]");
  const area = form?.querySelector("textarea[name=source]");
  if (!area || !document.getElementById("blocks") || !globalThis.htmx) return;
  const MOST = 50; // sources that Undo goes back to
  const PAUSE = 800; // milliseconds without typing before the blocks follow the code
  const BRIEF = 200; // milliseconds after a setting was changed, for a click that takes it over as well
  const past = [];
  const future = [];
  let now = area.value;
  let sent = area.value; // what the answer that is on its way was made of
  let timer = 0;
  let applying = 0;

  const blocks = () => document.getElementById("blocks");
  const read = () => blocks().querySelector("[data-read]").click();
  const offer = () => {
    blocks().querySelector("[data-undo]").disabled = !past.length;
    blocks().querySelector("[data-redo]").disabled = !future.length;
  };
  const keep = (source) => {
    if (source === now) return;
    past.push(now);
    if (past.length > MOST) past.shift();
    future.length = 0;
    now = source;
  };
  const put = (source) => {
    if (area.value === source) return;
    area.value = source;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const go = (from, to) => {
    if (!from.length) return;
    to.push(now);
    now = from.pop();
    put(now);
    clearTimeout(timer);
    read();
  };

  form.addEventListener("change", (event) => {
    if (!event.target.name?.startsWith("b-")) return;
    clearTimeout(applying);
    applying = setTimeout(() => blocks().querySelector("[data-apply]")?.click(), BRIEF);
  });
  form.addEventListener("click", (event) => {
    if (event.target.closest("[name=act]")) clearTimeout(applying);
    if (event.target.closest("[data-undo]")) go(past, future);
    if (event.target.closest("[data-redo]")) go(future, past);
  });
  area.addEventListener("input", () => {
    clearTimeout(timer);
    if (area.value === now) return;
    timer = setTimeout(() => {
      keep(area.value);
      read();
    }, PAUSE);
  });
  document.body.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.target.id === "blocks") sent = area.value;
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id !== "blocks" && event.target.id !== "blocks") return;
    const source = JSON.parse(document.getElementById("blocks-source").textContent);
    keep(source);
    // What was typed since stays, and is read in its turn; Undo goes back to the answer.
    if (area.value === sent) put(source);
    offer();
  });

  // Dragging presses the same Move as the keyboard does. A place is counted without the block that moves.
  let dragged = null;
  const findPlace = (target) => {
    const [list, index] = split(target.dataset.path);
    const [fromList, from] = split(dragged.dataset.path);
    return `${list}|${list === fromList && from < index ? index - 1 : index}`;
  };
  const split = (path) => {
    const at = path.lastIndexOf("-");
    return [at < 0 ? "" : path.slice(0, at), Number(path.slice(at + 1))];
  };
  const over = (event) => {
    const target = event.target.closest?.("#blocks li[data-path]");
    return dragged && target && !dragged.contains(target) ? target : null;
  };
  const mark = (target) => {
    for (const one of document.querySelectorAll("#blocks li.over")) if (one !== target) one.classList.remove("over");
    target?.classList.add("over");
  };
  form.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.(".grip")?.closest("li[data-path]") ?? null;
    event.dataTransfer?.setData("text/plain", dragged?.dataset.path ?? "");
  });
  form.addEventListener("dragover", (event) => {
    const target = over(event);
    mark(target);
    if (target) event.preventDefault();
  });
  form.addEventListener("drop", (event) => {
    const target = over(event);
    if (!target) return;
    event.preventDefault();
    const values = { act: `move:${dragged.dataset.path}`, place: findPlace(target) };
    const path = blocks().querySelector("[data-read]").getAttribute("hx-post");
    htmx.ajax("POST", path, { source: blocks(), target: "#blocks", swap: "outerHTML", values });
  });
  form.addEventListener("dragend", () => {
    dragged = null;
    mark(null);
  });
  offer();
})();
