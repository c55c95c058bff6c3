/**
 * Where a topic keeps its messages until its channels have them. `MemoryTopicQueue` keeps them as NSQ does, in memory and in a
 * disk queue; `LogTopicQueue` in a durable log.
 */
import { Effect, Exit, Scope } from "effect"
import type { GuidGenerator } from "../../../protocol/client/Guid.ts"
import type { MessageBatch, PublishedBodies, StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { ChannelName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { MemoryPlaces, WaitingMessages } from "./Backlog.ts"
import type { BrokerError } from "./BrokerError.ts"
import type { Carried } from "./Carried.ts"
import type { Span } from "./MemoryQueue.ts"
import type { Worker } from "./Worker.ts"

/** A channel, as the queue of its topic sees it. */
export interface ReceivingChannel {
  readonly name: ChannelName
  readonly ephemeral: boolean
  readonly exiting: boolean
  /** Takes the first `count` messages of a batch into memory, as far as they fit; returns how many it took. */
  readonly put: (batch: MessageBatch, count: number) => number
  /** The same without taking any; `keep` follows. */
  readonly announce: (count: number) => 0
  /** Writes messages to disk that did not fit into memory. */
  readonly store: (records: ReadonlyArray<StoredRecords>) => Effect.Effect<void, StorageError>
  /** Keeps messages that could not be stored: consumers get them, and the channel tries to store them again. */
  readonly keep: (spans: ReadonlyArray<Span>) => void
  /** Whether such messages wait: the topic hands over nothing until they are delivered or stored. */
  readonly isKeeping: boolean
  /** Identities of messages that the channel has stored and its topic may hand over again after a kill. */
  readonly recentMessages: Effect.Effect<ReadonlySet<string>>
  /** The channel may read `count` more messages of its topic's log. */
  readonly noteHanded: (count: number) => void
}

/** The topic, as its queue sees it. */
export interface QueueOwner {
  /** Its name in the log. */
  readonly label: string
  readonly channels: () => ReadonlyArray<ReceivingChannel>
  /** Whether messages may be handed to the channels. False without channels. */
  readonly isPumping: () => boolean
  /** Whether the topic is being closed or deleted: failed writes are not retried any more. */
  readonly isExiting: () => boolean
  /** The ids of the topic's messages, which increase whatever queue it has. */
  readonly guids: GuidGenerator
  /** Messages were accepted. */
  readonly count: (messages: number, bytes: number) => void
}

/** Makes the queue of a channel. `label` is the channel's name in the log; its `worker` delivers messages. */
export type MakeBacklog = (label: string, worker: Worker) => WaitingMessages

export interface TopicQueue {
  /** Messages that wait to be handed to the channels. */
  readonly depth: number
  /** Those of them that are on disk. */
  readonly backendDepth: number
  /**
   * When the oldest of the waiting messages was accepted, in ms since the Unix epoch, as of the last `lookAtOldest`; `Infinity` without
   * messages.
   */
  readonly oldest: number
  readonly lookAtOldest: Effect.Effect<void, StorageError>
  /** Where the waiting messages are, unless the topic has a log. */
  readonly places?: MemoryPlaces
  /** The mean size of the messages that the queue had when it was opened, in bytes; `undefined` before `measure`, or without any. */
  readonly meanBytes: number | undefined
  readonly measure: Effect.Effect<void, StorageError>
  /** The log with the messages of a durable topic. */
  readonly log: TopicLog | undefined
  /** The channels that the queue itself remembers, also if the metadata file does not have them. */
  readonly channelNames: ReadonlyArray<string>
  /**
   * Accepts published messages. `undefined` if that is done; otherwise the Effect that stores them, which the publisher has to
   * wait for. Delays are in ms.
   */
  readonly put: (bodies: PublishedBodies, deferMillis: number) => Completion<BrokerError>
  /** Opens the messages of a channel. Closing the Scope closes what it has opened. */
  readonly openChannel: (name: ChannelName) => Effect.Effect<MakeBacklog, StorageError, Scope.Scope>
  /** A channel was added, or the topic has started: messages may have to be handed over. */
  readonly wake: () => void
  /** The topic was paused, or has lost its last channel: messages wait in the topic from now on. */
  readonly hold: () => void
  /** Drops the waiting messages; the channels keep theirs. */
  readonly empty: Effect.Effect<void, StorageError>
  /** Deletes the messages of the topic and of all its channels, if they are stored together: a crash leaves all or nothing. */
  readonly deleteShared: Effect.Effect<void, StorageError>
  /** Deletes the messages with their files, after the channels. */
  readonly delete: Effect.Effect<void, StorageError>
  /** Ends the handing over. */
  readonly stop: Effect.Effect<void>
  /**
   * Stores what is only in memory, so that another queue can take over after this one is closed. Returns what is not on disk then.
   */
  readonly leave: Effect.Effect<Carried>
  /** Writes what is only in memory to disk, after the channels were closed. */
  readonly flush: Effect.Effect<void>
}

/** Opens the messages of a channel in a Scope of their own. */
export const openIn = Effect.fnUntraced(function*(queue: TopicQueue, name: ChannelName) {
  const scope = yield* Scope.make()
  const makeBacklog = yield* queue.openChannel(name).pipe(
    Scope.provide(scope),
    Effect.onError(() => Scope.close(scope, Exit.void))
  )
  return { makeBacklog, scope }
})
