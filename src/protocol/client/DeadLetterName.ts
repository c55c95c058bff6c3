/** The names of dead-letter topics (docs/policies.md#dead-letters). */

/** The name of the dead-letter topic unless a policy has another. */
export const defaultDeadLetter = "{topic}.dlq"

const maxNameLength = 64
const ephemeralSuffix = "#ephemeral"

const plain = (name: string): string => name.endsWith(ephemeralSuffix) ? name.slice(0, -ephemeralSuffix.length) : name

/**
 * Returns the name of the dead-letter topic of a channel: `{topic}` and `{channel}` of the template become the names, without
 * `#ephemeral`, so that dead letters of ephemeral topics are kept. Both are cut if the name would be longer than 64 characters.
 */
export const deadLetterName = (template: string, topic: string, channel: string): string => {
  const parts = template.split(/(\{topic\}|\{channel\})/)
  const isName = (part: string): boolean => part === "{topic}" || part === "{channel}"
  const names = parts.filter(isName).length
  const literals = parts.reduce((sum, part) => isName(part) ? sum : sum + part.length, 0)
  const expand = (most: number): string =>
    parts.map((part) =>
      part === "{topic}" ? plain(topic).slice(0, most) : part === "{channel}" ? plain(channel).slice(0, most) : part
    ).join("")
  const whole = expand(maxNameLength)
  if (names === 0 || whole.length <= maxNameLength) return whole.slice(0, maxNameLength)
  return expand(Math.max(1, Math.floor((maxNameLength - literals) / names)))
}

/** Returns the pattern of all names that a template has. */
export const patternOf = (template: string): string => template.replaceAll(/\{(?:topic|channel)\}/g, "*")
