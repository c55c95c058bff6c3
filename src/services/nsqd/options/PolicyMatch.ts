/**
 * The patterns of policies: `<topic>` or `<topic>/<channel>`, in which `*` stands for any characters and `?` for one. A more specific
 * pattern takes precedence.
 */
import { Result } from "effect"

/** A parsed pattern. */
export interface PolicyMatch {
  /** As given. */
  readonly text: string
  readonly topic: string
  /** Undefined for a pattern of topics. */
  readonly channel: string | undefined
  /** Characters that are not wildcards. */
  readonly literals: number
  readonly stars: number
}

/** The longest name of a topic or channel is shorter. */
const maxPatternLength = 128

const syntax = /^[.a-zA-Z0-9_*?-]+(?:#ephemeral)?$/

/** Parses a pattern; the failure says what is wrong with it. */
export const parse = (text: string): Result.Result<PolicyMatch, string> => {
  const [topic = "", channel, ...more] = text.split("/")
  const parts = channel === undefined ? [topic] : [topic, channel]
  if (more.length > 0 || parts.some((part) => part.length > maxPatternLength || !syntax.test(part))) {
    return Result.fail(
      "must be a pattern of topics such as \"orders.*\", or of topics and channels such as \"orders.*/billing\", with * and ? as wildcards"
    )
  }
  return Result.succeed({
    text,
    topic,
    channel,
    literals: parts.join("").replaceAll(/[*?]/g, "").length,
    stars: text.split("*").length - 1
  })
}

/** Whether a name matches a pattern. Takes time in proportion to the product of the lengths at most. */
export const matches = (pattern: string, name: string): boolean => {
  let at = 0
  let star = -1
  let resumeAt = 0
  let i = 0
  while (i < name.length) {
    if (pattern[at] === "*") {
      star = at++
      resumeAt = i
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === name[i])) {
      at++
      i++
    } else if (star >= 0) {
      // The last star takes one more character.
      at = star + 1
      i = ++resumeAt
    } else {
      return false
    }
  }
  while (pattern[at] === "*") at++
  return at === pattern.length
}

/** Whether a pattern of topics matches a topic. One of channels matches none. */
export const matchesTopic = ({ channel, topic }: PolicyMatch, name: string): boolean =>
  channel === undefined && matches(topic, name)

/** Whether a pattern matches a channel: one of channels, or one of topics that matches its topic. */
export const matchesChannel = ({ channel, topic }: PolicyMatch, topicName: string, name: string): boolean =>
  matches(topic, topicName) && (channel === undefined || matches(channel, name))

/**
 * Compares patterns, the more specific one last: a pattern of channels is more specific than one of topics, then the one with more
 * literal characters, then the one with fewer `*`.
 */
export const compare = (a: PolicyMatch, b: PolicyMatch): number => {
  if ((a.channel === undefined) !== (b.channel === undefined)) return a.channel === undefined ? -1 : 1
  return a.literals - b.literals || b.stars - a.stars
}
