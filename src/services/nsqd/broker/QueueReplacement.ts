/**
 * The queue of a topic by its durability, and the change from one to another: the messages move, and the consumers stay.
 */
import { Effect, Exit, Scope } from "effect"
import type { TopicName } from "../../../protocol/client/Names.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Durability } from "../options/Durability.ts"
import type { Storage } from "../storage/Storage.ts"
import type { Carried, Handover } from "./Carried.ts"
import type { Channel, ChannelSettings } from "./Channel.ts"
import { LogTopicQueue } from "./LogTopicQueue.ts"
import { MemoryTopicQueue, type MemoryTopicSettings } from "./MemoryTopicQueue.ts"
import type { Surroundings } from "./Surroundings.ts"
import type { QueueOwner, TopicQueue } from "./TopicQueue.ts"

/** The queue of a topic, which a change of its durability replaces. */
export interface OpenQueue {
  readonly durability: Durability
  readonly queue: TopicQueue
  /** Closing it closes the queue. */
  readonly scope: Scope.Closeable
}

/** Opens the queue of a topic in a Scope of its own. */
export const openQueue = Effect.fnUntraced(function*(
  name: TopicName,
  durability: Durability,
  settings: MemoryTopicSettings & Pick<ChannelSettings, "policies">,
  surroundings: Surroundings,
  owner: QueueOwner,
  handover: Handover
) {
  const scope = yield* Scope.make()
  const opened: Effect.Effect<TopicQueue, StorageError, Scope.Scope | Storage> = durability === "memory"
    ? MemoryTopicQueue.open(name, settings, surroundings, owner, handover)
    : LogTopicQueue.open(name, durability, settings, surroundings, owner, handover)
  const queue = yield* opened.pipe(Scope.provide(scope), Effect.onError(() => Scope.close(scope, Exit.void)))
  return { durability, queue, scope } satisfies OpenQueue
})

/** A topic whose queue is replaced. */
export interface ReplacingTopic {
  readonly name: TopicName
  readonly opened: OpenQueue
  readonly channels: () => ReadonlyArray<Pick<Channel, "leave" | "name">>
  /** Opens a queue for the topic and its channels. */
  readonly enter: (durability: Durability, handover: Handover) => Effect.Effect<void, StorageError>
  /** No queue could be opened. */
  readonly failed: () => void
}

/**
 * Replaces the queue of a topic by one of another durability. The channels deliver nothing until they have entered it, by which
 * `moving` completes. If it fails, the topic gets a queue of its former durability.
 */
export const replaceQueue = (
  { channels, enter, failed, name, opened: { durability: before, queue, scope } }: ReplacingTopic,
  durability: Durability,
  moving: Effect.Effect<void>
): Effect.Effect<void, StorageError> =>
  Effect.gen(function*() {
    yield* queue.stop
    const carried = new Map<string, Carried>()
    for (const channel of channels()) carried.set(channel.name, yield* channel.leave(moving))
    const own = yield* queue.leave
    yield* Scope.close(scope, Exit.void)
    const [failure] = [...carried.values(), own].flatMap(({ failure }) => failure ?? [])
    const handover: Handover = {
      channels: channels().map((channel) => channel.name),
      carried: new Map(Array.from(carried).filter(([, left]) => left.waiting.length + left.deferred.length > 0)),
      own
    }
    const entered = failure === undefined
      ? yield* Effect.exit(enter(durability, handover))
      : Exit.fail(failure)
    if (Exit.isSuccess(entered)) return
    yield* Effect.tapError(enter(before, handover), () => Effect.sync(failed))
    yield* entered
  }).pipe(
    Effect.tapError((error) =>
      Effect.logError(`TOPIC(${name}): failed to change the durability to ${durability} - ${error.message}`)
    )
  )
