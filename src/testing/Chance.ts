/**
 * Chance that follows from a seed, for what a test must be able to repeat.
 */
import type { Cut } from "./MemoryPipe.ts"

/** Returns numbers from 0 to 1, without 1. */
export type Chance = () => number

/** A counter that starts at the seed, with its bits mixed by multiplications: fast, and different for neighbouring seeds. */
export const make = (seed: number): Chance => {
  let counter = Math.imul(seed ^ 0x3c6ef372, 0x9e3779b1)
  return () => {
    counter = (counter + 0x6d2b79f5) | 0
    let bits = Math.imul(counter ^ (counter >>> 16), 0x21f0aaad)
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32
  }
}

/** Returns the seed of one part of a program, which does not depend on what the other parts do. */
export const seedOf = (seed: number, part: string): number => {
  let hash = seed | 0
  for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193)
  return hash
}

/** Splits a third of all writes once, at any byte. */
export const cuts = (chance: Chance): Cut => (bytes) => {
  if (bytes.length < 2 || chance() > 1 / 3) return [bytes]
  const at = 1 + Math.floor(chance() * (bytes.length - 1))
  return [bytes.subarray(0, at), bytes.subarray(at)]
}
