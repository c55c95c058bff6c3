/**
 * The producer of `effect-nsq/promise`.
 *
 * Hot path, with plain callbacks: a publish without a signal, headers and retries takes no fiber.
 */
import { Exit } from "effect"
import { EventEmitter } from "node:events"
import * as DirectProducer from "../client/DirectProducer.ts"
import type * as ClientProducer from "../client/ProducerOptions.ts"
import { checkNumbers, connectionOf, thrownBy } from "./Conversions.ts"
import type { NsqError } from "./NsqError.ts"
import type { Cancellable, ClientOptions } from "./Options.ts"
import type { Retry } from "./Retry.ts"
import { scheduleOf } from "./RetrySchedule.ts"
import { RunningClient } from "./RunningClient.ts"

/**
 * Options of a producer. All durations are in milliseconds.
 *
 * @since 0.2.0
 * @category models
 */
export interface ProducerOptions extends ClientOptions {
  /** Which connected nsqd gets a publish without a key: each in turn, or always the same one. Default: `round-robin`. */
  readonly balance?: "round-robin" | "sticky"
  /** Unconfirmed publishes in flight; further ones wait. Default: 2000. */
  readonly maxInFlight?: number
  /** Limit for a publish, including the wait for a server, in ms. Default: 30,000. */
  readonly publishTimeout?: number
  /** Time without any reply after which a server's unconfirmed publishes go to others, in ms. Default: 750. */
  readonly silenceLimit?: number
  /** Whether a publish whose server is lost or silent goes to another one, so that it may arrive twice. Default: true. */
  readonly resend?: boolean
  /** Whether a publish waits while no server is connected. Default: true. */
  readonly waitForServer?: boolean
  /** Repeats publishes that failed with an error for which that can help (`NsqError.isRetryable`). Default: no retries. */
  readonly retry?: Retry
  /** Larger messages are refused before they are sent, in bytes; nsqd's `--max-msg-size`. Default: 1 MiB, as in nsqd. */
  readonly maxMsgSize?: number
  /** Larger batches are refused before they are sent, in bytes; nsqd's `--max-body-size`. Default: 5 MiB, as in nsqd. */
  readonly maxBodySize?: number
}

/**
 * Options of one publish.
 *
 * @since 0.2.0
 * @category models
 */
export interface PublishOptions extends Cancellable {
  /** Publishes with the same key go to the same nsqd while it is connected. Default: `balance` chooses the server. */
  readonly key?: string
  /**
   * Headers of the message, whose names become lower case. A server that does not have headers, such as NSQ's nsqd, gets the message
   * without them. Each message of `publishAll` is then published by itself. Default: no headers.
   */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * A key by which nsqd recognizes the same message within the window of the topic's policy `dedup_window`, and does not store it again.
   * Each message of a batch has the key with its number. A server without headers ignores it. Default: no key.
   */
  readonly dedupKey?: string
}

/**
 * The events of a producer, with the arguments of their listeners. `address` is that of an nsqd, `host:port`.
 *
 * @since 0.2.0
 * @category models
 */
export interface ProducerEvents {
  connected: [address: string]
  /** The connection was lost or could not be made; the producer connects again after a pause. */
  disconnected: [address: string, error: NsqError]
  /** nsqlookupd does not name this nsqd any more. */
  removed: [address: string]
  closed: []
}

/**
 * Publishes messages. Each Promise resolves when a server has confirmed, and rejects with an `NsqError`, or with the reason of
 * its signal; a publish that is cancelled after it was sent may be delivered. Bodies must not change before that.
 *
 * @since 0.2.0
 * @category models
 */
