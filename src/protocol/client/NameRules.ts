/**
 * The rule of topic and channel names (docs/protocol/client.md#names), as plain checks. A client needs no Schema for them, whose modules
 * take half of the time of its import.
 */
import type { Brand } from "effect"

/** A valid topic name. */
export type TopicName = string & Brand.Brand<"TopicName">
/** A valid channel name. */
export type ChannelName = string & Brand.Brand<"ChannelName">

/**
 * The maximum length of a name in bytes, including the `#ephemeral` suffix.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxNameLength = 64

/** The characters of names. */
export const pattern = /^[.a-zA-Z0-9_-]+(#ephemeral)?$/
const ephemeralSuffix = "#ephemeral"

/**
 * Whether `name` is a valid name of a topic or a channel.
 *
 * @since 0.1.0
 * @category guards
 */
export const isValidName = (name: string): boolean => name.length <= maxNameLength && pattern.test(name)

/**
 * Whether a topic or channel of this name is kept only in memory and deleted with its last user.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEphemeral = (name: string): boolean => name.endsWith(ephemeralSuffix)

/**
 * Whether a string is a topic name, without the cost of a Schema.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTopicName = (name: string): name is TopicName => isValidName(name)
/**
 * Whether a string is a channel name, without the cost of a Schema.
 *
 * @since 0.1.0
 * @category guards
 */
export const isChannelName = (name: string): name is ChannelName => isValidName(name)

const checked = (what: string, name: string): string => {
  if (isValidName(name)) return name
  throw new RangeError(
    `${
      JSON.stringify(name)
    } is not a valid ${what} name: 1 to ${maxNameLength} of .a-zA-Z0-9_-, optionally ending in #ephemeral`
  )
}

/** Returns a checked topic name; throws a `RangeError` if NSQ does not accept it. */
export const topicName = (name: string): TopicName => checked("topic", name) as TopicName
/** Returns a checked channel name; throws a `RangeError` if NSQ does not accept it. */
export const channelName = (name: string): ChannelName => checked("channel", name) as ChannelName
