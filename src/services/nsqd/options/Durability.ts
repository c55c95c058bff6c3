/**
 * What an `OK` for published messages means (docs/durability.md): each topic has a durability, from `--topic-durability` if one
 * of its patterns matches, otherwise from `--durability`.
 */
import { Result } from "effect"
import { isEphemeral } from "../../../protocol/client/Names.ts"
import { type OptionsError, refusedValue } from "../../options/OptionsError.ts"

/**
 * The durability of a topic with a log.
 *
 * @since 0.2.0
 * @category models
 */
export type LogDurability = "written" | "synced"

/**
 * - `memory`: as in NSQ, the message is in memory, or on disk if memory is full;
 * - `written`: the message is in the topic's log, and survives the end of the process;
 * - `synced`: the message is in the topic's log and synced, and survives a loss of power.
 *
 * @since 0.2.0
 * @category models
 */
export type Durability = "memory" | LogDurability

const durabilities = ["memory", "written", "synced"] as const

/** Returns the durability of this name. */
export const parseDurability = (text: string): Durability | undefined => durabilities.find((name) => name === text)

/** A durability for all topics that match a pattern. */
interface Rule {
  readonly pattern: RegExp
  readonly durability: Durability
}

/** Returns the expression of a pattern of topic names: `*` stands for any characters, `?` for one. */
export const patternOf = (glob: string): RegExp =>
  new RegExp(`^${glob.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`)

const refuse = (description: string): Result.Result<never, OptionsError> => Result.fail(refusedValue(description))

const parseRule = (text: string): Result.Result<Rule, OptionsError> => {
  const at = text.lastIndexOf("=")
  const glob = text.slice(0, Math.max(0, at))
  const durability = parseDurability(text.slice(at + 1))
  if (glob === "" || durability === undefined) {
    return refuse(
      `invalid --topic-durability "${text}": must be <pattern>=<durability>, such as "orders.*=synced", with memory, written or synced`
    )
  }
  if (!/^[.a-zA-Z0-9_*?-]+$/.test(glob)) {
    return refuse(`invalid --topic-durability "${text}": a pattern has the characters of topic names, * and ?`)
  }
  return Result.succeed({ pattern: patternOf(glob), durability })
}

/** The options that decide. */
export interface DurabilityOptions {
  readonly durability: Durability
  readonly topicDurability: ReadonlyArray<string>
}

/** Returns the durability of topics by name; fails for a rule that is not valid. The first matching rule counts. */
export const durabilityOf = (
  { durability, topicDurability }: DurabilityOptions
): Result.Result<(topic: string) => Durability, OptionsError> => {
  const rules: Array<Rule> = []
  for (const text of topicDurability) {
    const rule = parseRule(text)
    if (Result.isFailure(rule)) return Result.fail(rule.failure)
    rules.push(rule.success)
  }
  return Result.succeed((topic) =>
    isEphemeral(topic) ? "memory" : rules.find(({ pattern }) => pattern.test(topic))?.durability ?? durability
  )
}
