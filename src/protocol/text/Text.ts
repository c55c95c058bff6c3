/**
 * Names and numbers in NSQ's command lines and error texts (docs/protocol/client.md#command-lines): Go's rules for quoting (`%q`)
 * and for decimal numbers, which wrap at 64 bits.
 */

/**
 * Parses ASCII digits as NSQ does: an empty string is 0, numbers wrap at 64 unsigned bits. Returns `undefined` for any other
 * character.
 *
 * @since 0.1.0
 * @category codecs
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

/** Returns the length in bytes of the valid UTF-8 sequence at `position`; 0 if it is not valid. */
const utf8Length = (bytes: Buffer, position: number): number => {
  const first = bytes[position] ?? 0
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0
  if (length === 0 || position + length > bytes.length) return 0
  const text = bytes.toString("utf8", position, position + length)
  return text.includes("\ufffd") && !bytes.subarray(position, position + length).equals(Buffer.from("\ufffd"))
    ? 0
    : length
}

/**
 * Returns `bytes` in double quotes with Go's escapes. The result has one character per byte (latin1).
 *
 * @since 0.1.0
 * @category operations
 */
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
