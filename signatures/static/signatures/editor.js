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
  const preview = () => {
    const shown = form.querySelector("iframe.preview:not([hidden])");
    coming?.remove();
    coming = shown.cloneNode();
    coming.removeAttribute("src");
    coming.hidden = true;
    coming.name = `preview-${++drafts}`; // a name of its own: two frames of one name, and the old one is sent to
    button.setAttribute("formtarget", coming.name);
    const next = coming;
    shown.after(next);
    form.requestSubmit(button);
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
    timer = setTimeout(preview, event.target.type === "radio" ? 0 : PAUSE);
  });
  form.addEventListener("submit", () => clearTimeout(timer));
  button.hidden = true;
  if (form.querySelector("[aria-invalid=true]") || !form.querySelector("iframe.preview").getAttribute("src")) preview();
})();
