/**
 * The kind of the option `--policy`: a list of policies. Each flag adds one; the config file has them as tables, `[[policies]]`.
 */
import { Result } from "effect"
import type { Policy } from "../../../protocol/http/PoliciesResponse.ts"
import { type InvalidText, invalidText, type OptionKind } from "../../options/OptionKind.ts"
import * as PolicyCheck from "./PolicyCheck.ts"

const refused = ({ field, why }: PolicyCheck.PolicyProblem): InvalidText => invalidText(`${field}: ${why}`)

const all = (
  values: ReadonlyArray<unknown>
): Result.Result<ReadonlyArray<Policy>, InvalidText> => {
  const policies: Array<Policy> = []
  for (const value of values) {
    const policy = typeof value === "string" ? PolicyCheck.fromText(value) : PolicyCheck.check(value)
    if (Result.isFailure(policy)) return Result.fail(refused(policy.failure))
    policies.push(policy.success)
  }
  return Result.succeed(policies)
}

/** The string form of the list: a JSON array, or one policy. */
const fromString = (text: string): Result.Result<ReadonlyArray<Policy>, InvalidText> => {
  if (!text.trimStart().startsWith("[")) return all(text.trim() === "" ? [] : [text])
  const parsed = Result.try((): unknown => JSON.parse(text))
  return Result.isSuccess(parsed) && Array.isArray(parsed.success)
    ? all(parsed.success)
    : Result.fail(invalidText("must be a JSON array of policies"))
}

const encode = (policies: ReadonlyArray<Policy>): ReadonlyArray<string> =>
  policies.map((policy) => JSON.stringify(policy))

/** A list of policies. */
export const policies: OptionKind<ReadonlyArray<Policy>> = {
  isSwitch: false,
  placeholder: "value",
  parse: (text, before = []) => Result.map(all([text]), (added) => [...before, ...added]),
  decode: (value) => {
    if (typeof value === "string") return fromString(value)
    return Array.isArray(value) ? all(value) : Result.fail(invalidText("must be a list of policies"))
  },
  format: (value) => encode(value).join(","),
  render: (value) => ({ _tag: "Json", json: encode(value) })
}
