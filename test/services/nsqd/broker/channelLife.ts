/** Runs steps on a broker and on its model, and compares them after each. */
import { assert } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  Broker,
  type Channel,
  Options,
  publish,
  Publisher,
  Storage,
  type StorageError,
  type Subscription,
  type Topic
} from "../../../../src/broker.ts"
import { type MessageKey, messageKey } from "../../../../src/protocol/client/Message.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { FaultyDisk, Idle, untilIdle } from "../../../../src/testing/index.ts"
import { ChannelModel, type ConsumerModel, type MessageModel, type Settings, Step, TopicModel } from "./ChannelModel.ts"
import { recordingConsumer } from "./consumers.ts"

const topicName = TopicName.make("orders")
export const channelNames = [ChannelName.make("billing"), ChannelName.make("archive")]

/** A consumer of the broker and its model. */
interface Consumer {
  readonly model: ConsumerModel
  readonly subscription: Subscription
  readonly scope: Scope.Closeable
  readonly recording: ReturnType<typeof recordingConsumer>
}

/** Longer than a log takes to record the state of its channels, in ms. */
const recordedMillis = 25

/** What a test sees after each step, when the broker is idle. */
export interface World {
  readonly model: TopicModel
  readonly topic: Topic | undefined
}

/** How the steps are run. */
export interface RunOptions {
  /** Whether memory topics have disk queues in files. Default: they are in memory as well. */
  readonly hasFiles?: boolean
  /** Looks at the broker after each step; what it changes, it changes in the model as well. */
  readonly look?: (world: World) => Effect.Effect<void, StorageError>
}

