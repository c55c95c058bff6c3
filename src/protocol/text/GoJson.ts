/**
 * Reads JSON objects as Go decodes them into a struct: keys match in any case, `null` counts as absent, unknown keys are
 * ignored. A Schema then checks the fields.
 */
import { Result, Schema } from "effect"

/**
 * Parses JSON.
 *
 * @since 0.1.0
 * @category codecs
 */
export const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

/**
 * Limits of the structure of a JSON text.
 *
 * @since 0.1.0
 * @category models
 */
export interface ShapeLimits {
  /** Nested objects and arrays. */
  readonly maxDepth: number
  /** Keys of all objects in total. */
  readonly maxKeys: number
}

const quote = 0x22
const backslash = 0x5c

/**
 * Whether a JSON text is within the limits; one pass without allocations. The result is meaningless if it is not JSON.
 *
 * @since 0.1.0
 * @category guards
 */
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

/** Go's case folding of the letters in field names: besides ASCII, the long s equals s and the Kelvin sign equals k. */
const fold = (key: string): string => key.toLowerCase().replaceAll("ſ", "s")

/**
 * Returns a function that finds the fields of a JSON value; `undefined` if it is not an object. `null` is an empty object.
 *
 * @since 0.1.0
 * @category operations
 */
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

/**
 * Returns a function that finds the fields of a JSON text; `undefined` if it is not an object. `null` is an empty object.
 *
 * @since 0.1.0
 * @category codecs
 */
export const reader = (names: ReadonlyArray<string>): (text: string) => Record<string, unknown> | undefined => {
  const fieldsOf = fieldFinder(names)
  return (text) => {
    const parsed = parse(text)
    return Result.isFailure(parsed) ? undefined : fieldsOf(parsed.success)
  }
}
