/**
 * Hints for a flag that a program does not have: similar names, and other programs that have it. Old guides show flags at the wrong
 * program, for example `nsqd --lookupd-http-address`.
 */

/** The number of characters to insert, remove or replace to turn one text into the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

/** Returns the name that is most similar to a misspelt one; `undefined` if none is similar. */
export const closest = (name: string, names: Iterable<string>): string | undefined => {
  let best: string | undefined
  // A quarter of the characters may differ.
  let least = Math.max(1, Math.floor(name.length / 4)) + 1
  for (const candidate of names) {
    const edits = distance(name, candidate)
    if (edits < least) [best, least] = [candidate, edits]
  }
  return best
}

/**
 * Returns a line with what the user may have meant; `undefined` if there is nothing to suggest.
 *
 * - `program`: the program that was started, and `name` the flag that it does not have
 * - `flagsOf`: the flags of each program, that one included
 */
export const hint = (
  program: string,
  name: string,
  flagsOf: ReadonlyMap<string, ReadonlyArray<string>>
): string | undefined => {
  const owners = Array.from(flagsOf).filter(([, names]) => names.includes(name)).map(([owner]) => owner)
  const similar = closest(name, flagsOf.get(program) ?? [])
  const parts = [
    ...owners.length === 0 ? [] : [`-${name} is a flag of ${owners.join(", ")}`],
    ...similar === undefined ? [] : [`did you mean -${similar}?`]
  ]
  return parts.length === 0 ? undefined : `${program}: ${parts.join("; ")}`
}
