// What the code editor uses of CodeMirror; signatures/static/signatures/code.js reads it as `codemirror`.
export { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { htmlLanguage, html } from "@codemirror/lang-html";
export { liquid, liquidCompletionSource } from "@codemirror/lang-liquid";
export { bracketMatching, HighlightStyle, syntaxHighlighting, syntaxTree } from "@codemirror/language";
export { forceLinting, forEachDiagnostic, lintGutter, linter, nextDiagnostic, previousDiagnostic } from "@codemirror/lint";
export { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
export { EditorState } from "@codemirror/state";
export { EditorView, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
export { tags } from "@lezer/highlight";
