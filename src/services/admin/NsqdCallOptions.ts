/**
 * The options of the calls to an nsqd (`NsqdApi`).
 */
import type { MessageState } from "../../protocol/http/MessagesResponse.ts"

/**
 * The part of the statistics to request.
 *
 * @since 0.2.0
 * @category models
 */
export interface StatsOptions {
  /** Only this topic. Default: all. */
  readonly topic?: string
  /** Only this channel. Default: all. */
  readonly channel?: string
  /** Whether to include consumers and producers, of which there may be very many. Default: true. */
  readonly clients?: boolean
  /** Whether to include the memory of the process. Default: true. */
  readonly memory?: boolean
}

/**
 * The connections to list. Default: all.
 *
 * @since 0.2.0
 * @category models
 */
export interface ConnectionOptions {
  /** Those that consume this topic or have published to it. */
  readonly topic?: string
  /** Those that consume this channel of `topic`; ignored without it. */
  readonly channel?: string
  /** The one with this remote address, `host:port`. */
  readonly address?: string
}

/**
 * The messages to show (docs/protocol/http.md#messages).
 *
 * @since 0.2.0
 * @category models
 */
export interface BrowseOptions {
  /**
   * The channel whose states count. Default: none; messages of a durable topic are then waiting until all channels have finished them, and
   * of another topic only those are shown that no channel has yet.
   */
  readonly channel?: string
  /**
   * Only messages in this state, or in one of these. `dead` alone shows the dead letters of the topic, or of the channel, which are in
   * another topic. Default: all but dead letters.
   */
  readonly state?: MessageState | ReadonlyArray<MessageState>
  /**
   * Where to start: `beginning`, `next` of the page before, or for a durable topic a sequence or a time as in RFC 3339. Default: the
   * beginning.
   */
  readonly from?: string
  /** The most messages, from 1 to 1000. Default: 100. */
  readonly limit?: number
  /** Only bodies with this text. Default: all. */
  readonly contains?: string
  /** Only JSON with a value at a path, such as `user.id=42`. Default: all. */
  readonly json?: string
  /** Only bodies in which this regular expression is found. Default: all. */
  readonly regex?: string
  /** The most bytes of each body, up to 1 MiB. Default: 4096. */
  readonly bodyBytes?: number
}

/**
 * The range of messages to read, and which of them (docs/protocol/http.md#stream-of-messages).
 *
 * @since 0.2.0
 * @category models
 */
export interface ReadOptions {
  /** Where to start. Default: the beginning of the log. */
  readonly from?: LogPlace
  /** Where to end, without the message at that place. Default: the end of the log at the time of the request. */
  readonly to?: LogPlace
  /** Only bodies with this text. Default: all. */
  readonly contains?: string
  /** Only JSON with a value at a path, such as `user.id=42`. Default: all. */
  readonly json?: string
  /** Only bodies in which this regular expression is found. Default: all. */
  readonly regex?: string
}

/**
 * A place in the log of a durable topic: `beginning`, `end`, a time, or the sequence of a message.
 *
 * @since 0.2.0
 * @category models
 */
export type LogPlace = "beginning" | "end" | Date | number

/**
 * Which dead letters are published again (docs/protocol/http.md#redrive).
 *
 * @since 0.2.0
 * @category models
 */
export interface RedriveOptions {
  /** The channel of the dead-letter topic. Default: its only one, or `redrive` if it has none. */
  readonly channel?: string
  /** A single message, by its id or the one that it had before. Default: all. */
  readonly id?: string
  /** Only bodies with this text. Default: all. */
  readonly contains?: string
  /** Only JSON with a value at a path, such as `user.id=42`. Default: all. */
  readonly json?: string
  /** Only bodies in which this regular expression is found. Default: all. */
  readonly regex?: string
  /** The topic to publish to. Default: the one that each message came from. */
  readonly to?: string
  /** Messages per second. Default: 0, no limit. */
  readonly rate?: number
}

/**
 * The durability of a topic (docs/durability.md).
 *
 * @since 0.2.0
 * @category models
 */
export type TopicDurability = "memory" | "written" | "synced"
