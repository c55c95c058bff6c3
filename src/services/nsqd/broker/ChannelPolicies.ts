/**
 * What the policies of a channel and of its topic do to the channel's messages (docs/policies.md): the oldest waiting ones beyond a limit
 * are removed, expired ones are dropped or moved, and dead letters are stored in their topic. Has the state and the counters of all three.
 *
 * Hot path: a channel without policies pays three comparisons per pass of its worker.
 */
import { Effect } from "effect"
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { ChannelName, TopicName } from "../../../protocol/client/Names.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Policies } from "../policies/Policies.ts"
import type { ChannelPolicy, PolicyOwner } from "../policies/ResolvedPolicy.ts"
import { AgeLimit } from "./AgeLimit.ts"
import type { WaitingMessages } from "./Backlog.ts"
import { Burial } from "./Burial.ts"
import { Expiry } from "./Expiry.ts"
import type { Surroundings } from "./Surroundings.ts"
import { type Excess, removeOldest, Trimming } from "./Trimming.ts"

/** After this time a message is delivered again that could not become a dead letter, because too many wait to be stored. */
const buryAgainMillis = 1000

/** Messages that a limit removes per turn. */
const trimmedAtOnce = 1024

/** A channel, as its policies see it. */
export interface GovernedChannel {
  readonly topic: TopicName
  readonly name: ChannelName
  /** Its name in the log. */
  readonly label: string
  /** About how many bytes the newest `count` messages of the topic have. */
  readonly bytesOf: (count: number) => number
}

/** The messages of a channel, as its policies see them. */
export interface GovernedMessages {
  readonly backlog: WaitingMessages
  /** Messages that wait, are in flight or are deferred; without dead letters. */
  readonly unfinished: number
  /** The channel is being closed or deleted. */
  readonly exiting: boolean
  /** Present while the queue of the topic is replaced. */
  readonly moving: Effect.Effect<void> | undefined
  readonly eachInFlight: (each: (batch: MessageBatch, position: number) => void) => Generator<void, void>
  /** Delivers a message again after `delayMillis`. */
  readonly defer: (batch: MessageBatch, delayMillis: number) => void
  /** Removes the expired messages at the head of the queues, until the turn of `Expiry` is over. */
  readonly removeExpiredHeads: () => void
  /** Calls the worker, which removes what exceeds a limit and delivers. */
  readonly wake: () => void
}

export class ChannelPolicies implements PolicyOwner {
  /** The policy in force; changes in place. */
  readonly policy: ChannelPolicy
  readonly expiry: Expiry
  private readonly channel: GovernedChannel
  private readonly policies: Pick<Policies["Service"], "topic" | "channel">
  private readonly surroundings: Surroundings
  private readonly messages: GovernedMessages
  private dropped = 0
  /** Present while a limit removes waiting messages. */
  private trimming: Trimming | undefined
  /** Present while a limit of age applies. */
  private age: AgeLimit | undefined
  /** Whether expired messages that wait are to be read and removed, also without a consumer. */
  private isSweeping = false
  /** Present since the first dead letter. */
  private burial: Burial | undefined
  /** Dead letters before the queue of the topic was replaced. */
  private buried = 0

  constructor(
    channel: GovernedChannel,
    policies: Pick<Policies["Service"], "topic" | "channel">,
    surroundings: Surroundings,
    messages: GovernedMessages
  ) {
    this.channel = channel
    this.policies = policies
    this.surroundings = surroundings
    this.messages = messages
    this.policy = policies.channel(channel.topic, channel.name)
    this.expiry = new Expiry(this.policy, surroundings.time, {
      bury: (batch, reason, client) => this.bury(batch, reason, client),
      isFull: () => this.burial?.isFull === true
    })
    this.policy.owner = this
    this.setLimits()
  }

  /** The policy of the channel or of its topic has changed. */
  policyChanged(): void {
    this.setLimits()
    this.messages.wake()
  }

