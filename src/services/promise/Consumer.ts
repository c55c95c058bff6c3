/** The consumer of `effect-nsq/promise`. */
import { Effect, Exit } from "effect"
import { EventEmitter } from "node:events"
import { isValidName, topicName } from "../../protocol/client/NameRules.ts"
import { ClientError, ClientErrorReason } from "../client/ClientError.ts"
import type * as ClientTopic from "../client/ClientTopic.ts"
import * as ClientConsumer from "../client/Consumer.ts"
import * as DeadLetter from "../client/DeadLetter.ts"
import type { Delivery } from "../client/Delivery.ts"
import type {
  BatchOptions,
  ConsumerEvents,
  ConsumerOptions,
  Decoding,
  HandlerContext,
  RunOptions
} from "./ConsumerOptions.ts"
import { checkNumbers, connectionOf, decisionOf, errorOf, ProgramError, thrownBy } from "./Conversions.ts"
import type { Message } from "./Message.ts"
import { MessageView } from "./MessageView.ts"
import type { Cancellable } from "./Options.ts"
import { scheduleOf } from "./RetrySchedule.ts"
import { RunningClient } from "./RunningClient.ts"

/**
 * A consumer of one channel. It takes messages while `run`, `runBatches` or an iteration is in progress. `for await` over the
 * consumer is `messages()`.
 *
 * @since 0.2.0
 * @category models
 */
export interface Consumer<A = Buffer>
  extends EventEmitter<ConsumerEvents<A>>, AsyncIterable<Message<A>>, AsyncDisposable
{
  /**
   * Handles messages until the consumer stops: finishes those whose handler returns or resolves, requeues those whose handler
   * throws or rejects. When the signal is aborted, it waits for the handlers as `close` does, and rejects with its reason.
   */
  run(
    handler: (message: Message<A>, context: HandlerContext) => unknown,
    options?: RunOptions<A>
  ): Promise<void>
  /** Handles messages in batches. A message that the handler has not acknowledged itself is treated like the batch. */
  runBatches(
    handler: (messages: ReadonlyArray<Message<A>>, context: HandlerContext) => unknown,
    options?: BatchOptions<A>
  ): Promise<void>
  /**
   * The messages; the program acknowledges each. Ends when the consumer has stopped. Messages that have arrived when the program
   * leaves the loop are requeued.
   */
  messages(options?: Cancellable): AsyncGenerator<Message<A>, void, void>
  /** Resolves as soon as an nsqd has accepted the subscription. Rejects if all known ones refuse it permanently. */
  ready(options?: Cancellable): Promise<void>
  /** Requests no more messages until `resume`. Those that have arrived are still handled. */
  pause(): Promise<void>
  /** Ends a pause. */
  resume(): Promise<void>
  /** Changes `maxInFlight`. 0 pauses. */
  setMaxInFlight(maxInFlight: number): Promise<void>
  /** Changes the number of concurrent handlers, from 1 to 1000. */
  setConcurrency(concurrency: number): Promise<void>
  /** Addresses of the nsqd that are connected. */
  readonly connected: ReadonlyArray<string>
  /**
   * Takes no more messages, waits until handlers have ended, at most for `drainTimeout`, requeues the rest, and ends the
   * connections. `await using` calls it. A handler must not wait for it.
   */
  close(): Promise<void>
}

/** Returns the topic of the client library. */
const topicOf = <A>(name: string, decode: (body: Buffer) => A): ClientTopic.Topic<A> => ({
  name: topicName(name),
  encode: () => Effect.die(new Error("a consumer does not encode")),
  decode: (body) =>
    Effect.try({
      try: () => decode(Buffer.from(body.buffer, body.byteOffset, body.length)),
      catch: (error) =>
        new ClientError({
          reason: ClientErrorReason.InvalidMessage({
            topic: name,
            description: error instanceof Error ? error.message : String(error)
          })
        })
    })
})

