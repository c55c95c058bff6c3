/**
 * Looks in the frames of a whole record for the places where a wanted body may be, natively, so that the other bodies are neither decoded
 * nor looked at one by one.
 */

/**
 * Returns the first position from `from` on at which what each wanted body contains begins; -1 if no body wants a look. A position may
 * be a coincidence: also one in a frame's header, or one that reaches into the next frame.
 */
export type Candidates = (from: number) => number

/** Begins to look in bytes. */
export type BodySearch = (bytes: Buffer) => Candidates

/** Takes each body for a candidate. */
export const everywhere: BodySearch = () => (from) => from

/** Looks for bodies that contain these bytes. */
export const containing = (needle: Buffer): BodySearch => (bytes) => (from) => bytes.indexOf(needle, from)

/** Longer records are passed on body by body: the stack of regular expressions has a limit. */
const maxBytes = 4 * 1024 * 1024

/** Looks for bodies that match a pattern of bytes, each of them the character with its number. The pattern has the flag `g`. */
export const matching = (pattern: RegExp): BodySearch => (bytes) => {
  if (bytes.length > maxBytes) return (from) => from
  const text = bytes.toString("latin1")
  return (from) => {
    pattern.lastIndex = from
    return pattern.exec(text)?.index ?? -1
  }
}
