/**
 * A model of the messages of a durable topic whose channels have policies: in which place each accepted message is in each channel. The
 * test observes the places without consuming; the model says whether a message may have come there.
 */
import type { Headers } from "../../../../src/protocol/client/Headers.ts"
import type { MessageState } from "../../../../src/protocol/http/MessagesResponse.ts"
import { check } from "../log/LogModel.ts"

/** Where a message of a channel is. `gone`: it has expired, or a limit has dropped it. `skipped`: a rewind has passed it. */
export type Place = "open" | "finished" | "dead" | "gone" | "skipped"

/** A message as the topic's log and a channel have it. */
export interface Observed {
  readonly id: string
  readonly sequence: number
  readonly timestamp: bigint
  readonly state: MessageState
  readonly headers: Headers
  readonly body: string
}

/** A channel as `/stats` has it. */
export interface Counts {
  readonly depth: number
  readonly in_flight_count: number
  readonly deferred_count: number
  readonly dropped_count: number
  readonly dead_letter_count: number
  readonly expired_count: number
}

export const noCounts: Counts = {
  depth: 0,
  in_flight_count: 0,
  deferred_count: 0,
  dropped_count: 0,
  dead_letter_count: 0,
  expired_count: 0
}

/** What policies permit to happen to messages between two observations. */
export interface Permitted {
  /** Every time-to-live of the time between, in ms. */
  readonly ttls: ReadonlyArray<number>
  readonly drops: boolean
  readonly buriesByLimit: boolean
  readonly buriesByAttempts: boolean
  readonly buriesExpired: boolean
  /** Dead letters may wait until their topic takes them. */
  readonly delaysLetters: boolean
}

/** A message in a channel. */
export class Entry {
  place: Place = "open"
  /** Places since the last recorded one: a crash reverts the message to any of them. */
  private since: Array<Place> = ["open"]
  /** How often the message may have become a dead letter. */
  deaths = 1
  letters = 0
  /** The reason and the attempts with which it must become a dead letter. */
  doomed: { readonly reason: string; readonly attempts: number } | undefined
  /** Its place is known only when it is observed. */
  isUncertain = false

  move(place: Place): void {
    this.place = place
    this.since.push(place)
    if (place !== "open") this.doomed = undefined
  }

  /** A change that has begun, and that a crash may leave undone. */
  mayMove(place: Place): void {
    this.since.push(place)
  }

  /** It waits again. */
  reopen(): void {
    this.deaths = this.letters + 1
    this.doomed = undefined
    this.move("open")
  }

  noteRecorded(): void {
    this.since = [this.place]
  }

  crash(): void {
    this.isUncertain = true
    // A dead letter that was stored before the crash may become one again at the start.
    this.deaths++
    this.doomed = undefined
  }

  /** Whether the message may be in the place after a crash. */
  mayBe(place: Place): boolean {
    return this.since.includes(place)
  }

  /** A restart has found it there. */
  found(place: Place): void {
    this.deaths = this.letters + (place === "open" ? 1 : 0)
    this.place = place
    // If it has left the channel, it may have done so after the restart only.
    this.since = place === "open" ? [place] : [...this.since, place]
    this.isUncertain = false
  }
}

/** A message of a topic. */
export class Instance {
  readonly observed: Observed
  readonly number: number
  readonly redriven: number
  readonly entries = new Map<string, Entry>()

  constructor(observed: Observed, channels: Iterable<string>) {
    this.observed = observed
    this.number = Number(observed.body)
    this.redriven = Number(observed.headers["nsq-redriven"] ?? 0)
    for (const name of channels) this.entries.set(name, new Entry())
  }

  get acceptedAt(): number {
    return Number(this.observed.timestamp) / 1e6
  }

  /** Whether it may have expired by `now`. */
  mayExpire(now: number, ttls: ReadonlyArray<number>): boolean {
    const own = this.observed.headers["nsq-expires"]
    return (own !== undefined && Number(own) <= now) ||
      ttls.some((ttl) => ttl > 0 && this.acceptedAt + ttl <= now)
  }
}

export class ChannelModel {
  readonly name: string
  /** Messages in flight to the test's consumer, with their attempts and the time of their delivery. */
  readonly held = new Map<string, { readonly attempts: number; readonly at: number }>()
  counts: Counts = noCounts

  constructor(name: string) {
    this.name = name
  }
}

/** Changes of a channel between two observations. */
interface Changes {
  missing: Array<Instance>
  dead: number
}

/** Of a topic with these channels. */
export class TopicModel {
  readonly name: string
  readonly channels: ReadonlyMap<string, ChannelModel>
  readonly instances = new Map<string, Instance>()

  constructor(name: string, channels: ReadonlyArray<string>) {
    this.name = name
    this.channels = new Map(channels.map((channel) => [channel, new ChannelModel(channel)]))
  }

  entry(channel: string, id: string): Entry {
    const entry = this.instances.get(id)?.entries.get(channel)
    if (entry === undefined) throw new Error(`${this.name}: unknown message ${id}`)
    return entry
  }

  /**
   * Adds messages that the log has and the model does not; returns them. `isRestart`: they may have been stored by an earlier process.
   */
  learn(observed: ReadonlyArray<Observed>, isRestart: boolean): ReadonlyArray<Instance> {
    const found = observed.filter(({ id }) => !this.instances.has(id))
      .map((each) => new Instance(each, this.channels.keys()))
    for (const instance of found) {
      this.instances.set(instance.observed.id, instance)
      if (isRestart) { for (const entry of instance.entries.values()) entry.crash() }
    }
    return found
  }