  // ---- statistics

  /** Messages that a limit has dropped. */
  get droppedCount(): number {
    return this.dropped
  }
  /** Messages that the dead-letter topic has got. */
  get deadLetterCount(): number {
    return this.buried + (this.burial?.stored ?? 0)
  }
  /** See `Channel.oldestAccepted`. */
  get oldestAccepted(): number {
    return this.age?.oldest ?? Infinity
  }
  /** Dead letters that are not stored yet. */
  get buryingCount(): number {
    return this.burial?.count ?? 0
  }
  /** See `Channel.burying`. */
  get burying(): ReadonlySet<number> {
    return this.burial?.sequences ?? new Set()
  }

  // ---- limits

  private setLimits(): void {
    const { channel: { bytesOf, label, topic }, messages, surroundings: { time, turns } } = this
    const ofTopic = this.policies.topic(topic)
    const trimming = new Trimming(this.policy, ofTopic, bytesOf)
    this.trimming = trimming.isOn ? trimming : undefined
    this.age = AgeLimit.of(this.policy, ofTopic, {
      label,
      turns,
      backlog: () => messages.backlog,
      wallMillis: () => Number(time.wallNanos() / 1_000_000n),
      isEnding: () => messages.exiting || messages.moving !== undefined,
      isBurialFull: () => this.burial?.isFull === true,
      bury: (batch) => this.bury(batch, "limit", ""),
      noteDropped: (count) => void (this.dropped += count),
      eachInFlight: (each) => messages.eachInFlight(each)
    })
  }

  /** Makes the worker look for messages that are older than a limit of age. */
  lookAtAge(): void {
    if (this.age === undefined) return
    this.age.isDue = true
    this.messages.wake()
  }

  private get excess(): Excess | undefined {
    return this.trimming?.excess(this.messages.unfinished)
  }

  /**
   * Removes messages beyond a limit, and expired ones that become dead letters. Only the channel's worker may run it; `undefined` if
   * nothing has to be done.
   */
  get removal(): Effect.Effect<void> | undefined {
    const isOver = this.trimming !== undefined && (this.excess?.count ?? 0) > 0
    return isOver || this.age?.isDue === true || this.isSweeping ? this.removed : undefined
  }

