/**
 * How names and numbers are written in NSQ's command lines and error texts: Go's rules for quoting (`%q`) and for decimal
 * numbers, which wrap at 64 bits (section 4 of the protocol notes).
 */

/**
 * The number written in ASCII digits, as NSQ reads it: an empty text is 0, arithmetic wraps at 64 unsigned bits, anything
 * but digits is `undefined`.
 */
export const parseDigits = (text: string): bigint | undefined => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 48 || code > 57) return undefined
  }
  return text === "" ? 0n : BigInt.asUintN(64, BigInt(text))
}

const escapes: Record<string, string> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  "\"": "\\\""
}

const unprintable = /[\p{C}\p{Z}]/u

const quoteCharacter = (character: string): string => {
  const escaped = escapes[character]
  if (escaped !== undefined) return escaped
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`
  if (code < 0x7f) return character
  if (!unprintable.test(character)) return character
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`
}

/** Length in bytes of the valid UTF-8 sequence at `position`, 0 when there is none. */
const utf8Length = (bytes: Buffer, position: number): number => {
  const first = bytes[position] ?? 0
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0
  if (length === 0 || position + length > bytes.length) return 0
  const text = bytes.toString("utf8", position, position + length)
  return text.includes("\ufffd") && !bytes.subarray(position, position + length).equals(Buffer.from("\ufffd"))
    ? 0
    : length
}

/** `bytes` between double quotes with Go's escapes. The result holds one character per byte (latin1). */
export const goQuote = (bytes: Buffer): string => {
  let out = "\""
  for (let i = 0; i < bytes.length;) {
    const length = utf8Length(bytes, i)
    if (length === 0) {
      out += `\\x${(bytes[i] ?? 0).toString(16).padStart(2, "0")}`
      i += 1
    } else {
      out += Buffer.from(quoteCharacter(bytes.toString("utf8", i, i + length))).toString("latin1")
      i += length
    }
  }
  return out + "\""
}
