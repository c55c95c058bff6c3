/**
 * The second half of a topic: hands the waiting messages, from memory and from disk, to every channel. What does not
 * fit into a channel's memory is written to the channel's disk queue. A channel whose disk refuses that keeps the messages
 * for its consumers, which may free a full disk; the topic waits until it is rid of them, and its publishers get the error
 * when the topic is full. Messages from the topic's disk stay there meanwhile (`LentRun`).
 *
 * Hot path: a worker hands over batches, each with one call per channel and without a copy.
 */
import { Effect, Latch } from "effect"
import { MessageBatch, type StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { Completion } from "../../core/Completion.ts"
import type { Turns } from "../../core/Turns.ts"
import type { BackendQueue, StoredRun } from "../storage/BackendQueue.ts"
import type { DeferredOnDisk } from "./DeferredOnDisk.ts"
import { DiskReads } from "./DiskReads.ts"
import { LentRun } from "./LentRun.ts"
import { type MemoryQueue, type Span, wholeBatch } from "./MemoryQueue.ts"
import type { Retention } from "./RetainedMessages.ts"
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
  /** Why the disk takes no messages, if it is full. */
  readonly refusal: () => string | undefined
}

/** Messages of a channel that did not fit into its memory. */
interface Overflow {
  readonly channel: ReceivingChannel
  readonly records: ReadonlyArray<StoredRecords>
}

const none: ReadonlyArray<ReceivingChannel> = []

export class HandOver implements Retention {
  private readonly source: Source
  private readonly turns: Turns
  private readonly work: Worker
  private readonly reads: DiskReads
  private readonly copies: SecondCopies
  /** The channels that could not write what they got last. */
  private failing = none
  /** Runs of the topic's disk that channels have not settled; present since the first one. */
  private lent: Set<LentRun> | undefined
  /** How often the topic's disk was emptied: a run read before that is not there any more. */
  private emptied = 0
  /** Opens when messages may be handed over again; present while a publisher waits for that. */
  private room: Latch.Latch | undefined

  constructor(source: Source, { turns, workers }: Pick<Surroundings, "turns" | "workers">) {
    this.source = source
    this.turns = turns
    this.work = new Worker(workers, source.label, () => this.pass())
    this.reads = new DiskReads(source.label, source.backend, this.work)
    this.copies = new SecondCopies(source.backend?.hasMore === true)
  }

  /** Whether messages wait that may be handed over now. */
  get hasWork(): boolean {
    return this.source.isPumping() && !this.isBlocked && (this.source.memory.count > 0 || this.reads.isReady)
  }

  /** Whether a channel keeps messages that it could not write. */
  private get isBlocked(): boolean {
    return this.failing.length > 0 && this.failing.some(({ isKeeping }) => isKeeping)
  }

  get isDiskFull(): boolean {
    return this.source.refusal() !== undefined
  }

  /** A channel is rid of the messages that it could not write. */
  noteRoom(): void {
    if (this.isBlocked) return
    this.work.call()
    this.release()
  }

  /** The topic's disk is being emptied: the channels keep in memory what they have of it. */
  noteEmptied(): void {
    this.emptied++
    this.lent?.forEach((run) => void (run.isGone = true))
    this.lent = undefined
  }

  private release(): void {
    this.room?.openUnsafe()
    this.room = undefined
  }

  /** Calls the worker, because there may be something to hand over. */
  wake(): void {
    this.work.call()
  }

  /** Interrupts the worker and waits for its end. */
  get stop(): Effect.Effect<void> {
    return Effect.andThen(this.work.stop, Effect.sync(() => this.release()))
  }

