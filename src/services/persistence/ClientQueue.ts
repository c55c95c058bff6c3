/**
 * Persisted queues on any nsqd, over the client library.
 */
import { Duration, Effect, Stream } from "effect"
import type { Scope } from "effect"
import type { HttpClient } from "effect/http"
import * as ClientTopic from "../client/ClientTopic.ts"
import type { ConnectionOptions } from "../client/ConnectionOptions.ts"
import * as Consumer from "../client/Consumer.ts"
import type { Servers } from "../client/Discovery.ts"
import * as Producer from "../client/Producer.ts"
import { limitsOfServer } from "../client/ProducerOptions.ts"
import type { Transport } from "../net/Transport.ts"
import { type QueueBackend, queueError } from "./QueueBackend.ts"

/**
 * Options of persisted queues over the network.
 *
 * @since 0.2.0
 * @category models
 */
export interface ClientQueueOptions {
  /** The nsqd, or the nsqlookupd that know them. */
  readonly servers: Servers
  /** How producer and consumers connect. Default: the defaults of `ConnectionOptions`. */
  readonly connection?: ConnectionOptions
  /** The start of the names of topics. Default: `effectq.`. */
  readonly prefix?: string
  /**
   * The `--max-req-timeout` of the nsqds: longer delays are divided into several. Default: 1 hour, NSQ's default.
   */
  readonly maxReqTimeout?: Duration.Input
}

/** The operations over the client. */
export const makeBackend = Effect.fnUntraced(function*(
  { connection = {}, maxReqTimeout = "1 hour", servers }: ClientQueueOptions
): Effect.fn.Return<QueueBackend, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const producer = yield* Producer.make({ servers, connection, ...limitsOfServer })
  const context = yield* Effect.context<Transport | HttpClient.HttpClient>()
  return {
    maxDelayMillis: Duration.toMillis(Duration.fromInputUnsafe(maxReqTimeout)),
    publish: (topic, body, delayMillis) =>
      Effect.mapError(
        delayMillis > 0 ? producer.publishDeferred(topic, body, delayMillis) : producer.publish(topic, body),
        queueError(`cannot publish to ${topic}`)
      ),
    subscribe: Effect.fnUntraced(function*(topic, channel, receive, closed) {
      const consumer = yield* Consumer.make({
        topic: ClientTopic.bytes(topic),
        channel,
        servers,
        connection,
        maxAttempts: 0,
        maxBackoffDuration: 0,
        // The takes give back what they hold.
        drainTimeout: 0
      })
      yield* consumer.setMaxInFlight(0)
      yield* consumer.messages.pipe(
        Stream.runForEach((delivery) =>
          Effect.sync(() =>
            receive({
              body: delivery.body,
              attempts: delivery.attempts,
              finish: delivery.finish,
              requeue: (delay) => delivery.requeue({ delay, backoff: false })
            })
          )
        ),
        Effect.ensuring(Effect.sync(closed)),
        Effect.forkScoped
      )
      return { setReady: consumer.setMaxInFlight }
    }, (subscribed) => Effect.provideContext(subscribed, context))
  }
})
