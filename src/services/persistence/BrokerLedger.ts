/**
 * The ids of persisted queues in topics of a broker in this process. Each record is a message that stays in flight, so that a durable
 * topic keeps it over restarts; a newer record of the id, and the cleanup, finish it.
 */
import { Clock, Deferred, Effect, Layer, Result, Schema, Scope, Semaphore } from "effect"
import { Broker } from "../nsqd/broker/Broker.ts"
import { publish } from "../nsqd/broker/InProcess.ts"
import { Publisher } from "../nsqd/broker/Publisher.ts"
import * as BrokerQueue from "./BrokerQueue.ts"
import { queueError, type QueueMessage } from "./QueueBackend.ts"
import { type Cutoffs, cutoffsAt, IdRecord, isExpired, QueueLedger } from "./QueueLedger.ts"
import * as Topics from "./QueueTopic.ts"

/** A record as the body of a message. */
const StoredRecord = Schema.Struct({
  id: Schema.String,
  ...IdRecord.fields,
  /** Attempts that have begun. */
  attempts: Schema.Int,
  /** Numbers the records of a queue. */
  order: Schema.Int
})
type StoredRecord = typeof StoredRecord.Type

const json = Schema.fromJsonString(StoredRecord)
const decode = Schema.decodeResult(json)
const encode = Schema.encodeSync(json)

/** All records are in flight at the same time. */
const unlimited = 1_000_000_000

/** The current record of an id, and the message that keeps it. */
interface Entry {
  readonly record: StoredRecord
  readonly message: QueueMessage | undefined
}

const finishAll = (messages: ReadonlyArray<QueueMessage | undefined>) =>
  Effect.forEach(messages, (message) => message?.finish ?? Effect.void, { discard: true })

/** The ids of one queue. */
class Ids {
  private readonly entries = new Map<string, Entry>()
  /** Records that are published and not delivered yet. */
  private readonly published = new Set<number>()
  private cutoffs: Cutoffs
  private newest = 0

  constructor(cutoffs: Cutoffs) {
    this.cutoffs = cutoffs
  }

  find(id: string): StoredRecord | undefined {
    return this.entries.get(id)?.record
  }

  /** Replaces the record of an id. The message of the former one is finished when that of this one is delivered. */
  set(id: string, state: StoredRecord["state"], at: number, attempts: number): StoredRecord {
    const record = { id, state, at, attempts, order: ++this.newest }
    this.published.add(record.order)
    this.entries.set(id, { record, message: this.entries.get(id)?.message })
    return record
  }

  /** Forgets an id. Returns its message. */
  forget(id: string): QueueMessage | undefined {
    const message = this.entries.get(id)?.message
    this.entries.delete(id)
    return message
  }

  /** Takes a record that the broker delivers. Returns the message that is no longer needed. */
  receive(record: StoredRecord, message: QueueMessage): QueueMessage | undefined {
    const { id, order } = record
    this.newest = Math.max(this.newest, order)
    const known = this.entries.get(id)
    const isForgotten = known === undefined ? this.published.has(order) : known.record.order > order
    this.published.delete(order)
    if (isForgotten || isExpired(record, this.cutoffs)) return message
    this.entries.set(id, { record, message })
    return known?.message
  }

  /** Forgets old ids. Returns their messages. */
  cleanup(cutoffs: Cutoffs): ReadonlyArray<QueueMessage | undefined> {
    this.cutoffs = cutoffs
    return Array.from(this.entries.values())
      .filter(({ record }) => isExpired(record, cutoffs))
      .map(({ record }) => this.forget(record.id))
  }
}

/** Provides it, with topics whose names begin with the prefix. The ids of a queue are in memory from its first use. */
export const layer = (prefix: string): Layer.Layer<QueueLedger, never, Broker | Publisher> =>
  Layer.effect(
    QueueLedger,
    Effect.gen(function*() {
      const broker = yield* Broker
      const publisher = yield* Publisher
      const scope = yield* Effect.scope
      const fork = Effect.runForkWith(yield* Effect.context<never>())
      const opening = yield* Semaphore.make(1)
      const queues = new Map<string, Ids>()
      let cutoffs: Cutoffs = { completed: -Infinity, failed: -Infinity }

      /** Reads the records of a queue. */
      const load = Effect.fnUntraced(function*(queue: string) {
        const { ids: topic } = Topics.of(prefix, queue)
        const ids = new Ids(cutoffs)
        const channel = yield* broker.channel(topic, Topics.ledger)
        if (channel.subscriptions.length > 0) {
          return yield* queueError(`topic ${topic}`)({ message: "another store of this broker uses it" })
        }
        let unread = channel.depth
        const loaded = yield* Deferred.make<void>()
        const receive = (message: QueueMessage): void => {
          const record = decode(Buffer.from(message.body).toString())
          const needless = Result.isSuccess(record) ? ids.receive(record.success, message) : message
          if (needless !== undefined) fork(needless.finish)
          if (--unread === 0) Deferred.doneUnsafe(loaded, Effect.void)
        }
        const closed = (): void => void queues.delete(queue)
        const subscription = yield* BrokerQueue.subscribe(broker, topic, Topics.ledger, receive, closed)
        subscription.setReady(unlimited)
        if (unread > 0) yield* Deferred.await(loaded)
        queues.set(queue, ids)
        return ids
      })

      const open = (queue: string) =>
        Effect.suspend(() => {
          const known = queues.get(queue)
          return known === undefined ? load(queue) : Effect.succeed(known)
        }).pipe(
          opening.withPermit,
          Scope.provide(scope),
          Effect.mapError(queueError(`cannot read the ids of queue ${queue}`))
        )

      /** Writes a record. */
      const write = Effect.fnUntraced(function*(
        queue: string,
        id: string,
        change: (known: StoredRecord | undefined) => Pick<StoredRecord, "attempts" | "state">
      ) {
        const ids = yield* open(queue)
        const { attempts, state } = change(ids.find(id))
        const record = ids.set(id, state, yield* Clock.currentTimeMillis, attempts)
        yield* publish(Topics.of(prefix, queue).ids, Buffer.from(encode(record))).pipe(
          Effect.provideService(Publisher, publisher),
          Effect.mapError(queueError(`cannot write an id of queue ${queue}`))
        )
        return record
      })

      return {
        state: (queue, id) => Effect.map(open(queue), (ids) => ids.find(id)?.state),
        record: (queue, id, state) =>
          Effect.asVoid(write(queue, id, (known) => ({ state, attempts: known?.attempts ?? 0 }))),
        begin: (queue, id, attempts) =>
          Effect.map(
            write(queue, id, (known) => ({
              state: "pending",
              attempts: Math.max(attempts, (known?.attempts ?? 0) + 1)
            })),
            (record) => record.attempts
          ),
        end: (queue, id, attempts) =>
          attempts === undefined
            ? Effect.flatMap(open(queue), (ids) => ids.forget(id)?.finish ?? Effect.void)
            : Effect.asVoid(write(queue, id, () => ({ state: "pending", attempts }))),
        cleanup: Effect.fnUntraced(function*(lifetimes) {
          cutoffs = cutoffsAt(yield* Clock.currentTimeMillis, lifetimes)
          for (const ids of queues.values()) yield* finishAll(ids.cleanup(cutoffs))
        })
      }
    })
  )
