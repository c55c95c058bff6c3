/**
 * Persisted queues on a broker in this process.
 */
import { Duration, Effect } from "effect"
import { frameHeaderSize } from "../../protocol/client/Frame.ts"
import { decodeMessage, messageKey } from "../../protocol/client/Message.ts"
import type { ChannelName, TopicName } from "../../protocol/client/Names.ts"
import { Broker } from "../nsqd/broker/Broker.ts"
import { publish } from "../nsqd/broker/InProcess.ts"
import { Publisher } from "../nsqd/broker/Publisher.ts"
import type { Consumer, Subscription } from "../nsqd/broker/Subscription.ts"
import { type QueueBackend, queueError, type QueueMessage } from "./QueueBackend.ts"

/**
 * The message timeout, and the longest delay. A process that holds a message ends with the broker, so that there is no need for a
 * shorter one; timers of JavaScript have at most 24 days.
 */
const longestMillis = Duration.toMillis("20 days")

/** Returns a message of a subscription. */
export const messageOf = (subscription: Subscription, data: Buffer): QueueMessage => {
  const message = decodeMessage(data)
  if (message === undefined) throw new Error("invariant: the channel delivers whole messages")
  const key = messageKey(message.id)
  return {
    body: message.body,
    attempts: message.attempts,
    finish: Effect.sync(() => void subscription.finish(key)),
    requeue: (delayMillis) => Effect.sync(() => void subscription.requeue(key, delayMillis))
  }
}

/** Subscribes in process, until the Scope closes. Nothing is ready at first. */
export const subscribe = Effect.fnUntraced(function*(
  broker: Broker["Service"],
  topic: TopicName,
  channel: ChannelName,
  receive: (message: QueueMessage) => void,
  closed: () => void
) {
  let subscription: Subscription | undefined
  const consumer: Consumer = {
    deliver: (frames, start, end) => {
      if (subscription === undefined) return
      for (let at = start; at < end;) {
        const next = at + frames.readInt32BE(at) + 4
        receive(messageOf(subscription, frames.subarray(at + frameHeaderSize, next)))
        at = next
      }
    },
    flush: () => {},
    isWritable: () => true,
    inputMark: () => 0,
    close: closed
  }
  subscription = yield* broker.subscribe(topic, channel, consumer, { msgTimeout: longestMillis, sampleRate: 0 })
  return subscription
})

/** The operations on the broker of the environment. */
export const makeBackend: Effect.Effect<QueueBackend, never, Broker | Publisher> = Effect.gen(function*() {
  const broker = yield* Broker
  const publisher = yield* Publisher
  return {
    maxDelayMillis: longestMillis,
    publish: (topic, body, delay) =>
      publish(topic, Buffer.from(body), { delay }).pipe(
        Effect.provideService(Publisher, publisher),
        Effect.mapError(queueError(`cannot publish to ${topic}`))
      ),
    subscribe: Effect.fnUntraced(function*(topic, channel, receive, closed) {
      const subscription = yield* Effect.mapError(
        subscribe(broker, topic, channel, receive, closed),
        queueError(`cannot subscribe to ${topic}`)
      )
      if (broker.findTopic(topic)?.durability === "memory") {
        yield* Effect.logWarning(
          `the persisted queue of topic ${topic} is lost with the process: set the option durability or topicDurability`
        )
      }
      return { setReady: (count) => Effect.sync(() => subscription.setReady(count)) }
    })
  }
})
