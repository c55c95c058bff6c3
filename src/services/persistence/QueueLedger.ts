/**
 * The ids of a persisted queue's elements, with which later offers and redeliveries of the same id are ignored. NSQ does not keep
 * ids; an embedded broker keeps them in a topic (`BrokerLedger`).
 */
import { Clock, Context, Duration, Effect, Layer, Result, Schema } from "effect"
import { KeyValueStore, type PersistedQueue } from "effect/persistence"
import { queueError } from "./QueueBackend.ts"

/**
 * The state of an id. `pending` from the offer to the end of the last attempt.
 *
 * @since 0.2.0
 * @category models
 */
export type IdState = typeof IdState.Type
const IdState = Schema.Literals(["pending", "completed", "failed"])

/** What is kept of an id. */
export const IdRecord = Schema.Struct({
  state: IdState,
  /** Unix milliseconds of the last change. */
  at: Schema.Finite
})
export type IdRecord = typeof IdRecord.Type

/** Unix milliseconds up to which ids are forgotten, by their state. */
export interface Cutoffs {
  readonly completed: number
  readonly failed: number
}

/** Whether an id is to be forgotten. */
export const isExpired = ({ at, state }: IdRecord, { completed, failed }: Cutoffs): boolean =>
  state === "completed" ? at <= completed : state === "failed" && at <= failed

/** The lifetimes of `PersistedQueueStore.cleanup`. */
export type Lifetimes = Parameters<PersistedQueue.PersistedQueueStore["Service"]["cleanup"]>[0]

/** Returns the cutoffs at a time. */
export const cutoffsAt = (now: number, { failedTimeToLive, timeToLive }: Lifetimes): Cutoffs => ({
  completed: now - Duration.toMillis(timeToLive),
  failed: failedTimeToLive === undefined ? -Infinity : now - Duration.toMillis(failedTimeToLive)
})

/** For ledgers that leave the attempts to nsqd. */
const countedByNsqd: Pick<QueueLedger["Service"], "begin" | "end"> = {
  begin: (_queue, _id, attempts) => Effect.succeed(attempts),
  end: () => Effect.void
}

/**
 * Keeps the ids of elements that a program offered with an id of its own.
 *
 * @since 0.2.0
 * @category services
 */
export class QueueLedger extends Context.Service<QueueLedger, {
  /** Returns the state of an id; `undefined` for an unknown one. */
  readonly state: (queue: string, id: string) => Effect.Effect<IdState | undefined, PersistedQueue.PersistedQueueError>
  /** Sets the state of an id. */
  readonly record: (
    queue: string,
    id: string,
    state: IdState
  ) => Effect.Effect<void, PersistedQueue.PersistedQueueError>
  /**
   * Records the start of an attempt. Returns its number: `attempts`, or more if the ledger knows of attempts that nsqd did not count.
   */
  readonly begin: (
    queue: string,
    id: string,
    attempts: number
  ) => Effect.Effect<number, PersistedQueue.PersistedQueueError>
  /** Corrects the attempts of an id after one that does not count, or forgets an id that the program did not choose. */
  readonly end: (
    queue: string,
    id: string,
    attempts: number | undefined
  ) => Effect.Effect<void, PersistedQueue.PersistedQueueError>
  /** Forgets completed ids after `timeToLive`, failed ones after `failedTimeToLive` if it is defined, and pending ones never. */
  readonly cleanup: (lifetimes: Lifetimes) => Effect.Effect<void, PersistedQueue.PersistedQueueError>
}>()("effect-nsq/persistence/QueueLedger") {
  /** In the memory of the process: after a restart, and in other processes, ids are unknown. */
  static readonly layerMemory: Layer.Layer<QueueLedger> = Layer.sync(QueueLedger, () => {
    const queues = new Map<string, Map<string, IdRecord>>()
    return {
      ...countedByNsqd,
      state: (queue, id) => Effect.sync(() => queues.get(queue)?.get(id)?.state),
      record: (queue, id, state) =>
        Effect.map(Clock.currentTimeMillis, (at) => {
          const ids = queues.get(queue) ?? new Map<string, IdRecord>()
          queues.set(queue, ids)
          ids.set(id, { state, at })
        }),
      cleanup: (lifetimes) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const cutoffs = cutoffsAt(now, lifetimes)
          for (const ids of queues.values()) {
            for (const [id, record] of ids) if (isExpired(record, cutoffs)) ids.delete(id)
          }
        })
    }
  })

  /**
   * In Effect's `KeyValueStore`, for example files or a database: ids survive a restart, and all processes that share the store
   * share them. Its keys begin with `prefix`, by default `effectq-ids/`.
   */
  static readonly layerKeyValueStore = (
    options: { readonly prefix?: string } = {}
  ): Layer.Layer<QueueLedger, never, KeyValueStore.KeyValueStore> =>
    Layer.effect(
      QueueLedger,
      Effect.map(KeyValueStore.KeyValueStore, (store) => {
        const prefix = options.prefix ?? "effectq-ids/"
        const json = Schema.fromJsonString(IdRecord)
        const decode = Schema.decodeResult(json)
        const encode = Schema.encodeSync(json)
        const keyOf = (queue: string, id: string) => `${prefix}${encodeURIComponent(queue)}/${encodeURIComponent(id)}`
        const find = (key: string) =>
          Effect.map(
            store.get(key),
            (text) => text === undefined ? undefined : Result.getOrUndefined(decode(text))
          )
        return {
          ...countedByNsqd,
          state: (queue, id) =>
            Effect.mapBoth(find(keyOf(queue, id)), {
              onSuccess: (record) => record?.state,
              onFailure: queueError("cannot read an id")
            }),
          record: Effect.fnUntraced(function*(queue, id, state) {
            const at = yield* Clock.currentTimeMillis
            yield* Effect.mapError(store.set(keyOf(queue, id), encode({ state, at })), queueError("cannot write an id"))
          }),
          cleanup: Effect.fnUntraced(function*(lifetimes) {
            const cutoffs = cutoffsAt(yield* Clock.currentTimeMillis, lifetimes)
            const keys = yield* store.keys
            for (const key of keys) {
              if (!key.startsWith(prefix)) continue
              const record = yield* find(key)
              if (record !== undefined && isExpired(record, cutoffs)) yield* store.remove(key)
            }
          }, Effect.mapError(queueError("cannot remove ids")))
        }
      })
    )
}