  /**
   * Hands a batch to the channels that does not wait in the topic. `undefined` if that is done; otherwise the Effect
   * that writes what did not fit into the channels' memory. If that fails, it waits until the channels are rid of it.
   */
  direct(batch: MessageBatch): Completion {
    const waiting = this.handOver([wholeBatch(batch)])
    if (waiting.length === 0) return undefined
    return Effect.andThen(
      Effect.uninterruptible(this.storeOverflows(waiting)),
      Effect.suspend(() => {
        if (!this.isBlocked || this.source.isExiting()) return Effect.void
        this.room ??= Latch.makeUnsafe()
        return this.room.await
      })
    )
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
        if (this.source.memory.count > 0 && this.hasWork) yield* this.handOverMemory
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

  private storeOverflows(overflows: ReadonlyArray<Overflow>): Effect.Effect<void> {
    return Effect.map(this.store(overflows), (refused) => {
      for (const { channel, records } of refused) {
        channel.keep(records.map((run) => wholeBatch(MessageBatch.stored(run))))
      }
    })
  }

  /** Writes what did not fit into memory; returns what could not be written, which the channels have to keep. */
  private store(overflows: ReadonlyArray<Overflow>): Effect.Effect<ReadonlyArray<Overflow>> {
    const refused: Array<Overflow> = []
    const store = (overflow: Overflow) => {
      const { channel, records } = overflow
      return Effect.matchEffect(Effect.suspend(() => channel.exiting ? Effect.void : channel.store(records)), {
        onSuccess: () => Effect.void,
        onFailure: ({ message }) => {
          // It was deleted meanwhile.
          if (channel.exiting) return Effect.void
          refused.push(overflow)
          return this.failing.includes(channel) ? Effect.void : Effect.logError(
            `${this.source.label} ERROR: failed to put msg to channel(${channel.name}) - ${message}`
          )
        }
      })
    }
    return Effect.map(Effect.forEach(overflows, store, { concurrency: "unbounded", discard: true }), () => {
      // One by one they may have been deleted while others wrote.
      const left = refused.filter(({ channel }) => !channel.exiting)
      if (left.length + this.failing.length > 0) this.noteFailing(overflows, left)
      return left
    })
  }

  private noteFailing(tried: ReadonlyArray<Overflow>, refused: ReadonlyArray<Overflow>): void {
    const others = this.failing.filter((failing) => tried.every(({ channel }) => channel !== failing))
    this.failing = [...others, ...refused.map(({ channel }) => channel)]
  }

  private get handOverFromDisk(): Effect.Effect<void> {
    const { backend, delays } = this.source
    if (backend === undefined) return Effect.void
    const { emptied } = this
    const handOver = backend.read(runBytes).pipe(
      Effect.flatMap((run) => {
        if (run === undefined) return Effect.void
        const batches = delays.size === 0 ? [MessageBatch.stored(run)] : delays.split(run)
        if (!this.copies.isSearching) return this.handOverRun(run, batches, undefined, emptied)
        return Effect.flatMap(
          this.copies.missing(this.source.channels(), batches),
          (missing) => this.handOverRun(run, batches, missing, emptied)
        )
      }),
      Effect.uninterruptible
    )
    return Effect.asVoid(this.reads.attempt(handOver))
  }

  /**
   * Hands a run to every channel, without the messages that it already has: it gets what is `missing` then. `emptied` is as of the
   * reading of the run.
   */
  private handOverRun(
    run: StoredRun,
    batches: ReadonlyArray<MessageBatch>,
    missing: ReadonlyMap<ReceivingChannel, ReadonlyArray<MessageBatch>> | undefined,
    emptied: number
  ): Effect.Effect<void> {
    // Neither memory nor a channel's disk: a stop might find no space for what is on disk now.
    const isLent = this.isDiskFull
    const waiting = missing === undefined
      ? this.handOver(batches.map(wholeBatch), undefined, isLent)
      : this.source.channels().flatMap((channel) =>
        this.handOver((missing.get(channel) ?? batches).map(wholeBatch), [channel], isLent)
      )
    if (isLent) this.noteFailing(waiting, waiting)
    return Effect.map(isLent ? Effect.succeed(waiting) : this.store(waiting), (refused) => {
      if (refused.length === 0) run.ledger.settle(0, run.count)
      else this.lend(run, refused, emptied !== this.emptied)
    })
  }

  /** The run stays on the topic's disk until the channels that could not write it are rid of it. */
  private lend(run: StoredRun, refused: ReadonlyArray<Overflow>, isGone: boolean): void {
    const lent = new LentRun(
      run,
      () => this.source.channels().filter(({ ephemeral }) => !ephemeral).length,
      (settled) => this.lent?.delete(settled)
    )
    const shares = refused.map(({ records }) => lent.lend(records))
    lent.begin()
    lent.isGone = isGone
    if (!isGone) (this.lent ??= new Set()).add(lent)
    refused.forEach(({ channel }, i) => channel.keep(shares[i] ?? []))
  }

  /** Hands messages to channels; returns those that did not fit into a channel's memory. With `isLent` none do. */
  private handOver(
    spans: ReadonlyArray<Span>,
    channels = this.source.channels(),
    isLent = false
  ): ReadonlyArray<Overflow> {
    const overflows = new Map<ReceivingChannel, Array<StoredRecords>>()
    for (const span of spans) {
      // Channels that have taken the same number of messages share the encoded rest.
      let encoded: StoredRecords | undefined
      let encodedFrom = -1
      for (const channel of channels) {
        const isKept = isLent && !channel.ephemeral && span.batch.deferMillis === 0
        const taken = isKept ? channel.announce(span.end) : channel.put(span.batch, span.end)
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
