/**
 * Optional source of a topic's channels on other nsqds. A new topic gets these channels before it delivers its first
 * message, so that none of them misses a message. Default: none.
 */
import { Context, type Effect } from "effect"
import type { ChannelName, TopicName } from "../../../protocol/client/Names.ts"

/**
 * A source of the channels that a topic has on other nsqds.
 *
 * @since 0.2.0
 * @category models
 */
export interface ChannelDirectory {
  /** The channels to create with a new topic; `undefined` without a source. Takes a few seconds at most. */
  readonly channelsOf: (topic: TopicName) => Effect.Effect<ReadonlyArray<ChannelName>> | undefined
}

/**
 * The channel directory of a broker. Default: none.
 *
 * @since 0.2.0
 * @category references
 */
export const ChannelDirectory: Context.Reference<ChannelDirectory> = Context.Reference(
  "effect-nsq/broker/ChannelDirectory",
  { defaultValue: (): ChannelDirectory => ({ channelsOf: () => undefined }) }
)
