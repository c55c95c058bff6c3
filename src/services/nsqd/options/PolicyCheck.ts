/**
 * Checks policies (docs/policies.md), from the config file, a flag or a request: a policy that is not valid is refused with the
 * field and the reason.
 */
import { Duration, Result } from "effect"
import type { Policy, PolicyField } from "../../../protocol/http/PoliciesResponse.ts"
import * as GoDuration from "../../core/GoDuration.ts"
import * as PolicyMatch from "./PolicyMatch.ts"

/** Why a policy is not valid: the field, and the reason. */
export interface PolicyProblem {
  readonly field: string
  readonly why: string
}

/** Which patterns may have a field: those of topics, those of channels, or both. */
type Scope = "topic" | "both"

interface Field {
  readonly scope: Scope
  /** The value of a text, such as that of a flag; undefined if it is not one. */
  readonly fromText: (text: string) => string | number | boolean
  /** What is wrong with a value; undefined if it is valid. */
  readonly problem: (value: unknown) => string | undefined
}

const durationProblem = (value: unknown): string | undefined => {
  const parsed = typeof value === "string" ? GoDuration.parse(value) : undefined
  if (parsed === undefined || Result.isFailure(parsed)) return `must be a duration such as "30s" or "24h"`
  const millis = Duration.toMillis(parsed.success)
  return millis < 0 || (millis > 0 && millis < 1) ? "must be 0 or at least 1ms" : undefined
}

const wholeProblem = (value: unknown): string | undefined =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : "must be a whole number from 0 on; 0 for none"

const rateProblem = (value: unknown): string | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0
    ? undefined
    : "must be a number of messages per second from 0 on; 0 for no limit"

/** A name of a topic with placeholders. */
const template = /^(?:[.a-zA-Z0-9_-]|\{topic\}|\{channel\})+(?:#ephemeral)?$/

const placeholder = /\{(?:topic|channel)\}/g

const templateProblem = (value: unknown): string | undefined =>
  typeof value === "string" && value.length <= 60 && template.test(value) &&
    /[^{}]/.test(value.replaceAll(placeholder, ""))
    ? undefined
    : "must be the name of a topic of at most 60 characters, which may have {topic} and {channel} besides others"

const number = (text: string): string | number => /^[\d.]+$/.test(text) ? Number(text) : text
const word = (text: string): string => text
const truth = (text: string): string | boolean => text === "true" || (text === "false" ? false : text)

const duration = (scope: Scope): Field => ({ scope, fromText: word, problem: durationProblem })
const whole = (scope: Scope): Field => ({ scope, fromText: number, problem: wholeProblem })
const oneOf = (scope: Scope, ...words: ReadonlyArray<unknown>): Field => ({
  scope,
  fromText: word,
  problem: (value) => words.includes(value) ? undefined : `must be one of ${words.join(", ")}`
})
const rate: Field = { scope: "topic", fromText: number, problem: rateProblem }

const fields: { readonly [Name in PolicyField]: Field } = {
  ttl: duration("both"),
  on_expired: oneOf("both", "drop", "dead_letter"),
  max_age: duration("both"),
  max_depth: whole("both"),
  max_bytes: whole("both"),
  on_full: oneOf("both", "reject", "drop_oldest", "dead_letter"),
  publish_rate: rate,
  client_publish_rate: rate,
  dedup_window: duration("topic"),
  dedup_count: whole("topic"),
  retention_age: duration("topic"),
  retention_bytes: whole("topic"),
  max_attempts: {
    scope: "both",
    fromText: number,
    // Attempts have 16 bits.
    problem: (value) => wholeProblem(value) ?? (Number(value) > 65_535 ? "must be at most 65535" : undefined)
  },
  dead_letter: { scope: "both", fromText: word, problem: templateProblem },
  count_disconnects: {
    scope: "both",
    fromText: truth,
    problem: (value) => typeof value === "boolean" ? undefined : "must be true or false"
  }
}

const isField = (name: string): name is PolicyField => Object.hasOwn(fields, name)

const fieldNames: ReadonlyArray<string> = Object.keys(fields)

const refuse = (field: string, why: string): Result.Result<never, PolicyProblem> => Result.fail({ field, why })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Returns a policy from a value of JSON or TOML. Fails with the first field that is not valid, or not known. */
export const check = (value: unknown): Result.Result<Policy, PolicyProblem> => {
  if (!isObject(value)) return refuse("policy", "must be an object with \"match\" and fields")
  const { match: pattern, ...rest } = value
  if (typeof pattern !== "string") return refuse("match", "must be a pattern of topics such as \"orders.*\"")
  const match = PolicyMatch.parse(pattern)
  if (Result.isFailure(match)) return refuse("match", match.failure)
  const policy: Policy = { match: pattern }
  for (const [name, given] of Object.entries(rest)) {
    if (!isField(name)) return refuse(name, `unknown field; the fields are ${fieldNames.join(", ")}`)
    if (fields[name].scope === "topic" && match.success.channel !== undefined) {
      return refuse(name, `is a field of topics, and "${pattern}" is a pattern of channels`)
    }
    // TOML has integers as bigints.
    const plain = typeof given === "bigint" ? Number(given) : given
    const problem = fields[name].problem(plain)
    if (problem !== undefined) return refuse(name, problem)
    Object.assign(policy, { [name]: plain })
  }
  if (Object.keys(rest).length === 0) return refuse("policy", "has no field besides match")
  return Result.succeed(policy)
}

const parseJson = (text: string): Result.Result<unknown, unknown> => Result.try((): unknown => JSON.parse(text))

/** Returns a policy from JSON. */
export const fromJson = (text: string): Result.Result<Policy, PolicyProblem> => {
  const parsed = parseJson(text)
  return Result.isFailure(parsed) ? refuse("policy", "must be a JSON object") : check(parsed.success)
}

/** Returns a policy from the text of a flag: a JSON object, or `<match>:<field>=<value>,<field>=<value>`. */
export const fromText = (text: string): Result.Result<Policy, PolicyProblem> => {
  if (text.trimStart().startsWith("{")) return fromJson(text)
  const colon = text.indexOf(":")
  if (colon < 0) {
    return refuse(
      "policy",
      "must be <match>:<field>=<value>,... such as \"orders.*:max_depth=1000,on_full=reject\", or a JSON object"
    )
  }
  const value: Record<string, unknown> = { match: text.slice(0, colon) }
  for (const part of text.slice(colon + 1).split(",")) {
    const at = part.indexOf("=")
    const name = part.slice(0, Math.max(0, at)).trim()
    const given = part.slice(at + 1).trim()
    if (at < 0) return refuse(part.trim() === "" ? "policy" : part.trim(), "must be <field>=<value>")
    if (Object.hasOwn(value, name)) return refuse(name, "must be given once")
    value[name] = isField(name) ? fields[name].fromText(given) : given
  }
  return check(value)
}
