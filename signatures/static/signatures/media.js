// Media: files dropped onto the upload form, and a crop that is drawn. Without it, the file input and the numbers do the same.
"use strict";
(() => {
  for (const box of document.querySelectorAll("[data-drop]")) {
    const input = box.querySelector("input[type=file]");
    const mark = (event) => {
      event.preventDefault();
      box.classList.toggle("over", event.type === "dragover");
    };
    box.addEventListener("dragover", mark);
    box.addEventListener("dragleave", mark);
    box.addEventListener("drop", (event) => {
      mark(event);
      if (!event.dataTransfer.files.length) return;
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
      input.focus();
    });
  }
})();

(() => {
  const box = document.querySelector("[data-crop]");
  if (!box) return;
  const form = box.closest("form");
  const image = box.querySelector("img");
  const isSquare = box.dataset.crop === "square";
  const fields = Object.fromEntries(["x", "y", "width", "height"].map((name) => [name, form.elements[name]]));
  const size = { width: Number(image.getAttribute("width")), height: Number(image.getAttribute("height")) };
  const LEAST = Number(fields.width.min);
  const shade = document.createElement("span");
  const corner = document.createElement("span");
  shade.className = "kept";
  corner.className = "corner";
  shade.append(corner);
  box.append(shade);

  const read = () => Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, Number(field.value) || 0]));
  const within = (value, low, high) => Math.round(Math.min(Math.max(value, low), Math.max(high, low)));

  // The whole image cannot be moved, so a part is drawn anywhere in it.
  const isWhole = (crop) => crop.width >= size.width && crop.height >= size.height;

  const draw = () => {
    const crop = read();
    shade.classList.toggle("whole", isWhole(crop));
    shade.style.left = `${(100 * crop.x) / size.width}%`;
    shade.style.top = `${(100 * crop.y) / size.height}%`;
    shade.style.width = `${(100 * crop.width) / size.width}%`;
    shade.style.height = `${(100 * crop.height) / size.height}%`;
  };
  const write = (crop) => {
    for (const [name, field] of Object.entries(fields)) field.value = crop[name];
    draw();
  };
  const point = (event) => {
    const shown = image.getBoundingClientRect();
    return {
      x: ((event.clientX - shown.left) * size.width) / shown.width,
      y: ((event.clientY - shown.top) * size.height) / shown.height,
    };
  };
  // From one corner to the pointer, inside the image; a square where signatures show one.
  const span = (from, to) => {
    let width = within(Math.abs(to.x - from.x), LEAST, to.x < from.x ? from.x : size.width - from.x);
    let height = within(Math.abs(to.y - from.y), LEAST, to.y < from.y ? from.y : size.height - from.y);
    if (isSquare) width = height = Math.min(width, height);
    return {
      x: within(to.x < from.x ? from.x - width : from.x, 0, size.width - width),
      y: within(to.y < from.y ? from.y - height : from.y, 0, size.height - height),
      width,
      height,
    };
  };

  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    box.setPointerCapture(event.pointerId);
    const start = point(event);
    const before = read();
    const moves = event.target === shade && !isWhole(before);
    const from = event.target === corner ? { x: before.x, y: before.y } : start;
    const follow = (moved) => {
      const now = point(moved);
      if (!moves) return write(span(from, now));
      write({
        ...before,
        x: within(before.x + now.x - start.x, 0, size.width - before.width),
        y: within(before.y + now.y - start.y, 0, size.height - before.height),
      });
    };
    box.addEventListener("pointermove", follow);
    const end = () => box.removeEventListener("pointermove", follow);
    box.addEventListener("pointerup", end, { once: true });
    box.addEventListener("pointercancel", end, { once: true });
  });
  form.addEventListener("input", draw);
  draw();
})();
