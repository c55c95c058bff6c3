/**
 * The decisions of a crash: which un-synced changes survive. All of them follow from one seed, so that a failed test can be
 * repeated.
 */

/** Decides about one crash. Each call makes the next decision. */
export interface Fate {
  /** Decides whether an operation in progress takes effect before the crash. */
  readonly completes: () => boolean
  /** The number of bytes that a write of `size` bytes in progress has written: 0 to `size`. */
  readonly cut: (size: number) => number
  /** Decides whether an un-synced creation, rename or removal survives. */
  readonly keepsEntry: () => boolean
  /** The index of the surviving content of a page, of `count` contents from the synced to the newest. */
  readonly page: (count: number) => number
  /** The index of the surviving size of a file, of `count` sizes from the synced to the newest. */
  readonly size: (count: number) => number
  /** Decides whether the sectors of a page survive separately. */
  readonly tears: () => boolean
}

/** Nothing survives that is not synced, and an operation in progress does nothing. */
export const nothing: Fate = {
  completes: () => false,
  cut: () => 0,
  keepsEntry: () => false,
  page: () => 0,
  size: () => 0,
  tears: () => false
}

/** A counter that starts at the seed, with its bits mixed by multiplications: fast, and different for neighbouring seeds. */
const chance = (seed: number): () => number => {
  let counter = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1)
  return () => {
    counter = (counter + 0x6d2b79f5) | 0
    let bits = Math.imul(counter ^ (counter >>> 16), 0x21f0aaad)
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32
  }
}

/** The survival rates of one crash. The extremes are frequent, because most defects need almost all or almost nothing. */
const rates = [0, 0.1, 0.5, 0.9, 1]

/** A random fate. Each crash has its own survival rates for entries, pages and sizes. */
export const fromSeed = (seed: number): Fate => {
  const next = chance(seed)
  const below = (limit: number) => Math.floor(next() * limit)
  const rate = () => rates[below(rates.length)] ?? 0
  const [entries, pages, sizes] = [rate(), rate(), rate()]
  const torn = rate() / 2
  /** The newest, or an older one, more often the oldest than each other. */
  const version = (count: number, newest: number) =>
    count <= 1 ? 0 : next() < newest ? count - 1 : next() < 0.5 ? 0 : below(count - 1)
  return {
    completes: () => next() < 0.5,
    cut: (size) => {
      const choice = next()
      return choice < 0.1 ? 0 : choice > 0.9 ? size : below(size + 1)
    },
    keepsEntry: () => next() < entries,
    page: (count) => version(count, pages),
    size: (count) => version(count, sizes),
    tears: () => next() < torn
  }
}

/** The fate of a seed; without a seed, nothing un-synced survives. */
export const make = (seed: number | undefined): Fate => seed === undefined ? nothing : fromSeed(seed)
