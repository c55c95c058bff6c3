/** Formats message bodies as JSON, text or a hex dump. Pure. */
import { layOut } from "./layOut.ts"

/** A format of bodies. */
export type View = "json" | "text" | "hex"

/** Decodes base64. */
export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0")
const printable = (byte: number): string => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."
const bytesPerLine = 16

/** Returns a hex dump with offset, bytes and printable characters, 16 bytes per line. */
export const hex = (bytes: Uint8Array): string => {
  const lines: Array<string> = []
  for (let offset = 0; offset < bytes.length; offset += bytesPerLine) {
    const line = bytes.subarray(offset, offset + bytesPerLine)
    const codes = Array.from(line, hexByte).join(" ").padEnd(bytesPerLine * 3 - 1)
    lines.push(`${offset.toString(16).padStart(8, "0")}  ${codes}  ${Array.from(line, printable).join("")}`)
  }
  return lines.join("\n")
}

/** Formats bytes in the given view. Falls back to text if they are not JSON, and to hex if they are not UTF-8. */
export const show = (bytes: Uint8Array, view: View): { readonly view: View; readonly text: string } => {
  const text = view === "hex" ? undefined : decode(bytes)
  if (text === undefined) return { view: "hex", text: hex(bytes) }
  const json = view === "json" ? layOut(text) : undefined
  return json === undefined ? { view: "text", text } : { view: "json", text: json }
}
