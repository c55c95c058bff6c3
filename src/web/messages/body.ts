/** Bodies of messages as people can read them: JSON, text or hex. Pure. */

export type View = "json" | "text" | "hex"

/** The bytes of a text in base64. */
export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const parseJson = (text: string): string | undefined => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return undefined
  }
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0")
const printable = (byte: number): string => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."
const bytesPerLine = 16

/** Offset, bytes and what of them can be printed, sixteen to a line. */
export const hex = (bytes: Uint8Array): string => {
  const lines: Array<string> = []
  for (let offset = 0; offset < bytes.length; offset += bytesPerLine) {
    const line = bytes.subarray(offset, offset + bytesPerLine)
    const codes = Array.from(line, hexByte).join(" ").padEnd(bytesPerLine * 3 - 1)
    lines.push(`${offset.toString(16).padStart(8, "0")}  ${codes}  ${Array.from(line, printable).join("")}`)
  }
  return lines.join("\n")
}

/** The bytes in the form asked for; in the nearest readable one when they are not of that form. */
export const show = (bytes: Uint8Array, view: View): { readonly view: View; readonly text: string } => {
  const text = view === "hex" ? undefined : decode(bytes)
  if (text === undefined) return { view: "hex", text: hex(bytes) }
  const json = view === "json" ? parseJson(text) : undefined
  return json === undefined ? { view: "text", text } : { view: "json", text: json }
}
