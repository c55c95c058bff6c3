/**
 * One life of a broker with policies in a test with a model: what it has is observed without consuming, and compared with the model;
 * the model records what consumers and publishers do.
 */
import { Clock, Effect, Exit, Result, Scope } from "effect"
import {
  Broker,
  type Channel,
  Clients,
  Policies,
  publish,
  Publisher,
  type Subscription
} from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import * as Time from "../../../../src/services/core/Time.ts"
import { finish, Turns } from "../../../../src/services/core/Turns.ts"
import * as BodyFilter from "../../../../src/services/nsqd/broker/BodyFilter.ts"
import { browse } from "../../../../src/services/nsqd/broker/Browsing.ts"
import { redrive } from "../../../../src/services/nsqd/broker/Redrive.ts"
import * as StatsJson from "../../../../src/services/nsqd/stats/StatsJson.ts"
import { FaultyDisk, WallClock } from "../../../../src/testing/index.ts"
import { type Chance, check } from "../log/LogModel.ts"
import { recordingConsumer } from "./consumers.ts"
import { type Books, clientName } from "./PolicyBooks.ts"
import { type ChannelModel, noCounts, type Observed, type Permitted } from "./PolicyModel.ts"

const msgTimeout = 3000

const everything = Result.getOrThrow(
  BodyFilter.make({ contains: undefined, json: undefined, regex: undefined }, () => Result.fail(undefined))
)

/** What the policies in force permit, by channel. */
export type PermittedIn = ReadonlyMap<string, Permitted>

/** What either of two permits. */
const either = (one: Permitted, two: Permitted): Permitted => ({
  ttls: [...one.ttls, ...two.ttls],
  drops: one.drops || two.drops,
  buriesByLimit: one.buriesByLimit || two.buriesByLimit,
  buriesByAttempts: one.buriesByAttempts || two.buriesByAttempts,
  buriesExpired: one.buriesExpired || two.buriesExpired,
  delaysLetters: one.delaysLetters || two.delaysLetters
})

