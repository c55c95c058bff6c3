/**
 * Creations and deletions of the broker's topics and channels, and what a drain withdraws, for nsqlookupd peers.
 */
import type { ChannelName, TopicName } from "../../../protocol/client/Names.ts"

/**
 * A topic or channel was created or deleted; or, during a drain, a topic became empty, so that discovery must not name it
 * (`TopicWithdrawn`), or must name it and its channels again (`TopicOffered`).
 */
export type TopologyEvent =
  | { readonly _tag: "TopicCreated" | "TopicDeleted" | "TopicWithdrawn" | "TopicOffered"; readonly topic: TopicName }
  | { readonly _tag: "ChannelCreated" | "ChannelDeleted"; readonly topic: TopicName; readonly channel: ChannelName }
