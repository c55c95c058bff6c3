import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Layer, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { GuidGenerator } from "../../../../src/protocol/client/Guid.ts"
import {
  frameBodyStart,
  frameHeaders,
  frameIdOffset,
  MessageBatch,
  type PublishedBodies
} from "../../../../src/protocol/client/MessageBatch.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import type { ChannelLog } from "../../../../src/services/nsqd/log/ChannelLog.ts"
import { LogMemory } from "../../../../src/services/nsqd/log/LogMemory.ts"
import { usualStateSizes } from "../../../../src/services/nsqd/log/StateFile.ts"
import { TopicLog } from "../../../../src/services/nsqd/log/TopicLog.ts"
import { FaultyDisk, Idle, untilIdle } from "../../../../src/testing/index.ts"
import { Chance, ChannelModel, check, type Entry, LogModel } from "./LogModel.ts"
import { bodiesOf, messagesOf, yieldingDisk } from "./logs.ts"

const start = 1_000_000_000
const names = ["a", "b", "c"]

/** The headers of the messages of a publish, by their numbers: none, the same ones, some, and large ones. */
const headerKinds: ReadonlyArray<(number: number) => string> = [
  () => "",
  () => "",
  () => "content-type:text/plain\n",
  (number) => number % 3 === 0 ? "" : `number:${number}\n`,
  (number) => `number:${number}\nfiller:${"x".repeat(number * 37 % 4000)}\n`
]

/** The bodies with one block of headers if all are the same, as a publish has it, otherwise with one for each. */
const withHeaders = (bodies: PublishedBodies, headers: ReadonlyArray<Buffer>): PublishedBodies => {
  const [first] = headers
  if (first === undefined || headers.every(({ length }) => length === 0)) return bodies
  return { ...bodies, headers: headers.every((each) => each.equals(first)) ? first : headers }
}

const crashesPerHistory = 5

