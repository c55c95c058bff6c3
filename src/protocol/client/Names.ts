/**
 * Topic and channel names (docs/protocol/client.md#names), which have the same rule: as branded Schemas for user input. The
 * plain checks are in `NameRules`.
 */
import { Schema } from "effect"
import { maxNameLength, pattern } from "./NameRules.ts"

export { isChannelName, isEphemeral, isTopicName, isValidName, maxNameLength } from "./NameRules.ts"

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
