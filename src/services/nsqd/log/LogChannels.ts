/**
 * The channels of a log. Creating or deleting one completes when the state has it. Ephemeral channels are not recorded: they keep a
 * number of the oldest messages and end with the process.
 */
import { Effect } from "effect"
import type { LogStateChanges } from "../../../protocol/storage/LogState.ts"
import { StorageError } from "../disk/StorageError.ts"
import { ephemeralNumber } from "./ChannelChanges.ts"
import { ChannelLog, type ChannelOwner } from "./ChannelLog.ts"
import type { LogHealth } from "./LogHealth.ts"
import type { RecoveredState } from "./RecoveredState.ts"
import type { StateRecorder } from "./StateRecorder.ts"

/** What channels need from their log. */
export interface ChannelsHost {
  readonly recorder: StateRecorder
  readonly health: LogHealth
  /** A channel is new or was moved: it must pass the messages that do not exist. */
  readonly added: (channel: ChannelLog) => void
  /** The last channel that is recorded was deleted: new messages have to wait for another one. */
  readonly noneLeft: () => void
}

export class LogChannels {
  private readonly owner: ChannelOwner
  private readonly host: ChannelsHost
  private readonly channels = new Map<string, ChannelLog>()
  /** The ephemeral channels, and how many messages each keeps. */
  private readonly ephemeral = new Map<ChannelLog, number>()
  /** Channels whose creation is not recorded yet. */
  private readonly created = new Set<ChannelLog>()
  private lastNumber = 0

  constructor(owner: ChannelOwner, host: ChannelsHost) {
    this.owner = owner
    this.host = host
  }

  /** Adds the channels of an earlier process. */
  restore({ channels, lastChannel }: RecoveredState): void {
    this.lastNumber = lastChannel
    for (const channel of channels) {
      this.channels.set(channel.name, new ChannelLog(channel.number, channel.name, this.owner, channel))
    }
  }

  get all(): Iterable<ChannelLog> {
    return this.channels.values()
  }
  /** The names of the channels that are not ephemeral. */
  get names(): ReadonlyArray<string> {
    return Array.from(this.channels.values()).filter((channel) => !this.ephemeral.has(channel)).map(({ name }) => name)
  }
  named(name: string): ChannelLog | undefined {
    return this.channels.get(name)
  }
  get isEmpty(): boolean {
    return this.channels.size === 0
  }
  /** Whether there are ephemeral channels at most. */
  get areEphemeral(): boolean {
    return this.channels.size === this.ephemeral.size
  }
  /** All channels have read the messages below this sequence; `Infinity` without channels. */
  get read(): number {
    let read = Infinity
    for (const { cursor } of this.channels.values()) read = Math.min(read, cursor)
    return read
  }

  /** Whether no channel needs the messages from `from` up to, but not including, `to`. */
  areDoneWith(from: number, to: number): boolean {
    for (const channel of this.channels.values()) if (!channel.isDoneWith(from, to)) return false
    return true
  }

  /** All channels have finished the messages below this sequence; `Infinity` without channels. */
  get lowestFloor(): number {
    let lowest = Infinity
    for (const { floor } of this.channels.values()) lowest = Math.min(lowest, floor)
    return lowest
  }

  /** Lets the ephemeral channels drop what they do not keep of the messages from `from` up to `to`, which are being handed over. */
  keepOldest(from: number, to: number): void {
    for (const [channel, most] of this.ephemeral) channel.keepOldest(from, to, most)
  }

  /** The messages from `from` up to, but not including, `to` do not exist. */
  skipLost(from: number, to: number): void {
    for (const channel of this.channels.values()) channel.skipLost(from, to)
  }

  /** See `TopicLog.openChannel`. */
  open(name: string): Effect.Effect<ChannelLog, StorageError> {
    return Effect.suspend(() => {
      let channel = this.channels.get(name)
      if (channel === undefined) {
        const { handed } = this.owner
        channel = ChannelLog.startingAt(handed, ++this.lastNumber, name, this.owner)
        this.add(channel)
        this.created.add(channel)
        this.host.recorder.changes.created(channel.number, name, handed)
      }
      return this.created.has(channel) ? this.recordCreation(channel) : Effect.succeed(channel)
    })
  }

  private recordCreation(channel: ChannelLog): Effect.Effect<ChannelLog, StorageError> {
    return Effect.matchEffect(this.host.recorder.record, {
      onSuccess: () => {
        if (!this.has(channel)) return this.open(channel.name)
        this.created.delete(channel)
        return Effect.succeed(channel)
      },
      onFailure: (error) => {
        if (this.has(channel)) this.drop(channel)
        return Effect.fail(StorageError.fromDisk(error))
      }
    })
  }

  /** See `TopicLog.openEphemeralChannel`. */
  openEphemeral(name: string, most: number): Effect.Effect<ChannelLog> {
    return Effect.sync(() => {
      const existing = this.channels.get(name)
      if (existing !== undefined) {
        this.ephemeral.set(existing, most)
        return existing
      }
      const channel = ChannelLog.startingAt(this.owner.handed, ephemeralNumber, name, this.owner)
      this.add(channel)
      this.ephemeral.set(channel, most)
      return channel
    })
  }

  private add(channel: ChannelLog): void {
    this.channels.set(channel.name, channel)
    this.host.added(channel)
  }

  /** Deletes a channel, durably unless it is ephemeral. Does nothing if it does not exist. */
  delete(name: string): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const channel = this.channels.get(name)
      if (channel === undefined) return Effect.void
      const isRecorded = !this.ephemeral.has(channel)
      this.drop(channel)
      return isRecorded ? Effect.mapError(this.host.recorder.record, StorageError.fromDisk) : Effect.void
    })
  }

  private drop(channel: ChannelLog): void {
    const { health, noneLeft, recorder } = this.host
    this.channels.delete(channel.name)
    this.owner.newlyFinished.noteAll()
    this.created.delete(channel)
    recorder.forget(channel)
    health.readWorks(channel.name)
    if (!this.ephemeral.delete(channel)) {
      recorder.changes.deleted(channel.number)
      if (this.areEphemeral) noneLeft()
    }
    recorder.note()
  }

  /** Makes the messages from `sequence` on, and no others, wait in the channel. The whole state has to be recorded. */
  move(channel: ChannelLog, sequence: number): void {
    channel.moveTo(sequence)
    this.host.added(channel)
  }

  /** The channel has changes, which are recorded soon unless it is deleted. */
  changed(channel: ChannelLog): boolean {
    const isKnown = this.has(channel)
    if (isKnown) this.host.recorder.noteChannel(channel)
    return isKnown
  }

  private has(channel: ChannelLog): boolean {
    return this.channels.get(channel.name) === channel
  }

  /** Encodes the whole state of the channels, in steps of at most `most` messages. */
  *encode(out: LogStateChanges, most: number): Generator<void, void> {
    for (const channel of this.channels.values()) {
      if (this.ephemeral.has(channel)) continue
      yield* channel.encode(out, most)
      yield
    }
  }
}