/** A life of the broker of the environment. */
export const begin = Effect.fnUntraced(function*(books: Books, chance: Chance) {
  const broker = yield* Broker
  const policies = yield* Policies
  const publisher = yield* Publisher
  const clients = yield* Clients
  const turns = yield* Turns
  const time = yield* Time.make
  const disk = yield* FaultyDisk
  const clock = yield* Clock.Clock
  const wallClock = yield* WallClock.WallClock
  /** The time of the broker's wall clock, in ms. */
  const now = (): number => clock.currentTimeMillisUnsafe()
  /** The same by a clock that is never set. */
  const steady = (): number => now() + books.setBack
  const channels = new Map<string, Channel>()
  for (const { channels: all, name } of books.models) {
    for (const channel of all.keys()) {
      channels.set(channel, yield* broker.channel(TopicName.make(name), ChannelName.make(channel)))
    }
  }
  const topic = yield* broker.topic(TopicName.make("t"))
  const subscriptions = new Map<string, { readonly subscription: Subscription; readonly scope: Scope.Closeable }>()

  const channelModel = (name: string): ChannelModel => books.modelOf(name).channels.get(name)!

  // ---- observing

  const observe = Effect.fnUntraced(function*(name: string, channel?: Channel) {
    const log = broker.findTopic(name)?.log
    if (log === undefined) throw new Error(`${name} has no log`)
    const found: Array<Observed> = []
    for (let from: number | undefined = log.history.start; from !== undefined;) {
      const query = { channel, states: undefined, from, limit: 1000, filter: everything, bodyBytes: 100, budget: 1000 }
      const page: Effect.Success<ReturnType<typeof browse>> = yield* browse(log, query, time, turns)
      for (const { body, headers = {}, ...rest } of page.messages) {
        found.push({ ...rest, headers, body: body.toString() })
      }
      from = page.next
    }
    return found
  })

  const statistics = Effect.gen(function*() {
    const filter = { topic: "", channel: "", includeClients: false }
    const { topics } = yield* finish(turns, StatsJson.read(broker, clients, undefined, undefined, filter))
    return Array.from(topics ?? [])
  })

  /** Since the dead-letter topic has refused some: the broker tries again only after a while. */
  let delaysLetters = false

  const permitted = (): PermittedIn => {
    const { maxDepth, onFull, publishRate } = policies.topic("t.dlq")
    delaysLetters ||= (maxDepth > 0 && onFull === "reject") || publishRate > 0
    return new Map(Array.from(channels.values(), ({ name, policy, topic }) => {
      const ofTopic = policies.topic(topic)
      const removes = (what: "drop_oldest" | "dead_letter"): boolean =>
        [policy, ofTopic].some(({ maxAgeMillis, maxBytes, maxDepth, onFull }) =>
          maxDepth + maxBytes + maxAgeMillis > 0 && onFull === what
        )
      return [name, {
        ttls: [policy.ttlMillis],
        drops: removes("drop_oldest"),
        buriesByLimit: removes("dead_letter"),
        buriesByAttempts: policy.maxAttempts > 0,
        buriesExpired: policy.buriesExpired,
        delaysLetters
      }]
    }))
  }

  /**
   * Compares everything with the model. `before` is what was permitted at the last time; `isFirst`: that was before a restart.
   */
  const compare = Effect.fnUntraced(function*(before: PermittedIn, isFirst = false) {
    check(books.faults.length === 0, () => books.faults.join("; "))
    const after = permitted()
    const permittedIn = (name: string): Permitted => either(before.get(name)!, after.get(name)!)
    // All is read before the model changes: a crash may end the reading.
    const stored = yield* observe("t")
    const storedLetters = yield* observe("t.dlq")
    const observed = new Map<string, ReadonlyArray<Observed>>()
    for (const channel of channels.values()) observed.set(channel.name, yield* observe(channel.topic, channel))
    const stats = yield* statistics
    books.learn(stored, isFirst)
    const letters = books.learnLetters(storedLetters, isFirst, permittedIn)
    for (const model of books.models) {
      const told = stats.find(({ topic_name }) => topic_name === model.name)
      check(told?.depth === 0, () => `${model.name} keeps ${told?.depth} messages from its channels`)
      for (const channel of model.channels.values()) {
        const { name } = channel
        forgetTimedOut(channel)
        const counts = { ...noCounts, ...told?.channels?.find(({ channel_name }) => channel_name === name) }
        const ids = model === books.origin ? letters.filter((letter) => letter.channel === name) : []
        model.compare(
          channel,
          observed.get(name) ?? [],
          counts,
          ids.map(({ id }) => id),
          permittedIn(name),
          now(),
          isFirst
        )
        channel.counts = counts
      }
    }
  })

  const forgetTimedOut = ({ held }: ChannelModel): void => {
    for (const [id, { at }] of held) if (steady() >= at + msgTimeout) held.delete(id)
  }

  // ---- consumers

  const connect = Effect.fnUntraced(function*(name: string) {
    const channel = channels.get(name)!
    const { held } = channelModel(name)
    const { consumer, take } = recordingConsumer(Infinity, true)
    const scope = yield* Scope.make()
    const subscription = yield* broker.subscribe(channel.topic, channel.name, {
      ...consumer,
      name: () => clientName,
      deliver: (...delivered) => {
        consumer.deliver(...delivered)
        for (const { attempts, body, headers, id, timestamp } of take()) {
          const { ttlMillis } = channel.policy
          const expires = Math.min(
            Number(headers["nsq-expires"] ?? Infinity),
            ttlMillis > 0 ? Number(timestamp) / 1e6 + ttlMillis : Infinity
          )
          if (expires <= now()) books.faults.push(`message ${body} of ${name} is delivered after its time-to-live`)
          held.set(id, { attempts, at: steady() })
        }
      }
    }, { msgTimeout, sampleRate: 0 }).pipe(Scope.provide(scope))
    subscription.setReady(1 + chance.below(6))
    subscriptions.set(name, { subscription, scope })
  })

  const disconnect = Effect.fnUntraced(function*(name: string) {
    const opened = subscriptions.get(name)
    if (opened === undefined) return
    subscriptions.delete(name)
    yield* Scope.close(opened.scope, Exit.void)
    channelModel(name).held.clear()
  })

  /** Finishes all messages in flight. */
  const finishAll = (name: string): void => {
    for (const id of channelModel(name).held.keys()) {
      books.modelOf(name).entry(name, id).move("finished")
      const result = subscriptions.get(name)?.subscription.finish(messageKey(id))
      check(result === "done", () => `${name}: message ${id} is ${result}`)
      channelModel(name).held.delete(id)
    }
  }

  /** Acknowledges some of the messages in flight. */
  const acknowledge = (name: string): void => {
    const subscription = subscriptions.get(name)?.subscription
    const { held } = channelModel(name)
    if (subscription === undefined) return
    for (const [id, { attempts }] of chance.some([...held], chance.pick([30, 100]))) {
      const entry = books.modelOf(name).entry(name, id)
      const key = messageKey(id)
      const choice = chance.below(100)
      const { maxAttempts } = channels.get(name)!.policy
      if (choice >= 92 || (choice >= 80 && name === "r")) continue
      held.delete(id)
      let result = "done"
      if (choice < 50) {
        entry.move("finished")
        result = subscription.finish(key)
      } else if (choice < 80) {
        if (maxAttempts > 0 && attempts >= maxAttempts) entry.doomed = { reason: "max_attempts", attempts }
        result = subscription.requeue(key, chance.pick([0, 0, 700]))
      } else {
        entry.doomed = { reason: "bad", attempts }
        result = subscription.reject(key, "bad")
      }
      check(result === "done", () => `${name}: message ${id} is ${result}`)
    }
  }

  // ---- publishing

  const send = Effect.gen(function*() {
    const delay = chance.happens(20) ? chance.pick([200, 3000]) : 0
    const count = delay > 0 ? 1 : 1 + chance.below(4)
    const key = chance.happens(40) ? `key-${chance.below(4)}` : undefined
    const headers = {
      ...(chance.happens(50) ? { "x-number": String(chance.below(100)) } : {}),
      ...(chance.happens(20) ? { "nsq-expires": String(now() + chance.pick([500, 5000, 60_000])) } : {})
    }
    const isOn = policies.topic("t").dedupWindowMillis > 0
    const known = key === undefined || !isOn ? "absent" : books.knows(key, steady())
    if (key !== undefined && !isOn) books.keysForgottenAt = steady()
    const isAdmitted = admits(count)
    const { duplicateCount } = topic
    const all = Array.from({ length: count }, () => books.publish(key, steady(), headers))
    const bodies = all.map(({ number }) => Buffer.from(String(number)))
    const keyed = key === undefined ? {} : { dedupKey: key }
    const sent = yield* Effect.exit(publish("t", bodies, { headers, delay, ...keyed }))
    if (disk.isCrashed()) return
    const isDuplicate = topic.duplicateCount > duplicateCount
    const isStored = Exit.isSuccess(sent) && !isDuplicate
    for (const published of all) published.existence = isStored ? "certain" : "absent"
    const told = (): string => `the publish of ${all.map(({ number }) => number).join()} with the key ${key}`
    if (isDuplicate) check(known !== "absent", () => `${told()} is counted as a duplicate`)
    else {
      check(!isStored || known !== "certain", () => `${told()} is stored again`)
      check((isAdmitted ?? Exit.isSuccess(sent)) === Exit.isSuccess(sent), () => `${told()} ends with ${sent}`)
    }
  })

  /** Whether the limits admit so many messages; `undefined` if that depends on ages, sizes or the publishes before. */
  const admits = (count: number): boolean | undefined => {
    const own = ["a", "b"].map((name) => channels.get(name)!)
    const limits = [
      { policy: policies.topic("t"), unfinished: Math.max(...own.map(({ unfinished }) => unfinished)) },
      ...own
    ].filter(({ policy: { onFull } }) => onFull === "reject")
    const isFull = limits.some(({ policy: { maxDepth }, unfinished }) => maxDepth > 0 && unfinished + count > maxDepth)
    if (isFull) return false
    const isKnown = limits.every(({ policy: { maxAgeMillis, maxBytes } }) => maxAgeMillis + maxBytes === 0)
    return isKnown && policies.topic("t").publishRate === 0 ? true : undefined
  }

  /** Publishes all dead letters again. */
  const redriveAll = Effect.gen(function*() {
    const channel = channels.get("r")!
    const log = broker.findTopic("t.dlq")?.log
    if (log === undefined) throw new Error("the dead-letter topic has no log")
    const wanted = (yield* observe("t.dlq", channel)).filter(({ state }) => state === "waiting" || state === "deferred")
    const entries = wanted.map(({ id }) => books.dead.entry("r", id))
    books.expectRedriven(wanted.map(({ body }) => Number(body)))
    // Until it is known how many were redriven.
    for (const entry of entries) entry.mayMove("finished")
    const { redriven } = books
    const counts = { scanned: 0, moved: 0, skipped: 0 }
    const done = yield* Effect.exit(redrive(
      { log: () => log, channel, id: undefined, filter: everything, to: undefined, rate: 0 },
      { publish: (to, bodies) => publisher.publish(to, bodies, 0), log: (to) => broker.findTopic(to)?.log },
      turns,
      counts
    ))
    if (disk.isCrashed()) return
    books.learn(yield* observe("t"), false)
    check(
      books.redriven - redriven === counts.moved,
      () => `${counts.moved} were redriven, not ${books.redriven - redriven}`
    )
    const isFree = admits(wanted.length)
    check(Exit.isSuccess(done) || isFree !== true, () => `a redrive ends with ${done}`)
    check(
      Exit.isFailure(done) || counts.moved === wanted.length,
      () => `${counts.moved} of ${wanted.length} were redriven`
    )
    for (const entry of entries.slice(0, counts.moved)) entry.move("finished")
  })

  /** The place of a channel that is moved: a sequence, or that of a time. */
  const somewhere = Effect.fnUntraced(function*(observed: ReadonlyArray<Observed>) {
    const log = topic.log
    if (log === undefined) throw new Error("the topic has no log")
    const { handed, history } = log
    if (chance.happens(70)) return history.start + chance.below(handed - history.start + 1)
    const millis = now() - chance.below(20_000)
    const sequence = yield* history.sequenceAt(millis)
    const first = observed.find(({ timestamp }) => Number(timestamp / 1_000_000n) >= millis)?.sequence ?? history.end
    check(books.setBack > 0 || sequence === first, () => `message ${sequence}, not ${first}, is the first of ${millis}`)
    return Math.min(sequence, handed)
  })

  /** Moves a channel to another place of the log. */
  const rewind = Effect.fnUntraced(function*(name: string) {
    const channel = channels.get(name)!
    const observed = yield* observe("t", channel)
    const sequence = yield* somewhere(observed)
    const entries = observed.map((each) => ({ each, entry: books.origin.entry(name, each.id) }))
    for (const { each, entry } of entries) entry.mayMove(each.sequence < sequence ? "skipped" : "open")
    channelModel(name).held.clear()
    yield* channel.seek(sequence)
    for (const { each, entry } of entries) {
      if (each.sequence >= sequence) entry.reopen()
      else if (entry.place === "open") entry.move("skipped")
    }
  })

  /** Deletes a channel, and creates it again at another place of the log. */
  const recreate = Effect.fnUntraced(function*(name: string) {
    yield* disconnect(name)
    const entries = (yield* observe("t")).map(({ id }) => books.origin.entry(name, id))
    for (const entry of entries) entry.mayMove("skipped")
    yield* broker.deleteChannel("t", name)
    for (const entry of entries) if (entry.place === "open" || entry.isUncertain) entry.move("skipped")
    channels.set(name, yield* broker.channel(TopicName.make("t"), ChannelName.make(name)))
    channelModel(name).counts = noCounts
    yield* rewind(name)
  })

  /** Sets the wall clock back. */
  const setClockBack = (millis: number) =>
    Effect.andThen(wallClock.step(-millis), Effect.sync(() => void (books.setBack += millis)))

  /** Changes the durability of both topics, whose messages in flight return. The one for dead letters is never less durable. */
  const changeDurability = Effect.gen(function*() {
    const durability = topic.durability === "written" ? "synced" : "written"
    for (const model of durability === "synced" ? [books.dead, books.origin] : books.models) {
      // A crash may have come between the two topics.
      if (broker.findTopic(model.name)?.durability === durability) continue
      for (const channel of model.channels.values()) channel.held.clear()
      model.returnLetters()
      yield* broker.setDurability(model.name, durability)
    }
  })

  /** Deletes a single message, or lets it wait before it is due. */
  const single = Effect.fnUntraced(function*(name: string) {
    const channel = channels.get(name)!
    const { held } = channelModel(name)
    const all = yield* observe("t", channel)
    if (all.length === 0) return
    const { id, sequence, state } = chance.pick(all)
    const entry = books.origin.entry(name, id)
    const delivered = held.get(id)
    if (delivered !== undefined) {
      held.delete(id)
      const { maxAttempts } = channel.policy
      const subscription = subscriptions.get(name)?.subscription
      const isDeleted = chance.happens(50)
      if (isDeleted) entry.move("finished")
      else if (maxAttempts > 0 && delivered.attempts >= maxAttempts) {
        entry.doomed = { reason: "max_attempts", attempts: delivered.attempts }
      }
      const done = isDeleted
        ? channel.finishAny(messageKey(id))
        : subscription?.requeue(messageKey(id), 0) === "done"
      check(done, () => `message ${id}, in flight, is not there`)
    } else if (chance.happens(50)) {
      const isReleased = yield* channel.release(sequence)
      check(isReleased === (state === "deferred"), () => `message ${id}, ${state}, is released: ${isReleased}`)
    } else {
      if (state !== "retained") entry.mayMove("finished")
      const isDropped = yield* channel.drop(sequence)
      check(isDropped === (state !== "retained"), () => `message ${id}, ${state}, is deleted: ${isDropped}`)
      if (isDropped) entry.move("finished")
    }
  })

  return {
    policies,
    subscriptions,
    permitted,
    compare,
    connect,
    disconnect,
    acknowledge,
    finishAll,
    send,
    redriveAll,
    rewind,
    recreate,
    setClockBack,
    changeDurability,
    single,
    /** Messages that wait, are in flight or are deferred in the channels of `t`. */
    unfinished: () => Math.max(...["a", "b"].map((name) => channels.get(name)!.unfinished))
  }
})
