/**
 * Which bodies a browser of messages wants: those that contain a text, have a value at a path of their JSON, or match a regular
 * expression, which takes linear time (RE2).
 */
import { Result } from "effect"
import { type BodySearch, containing, everywhere } from "./BodySearch.ts"
import * as JsonFilter from "./JsonFilter.ts"
import { literalOf } from "./RegexLiteral.ts"

/** The filters of a request; a body has to pass all of them. */
export interface FilterOptions {
  readonly contains: string | undefined
  /** `<path>=<value>`: the path's names are separated by dots, an element of an array has its number as its name. */
  readonly json: string | undefined
  readonly regex: string | undefined
}

export interface BodyFilter {
  /** Finds the bodies that may be wanted: `matches` is false for all others. */
  readonly search: BodySearch
  readonly matches: (body: Buffer) => boolean
}

/** Creates the filter. The failure is the name of the option that is not valid. `compile` compiles a regular expression. */
export const make = (
  { contains = "", json, regex }: FilterOptions,
  compile: (regex: string) => Result.Result<(text: string) => boolean, unknown>
): Result.Result<BodyFilter, keyof FilterOptions> => {
  // In the order of their speed.
  const conditions: Array<BodyFilter> = []
  if (contains !== "") {
    const needle = Buffer.from(contains)
    conditions.push({ search: containing(needle), matches: (body) => body.includes(needle) })
  }
  if (json !== undefined) {
    const ofJson = JsonFilter.make(json)
    if (ofJson === undefined) return Result.fail("json")
    conditions.push(ofJson)
  }
  if (regex !== undefined) {
    const compiled = compile(regex)
    if (Result.isFailure(compiled)) return Result.fail("regex")
    const isFound = compiled.success
    const literal = literalOf(regex)
    const search = literal === "" ? everywhere : containing(Buffer.from(literal))
    conditions.push({ search, matches: (body) => search(body)(0) >= 0 && isFound(body.toString()) })
  }
  return Result.succeed({
    search: conditions.find(({ search }) => search !== everywhere)?.search ?? everywhere,
    matches: (body) => conditions.every(({ matches }) => matches(body))
  })
}
