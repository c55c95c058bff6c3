/**
 * JSON objects as Go reads them into a struct: keys match whatever their case, `null` counts as absent, unknown keys are
 * ignored. What the fields must be is for a Schema.
 */
import { Result, Schema } from "effect"

/** Parses any JSON text. */
export const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

/** How large a JSON text may be in other respects than its length. */
export interface ShapeLimits {
  /** Objects and arrays inside each other. */
  readonly maxDepth: number
  /** Keys of all objects together. */
  readonly maxKeys: number
}

const quote = 0x22
const backslash = 0x5c

/** Whether a JSON text keeps the limits, found in one pass without building anything. Says nothing about text that is not JSON. */
export const isWithin = (text: Buffer, { maxDepth, maxKeys }: ShapeLimits): boolean => {
  let depth = 0
  let keys = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const byte = text[i]
    if (inString) {
      if (byte === backslash) i++
      else if (byte === quote) inString = false
    } else if (byte === quote) {
      inString = true
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) return false
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--
    } else if (byte === 0x3a && ++keys > maxKeys) {
      return false
    }
  }
  return true
}

/** Go's folding of the letters that occur in field names: besides ASCII, the long s counts as s and the Kelvin sign as k. */
const fold = (key: string): string => key.toLowerCase().replaceAll("ſ", "s")

/** Finds the fields of these names in a JSON value; `undefined` when it is not an object. `null` is an empty object. */
export const fieldFinder = (
  names: ReadonlyArray<string>
): (value: unknown) => Record<string, unknown> | undefined => {
  const fieldNames = new Map(names.map((name) => [fold(name), name]))
  return (value) => {
    if (value === null) return {}
    if (typeof value !== "object" || Array.isArray(value)) return undefined
    const fields: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(value)) {
      const name = fieldNames.get(fold(key))
      if (name !== undefined && field !== null) fields[name] = field
    }
    return fields
  }
}

/** Finds the fields of these names in a text; `undefined` when it is not a JSON object. `null` is an empty one. */
export const reader = (names: ReadonlyArray<string>): (text: string) => Record<string, unknown> | undefined => {
  const fieldsOf = fieldFinder(names)
  return (text) => {
    const parsed = parse(text)
    return Result.isFailure(parsed) ? undefined : fieldsOf(parsed.success)
  }
}
