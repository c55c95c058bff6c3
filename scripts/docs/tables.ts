/** Texts in cells of Markdown tables. */

/** Escapes a text, which may contain code spans. */
export const cell = (text: string): string =>
  text.replaceAll("|", "\\|").replaceAll("{{", "&#123;&#123;").replaceAll("\n", " ")
    .split(/(`[^`]*`)/).map((part) => part.startsWith("`") ? part : part.replaceAll("<", "&lt;")).join("")

/** A code span; empty for an empty text. */
export const code = (text: string): string => text === "" ? "" : `\`${text.replaceAll("|", "\\|")}\``
