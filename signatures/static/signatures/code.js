// The code editor: CodeMirror in place of the text area named `source`, which stays what is posted. Without script the
// text area is the editor. It stands in a shadow root, where its stylesheet is an object and no policy has to allow it.
"use strict";
(() => {
  const area = document.querySelector("form[data-checks] textarea[name=source]");
  if (!area || !globalThis.codemirror) return;
  const { EditorState, EditorView, keymap, tags: t, ...cm } = globalThis.codemirror;
  const form = area.form;
  const offered = JSON.parse(document.getElementById("completions").textContent);
  const status = form.querySelector("[data-code-status]");
  const sheet = document.getElementById("checks");
  const NAMES = { error: "Error", warning: "Warning", note: "Note" };
  const TONES = { error: "bad", warning: "warn", note: "" };
  const PAUSE = 400; // milliseconds without typing before the source is checked

  // What may stand where: fields, filters and tags inside braces; elements, attributes and properties of styles outside.
  const list = (names, type) => names.map((label) => ({ label, type }));
  const fields = Object.fromEntries(Object.entries(offered.fields).map(([owner, all]) => [
    owner, all.map(([label, detail, info]) => ({ label, detail, info, type: "property" })),
  ]));
  const inLiquid = cm.liquidCompletionSource({
    filters: list(offered.filters, "function"),
    variables: list(Object.keys(fields), "variable"),
    properties: (path) => (path.length === 1 && fields[path[0]]) || [],
  });
  const allowed = new Set([...offered.filters, ...offered.liquid, ...Object.keys(fields)]);
  const completeLiquid = (context) => {
    const found = inLiquid(context);
    const once = new Set(); // the package's own lists follow ours, and hold more than we have
    const options = found?.options.filter(({ label, type }) => {
      if (type === "property") return true;
      return allowed.has(label) && !once.has(label) && once.add(label);
    });
    return options?.length ? { ...found, options } : null;
  };
  const MARKUP = [
    [/\sstyle="(?:[^"]*;)?\s*([a-z-]*)$/, () => list(offered.styles, "property")],
    [/<\/?([a-z][a-z0-9]*|)$/, () => list(Object.keys(offered.elements), "type")],
    [/<([a-z][a-z0-9]*)(?:\s+[a-z-]+="[^"]*")*\s+([a-z]*)$/, (tag) => list(offered.elements[tag] ?? [], "keyword")],
  ];
  const complete = (context) => {
    const before = context.state.sliceDoc(Math.max(0, context.pos - 1000), context.pos);
    const opened = Math.max(before.lastIndexOf("{{"), before.lastIndexOf("{%"));
    if (opened > Math.max(before.lastIndexOf("}}"), before.lastIndexOf("%}"))) return completeLiquid(context);
    for (const [pattern, names] of MARKUP) {
      const found = before.match(pattern);
      if (!found) continue;
      const typed = found.at(-1);
      if (!typed && !context.explicit) return null;
      return { from: context.pos - typed.length, options: names(found[1]), validFor: /^[a-z0-9-]*$/ };
    }
    return null;
  };

  // Findings: the server is the only one who judges. Lines and columns count from 1, columns in characters.
  let asked = 0;
  const check = async (view) => {
    const turn = ++asked;
    const doc = view.state.doc;
    const findings = await ask().catch(() => null);
    if (turn !== asked) return [];
    if (!findings) {
      status.textContent = "The source could not be checked. The next change tries again.";
      return [];
    }
    show(findings);
    return findings.filter(({ line }) => line && line <= doc.lines).map((one) => {
      const { from, to, text } = doc.line(one.line);
      const start = Math.min(from + [...text].slice(0, one.column - 1).join("").length, to);
      const words = text.slice(start - from).match(/^(?:<[^>]*>?|\{\{.*?\}\}|\{%.*?%\}|[^\s<{]+)/)?.[0] ?? "";
      const severity = one.severity === "note" ? "info" : one.severity;
      return { from: start, to: Math.min(start + words.length, to), severity, message: say(one) };
    });
  };
  const ask = async () => {
    const answer = await fetch(form.dataset.checks, { method: "POST", body: new FormData(form) });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return (await answer.json()).findings;
  };
  const say = ({ message, remedy }) => `${message} ${remedy}`.trim();

  // The list below shows the same findings, each with a way to its line.
  const show = (findings) => {
    const rows = findings.map((one) => {
      const row = sheet.querySelector("template").content.cloneNode(true);
      const badge = row.querySelector(".badge");
      badge.textContent = NAMES[one.severity];
      badge.className = `badge ${TONES[one.severity]}`;
      row.querySelector("[data-sentence]").textContent = one.message;
      row.querySelector("[data-remedy]").textContent = one.remedy;
      row.querySelector("[data-block]").textContent = one.block;
      if (one.people !== null) row.querySelector("[data-people]").replaceChildren(count(one));
      const open = row.querySelector("[data-open]");
      if (one.path) open.value = `open:${one.path}`;
      else open.remove();
      const place = row.querySelector("[data-line]");
      if (!one.line) place.remove();
      else {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button small";
        button.textContent = `Line ${one.line}`;
        button.addEventListener("click", () => goTo(one));
        place.replaceWith(button);
      }
      return row;
    });
    const list = sheet.querySelector(".findings");
    list.replaceChildren(...rows);
    globalThis.htmx?.process(list);
    sheet.querySelector("[data-none]").hidden = findings.length > 0;
  };
  const count = ({ people, list }) => {
    const words = `${people.toLocaleString("en")} ${people === 1 ? "person" : "people"}`;
    if (!list) return words;
    const link = document.createElement("a");
    link.href = list;
    link.textContent = words;
    return link;
  };
  const goTo = ({ line, column }) => {
    const { from, to } = view.state.doc.line(Math.min(line, view.state.doc.lines));
    const anchor = Math.min(from + column - 1, to);
    let head = anchor;
    cm.forEachDiagnostic(view.state, (one, start, end) => { if (start === anchor) head = end; });
    view.dispatch({ selection: { anchor, head }, scrollIntoView: true }); // all of it, so that F8 goes on from here
    view.focus();
  };

  // What is wrong on the line that the cursor is in, for eyes and for screen readers.
  const tell = (state) => {
    const here = state.doc.lineAt(state.selection.main.head);
    const said = [];
    cm.forEachDiagnostic(state, (one, from) => {
      if (from >= here.from && from <= here.to) said.push(`${NAMES[one.severity] ?? NAMES.note}: ${one.message}`);
    });
    const words = said.length ? `Line ${here.number}. ${said.join(" ")}` : "";
    if (status.textContent !== words) status.textContent = words;
  };

  const underline = (colour) => ({ backgroundImage: "none", textDecoration: `underline wavy ${colour}`, textUnderlineOffset: ".2em" });
  const mark = (colour) => ({ content: '""', width: ".6em", height: ".6em", borderRadius: "50%", background: colour, margin: ".45em auto" });
  const look = EditorView.theme({
    "&": { height: "32rem", color: "var(--ink)", background: "var(--sheet)", border: "1px solid var(--edge)", borderRadius: "var(--radius-s)", fontSize: ".84rem" },
    "&.cm-focused": { outline: "2px solid var(--pen)", borderColor: "var(--pen)" },
    ".cm-scroller": { fontFamily: "var(--code)", lineHeight: "1.6", overflow: "auto" },
    ".cm-content": { caretColor: "var(--ink)", tabSize: 2 },
    ".cm-gutters": { background: "var(--sunken)", color: "var(--ink-3)", borderRight: "1px solid var(--line)" },
    ".cm-selectionMatch, &.cm-focused .cm-matchingBracket": { background: "var(--pen-wash)" },
    "&.cm-focused .cm-nonmatchingBracket": { background: "var(--bad-wash)" },
    ".cm-searchMatch": { background: "var(--warn-wash)", outline: "1px solid var(--warn)" },
    ".cm-tooltip, .cm-panels": { background: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--line-2)" },
    ".cm-tooltip": { borderRadius: "var(--radius-s)", fontFamily: "var(--text)", maxWidth: "32rem" },
    ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--code)" },
    ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--pen)", color: "var(--pen-ink)" },
    ".cm-completionDetail": { fontFamily: "var(--text)", fontStyle: "normal" },
    ".cm-completionMatchedText": { textDecoration: "none", fontWeight: 600 },
    ".cm-completionInfo": { padding: "var(--s2) var(--s3)" },
    ".cm-diagnostic": { padding: "var(--s2) var(--s3)", borderLeft: "3px solid var(--idle)" },
    ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
    ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
    ".cm-lintRange-error": underline("var(--bad)"),
    ".cm-lintRange-warning": underline("var(--warn)"),
    ".cm-lintRange-info": underline("var(--idle)"),
    ".cm-lint-marker-error": mark("var(--bad)"),
    ".cm-lint-marker-warning": mark("var(--warn)"),
    ".cm-lint-marker-info": mark("var(--idle)"),
    ".cm-button, .cm-textfield": { font: "inherit", color: "var(--ink)", background: "var(--sheet)", border: "1px solid var(--edge)", borderRadius: "var(--radius-s)" },
  });
  const colours = cm.HighlightStyle.define([
    { tag: [t.tagName, t.angleBracket], color: "var(--pen)" },
    { tag: [t.attributeName, t.propertyName], color: "var(--ink-2)" },
    { tag: [t.attributeValue, t.string, t.number, t.color, t.unit, t.atom], color: "var(--good)" },
    { tag: [t.keyword, t.controlKeyword, t.operatorKeyword, t.brace], color: "var(--warn)" },
    { tag: [t.variableName, t.special(t.propertyName)], color: "var(--bad)" },
    { tag: [t.comment, t.blockComment, t.meta, t.documentMeta], color: "var(--ink-3)", fontStyle: "italic" },
    { tag: t.invalid, color: "var(--bad)" },
  ]);

  const label = form.querySelector(`label[for="${area.id}"]`);
  const described = (area.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent.trim());
  const attributes = {
    "aria-label": label.textContent.trim(),
    "aria-description": described.filter(Boolean).join(" "),
    autocapitalize: "off",
    spellcheck: "false",
    tabindex: "0",
  };
  if (area.getAttribute("aria-invalid") === "true") attributes["aria-invalid"] = "true";
  const changed = (update) => {
    if (update.docChanged && area.value !== update.state.doc.toString()) {
      area.value = update.state.doc.toString();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    tell(update.state);
  };

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open", delegatesFocus: true });
  area.after(host);
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        cm.lineNumbers(), cm.lintGutter(), cm.highlightSpecialChars(), cm.history(), cm.bracketMatching(), cm.closeBrackets(),
        EditorState.languageData.of(() => [{ closeBrackets: { brackets: ["{", '"'], before: ")]}:;<>" } }]),
        cm.highlightSelectionMatches(), cm.search({ top: true }),
        cm.liquid({ base: cm.html() }), cm.autocompletion({ override: [complete], icons: false, interactionDelay: 0 }),
        cm.linter(check, { delay: PAUSE }), cm.syntaxHighlighting(colours), look,
        EditorState.tabSize.of(2), EditorView.contentAttributes.of(attributes), EditorView.updateListener.of(changed),
        // Tab is not bound: it leaves the editor.
        keymap.of([
          { key: "F8", run: cm.nextDiagnostic, shift: cm.previousDiagnostic },
          ...cm.closeBracketsKeymap, ...cm.completionKeymap, ...cm.searchKeymap, ...cm.historyKeymap, ...cm.defaultKeymap,
        ]),
      ],
    }),
  });
  // What points at the field points at the editor now, and what else writes the source is followed.
  host.id = area.id;
  area.removeAttribute("id");
  label.removeAttribute("for");
  label.addEventListener("click", () => view.focus());
  area.hidden = true;
  area.addEventListener("input", () => {
    const doc = view.state.doc;
    if (area.value !== doc.toString()) view.dispatch({ changes: { from: 0, to: doc.length, insert: area.value } });
  });
  // Other pages link to a line.
  const line = location.hash.match(/^#line-(\d{1,6})$/);
  if (line) goTo({ line: Number(line[1]), column: 1 });
})();
