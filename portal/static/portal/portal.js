// Countersign: the portal's one script. Every page works without it; it only saves steps.
"use strict";
(() => {
  const wide = matchMedia("(min-width: 60.01rem)");

  // The places: shown by the stylesheet on wide windows, so that opening them here moves nothing.
  const fold = () => {
    for (const menu of document.querySelectorAll(".spine details")) menu.open = wide.matches;
  };

  // A menu closes when one looks elsewhere, or presses Escape.
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
  };

  // <time datetime data-time="date|clock|ago">: the reader's own zone, named in the title. "ago" keeps itself true.
  // A day without an hour has no zone and stays as written.
  const shapes = {
    date: { day: "numeric", month: "short", year: "numeric" },
    clock: { hour: "2-digit", minute: "2-digit" },
    "": { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
  };
  const exact = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });
  const zone = exact.resolvedOptions().timeZone;
  const relative = new Intl.RelativeTimeFormat("en-GB", { numeric: "always" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const ago = (at) => {
    const seconds = Math.round((at - Date.now()) / 1000);
    if (Math.abs(seconds) < 5) return "just now";
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) || units[3];
    return relative.format(Math.trunc(seconds / size), unit);
  };
  const written = (at, shape) => new Intl.DateTimeFormat("en-GB", shapes[shape] || shapes[""]).format(at);
  const times = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      if (time.dateTime.length <= 10) continue;
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const shape = time.dataset.time || "";
      const words = shape === "ago" ? ago(at) : written(at, shape);
      if (time.textContent !== words) time.textContent = words;
      time.title = `${exact.format(at)} (${zone})`;
    }
  };

  // Live regions: what htmx polls says itself aloud only when its words have changed.
  let last = "";
  const say = (words) => {
    const live = document.getElementById("live");
    if (!live || !words || words === last) return;
    last = words;
    live.textContent = words;
  };
  const spoken = (root) => {
    const box = root.matches("[data-announce]") ? root : root.querySelector("[data-announce]");
    return box ? (box.dataset.announce || box.textContent).replace(/\s+/g, " ").trim() : "";
  };

  // A table that scrolls inside itself can be reached and scrolled by keyboard, under its heading's name.
  const scrollers = (root) => {
    for (const box of root.querySelectorAll(".scroll")) {
      const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
      const owned = box.dataset.reached === "script";
      if (box.scrollWidth > box.clientWidth) box.dataset.hint = "Scroll sideways for more →";
      else delete box.dataset.hint;
      if (scrolls && !box.hasAttribute("tabindex")) {
        const title = box.closest(".sheet")?.querySelector("h2, h3");
        box.dataset.reached = "script";
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", title ? title.textContent.trim() : "Table");
      } else if (!scrolls && owned) {
        for (const name of ["tabindex", "role", "aria-label", "data-reached"]) box.removeAttribute(name);
      }
    }
  };

  // A table whose rows become cards on a phone stays a table to screen readers.
  const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  const tables = (root) => {
    for (const part of root.querySelectorAll("table.cards, table.cards :is(thead, tbody, tr, th, td)")) {
      part.setAttribute("role", roles[part.tagName] || (part.scope === "row" ? "rowheader" : "columnheader"));
    }
  };

  // <iframe class="preview">: as tall as the signature in it, whose sandbox lets us read it and runs nothing.
  const fit = (frame) => {
    const page = frame.contentDocument?.documentElement;
    if (!page?.offsetHeight || frame.contentDocument.URL === "about:blank") return;
    const bar = frame.clientHeight - page.clientHeight; // of a signature wider than the frame
    frame.style.height = `${Math.ceil(page.getBoundingClientRect().height) + bar}px`;
  };
  const follow = (frame) => {
    const body = frame.contentDocument?.body;
    if (body) new ResizeObserver(() => fit(frame)).observe(body); // says the first size, and any later one
  };
  const frames = (root) => {
    for (const frame of root.querySelectorAll("iframe.preview")) follow(frame);
  };
  document.addEventListener("load", (event) => { if (event.target.matches?.("iframe.preview")) follow(event.target); }, true);

  const dress = (root) => {
    frames(root);
    times(root);
    tables(root);
    scrollers(root);
  };

  // <form data-autosubmit>: a choice in a filter bar is its own "Filter" button; typed words wait for Enter.
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (form?.matches("[data-autosubmit]") && event.target.matches("select, input[type=checkbox], input[type=radio], input[type=date]")) {
      form.requestSubmit();
    }
  });

  // <button data-copy="#id">: what the element holds goes to the clipboard, and the button says so for a moment.
  document.addEventListener("click", async (event) => {
    closeMenus(event.target.closest("details.menu"));
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    if (!source) return;
    const words = button.dataset.label || button.textContent;
    button.dataset.label = words;
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = "Copied";
      say("Copied");
    } catch {
      button.textContent = "Copy it by hand";
      say("The browser did not let us copy. Select the text and copy it by hand.");
    }
    setTimeout(() => { button.textContent = words; last = ""; }, 2000);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMenus(null); });
  // allauth's scripts tell of a security key that was refused or not touched by this event, and show nothing.
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const note = document.querySelector("[data-key-error]") || document.createElement("p");
    note.className = "note bad";
    note.setAttribute("role", "alert");
    note.dataset.keyError = "";
    note.textContent = "The security key did not answer. Nothing was changed. Try again, or use another way.";
    document.getElementById("main").prepend(note);
  });
  document.addEventListener("htmx:load", (event) => {
    dress(event.target);
    if (event.target === document.body) last = spoken(document.body); // what the page came with is read with the page
    else say(spoken(event.target));
  });

  wide.addEventListener("change", fold);
  addEventListener("resize", () => scrollers(document));
  setInterval(() => times(document), 30000);
  fold();
  dress(document);
})();
