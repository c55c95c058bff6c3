/**
 * Finds the elements of one long list in a JSON object without parsing it, so that a large text can be parsed in many short
 * steps. Every element and the rest of the object still have to be parsed: all of them are valid only if the whole text is.
 *
 * Runs over bytes: 10 MB take about 30 ms, in as many steps as there are elements.
 */

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

const skipSpace = (text: Buffer, at: number): number => {
  while (isSpace(text[at])) at++
  return at
}

/** Returns the position after the string that begins at `at`; -1 if the string has no end. */
const skipString = (text: Buffer, at: number): number => {
  for (at++; at < text.length; at++) {
    if (text[at] === backslash) at++
    else if (text[at] === quote) return at + 1
  }
  return -1
}

/** Returns the position after the value that begins at `at`; -1 without an end. Any text up to a separator counts as a value. */
const skipValue = (text: Buffer, at: number): number => {
  let depth = 0
  while (at < text.length) {
    const byte = text[at]
    if (byte === quote) {
      at = skipString(text, at)
      if (at < 0) return -1
      if (depth === 0) return at
      continue
    }
    if (byte === openBrace || byte === openBracket) depth++
    else if (byte === closeBrace || byte === closeBracket) {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (byte === comma || isSpace(byte))) return at
    at++
  }
  return -1
}

/** The bytes from `start` up to `end`. */
export interface Slice {
  readonly start: number
  readonly end: number
}

/** The elements of the list, and the rest of the object. */
export interface Elements {
  readonly elements: ReadonlyArray<Slice>
  /** The text of the object, with the list replaced by an empty one. */
  readonly rest: string
}

/** Returns the elements of the list that begins at `at`, and the position after the list. One step for each element. */
function* elementsFrom(text: Buffer, at: number): Generator<void, readonly [Array<Slice>, number] | undefined, void> {
  const elements: Array<Slice> = []
  at = skipSpace(text, at + 1)
  if (text[at] === closeBracket) return [elements, at + 1]
  while (true) {
    const end = skipValue(text, at)
    if (end < 0) return undefined
    elements.push({ start: at, end })
    at = skipSpace(text, end)
    if (text[at] === closeBracket) return [elements, at + 1]
    if (text[at] !== comma) return undefined
    at = skipSpace(text, at + 1)
    yield
  }
}

/**
 * Finds the elements of the list with this key. Returns `undefined` if the text is not an object with exactly one such list, or
 * if a key contains escapes; the text then has to be parsed as a whole.
 */
export function* find(text: Buffer, key: string): Generator<void, Elements | undefined, void> {
  const wanted = Buffer.from(`"${key}"`)
  let found: { readonly list: Slice; readonly elements: Array<Slice> } | undefined
  let at = skipSpace(text, 0)
  if (text[at] !== openBrace) return undefined
  do {
    at = skipSpace(text, at + 1)
    if (text[at] !== quote) return undefined
    const name = { start: at, end: skipString(text, at) }
    if (name.end < 0 || text.subarray(name.start, name.end).includes(backslash)) return undefined
    at = skipSpace(text, name.end)
    if (text[at] !== colon) return undefined
    at = skipSpace(text, at + 1)
    if (text.subarray(name.start, name.end).equals(wanted)) {
      if (found !== undefined || text[at] !== openBracket) return undefined
      const list = yield* elementsFrom(text, at)
      if (list === undefined) return undefined
      const [elements, end] = list
      found = { list: { start: at, end }, elements }
      at = end
    } else {
      at = skipValue(text, at)
      if (at < 0) return undefined
    }
    at = skipSpace(text, at)
  } while (text[at] === comma)
  if (text[at] !== closeBrace || skipSpace(text, at + 1) !== text.length || found === undefined) return undefined
  const { elements, list } = found
  return { elements, rest: `${text.toString("utf8", 0, list.start)}[]${text.toString("utf8", list.end)}` }
}
