/** Shared parts of the broker's tests. */
import { Effect, Layer, Logger } from "effect"
import { Broker, type Channel, publish, type Subscription, type SubscriptionOptions } from "../../../../src/broker.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { FaultyStorage, Idle, TestBroker } from "../../../../src/testing/index.ts"
import { recordingConsumer } from "./consumers.ts"

export const quiet = Logger.layer([])

/** A broker on storage that the test controls. */
export const faultyBroker = (options: Parameters<typeof TestBroker.layerNoStorage>[0] = {}) =>
  TestBroker.layerNoStorage(options).pipe(
    Layer.provideMerge(FaultyStorage.layer),
    Layer.provide(quiet),
    Layer.provideMerge(Idle.layer)
  )

export const brokerWith = (options: Parameters<typeof TestBroker.layer>[0] = {}) =>
  TestBroker.layer(options).pipe(Layer.provide(quiet))

export const topicOf = (name: string) => Broker.use((broker) => broker.topic(TopicName.make(name)))
export const channelOf = (topic: string, name: string) =>
  Broker.use((broker) => broker.channel(TopicName.make(topic), ChannelName.make(name)))

export const send = (topic: string, ...bodies: ReadonlyArray<string>) =>
  publish(topic, bodies.map((body) => Buffer.from(body)))

export const numbers = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `m${i}`)

export interface Joined {
  readonly channel: Channel
  readonly subscription: Subscription
  readonly recording: ReturnType<typeof recordingConsumer>
}

/** A subscribed consumer, until the Scope closes. */
export const join = Effect.fnUntraced(function*(
  topic: string,
  channel: string,
  ready: number,
  { readsHeaders = false, ...options }: Partial<SubscriptionOptions> & { readonly readsHeaders?: boolean } = {}
) {
  const broker = yield* Broker
  const recording = recordingConsumer(Infinity, readsHeaders)
  const joined = yield* channelOf(topic, channel)
  const subscription = yield* broker.subscribe(
    TopicName.make(topic),
    ChannelName.make(channel),
    recording.consumer,
    { msgTimeout: 60_000, sampleRate: 0, ...options }
  )
  subscription.setReady(ready)
  return { channel: joined, subscription, recording }
})