/** What a handler gets. Most handlers use no signal, and a signal takes longer than all else of a message. */
class Context implements HandlerContext {
  private controller: AbortController | undefined
  private isAborted = false

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.isAborted) this.controller.abort()
    return this.controller.signal
  }

  abort(): void {
    this.isAborted = true
    this.controller?.abort()
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** Calls a function of the program. Without a Promise it has ended when it returns. */
const call = (work: (context: HandlerContext) => unknown): Effect.Effect<unknown, ProgramError> =>
  Effect.callback((resume) => {
    const context = new Context()
    const failed = (cause: unknown): void => resume(Effect.fail(new ProgramError({ cause })))
    try {
      const result = work(context)
      if (!isPromise(result)) return resume(Effect.void)
      result.then(() => resume(Effect.void), failed)
    } catch (cause) {
      return failed(cause)
    }
    return Effect.sync(() => context.abort())
  })

class PromiseConsumer<A> extends EventEmitter<ConsumerEvents<A>> implements Consumer<A> {
  private readonly client: RunningClient<ClientConsumer.Consumer<A>>

  constructor(options: ConsumerOptions<A> & Decoding<A>) {
    super()
    const { connection, deadLetter, decode, deduplicate, log, onGivenUp, onUndecodable, retry, topic, ...rest } =
      options
    this.client = new RunningClient(
      ClientConsumer.make<A>({
        ...rest,
        topic: topicOf(topic, decode),
        connection: connectionOf(connection ?? {}),
        ...retry === undefined ? {} : { retry: scheduleOf(retry, Infinity) },
        ...deadLetter === undefined ? {} : { deadLetter: DeadLetter.topic(deadLetter) },
        ...deduplicate === undefined ? {} : {
          deduplicate: { ...deduplicate, key: (_, delivery) => deduplicate.key(new MessageView(delivery)) }
        },
        ...onUndecodable === undefined ? {} : {
          onUndecodable: (error, delivery) => decisionOf(onUndecodable(errorOf(error), new MessageView(delivery)))
        },
        onGivenUp: (delivery, cause) => {
          const message = new MessageView(delivery)
          const error = thrownBy(cause)
          this.report("givenUp", message, error)
          return Effect.andThen(
            Effect.logWarning(`msg ${delivery.id} attempted ${delivery.attempts} times, giving up`),
            onGivenUp === undefined ? Effect.void : call(() => onGivenUp(message, error))
          )
        }
      }),
      {
        connected: (address) => this.emit("connected", address),
        disconnected: (address, error) => this.emit("disconnected", address, error),
        removed: (address) => this.emit("removed", address)
      },
      log
    )
  }

  /** Emits in a task of its own, so that an error of a listener is the program's uncaught error. */
  private report(event: "givenUp", message: Message<A>, error: unknown): void {
    queueMicrotask(() => this.emit(event, message, error))
  }

  private deciding(onError: RunOptions<A>["onError"]) {
    return onError === undefined
      ? {}
      : {
        onError: ({ cause }: ProgramError, delivery: Delivery<A>) =>
          decisionOf(onError(cause, new MessageView(delivery)))
      }
  }

  /** Calls a handler. The messages that it rejects are rejected before the end of the handler finishes the others. */
  private handle(messages: ReadonlyArray<MessageView<A>>, work: (context: HandlerContext) => unknown) {
    return Effect.flatMap(Effect.exit(call(work)), (exit) => {
      const rejections = messages.flatMap(({ rejection }) => rejection ?? [])
      if (rejections.length === 0 && Exit.isSuccess(exit)) return exit
      return Effect.andThen(Effect.all(rejections, { discard: true }), Effect.tapError(exit, this.failed(messages)))
    })
  }

  private failed(messages: ReadonlyArray<Message<A>>) {
    return ({ cause }: ProgramError): Effect.Effect<void> =>
      Effect.sync(() => {
        for (const message of messages) queueMicrotask(() => this.emit("failed", cause, message))
      })
  }

  get connected(): ReadonlyArray<string> {
    return this.client.connected
  }

  run(
    handler: (message: Message<A>, context: HandlerContext) => unknown,
    { concurrency, onError, signal }: RunOptions<A> = {}
  ): Promise<void> {
    const options = { ...concurrency === undefined ? {} : { concurrency }, ...this.deciding(onError) }
    return this.client.run((consumer) =>
      consumer.run((_, delivery) => {
        const message = new MessageView(delivery)
        return this.handle([message], (context) => handler(message, context))
      }, options), signal)
  }

  runBatches(
    handler: (messages: ReadonlyArray<Message<A>>, context: HandlerContext) => unknown,
    { onError, signal, ...batches }: BatchOptions<A> = {}
  ): Promise<void> {
    const options = { ...batches, ...this.deciding(onError) }
    return this.client.run((consumer) =>
      consumer.runBatches((_, deliveries) => {
        const messages = deliveries.map((delivery) => new MessageView(delivery))
        return this.handle(messages, (context) => handler(messages, context))
      }, options), signal)
  }

  async *messages({ signal }: Cancellable = {}): AsyncGenerator<Message<A>, void, void> {
    signal?.throwIfAborted()
    const iterator = await this.client.iterate(({ messageArrays }) => messageArrays)
    const abort = (): void => void iterator.return?.()
    signal?.addEventListener("abort", abort)
    let waiting: ReadonlyArray<Delivery<A>> = []
    /** How many of them the program has. */
    let given = 0
    try {
      signal?.throwIfAborted()
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        waiting = next.value
        given = 0
        for (const delivery of next.value) {
          signal?.throwIfAborted()
          given++
          yield new MessageView(delivery)
        }
      }
      signal?.throwIfAborted()
    } finally {
      signal?.removeEventListener("abort", abort)
      // Before the requeue, so that the messages do not come back at once.
      await iterator.return?.()
      for (const delivery of waiting.slice(given)) Effect.runSync(delivery.requeue({ delay: 0, backoff: false }))
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<Message<A>, void, void> {
    return this.messages()
  }

  ready({ signal }: Cancellable = {}): Promise<void> {
    return this.client.run(({ awaitConnected }) => awaitConnected, signal)
  }

  pause(): Promise<void> {
    return this.client.run(({ pause }) => pause)
  }

  resume(): Promise<void> {
    return this.client.run(({ resume }) => resume)
  }

  setMaxInFlight(maxInFlight: number): Promise<void> {
    return this.client.run((consumer) => consumer.setMaxInFlight(maxInFlight))
  }

  setConcurrency(concurrency: number): Promise<void> {
    return this.client.run((consumer) => consumer.setConcurrency(concurrency))
  }

  async close(): Promise<void> {
    await this.client.close()
    this.emit("closed")
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const checkName = (what: string, name: string): void => {
  if (!isValidName(name)) {
    throw new RangeError(
      `${what} ${JSON.stringify(name)} is not valid: NSQ accepts 1 to 64 of .a-zA-Z0-9_-, and #ephemeral`
    )
  }
}

/**
 * Creates a consumer, which connects at once and again whenever a connection is lost. Without `decode`, the value of a message is
 * its body. Throws a `RangeError` for options that are not valid.
 *
 * ```ts
 * await using consumer = createConsumer({
 *   topic: "orders",
 *   channel: "kitchen",
 *   servers: { lookupd: ["127.0.0.1:4161"] },
 *   maxInFlight: 10
 * })
 * await consumer.run((message) => console.log(message.text()))
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export function createConsumer<A>(options: ConsumerOptions<A> & Decoding<A>): Consumer<A>
export function createConsumer(options: ConsumerOptions<Buffer>): Consumer<Buffer>
export function createConsumer<A>(
  options: (ConsumerOptions<A> & Decoding<A>) | ConsumerOptions<Buffer>
): Consumer<A> | Consumer<Buffer> {
  checkNumbers(options)
  checkName("topic", options.topic)
  checkName("channel", options.channel)
  if (options.deadLetter !== undefined) checkName("deadLetter", options.deadLetter)
  return "decode" in options
    ? new PromiseConsumer<A>(options)
    : new PromiseConsumer<Buffer>({ ...options, decode: (body) => body })
}