/** Runs steps on a broker and on its model, and compares them after each. */
export const run = Effect.fnUntraced(function*(
  settings: Settings,
  steps: ReadonlyArray<Step>,
  { hasFiles = false, look }: RunOptions = {}
) {
  const hasLog = settings.durability !== "memory"
  const disk = yield* Layer.build(FaultyDisk.layer)
  const options = {
    ...Options.defaults(),
    nodeId: 1,
    dataPath: "/data",
    durability: settings.durability,
    minFreeBytes: 0,
    memQueueSize: settings.memQueueSize,
    maxMsgTimeout: Duration.millis(settings.maxMsgTimeout),
    requeueOnDisconnect: settings.requeueOnDisconnect
  }
  /** Storage in memory keeps its content only while it is not built again. */
  const memory = yield* Layer.build(Storage.layerMemory)
  const openStorage = hasLog || hasFiles
    ? Layer.build(Layer.fresh(DiskStorage.layer)).pipe(
      Effect.provideContext(disk),
      Effect.provideService(Options.NsqdOptions, options)
    )
    : Effect.succeed(memory)
  const clock = yield* TestClock.testClockWith(Effect.succeed)
  yield* TestClock.setTime(Math.max(clock.currentTimeMillisUnsafe() + 2, Date.UTC(2030, 1)))
  const model = new TopicModel(settings, clock.currentTimeMillisUnsafe())
  const ids = new Map<string, MessageKey>()
  let consumers: Array<Consumer> = []
  let published = 0
  let scope = yield* Scope.fork(yield* Effect.scope)

  const open = Effect.flatMap(
    openStorage,
    (storage) =>
      Layer.build(Layer.fresh(Publisher.layer.pipe(Layer.provideMerge(Broker.layer)))).pipe(
        Effect.provideContext(storage),
        Effect.provideService(Options.NsqdOptions, options)
      )
  )
  let services = yield* Scope.provide(open, scope)
  let broker = Context.get(services, Broker)
  yield* broker.topic(topicName)

  const topic = Effect.suspend(() => broker.topic(topicName))
  const send = (bodies: ReadonlyArray<Uint8Array>, delay: number) =>
    Effect.provideContext(publish(topicName, bodies, { delay }), services)
  const channelOf = (index: number): Channel | undefined => broker.findTopic(topicName)?.channel(channelNames[index]!)

  // ---- comparing

  const follow = (): void => {
    for (const { model: consumer, recording } of consumers) {
      for (const { attempts, body, id } of recording.take()) {
        const wrong = model.delivered(consumer, body, attempts)
        if (wrong !== undefined) throw new Error(wrong)
        const key = messageKey(id)
        assert.deepStrictEqual(ids.get(body) ?? key, key, `the id of ${body} changed`)
        ids.set(body, key)
      }
    }
  }

  const expected = () => ({
    topic: { depth: model.held.length, ...model.counts },
    channels: Array.from(model.channels, ([index, channel]) => ({
      index,
      depth: channel.all("waiting").length,
      inFlight: channel.all("in flight").length,
      deferred: channel.all("deferred").length,
      ...channel.counts
    })),
    consumers: consumers.map(({ model: { counts, inFlight } }) => ({ ...counts, inFlight: inFlight.length }))
  })

  const actual = () => {
    const found = broker.findTopic(topicName)
    return {
      topic: { depth: found?.depth, messages: found?.messageCount, bytes: found?.messageBytes },
      channels: Array.from(model.channels.keys(), (index) => {
        const channel = channelOf(index)
        return {
          index,
          depth: channel?.depth,
          inFlight: channel?.inFlightCount,
          deferred: channel?.deferredCount,
          messages: channel?.messageCount,
          requeued: channel?.requeueCount,
          timedOut: channel?.timeoutCount
        }
      }),
      consumers: consumers.map(({ subscription }) => ({
        messages: subscription.messageCount,
        finished: subscription.finishCount,
        requeued: subscription.requeueCount,
        inFlight: subscription.inFlight.size
      }))
    }
  }

  const inMemory = () =>
    Array.from(model.channels.keys(), (index) => {
      const channel = channelOf(index)
      return (channel?.depth ?? 0) - (channel?.backendDepth ?? 0)
    })

  /** Waits until the broker is idle, then compares. */
  const settle = Effect.gen(function*() {
    yield* untilIdle
    follow()
    assert.isFalse(model.owesDeliveries, "messages wait although a consumer is ready")
    assert.deepStrictEqual(actual(), expected())
    for (const count of inMemory()) assert.isAtMost(count, settings.memQueueSize, "messages in memory")
  })

  // ---- steps

  const advance = (to: number) =>
    Effect.andThen(
      TestClock.adjust(to - model.now),
      Effect.suspend(() => {
        model.advanceTo(to)
        return settle
      })
    )

  const wait = Effect.fnUntraced(function*(millis: number) {
    const end = model.now + millis
    while (model.nextDeadline <= end) {
      const next = model.nextDeadline
      // Nothing may happen before its time.
      if (next - 1 > model.now) yield* advance(next - 1)
      yield* advance(next)
    }
    if (end > model.now) yield* advance(end)
  })

  /** Messages of the consumer first, then others of its channel, then an unknown one. */
  const pick = (consumer: ConsumerModel, index: number): MessageModel => {
    const own = consumer.inFlight
    const others = consumer.channel.all("in flight").filter((message) => message.holder !== consumer)
    const unknown = new ChannelModel()
    unknown.put("unknown", 0, 0)
    const all = [...own, ...others, ...consumer.channel.all("deferred"), ...unknown.all("waiting")]
    return all[index % all.length]!
  }
  const keyOf = (message: MessageModel): MessageKey => ids.get(message.body) ?? messageKey("ffffffffffffffff")

  const withConsumer = (
    index: number,
    act: (consumer: Consumer) => Effect.Effect<void, never, Idle>
  ): Effect.Effect<void, never, Idle> =>
    consumers.length === 0 ? Effect.void : act(consumers[index % consumers.length]!)

  const subscribe = Effect.fnUntraced(function*(index: number, msgTimeout: number, window: number) {
    const recording = recordingConsumer(window)
    const consumerScope = yield* Scope.make()
    const subscription = yield* broker.subscribe(topicName, channelNames[index]!, recording.consumer, {
      msgTimeout,
      sampleRate: 0
    }).pipe(Scope.provide(consumerScope))
    consumers.push({ model: model.subscribe(index, msgTimeout), subscription, scope: consumerScope, recording })
  })

  const disconnect = (consumer: Consumer) =>
    Effect.gen(function*() {
      consumers = consumers.filter((other) => other !== consumer)
      model.disconnect(consumer.model)
      yield* Scope.close(consumer.scope, Exit.void)
    })

  const restart = Effect.fnUntraced(function*(orderly: boolean, isKilled: boolean) {
    const { crashAt, kill } = Context.get(disk, FaultyDisk)
    const former = consumers
    const stoppedAt = model.now
    if (isKilled) {
      // Otherwise a timeout is always followed by a delivery that is not recorded yet.
      for (const { model: consumer, subscription } of former) {
        consumer.ready = 0
        subscription.setReady(0)
      }
      yield* wait(recordedMillis)
    }
    if (orderly) yield* Effect.forEach(former, disconnect)
    consumers = []
    if (isKilled) crashAt(0)
    yield* Scope.close(scope, Exit.void)
    if (isKilled) kill()
    model.restart(isKilled, stoppedAt)
    for (const { recording } of former) {
      assert.isTrue(orderly || recording.isClosed(), "a consumer did not receive the end")
    }
    if (!orderly) yield* Effect.forEach(former, (consumer) => Scope.close(consumer.scope, Exit.void))
    // Ids contain the time: no daemon starts within the millisecond in which it was stopped.
    yield* TestClock.adjust(2)
    model.advanceTo(model.now + 2)
    scope = yield* Scope.fork(yield* Effect.scope)
    services = yield* Scope.provide(open, scope)
    broker = Context.get(services, Broker)
  })

  const touch = ({ subscription, model: who }: Consumer, message: number): void => {
    const what = pick(who, message)
    assert.strictEqual(subscription.touch(keyOf(what)), model.touch(who, what))
  }

  const carryOut = Step.match({
    Publish: ({ count }) =>
      Effect.suspend(() => {
        const bodies = Array.from({ length: count }, () => `m${published++}`)
        model.publish(bodies, 0)
        return send(bodies.map((body) => Buffer.from(body)), 0)
      }),
    PublishLater: ({ delay }) =>
      Effect.suspend(() => {
        const body = `m${published++}`
        model.publish([body], delay)
        return send([Buffer.from(body)], delay)
      }),
    Subscribe: ({ channel, msgTimeout, window }) =>
      consumers.length < 4 ? subscribe(channel, msgTimeout, window) : Effect.void,
    Ready: ({ consumer, count }) =>
      withConsumer(consumer, ({ model, subscription }) =>
        Effect.sync(() => {
          model.ready = count
          subscription.setReady(count)
        })),
    Block: ({ consumer }) =>
      withConsumer(consumer, ({ model, recording }) =>
        Effect.sync(() => {
          model.blocked = true
          recording.block()
        })),
    Unblock: ({ consumer }) =>
      withConsumer(consumer, ({ model, recording, subscription }) =>
        Effect.sync(() => {
          model.blocked = false
          recording.unblock()
          subscription.wake()
        })),
    Finish: ({ consumer, message }) =>
      withConsumer(consumer, ({ subscription, model: who }) =>
        Effect.sync(() => {
          const what = pick(who, message)
          assert.strictEqual(subscription.finish(keyOf(what)), model.finish(who, what))
        })),
    Requeue: ({ consumer, delay, message }) =>
      withConsumer(consumer, ({ subscription, model: who }) =>
        Effect.sync(() => {
          const what = pick(who, message)
          assert.strictEqual(subscription.requeue(keyOf(what), delay), model.requeue(who, what, delay))
        })),
    Touch: ({ consumer, message }) => withConsumer(consumer, (who) => Effect.sync(() => touch(who, message))),
    Hold: ({ consumer: index, touches }) =>
      withConsumer(index, (consumer) =>
        Effect.gen(function*() {
          for (let i = 0; i < touches; i++) {
            touch(consumer, 0)
            yield* wait(15)
          }
        })),
    Wait: ({ millis }) => wait(millis),
    PauseTopic: ({ paused }) =>
      Effect.flatMap(topic, (topic) => {
        model.pause(paused)
        return broker.pauseTopic(topic, paused)
      }),
    PauseChannel: ({ channel: index, paused }) =>
      Effect.suspend(() => {
        const [channel, channelModel] = [channelOf(index), model.channels.get(index)]
        if (channel === undefined || channelModel === undefined) return Effect.void
        channelModel.paused = paused
        return broker.pauseChannel(channel, paused)
      }),
    EmptyTopic: () =>
      Effect.flatMap(topic, (topic) => {
        model.held = []
        return topic.empty
      }),
    EmptyChannel: ({ channel }) =>
      Effect.suspend(() => {
        model.channels.get(channel)?.messages.clear()
        return channelOf(channel)?.empty ?? Effect.void
      }),
    Disconnect: ({ consumer }) => withConsumer(consumer, disconnect),
    Restart: ({ orderly }) => restart(orderly, false),
    Kill: () => restart(false, hasLog)
  })

  /** At the end, a consumer that takes everything receives every unfinished message. */
  const drain = Effect.gen(function*() {
    yield* carryOut({ _tag: "PauseTopic", paused: false })
    yield* settle
    for (const index of model.channels.keys()) yield* carryOut({ _tag: "PauseChannel", channel: index, paused: false })
    yield* Effect.forEach(consumers, disconnect)
    for (const index of model.channels.keys()) {
      yield* subscribe(index, 1000, 2)
      consumers.at(-1)!.model.ready = 1000
      consumers.at(-1)!.subscription.setReady(1000)
    }
    yield* settle
    yield* wait(250)
    for (const { subscription, model: consumer } of consumers) {
      for (const message of consumer.inFlight) {
        assert.strictEqual(subscription.finish(keyOf(message)), model.finish(consumer, message))
      }
      assert.strictEqual(consumer.channel.messages.size, 0, "messages are missing")
    }
    yield* settle
  })

  for (const step of steps) {
    yield* carryOut(step)
    yield* settle
    if (look === undefined) continue
    yield* look({ model, topic: broker.findTopic(topicName) })
    yield* settle
  }
  yield* drain
}, Effect.scoped)

export const quietly = Layer.provideMerge(Logger.layer([]), Idle.layer)
