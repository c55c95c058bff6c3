/**
 * Who knows what channels a topic has elsewhere: a topic that is created here gets them before its first message is handed
 * out, so that no channel misses it. Nobody, unless provided.
 */
import { Context, type Effect } from "effect"
import type { ChannelName, TopicName } from "../../../protocol/client/Names.ts"

export interface ChannelDirectory {
  /** The channels that a new topic has to have; `undefined` when there is nobody to ask. Takes seconds at most. */
  readonly channelsOf: (topic: TopicName) => Effect.Effect<ReadonlyArray<ChannelName>> | undefined
}

export const ChannelDirectory: Context.Reference<ChannelDirectory> = Context.Reference(
  "effect-nsq/broker/ChannelDirectory",
  { defaultValue: (): ChannelDirectory => ({ channelsOf: () => undefined }) }
)
