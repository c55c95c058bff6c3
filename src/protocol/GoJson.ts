/**
 * JSON objects as Go reads them into a struct: keys match whatever their case, `null` counts as absent, unknown keys are
 * ignored. What the fields must be is for a Schema.
 */
import { Result, Schema } from "effect"

/** Parses any JSON text. */
export const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

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