/** One history with crashes; fails with the seed if the log is not as its model. */
const history = Effect.fnUntraced(function*(
  seed: number,
  durability: "written" | "synced",
  losesPower: boolean
) {
  const chance = new Chance(seed)
  const disk = yield* FaultyDisk
  const files = yieldingDisk(yield* Disk, chance)
  const clock = yield* Clock.Clock
  const runSync = Effect.runSyncWith(yield* Effect.context<never>())
  const wallMillis = () => clock.currentTimeMillisUnsafe()
  yield* TestClock.setTime(start)
  const model = new LogModel(start)
  const segmentBytes = chance.pick([2000, 16_000, 200_000])
  const stateSizes = chance.pick([
    usualStateSizes,
    { partBytes: 1, slackBytes: 100 },
    { partBytes: 150, slackBytes: 1000 }
  ])
  const options = { topic: "orders", directory: "/log/orders", durability, segmentBytes, stateSizes }
  const isUnsyncable = losesPower && durability === "written"
  const idsOf = new Map<number, string>()

  let stops = 0

  // ---- the process

  let epochs = 0
  let log!: TopicLog
  let scopes: ReadonlyArray<Scope.Closeable> = []
  let ids = new GuidGenerator(1)
  let channels = new Map<string, ChannelLog>()

  const launch = Effect.gen(function*() {
    const background = yield* Scope.make()
    const scope = yield* Scope.make()
    scopes = [scope, background]
    yield* files.makeDirectory("/log")
    yield* files.syncDirectory("/")
    log = yield* TopicLog.open(options, {
      disk: files,
      memory: new LogMemory(),
      wallMillis,
      randomEpoch: () => ++epochs,
      fork: (work) => runSync(Effect.forkIn(work, background)),
      note: () => {},
      refusal: () => undefined
    }).pipe(Scope.provide(scope))
    log.history.retain(() => undefined)
    ids = new GuidGenerator(1)
    if (log.commits.lastIssued !== undefined) ids.continueAfter(log.commits.lastIssued)
    log.onCommitted(() => {
      if (!model.isHeld) log.handOver()
    })
  })

  const stop = Effect.suspend(() => Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void)))

  /** Stops the machine if it runs, and starts it again. */
  const reboot = Effect.gen(function*() {
    disk.fail(undefined)
    disk.resize(0)
    if (!disk.isCrashed()) disk.crashAt(0)
    yield* stop
    stops++
    if (losesPower) disk.losePower(chance.below(1_000_000))
    else disk.kill()
    if (chance.happens(20)) yield* setClockBack
  })

  /** What has been due is then due in the future again. */
  const setClockBack = Effect.suspend(() => {
    model.now -= chance.pick([1, 50, 1000])
    return TestClock.setTime(model.now)
  })

  // ---- comparing

  const take = Effect.fnUntraced(function*(channel: ChannelModel, most: number) {
    for (let count = 0; count < most; count++) {
      const batch = yield* log.read(channels.get(channel.name)!)
      if (batch === undefined) return
      for (const { attempts, number, position } of messagesOf(batch)) {
        const { frames } = batch
        const sequence = batch.sequenceAt(position)!
        const id = frames.toString("latin1", position + frameIdOffset, position + frameIdOffset + 16)
        const { message: { headers, size } } = model.delivered(channel, number, sequence, attempts)
        const body = frames.subarray(frameBodyStart(frames, position), position + 4 + frames.readInt32BE(position))
        check(body.length === size, () => `the size of ${number}`)
        check(body.subarray(4).every((byte) => byte === number % 251), () => `the body of ${number}`)
        check(frameHeaders(frames, position).toString() === headers, () => `the headers of ${number}`)
        check((idsOf.get(number) ?? id) === id, () => `the id of ${number}`)
        idsOf.set(number, id)
      }
    }
  })

  const within = (value: number, least: number, most: number, what: string): void => {
    check(value >= least && value <= most, () => `${what} is ${value}, not from ${least} to ${most}`)
  }

  const compare = (): void => {
    const [least, most] = model.depth
    within(log.depth, least, most, "depth")
    for (const channel of model.channels.values()) {
      const { deferredCount, waiting } = channels.get(channel.name)!
      const unknown = channel.all("maybe").length
      const deferred = channel.all("deferred")
      within(
        waiting,
        channel.all("waiting").length,
        channel.all("waiting").length + unknown,
        `${channel.name}: waiting`
      )
      within(deferredCount, deferred.length, deferred.length + unknown, `${channel.name}: deferred`)
    }
  }

  const restart = Effect.gen(function*() {
    model.crash(losesPower)
    while (chance.happens(30)) {
      disk.crashAt(1 + chance.below(15), chance.below(1_000_000))
      const launched = yield* Effect.exit(launch)
      if (Exit.isFailure(launched) && !disk.isCrashed()) yield* launched
      yield* reboot
    }
    yield* launch
    channels = new Map()
    for (const name of model.channels.keys()) check(log.channelNames.includes(name), () => `channel ${name} is missing`)
    for (const name of log.channelNames) {
      if (model.channels.has(name)) channels.set(name, yield* log.openChannel(name))
      else yield* log.deleteChannel(name)
    }
    if (!model.isHoldRecorded && model.channels.size > 0) model.isHeld = false
    // If the state is damaged, messages that were handed over are held as well.
    if (log.depth > model.depth[1]) model.isHeld = false
    if (model.isHeld) log.hold()
    else {
      model.handOver()
      log.handOver()
    }
    for (const channel of model.channels.values()) {
      channels.get(channel.name)!.releaseDue(model.now, Infinity)
      yield* take(channel, Infinity)
    }
    model.settle()
    compare()
  })

  // ---- steps

  const pause = Effect.suspend(() => Effect.repeat(Effect.yieldNow, { times: chance.below(4) }))

  const publish = Effect.gen(function*() {
    yield* pause
    const due = chance.happens(30) ? model.now + chance.pick([1, 15, 100, 2000]) : 0
    const size = chance.pick([4, 20, 200, 3000])
    const headersOf = chance.pick(headerKinds)
    const messages = Array.from({ length: 1 + chance.below(4) }, () => model.publish(size, due, headersOf))
    const nanos = BigInt(wallMillis()) * 1_000_000n
    const bodies = withHeaders(
      bodiesOf(messages.map(({ number }) => number), size),
      messages.map(({ headers }) => Buffer.from(headers))
    )
    const block = ids.take(nanos, messages.length)
    // Messages of a queue of another durability come as they are.
    const stored = yield* Effect.exit(
      chance.happens(30)
        ? log.filling.append(MessageBatch.published(bodies, nanos, block), nanos, due)
        : log.append(bodies, nanos, block, due)
    )
    if (Exit.isSuccess(stored)) {
      for (const message of messages) message.existence = "certain"
      model.isHoldRecorded = true
    } else if (!disk.isCrashed()) {
      if (!isFaulty) yield* stored
      for (const { existence, number } of messages) {
        check(existence === "pending", () => `message ${number} was delivered, but its publish failed`)
      }
    }
  })
  let isFaulty = false

  const use = (name: string) =>
    Effect.gen(function*() {
      const channel = model.channels.get(name)
      const real = channels.get(name)
      if (channel === undefined || real === undefined) return
      for (let turn = chance.below(3); turn > 0; turn--) {
        yield* pause
        const act = chance.below(6)
        const inFlight = chance.some(channel.all("in flight"), chance.pick([20, 50, 90]))
        if (act === 0) {
          const taken = yield* Effect.exit(take(channel, 1 + chance.below(4)))
          if (Exit.isFailure(taken) && !disk.isCrashed() && !isFaulty) yield* taken
          if (disk.isCrashed()) return
        } else if (act === 1) {
          const due = channel.all("deferred").filter((entry) => entry.due <= model.now)
          const count = real.releaseDue(model.now, Infinity)
          for (const entry of due) entry.release()
          within(count, due.length, due.length + channel.all("maybe").length, "due")
        } else {
          for (const entry of inFlight) actOn(real, entry, act)
        }
      }
    })

  const actOn = (real: ChannelLog, entry: Entry, act: number): void => {
    const sequence = entry.message.sequence!
    const attempts = entry.attempts + 1
    if (act < 4) {
      real.finish(sequence, sequence + 1)
      entry.finish()
    } else if (act === 4) {
      const due = model.now + chance.pick([1, 30, 500])
      real.defer(sequence, due, attempts)
      entry.defer(due, attempts)
    } else if (chance.happens(50)) {
      real.keepReturned(sequence, attempts)
      entry.returned(attempts)
    } else {
      real.giveBack(sequence, attempts)
      entry.returned(attempts)
      entry.place = "waiting"
    }
  }

  const sync = Effect.gen(function*() {
    yield* log.sync
    // A failed sync is reported in the log only.
    if (!disk.isCrashed() && !isFaulty) model.noteDurable()
  })

  /** Records everything, and what depends on more than one file makes durable at once. */
  const record = Effect.gen(function*() {
    yield* log.recorded
    if (disk.isCrashed()) return
    const { isHoldRecorded } = model
    model.noteRecorded()
    if (durability === "synced") model.noteDurable()
    else if (isUnsyncable) {
      yield* sync
      if (disk.isCrashed()) model.isHoldRecorded = isHoldRecorded
    }
  })

  const create = (name: string) =>
    Effect.gen(function*() {
      const real = yield* log.openChannel(name)
      yield* record
      if (disk.isCrashed()) return
      channels.set(name, real)
      const channel = new ChannelModel(name)
      model.channels.set(name, channel)
    })

  const remove = (name: string) =>
    Effect.gen(function*() {
      model.channels.delete(name)
      channels.delete(name)
      yield* log.deleteChannel(name)
      yield* record
    })

  const emptyChannel = (name: string) =>
    Effect.gen(function*() {
      const channel = model.channels.get(name)
      if (channel === undefined) return
      channels.get(name)!.empty()
      for (const entry of channel.entries.values()) entry.finish()
      yield* record
    })

  const emptyTopic = Effect.gen(function*() {
    const dropped = model.held
    for (const message of dropped) message.existence = "maybe"
    yield* log.empty
    yield* record
    if (!disk.isCrashed()) { for (const message of dropped) message.existence = "gone" }
  })

  const hold = Effect.gen(function*() {
    model.isHeld = true
    model.isHoldRecorded = false
    log.hold()
    if (isUnsyncable) yield* record
  })

  const release = Effect.gen(function*() {
    if (model.channels.size === 0) return
    model.isHeld = false
    model.isHoldRecorded = false
    model.handOver()
    log.handOver()
    if (isUnsyncable) yield* record
  })

  const advance = Effect.gen(function*() {
    const millis = chance.pick([1, 20, 25, 100, 600])
    model.now += millis
    yield* TestClock.adjust(millis)
    if (millis < 20) return
    yield* untilIdle
    if (disk.isCrashed()) return
    model.noteRecorded()
    if (durability === "synced") model.noteDurable()
  })

  /** Publishers and consumers at the same time. */
  const traffic = Effect.gen(function*() {
    const consumers = names.map(use)
    const publishers = Array.from({ length: chance.below(4) }, () => publish)
    const others = chance.happens(30) ? [Effect.andThen(pause, Effect.exit(log.recorded))] : []
    yield* Effect.all([...publishers, ...consumers, ...others], { concurrency: "unbounded", discard: true })
    if (disk.isCrashed()) return
    if (!model.isHeld) model.handOver()
    if (chance.happens(10)) yield* sync
  })

  /** Traffic while operations of the disk fail. */
  const trouble = Effect.gen(function*() {
    isFaulty = true
    const percent = chance.pick([10, 50, 100])
    const kinds = chance.pick([["write"], ["fsync"], ["write", "fsync"], [
      "open",
      "write",
      "fsync",
      "rename",
      "remove"
    ]])
    if (chance.happens(30)) {
      disk.resize(Array.from(disk.files().values()).reduce((sum, { length }) => sum + length, 1) + chance.below(5000))
    } else {
      disk.fail((operation) =>
        kinds.includes(operation) && chance.happens(percent)
          ? chance.pick(["EIO", "ENOSPC", { code: "EIO", written: chance.below(3000) }])
          : undefined
      )
    }
    for (const message of model.messages.values()) if (!message.isDurable) message.isTainted = true
    for (let turn = 1 + chance.below(3); turn > 0 && !disk.isCrashed(); turn--) yield* traffic
    for (const message of model.messages.values()) if (!message.isDurable) message.isTainted = true
    disk.fail(undefined)
    disk.resize(0)
    isFaulty = false
    if (!disk.isCrashed()) yield* record
  })

  const step = Effect.suspend((): Effect.Effect<void, unknown, Idle> => {
    const choice = chance.below(100)
    const name = chance.pick(names)
    if (choice < 55) return traffic
    if (choice < 70) return advance
    if (choice < 74) return trouble
    if (choice < 80) return model.isHeld ? release : hold
    if (choice < 90) return model.channels.has(name) ? Effect.void : create(name)
    if (choice < 92) return model.channels.size > 1 ? remove(name) : Effect.void
    if (choice < 94) return emptyChannel(name)
    if (choice < 96) return emptyTopic
    return record
  })

  yield* launch
  model.isHeld = true
  log.hold()
  for (let crash = 0; crash < crashesPerHistory; crash++) {
    disk.crashAt(1 + chance.below(chance.pick([10, 30, 100])), chance.below(1_000_000))
    for (let steps = 0; steps < 15 && !disk.isCrashed(); steps++) {
      const done = yield* Effect.exit(step)
      if (disk.isCrashed()) break
      yield* done
      compare()
    }
    yield* reboot
    yield* restart
  }
  yield* stop
  return stops
})

const layer = FaultyDisk.layer.pipe(
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")),
  Layer.provideMerge(Idle.layer)
)

const histories = 360
/** LOG_SEED=n repeats the history of a seed, LOG_HISTORIES=n runs more of them. */
const { LOG_HISTORIES: wanted = histories, LOG_SEED: repeated } = process.env
const seeds = repeated === undefined ? Array.from({ length: Number(wanted) }, (_, seed) => seed) : [Number(repeated)]

describe("a log behaves as its model, whatever crashes", () => {
  for (const durability of ["written", "synced"] as const) {
    for (const losesPower of [false, true]) {
      it.effect(
        `${durability} messages survive ${losesPower ? "a loss of power" : "the end of the process"}`,
        () =>
          Effect.gen(function*() {
            let crashes = 0
            for (const seed of seeds) {
              crashes += yield* history(seed, durability, losesPower).pipe(
                Effect.provide(layer, { local: true }),
                Effect.catchCause((cause) =>
                  Effect.die(new Error(`LOG_SEED=${seed} repeats this: ${Cause.pretty(cause)}`))
                )
              )
            }
            if (seeds.length === histories) assert.isAtLeast(crashes, 2500)
          }),
        480_000
      )
    }
  }
})
