/** The time that large charts show, in the address of the page as `range` and `compare`. Pure; `charts/Range.tsx` has the menu. */

/** The times before now to choose from. */
export const presets = [
  { name: "15m", label: "15 min", words: "past 15 minutes", span: 900_000 },
  { name: "1h", label: "1 h", words: "past hour", span: 3_600_000 },
  { name: "6h", label: "6 h", words: "past 6 hours", span: 21_600_000 },
  { name: "24h", label: "24 h", words: "past 24 hours", span: 86_400_000 },
  { name: "7d", label: "7 d", words: "past 7 days", span: 604_800_000 }
] as const

/** A time before now, or from one time to another. */
export interface Range {
  /** Milliseconds. */
  readonly span: number
  /** Unix milliseconds of its end; 0 for now. */
  readonly to: number
}

/** The range of a page without one in its address. */
export const initial: Range = { span: 3_600_000, to: 0 }

/** The shortest range of the server, in milliseconds. */
export const shortest = 60_000

/** Returns the range between two times; undefined if it is too short. */
export const between = (from: number, to: number): Range | undefined => {
  const [start, end] = [Math.round(from), Math.round(to)]
  return end - start >= shortest ? { span: end - start, to: end } : undefined
}

/** Parses `6h`, or two times in Unix milliseconds with a hyphen. */
export const parse = (text: string): Range => {
  const preset = presets.find(({ name }) => name === text)
  if (preset !== undefined) return { span: preset.span, to: 0 }
  const [, from = "", to = ""] = /^(\d{1,15})-(\d{1,15})$/.exec(text) ?? []
  return (from === "" ? undefined : between(Number(from), Number(to))) ?? initial
}

/** The inverse of `parse`; empty for the initial range. */
export const format = ({ span, to }: Range): string =>
  to !== 0
    ? `${to - span}-${to}`
    : span === initial.span
    ? ""
    : presets.find((preset) => preset.span === span)?.name ?? ""
