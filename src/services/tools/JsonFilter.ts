/**
 * The JSON filter of `nsq_to_nsq` (docs/protocol/tools.md#nsq_to_nsq): required fields and values, and the fields that are
 * kept. JSON is written as Go writes it, so that the result is the same byte for byte. Pure.
 */
import { Result } from "effect"
import * as Kind from "../options/OptionKind.ts"

/** Options of the filter. */
export interface JsonFilterOptions {
  /** Required key; empty for none. */
  readonly requireJsonField: string
  /** Required value of the key; empty for any. Ignored without a key. */
  readonly requireJsonValue: string
  /** Keys to keep; empty for all. */
  readonly whitelistJsonFields: ReadonlyArray<string>
}

/** The result of the filter for a message. */
export type Verdict =
  | { readonly _tag: "pass"; readonly body: Uint8Array }
  /** Does not meet the requirements. */
  | { readonly _tag: "drop" }
  /** Not a JSON object. */
  | { readonly _tag: "undecodable" }
  /** Lacks the key whose value is required. */
  | { readonly _tag: "missing" }

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

const drop: Verdict = { _tag: "drop" }
const undecodable: Verdict = { _tag: "undecodable" }
const missing: Verdict = { _tag: "missing" }

/** Returns the filter, or `undefined` if every message passes unchanged. */
export const make = (options: JsonFilterOptions): ((body: Uint8Array) => Verdict) | undefined => {
  const { requireJsonField: field, requireJsonValue: value, whitelistJsonFields: kept } = options
  if (field === "" && kept.length === 0) return undefined
  const number = Result.getOrUndefined(Kind.float.parse(value, undefined))
  const keys = [...new Set(kept)].sort(byBytes)

  const hasValue = (actual: Json | undefined): boolean =>
    typeof actual === "number" ? actual === number : actual === value

  return (body) => {
    const object = parseObject(body)
    if (object === undefined) return undecodable
    if (field !== "") {
      const isThere = Object.hasOwn(object, field)
      if (!isThere) return value === "" ? drop : missing
      if (value !== "" && !hasValue(object[field])) return drop
    }
    if (kept.length === 0) return { _tag: "pass", body }
    // Writing fails only on values nested thousands of levels deep, which Go cannot read either.
    return Result.match(Result.try(() => project(object, keys)), {
      onSuccess: (text): Verdict => ({ _tag: "pass", body: Buffer.from(text) }),
      onFailure: () => undecodable
    })
  }
}

/** Parses a body; `null` counts as an object without keys. */
const parseObject = (body: Uint8Array): JsonObject | undefined => {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString()
  const parsed = Result.try((): Json => JSON.parse(text))
  if (Result.isFailure(parsed)) return undefined
  const value = parsed.success
  if (value === null) return {}
  if (!isObject(value)) return undefined
  // Rejects numbers beyond the range of doubles, which would become Infinity.
  return largeNumber.test(text) && !isFinite(value) ? undefined : value
}

const largeNumber = /[eE]\+?\d{3}|\d{309}/

const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isFinite = (value: Json): boolean => {
  if (typeof value === "number") return Number.isFinite(value)
  return typeof value !== "object" || value === null || Object.values(value).every(isFinite)
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

const project = (object: JsonObject, keys: ReadonlyArray<string>): string => {
  const members = keys.filter((key) => Object.hasOwn(object, key)).map((key) => {
    const value = object[key] ?? null
    return `${writeString(key)}:${typeof value === "number" ? writeWhole(value) : write(value)}`
  })
  return `{${members.join(",")}}`
}

/** Writes numbers in the range of Go's int64 with all digits. */
const writeWhole = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? BigInt(value).toString() : write(value)

const write = (value: Json): string => {
  if (typeof value === "string") return writeString(value)
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value)
  if (value === null || typeof value === "boolean") return String(value)
  if (!isObject(value)) return `[${value.map(write).join(",")}]`
  const members = Object.keys(value).sort(byBytes).map((key) => `${writeString(key)}:${write(value[key] ?? null)}`)
  return `{${members.join(",")}}`
}

/** Writes a string escaped for HTML, with the replacement character for lone surrogates. */
const writeString = (text: string): string =>
  JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
