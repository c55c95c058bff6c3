/** The text that each match of a regular expression (RE2) contains, as far as that is simple to see. */

/** One step of the walk: a literal character, or an escaped one, or what matches other text; with the beginning of a repetition. */
const step = /^(?:([\w\- !"#%&',/:;<=>@`~])|\\([!-/:-@[-`{-~])|\.|\^|\$|\\[dDsSwWbBAz])([*?+{]?)/

/**
 * Returns the longest run of literal characters before the first group, class, or repetition with numbers. The result is empty if there
 * is none, or if the expression has alternatives.
 */
export const literalOf = (regex: string): string => {
  if (regex.includes("|")) return ""
  let rest = regex
  let longest = ""
  let run = ""
  for (let match = step.exec(rest); match !== null; match = step.exec(rest)) {
    const [whole, character = "", escaped = "", repetition = ""] = match
    const literal = character + escaped
    if (repetition === "" || repetition === "+") run += literal
    if (run.length > longest.length) longest = run
    if (repetition === "{") return longest
    if (repetition !== "" || literal === "") run = ""
    rest = rest.slice(whole.length)
  }
  return longest
}
