/**
 * Which bodies a browser of messages wants: those that contain a text, have a value at a path of their JSON, or match a regular
 * expression, which takes linear time (RE2).
 */
import { Result } from "effect"

/** The filters of a request; a body has to pass all of them. */
export interface FilterOptions {
  readonly contains: string | undefined
  /** `<path>=<value>`: the path's names are separated by dots, an element of an array has its number as its name. */
  readonly json: string | undefined
  readonly regex: string | undefined
}

export interface BodyFilter {
  /** Every wanted body contains these bytes. */
  readonly needle: Buffer | undefined
  /** Whether `matches` takes much longer than to look for the needle. */
  readonly isSlow: boolean
  readonly matches: (body: Buffer) => boolean
}

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
    case "number":
    case "boolean":
      return String(value)
    default:
      return value === null ? "null" : undefined
  }
}

/** Whether the body begins like a JSON object or array, which alone have paths: the parser is slow to refuse other bodies. */
const mayHavePaths = (body: Buffer): boolean => {
  const first = body.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
  return first === 0x7b || first === 0x5b
}

const jsonMatcher = (condition: string): ((body: Buffer) => boolean) | undefined => {
  const at = condition.indexOf("=")
  if (at < 1) return undefined
  const path = condition.slice(0, at).split(".")
  const wanted = condition.slice(at + 1)
  return (body) =>
    mayHavePaths(body) && Result.match(Result.try((): unknown => JSON.parse(body.toString())), {
      onSuccess: (json) => textOf(valueAt(json, path)) === wanted,
      onFailure: () => false
    })
}

/** Creates the filter. The failure is the name of the option that is not valid. `compile` compiles a regular expression. */
export const make = (
  { contains, json, regex }: FilterOptions,
  compile: (regex: string) => Result.Result<(text: string) => boolean, unknown>
): Result.Result<BodyFilter, keyof FilterOptions> => {
  const needle = contains === undefined || contains === "" ? undefined : Buffer.from(contains)
  const conditions: Array<(body: Buffer) => boolean> = []
  if (needle !== undefined) conditions.push((body) => body.includes(needle))
  if (json !== undefined) {
    const hasValue = jsonMatcher(json)
    if (hasValue === undefined) return Result.fail("json")
    conditions.push(hasValue)
  }
  if (regex !== undefined) {
    const compiled = compile(regex)
    if (Result.isFailure(compiled)) return Result.fail("regex")
    const matches = compiled.success
    conditions.push((body) => matches(body.toString()))
  }
  return Result.succeed({
    needle,
    isSlow: json !== undefined || regex !== undefined,
    matches: (body) => conditions.every((condition) => condition(body))
  })
}
