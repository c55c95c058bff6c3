/**
 * Topic and channel names (docs/protocol/client.md#names), which have the same rule: as branded Schemas for user input, and as a
 * plain check for the command decoder.
 */
import { Schema } from "effect"

/**
 * The maximum length of a name in bytes, including the `#ephemeral` suffix.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxNameLength = 64

const pattern = /^[.a-zA-Z0-9_-]+(#ephemeral)?$/
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

const Name = Schema.String.pipe(Schema.check(Schema.isPattern(pattern), Schema.isMaxLength(maxNameLength)))

/**
 * A topic name: 1 to 64 of `.a-zA-Z0-9_-`, optionally ending in `#ephemeral`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TopicName = Name.pipe(Schema.brand("TopicName"))
/** A valid topic name. */
export type TopicName = typeof TopicName.Type

/**
 * A channel name: the same rule as for a topic name.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ChannelName = Name.pipe(Schema.brand("ChannelName"))
/** A valid channel name. */
export type ChannelName = typeof ChannelName.Type

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
