/**
 * Creations and deletions of the broker's topics and channels, for nsqlookupd peers.
 */
import type { ChannelName, TopicName } from "../../../protocol/client/Names.ts"

/** A topic or channel was created or deleted. */
export type TopologyEvent =
  | { readonly _tag: "TopicCreated" | "TopicDeleted"; readonly topic: TopicName }
  | { readonly _tag: "ChannelCreated" | "ChannelDeleted"; readonly topic: TopicName; readonly channel: ChannelName }