  noteRecorded(): void {
    for (const { entries } of this.instances.values()) for (const entry of entries.values()) entry.noteRecorded()
  }

  /** Dead letters that were not stored are delivered again. */
  returnLetters(): void {
    for (const { entries } of this.instances.values()) {
      for (const entry of entries.values()) entry.doomed = undefined
    }
  }

  /** The broker has ended in order: dead letters that were not stored are delivered again. */
  restart(): void {
    for (const { entries } of this.instances.values()) {
      for (const entry of entries.values()) {
        entry.doomed = undefined
        entry.noteRecorded()
      }
    }
    this.forgetCounts()
  }

  crash(): void {
    for (const { entries } of this.instances.values()) for (const entry of entries.values()) entry.crash()
    this.forgetCounts()
  }

  private forgetCounts(): void {
    for (const channel of this.channels.values()) {
      channel.held.clear()
      channel.counts = noCounts
    }
  }

  /**
   * Compares a channel with what was observed of it. `letters` has the ids of messages that have become dead letters of the channel
   * since the last time. `isRestart`: the counts are those of another process.
   */
  compare(
    { counts: before, held, name }: ChannelModel,
    observed: ReadonlyArray<Observed>,
    counts: Counts,
    letters: ReadonlyArray<string>,
    permitted: Permitted,
    now: number,
    isRestart: boolean
  ): void {
    const where = (instance: Instance): string => {
      const { place } = instance.entries.get(name)!
      return `${this.name}/${name}: message ${instance.number} (${instance.observed.id}), ${place}`
    }
    const states = new Map(observed.map(({ id, state }) => [id, state]))
    const changes: Changes = { missing: [], dead: 0 }
    for (const id of letters) this.entry(name, id).letters++
    const buried = new Set(letters)
    for (const instance of this.instances.values()) {
      const entry = instance.entries.get(name)!
      const { id } = instance.observed
      const state = states.get(id) ?? "retained"
      const isOpen = state !== "retained"
      if (held.has(id)) check(state === "in_flight", () => `${where(instance)} is held and ${state}`)
      // Dead letters that are not stored yet count as in flight.
      else if (state === "in_flight") {
        check(permitted.delaysLetters, () => `${where(instance)} is in flight without a consumer`)
      }
      if (isOpen) {
        if (entry.isUncertain) check(entry.mayBe("open"), () => `${where(instance)} waits again after a crash`)
        else check(entry.place === "open", () => `${where(instance)} waits again`)
        if (entry.isUncertain) entry.found("open")
        check(
          entry.doomed === undefined || state === "in_flight",
          () => `${where(instance)} is ${state}, and must be dead`
        )
      } else if (entry.place === "open" || entry.isUncertain) {
        this.settle(entry, instance, buried.has(id), permitted, now, changes, where)
      }
      check(entry.letters <= entry.deaths, () => `${where(instance)} has ${entry.letters} dead letters`)
    }
    const open = observed.filter(({ state }) => state !== "retained")
    const numberOf = (wanted: Observed["state"]): number => open.filter(({ state }) => state === wanted).length
    const told = (): string => `${this.name}/${name} has ${JSON.stringify(counts)}`
    check(
      counts.depth + counts.in_flight_count + counts.deferred_count === open.length,
      () => `${told()}, and ${open.length} messages`
    )
    check(counts.deferred_count === numberOf("deferred"), () => `${told()}, and ${numberOf("deferred")} deferred ones`)
    check(counts.in_flight_count === numberOf("in_flight"), () => `${told()}, and ${numberOf("in_flight")} in flight`)
    if (isRestart) return
    const dropped = counts.dropped_count - before.dropped_count
    const expired = counts.expired_count - before.expired_count
    check(
      dropped + expired === changes.missing.length,
      () => `${told()} after ${JSON.stringify(before)}, and ${changes.missing.map(where).join()} missing`
    )
    const expirable = changes.missing.filter((instance) => instance.mayExpire(now, permitted.ttls))
    check(expired <= expirable.length, () => `${told()}, and ${expirable.length} messages can have expired`)
    check(
      counts.dead_letter_count - before.dead_letter_count === changes.dead,
      () => `${told()} after ${JSON.stringify(before)}, and ${changes.dead} new dead letters`
    )
  }

  /** A message has left the channel. */
  private settle(
    entry: Entry,
    instance: Instance,
    isBuried: boolean,
    permitted: Permitted,
    now: number,
    changes: Changes,
    where: (instance: Instance) => string
  ): void {
    if (isBuried || (entry.isUncertain && entry.letters >= entry.deaths)) {
      if (isBuried) changes.dead++
      return entry.isUncertain ? entry.found("dead") : entry.move("dead")
    }
    if (entry.isUncertain) {
      const known = (["finished", "dead", "gone", "skipped"] as const).find((place) => entry.mayBe(place))
      if (known !== undefined) return entry.found(known)
    }
    check(entry.doomed === undefined, () => `${where(instance)} is not in the dead-letter topic`)
    check(permitted.drops || instance.mayExpire(now, permitted.ttls), () => `${where(instance)} is lost`)
    changes.missing.push(instance)
    if (entry.isUncertain) entry.found("gone")
    else entry.move("gone")
  }
}