export interface Producer extends EventEmitter<ProducerEvents>, AsyncDisposable {
  /** Publishes a message: bytes, or a string as UTF-8. */
  publish(topic: string, body: Uint8Array | string, options?: PublishOptions): Promise<void>
  /** Publishes all messages with one command: the server takes all of them or none. */
  publishAll(topic: string, bodies: ReadonlyArray<Uint8Array | string>, options?: PublishOptions): Promise<void>
  /** Publishes a message that is delivered after a delay in ms, at most nsqd's `--max-req-timeout` (1 h). */
  publishDeferred(topic: string, body: Uint8Array | string, delay: number, options?: PublishOptions): Promise<void>
  /**
   * Publishes messages that are delivered after the same delay in ms. If a server refuses some, the others are published
   * nevertheless.
   */
  publishAllDeferred(
    topic: string,
    bodies: ReadonlyArray<Uint8Array | string>,
    delay: number,
    options?: PublishOptions
  ): Promise<void>
  /** Resolves as soon as an nsqd is connected. Rejects if all known ones refuse this producer permanently. */
  ready(options?: Cancellable): Promise<void>
  /** Addresses of the nsqd that are connected. */
  readonly connected: ReadonlyArray<string>
  /**
   * Ends the connections. Publishes that were sent and have no confirmation reject with `ERR_NSQ_UNKNOWN_OUTCOME`, others with
   * `ERR_NSQ_CLOSED`. `await using` calls it.
   */
  close(): Promise<void>
}

/** Longest delay of a retry in ms, by default. */
const longestDelay = 60_000

const optionsOf = ({ dedupKey, headers, key }: PublishOptions): ClientProducer.PublishOptions => ({
  ...(key === undefined ? {} : { key }),
  ...(headers === undefined ? {} : { headers }),
  ...(dedupKey === undefined ? {} : { dedupKey })
})

class PromiseProducer extends EventEmitter<ProducerEvents> implements Producer {
  private readonly client: RunningClient<DirectProducer.DirectProducer>
  private readonly retries: boolean

  constructor({ connection, log, retry, ...options }: ProducerOptions) {
    super()
    this.retries = retry !== undefined
    this.client = new RunningClient(
      DirectProducer.make({
        ...options,
        connection: connectionOf(connection ?? {}),
        ...retry === undefined ? {} : { retry: scheduleOf(retry, longestDelay) }
      }),
      {
        connected: (address) => this.emit("connected", address),
        disconnected: (address, error) => this.emit("disconnected", address, error),
        removed: (address) => this.emit("removed", address)
      },
      log
    )
  }

  get connected(): ReadonlyArray<string> {
    return this.client.connected
  }

  publish(topic: string, body: Uint8Array | string, options: PublishOptions = {}): Promise<void> {
    const { dedupKey, headers, key, signal } = options
    const { direct } = this.client
    const isPlain = !this.retries && signal === undefined && headers === undefined && dedupKey === undefined
    if (isPlain && direct !== undefined) {
      return new Promise((resolve, reject) => {
        direct.publishDirectly(
          topic,
          body,
          key,
          (exit) => Exit.isSuccess(exit) ? resolve() : reject(thrownBy(exit.cause))
        )
      })
    }
    return this.client.run((producer) => producer.publish(topic, body, optionsOf(options)), options.signal)
  }

  publishAll(
    topic: string,
    bodies: ReadonlyArray<Uint8Array | string>,
    options: PublishOptions = {}
  ): Promise<void> {
    return this.client.run((producer) => producer.publishAll(topic, bodies, optionsOf(options)), options.signal)
  }

  publishDeferred(
    topic: string,
    body: Uint8Array | string,
    delay: number,
    options: PublishOptions = {}
  ): Promise<void> {
    return this.client.run(
      (producer) => producer.publishDeferred(topic, body, delay, optionsOf(options)),
      options.signal
    )
  }

  publishAllDeferred(
    topic: string,
    bodies: ReadonlyArray<Uint8Array | string>,
    delay: number,
    options: PublishOptions = {}
  ): Promise<void> {
    return this.client.run(
      (producer) => producer.publishAllDeferred(topic, bodies, delay, optionsOf(options)),
      options.signal
    )
  }

  ready({ signal }: Cancellable = {}): Promise<void> {
    return this.client.run(({ awaitConnected }) => awaitConnected, signal)
  }

  async close(): Promise<void> {
    await this.client.close()
    this.emit("closed")
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Creates a producer, which connects at once and again whenever a connection is lost. Throws a `RangeError` for options that are
 * not valid.
 *
 * ```ts
 * await using producer = createProducer({ servers: { nsqd: ["127.0.0.1:4150"] } })
 * await producer.publish("orders", JSON.stringify({ item: "tea", quantity: 2 }))
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const createProducer = (options: ProducerOptions): Producer => {
  checkNumbers(options)
  return new PromiseProducer(options)
}
