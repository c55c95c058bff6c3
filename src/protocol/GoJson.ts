/**
 * JSON objects as Go reads them into a struct: keys match whatever their case, `null` counts as absent, unknown keys are
 * ignored. What the fields must be is for a Schema.
 */
import { Result, Schema } from "effect"

const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

/** Finds the fields of these names in a text; `undefined` when it is not a JSON object. `null` is an empty one. */
export const reader = (names: ReadonlyArray<string>): (text: string) => Record<string, unknown> | undefined => {
  const fieldNames = new Map(names.map((name) => [name.toLowerCase(), name]))
  return (text) => {
    const parsed = parse(text)
    if (Result.isFailure(parsed)) return undefined
    const value = parsed.success
    if (value === null) return {}
    if (typeof value !== "object" || Array.isArray(value)) return undefined
    const fields: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(value)) {
      const name = fieldNames.get(key.toLowerCase())
      if (name !== undefined && field !== null) fields[name] = field
    }
    return fields
  }
}
