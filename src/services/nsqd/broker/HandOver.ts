/**
 * The second half of a topic: hands the waiting messages, from memory and from disk, to every channel. What does not
 * fit into a channel's memory is written to the channel's disk queue.
 *
 * Hot path: a worker hands over batches, each with one call per channel and without a copy.
 */
import { Effect } from "effect"
import { MessageBatch, type StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { Completion } from "../../core/Completion.ts"
import type { Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { BackendQueue, StoredRun } from "../storage/BackendQueue.ts"
import { retryStorage } from "./Backlog.ts"
import type { DeferredOnDisk } from "./DeferredOnDisk.ts"
import { DiskReads } from "./DiskReads.ts"
import { type MemoryQueue, type Span, wholeBatch } from "./MemoryQueue.ts"
import { SecondCopies } from "./SecondCopies.ts"
import type { Surroundings } from "./Surroundings.ts"
import type { QueueOwner, ReceivingChannel } from "./TopicQueue.ts"
import { Worker } from "./Worker.ts"

/** Bytes per read from the topic's disk queue. */
const runBytes = 256 * 1024

/** Batches handed to channels per turn of the event loop, counted once per channel. */
const handOversMax = 16 * 1024

/** The queue of the topic. */
export interface Source extends Omit<QueueOwner, "count"> {
  readonly memory: MemoryQueue
  /** Its disk queue; `undefined` for an ephemeral topic. */
  readonly backend: BackendQueue | undefined
  /** The delays of messages in its disk queue. */
  readonly delays: DeferredOnDisk
}

/** Messages of a channel that did not fit into its memory. */
interface Overflow {
  readonly channel: ReceivingChannel
  readonly records: ReadonlyArray<StoredRecords>
}

export class HandOver {
  private readonly source: Source
  private readonly turns: Turns
  private readonly work: Worker
  private readonly reads: DiskReads
  private readonly copies: SecondCopies

  constructor(source: Source, { turns, workers }: Pick<Surroundings, "turns" | "workers">) {
    this.source = source
    this.turns = turns
    this.work = new Worker(workers, source.label, () => this.pass())
    this.reads = new DiskReads(source.label, source.backend, this.work)
    this.copies = new SecondCopies(source.backend?.hasMore === true)
  }

  /** Whether messages wait that may be handed over now. */
  get hasWork(): boolean {
    return this.source.isPumping() && (this.source.memory.count > 0 || this.reads.isReady)
  }

  /** Calls the worker, because there may be something to hand over. */
  wake(): void {
    this.work.call()
  }

  /** Interrupts the worker and waits for its end. */
  get stop(): Effect.Effect<void> {
    return this.work.stop
  }

  /**
   * Hands a batch to the channels that does not wait in the topic. `undefined` if that is done; otherwise the Effect
   * that writes what did not fit into the channels' memory.
   */
  direct(batch: MessageBatch): Completion {
    const waiting = this.handOver([wholeBatch(batch)])
    return waiting.length === 0 ? undefined : Effect.uninterruptible(this.storeOverflows(waiting))
  }

  // ---- the worker

  /**
   * Hands over a slice of the messages in memory; the rest, and messages on disk, follow after turns for other work.
   */
  private pass(): Completion {
    if (!this.hasWork) return undefined
    return Effect.andThen(this.handOverMemory, Effect.suspend(() => this.hasWork ? this.goOn : Effect.void))
  }

  private get goOn(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.hasWork) {
        if (this.reads.isReady) yield* this.handOverFromDisk
        yield* this.turns.next
        if (this.source.memory.count > 0 && this.source.isPumping()) yield* this.handOverMemory
      }
    })
  }

  /** Uninterruptible: a batch handed to only some of the channels would be lost for the others. */
  private get handOverMemory(): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.suspend(() => {
      const channels = this.source.channels()
      const slice = Math.max(1, Math.floor(handOversMax / channels.length))
      const waiting = this.handOver(this.source.memory.take(slice), channels)
      return waiting.length === 0 ? Effect.void : this.storeOverflows(waiting)
    }))
  }

  /** A channel whose disk fails until shutdown keeps the messages in memory, to retry when it is flushed. */
  private storeOverflows(overflows: ReadonlyArray<Overflow>): Effect.Effect<void> {
    const store = (overflow: Overflow) =>
      Effect.catch(this.storeAtChannel(overflow), () => Effect.sync(() => overflow.channel.keep(overflow.records)))
    return Effect.forEach(overflows, store, { concurrency: "unbounded", discard: true })
  }

  /** Retries while the disk fails: the topic fills up, and its publishers get the error. Fails only at shutdown. */
  private storeAtChannel({ channel, records }: Overflow): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => channel.exiting ? Effect.void : channel.store(records)).pipe(
      Effect.tapError((error) =>
        Effect.logError(`${this.source.label} ERROR: failed to put msg to channel(${channel.name}) - ${error.message}`)
      ),
      Effect.retry({ schedule: retryStorage, while: () => !this.source.isExiting() })
    )
  }

  private get handOverFromDisk(): Effect.Effect<void> {
    const { backend, delays } = this.source
    if (backend === undefined) return Effect.void
    const handOver = backend.read(runBytes).pipe(
      Effect.flatMap((run) => {
        if (run === undefined) return Effect.void
        const batches = delays.size === 0 ? [MessageBatch.stored(run)] : delays.split(run)
        if (!this.copies.isSearching) return this.storeRun(run, this.handOver(batches.map(wholeBatch)))
        return Effect.flatMap(
          this.copies.missing(this.source.channels(), batches),
          (missing) => this.storeRun(run, this.handOverMissing(batches, missing))
        )
      }),
      Effect.uninterruptible
    )
    return Effect.asVoid(this.reads.attempt(handOver))
  }

  /** Messages that a channel could not store stay on the topic's disk, to be handed over again after a restart. */
  private storeRun(run: StoredRun, waiting: ReadonlyArray<Overflow>): Effect.Effect<void> {
    const store = Effect.forEach(waiting, (overflow) => this.storeAtChannel(overflow), { concurrency: "unbounded" })
    return Effect.matchEffect(store, {
      onSuccess: () => Effect.sync(() => run.ledger.settle(0, run.count)),
      onFailure: () => Effect.void
    })
  }

  /** Hands a run to every channel, without the messages that it already has. */
  private handOverMissing(
    run: ReadonlyArray<MessageBatch>,
    missing: ReadonlyMap<ReceivingChannel, ReadonlyArray<MessageBatch>>
  ): ReadonlyArray<Overflow> {
    return this.source.channels().flatMap((channel) =>
      this.handOver((missing.get(channel) ?? run).map(wholeBatch), [channel])
    )
  }

  /** Hands messages to channels; returns those that did not fit into a channel's memory. */
  private handOver(spans: ReadonlyArray<Span>, channels = this.source.channels()): ReadonlyArray<Overflow> {
    const overflows = new Map<ReceivingChannel, Array<StoredRecords>>()
    for (const span of spans) {
      // Channels that have taken the same number of messages share the encoded rest.
      let encoded: StoredRecords | undefined
      let encodedFrom = -1
      for (const channel of channels) {
        const taken = channel.put(span.batch, span.end)
        if (taken === span.end || channel.ephemeral) continue
        if (encoded === undefined || taken !== encodedFrom) encoded = span.batch.encodeRecords(taken, span.end)
        encodedFrom = taken
        const records = overflows.get(channel)
        if (records === undefined) overflows.set(channel, [encoded])
        else records.push(encoded)
      }
    }
    return Array.from(overflows, ([channel, records]) => ({ channel, records }))
  }
}
