/**
 * The pattern of bytes that JSON has in which a path leads to a value: the last name of the path, and one of the forms of the value
 * behind it. Other JSON rarely matches, so that only few bodies have to be parsed.
 *
 * Invariant: no JSON with the value at the path is missed, however it is written: with escapes, white space, duplicate names, and any of
 * the numbers that are the same double. A whole number that JavaScript rounds is found by its digits alone. Matching takes linear time:
 * nothing behind a repetition can begin in it.
 */
const space = "[ \\t\\n\\r]*"

/** A longer value has to begin like this; a longer name has no pattern. */
const maxCharacters = 128

/** Different numbers with so many significant digits are different doubles. */
const maxDigits = 15

const byteOf = (value: number): string => `\\x${value.toString(16).padStart(2, "0")}`

const bytesOf = (text: string): string => Array.from(Buffer.from(text), byteOf).join("")

/** `\u` and four digits in any case, for each unit of UTF-16. */
const unicodeEscapeOf = (character: string): string =>
  character.split("").map((unit) => {
    const digits = unit.charCodeAt(0).toString(16).padStart(4, "0")
    return `\\\\u${digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)}`
  }).join("")

const shortEscapes: ReadonlyMap<string, string> = new Map([
  ["\"", "\\\""],
  ["\\", "\\\\"],
  ["/", "\\/"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"]
])

/** The forms of a character in a string of JSON. */
const characterOf = (character: string): string => {
  const forms = [unicodeEscapeOf(character)]
  const short = shortEscapes.get(character)
  if (short !== undefined) forms.unshift(bytesOf(short))
  if (character >= " " && character !== "\"" && character !== "\\") forms.unshift(bytesOf(character))
  return `(?:${forms.join("|")})`
}

/** The forms of a string, or of the beginning of a long one. */
const stringOf = (text: string): string => {
  const characters = Array.from(text)
  const inner = characters.slice(0, maxCharacters).map(characterOf).join("")
  return characters.length > maxCharacters ? `"${inner}` : `"${inner}"`
}

const anyNumber = "-?\\d"
/** Of a number with an exponent, which the parser compares. */
const anyPower = "-?[\\d.]+[eE]"

/**
 * The forms of the number that JavaScript writes as `text`. Without an exponent they begin with its digits, or with those of the number
 * before it in the last place and as many nines as the precision of a double needs to round up.
 */
const numberOf = (text: string): string => {
  const digits = text.replace(/[-.]/g, "").replace(/^0+/, "")
  if (!/^-?[\d.]+$/.test(text) || digits.length > maxDigits) return anyNumber
  if (text === "0") return `-?0|${anyPower}`
  const nines = "9".repeat(maxDigits - digits.length)
  const isWhole = !text.includes(".")
  const last = Number(text.slice(-1))
  const sign = text.startsWith("-") ? "-" : ""
  // A fraction does not end in 0.
  const below = isWhole ? `${sign}${Math.abs(Number(text)) - 1}.${nines}` : `${text.slice(0, -1)}${last - 1}${nines}`
  return `${bytesOf(text)}${isWhole ? "(?!\\d)" : ""}|${bytesOf(below)}|${anyPower}`
}

const isNumber = (text: string): boolean => text !== "NaN" && String(Number(text)) === text

const numberSyntax = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** The number as JavaScript writes it; `undefined` if the text is not a number. */
export const plainNumberOf = (text: string): string | undefined =>
  isNumber(text) ? text : numberSyntax.test(text) ? String(Number(text)) : undefined

/** Whether the text is a whole number that JavaScript rounds, such as an id of 64 bits: it is looked for by its digits. */
export const isRounded = (text: string): boolean =>
  /^-?\d+$/.test(text) && String(Number(text)) !== text && text !== "-0"

const numberFormsOf = (wanted: string, plain: string): string =>
  isRounded(wanted) ? `${bytesOf(wanted)}(?![\\d.eE])` : numberOf(plain)

const valueOf = (wanted: string): string => {
  const forms = [stringOf(wanted)]
  if (wanted === "true" || wanted === "false" || wanted === "null") forms.push(wanted)
  const plain = plainNumberOf(wanted)
  if (plain !== undefined) forms.push(numberFormsOf(wanted, plain))
  return `(?:${forms.join("|")})`
}

/** An element of an array has a number as its name, and nothing that leads to it but what precedes all values. */
const nameOf = (name: string): string => /^(?:0|[1-9]\d*)$/.test(name) ? "[\\[,:]" : `${stringOf(name)}${space}:`

/** Whether the text has the same form in each encoding: bytes that are not UTF-8 are decoded as U+FFFD. */
const isPlain = (text: string): boolean => text.isWellFormed() && !text.includes("\ufffd")

/** Returns the pattern, with the flag `g`; `undefined` if JSON of any form may have the value. */
export const patternOf = (path: ReadonlyArray<string>, wanted: string): RegExp | undefined => {
  const name = path.at(-1) ?? ""
  if (!isPlain(name) || !isPlain(wanted) || name.length > maxCharacters) return undefined
  // The length of an array is not written in it.
  if (name === "length" && plainNumberOf(wanted) !== undefined) return undefined
  return new RegExp(`${nameOf(name)}${space}${valueOf(wanted)}`, "g")
}