  /** All of them: what cannot be removed for now by one rule does not stop the others. */
  private get removed(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      yield* this.trimmed
      if (this.age?.isDue === true) yield* this.age.look
      if (this.isSweeping) yield* this.swept
    })
  }

  /** Whether a limit of depth or bytes removes messages now. */
  private get canTrim(): boolean {
    const { excess, messages } = this
    if (excess === undefined || excess.count === 0 || messages.exiting || messages.moving !== undefined) return false
    return !(excess.bury && this.burial?.isFull === true)
  }

  /** Removes the oldest waiting messages beyond the limits of depth and bytes. */
  private get trimmed(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { messages } = this
      while (this.canTrim) {
        const { backlog } = messages
        if (backlog.hasSpilled) yield* backlog.writeSpilled
        // Also with messages in memory: those on disk may be older.
        if (backlog.fetched.count === 0 && !backlog.load() && backlog.canFetch) yield* backlog.fetch
        // Meanwhile messages may have been finished or dropped, and the limit may have changed.
        const { excess } = this
        if (!backlog.isLoaded || excess === undefined || !this.canTrim) break
        removeOldest(backlog, Math.min(excess.count, trimmedAtOnce), (batch, position) => {
          if (excess.bury) return this.bury(batch.single(position), "limit", "")
          batch.settle(position, 1)
          this.dropped++
        })
        yield* this.surroundings.turns.next
      }
    })
  }

  // ---- time-to-live

  /** Messages have headers, and may have a time-to-live of their own. */
  noteHeaders(): void {
    this.expiry.noteHeaders()
    this.surroundings.headersSeen.note()
  }

  /** Removes waiting messages whose time-to-live is over. */
  get removeExpired(): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      const { expiry, messages, policy, surroundings: { time, turns } } = this
      if (!expiry.isSwept || messages.exiting) return
      if (expiry.buries) {
        // Dead letters are read first, which only the worker does.
        this.isSweeping = true
        return messages.wake()
      }
      for (expiry.beginTurn();; expiry.beginTurn()) {
        if (messages.moving !== undefined) return
        messages.removeExpiredHeads()
        if (!expiry.isTurnOver) break
        yield* turns.next
      }
      // The policy, and the queue, may change while the log is read.
      const isDropping = (): boolean => !messages.exiting && messages.moving === undefined && !expiry.buries
      const now = (): number => Number(time.wallNanos() / 1_000_000n)
      const before = (): number => isDropping() && policy.ttlMillis > 0 ? now() - policy.ttlMillis : -Infinity
      const isOver = (frames: Buffer, position: number): boolean =>
        isDropping() && expiry.isOwnOver(frames, position, now())
      const { backlog } = messages
      if (backlog.dropBefore !== undefined) expiry.noteDropped(yield* backlog.dropBefore(before, isOver))
      // They are read first, which only the worker does.
      if (backlog.hasReturned !== true) return
      this.isSweeping = true
      messages.wake()
    })
  }

  /** Removes waiting messages whose time-to-live is over, and reads those that have to be read. */
  private get swept(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { expiry, messages, surroundings: { turns } } = this
      while (!messages.exiting && messages.moving === undefined) {
        const { backlog } = messages
        expiry.beginTurn()
        messages.removeExpiredHeads()
        if (expiry.isBlocked) break
        if (!expiry.isTurnOver) {
          if (backlog.fetched.count > 0) break
          if (!backlog.load() && !(backlog.canFetch && (yield* backlog.fetch))) break
        }
        yield* turns.next
      }
      // Continued when there is room for dead letters again.
      this.isSweeping = expiry.isBlocked
    })
  }

  // ---- dead letters

  /** Makes a message a dead letter. It is alone in its batch, and its attempts are raised already. */
  bury(batch: MessageBatch, reason: string, client: string): void {
    const burial = this.burial ??= this.makeBurial()
    // While dead letters cannot be stored, messages are delivered again rather than kept here.
    if (burial.isFull) this.messages.defer(batch, buryAgainMillis)
    else burial.add(batch, reason, client)
  }

  private makeBurial(): Burial {
    const { channel: { label, name: channel, topic }, policy, surroundings: { deadLetters, workers } } = this
    return new Burial(
      label,
      workers,
      (letters, stored) => deadLetters.store({ topic, channel, template: policy.deadLetter }, letters, stored),
      () => this.messages.wake()
    )
  }

  /** Ends the storing of dead letters. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => this.burial?.stop ?? Effect.void)
  }

  /** Gives back the dead letters that are not stored yet. */
  takeDeadLetters(): ReadonlyArray<MessageBatch> {
    return this.burial?.takeAll() ?? []
  }

  /** Dead letters that are not stored yet, each alone in its batch. */
  get buryingBatches(): ReadonlyArray<MessageBatch> {
    return this.burial?.batches ?? []
  }

  /** The wanted messages do not become dead letters, unless they are being stored; returns them. */
  forgetDeadLetter(isWanted: (batch: MessageBatch) => boolean): ReadonlyArray<MessageBatch> {
    return this.burial?.forget(isWanted) ?? []
  }

  /** Finishes the dead letters that are not stored yet. */
  forgetDeadLetters(): void {
    for (const batch of this.takeDeadLetters()) batch.settle(0, 1)
  }

  /** After `stop`: gives back the dead letters that are not stored yet. Later ones start anew. */
  leave(): ReadonlyArray<MessageBatch> {
    const letters = this.takeDeadLetters()
    this.buried = this.deadLetterCount
    this.burial = undefined
    return letters
  }
}
