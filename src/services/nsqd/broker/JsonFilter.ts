/** Wants bodies that are JSON with a value at a path. */
import { Result } from "effect"
import { type BodySearch, everywhere, matching } from "./BodySearch.ts"
import { isRounded, patternOf, plainNumberOf } from "./JsonPattern.ts"

const valueAt = (json: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined,
    json
  )

const textOf = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return value
    case "boolean":
      return String(value)
    default:
      return value === null ? "null" : undefined
  }
}

/** Leaves numbers as they are written, before they are rounded. */
const digitsOf = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
  typeof value === "number" ? context?.source ?? value : value

/** Whether the body begins like a JSON object or array, which alone have paths: the parser is slow to refuse other bodies. */
const mayHavePaths = (body: Buffer): boolean => {
  const first = body.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
  return first === 0x7b || first === 0x5b
}

/** A condition for JSON. */
export interface JsonFilter {
  readonly search: BodySearch
  readonly matches: (body: Buffer) => boolean
}

/** Creates the filter from `<path>=<value>`, whose path has names with dots between them; `undefined` if it is not valid. */
export const make = (condition: string): JsonFilter | undefined => {
  const at = condition.indexOf("=")
  if (at < 1) return undefined
  const path = condition.slice(0, at).split(".")
  const wanted = condition.slice(at + 1)
  const pattern = patternOf(path, wanted)
  const number = plainNumberOf(wanted)
  const parse = isRounded(wanted)
    ? (text: string): unknown => JSON.parse(text, digitsOf)
    : (text: string): unknown => JSON.parse(text)
  const isWanted = (value: unknown): boolean =>
    typeof value === "number" ? String(value) === (number ?? wanted) : textOf(value) === wanted
  const search = pattern === undefined ? everywhere : matching(pattern)
  return {
    search,
    matches: (body) =>
      search(body)(0) >= 0 && mayHavePaths(body) &&
      Result.match(Result.try(() => parse(body.toString())), {
        onSuccess: (json) => isWanted(valueAt(json, path)),
        onFailure: () => false
      })
  }
}
