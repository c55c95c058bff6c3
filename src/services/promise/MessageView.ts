/** The message of a program, over a delivery of the client library. */
import { Effect, Exit, Fiber } from "effect"
import type { Delivery } from "../client/Delivery.ts"
import { thrownBy } from "./Conversions.ts"
import type { Message, RequeueOptions } from "./Message.ts"

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

export class MessageView<A> implements Message<A> {
  hasResponded = false
  /** Waits until the message is rejected, if the program does that: `onGivenUp` runs first. */
  rejection: Effect.Effect<unknown> | undefined
  private readonly delivery: Delivery<A>

  constructor(delivery: Delivery<A>) {
    this.delivery = delivery
  }

  get id(): string {
    return this.delivery.id
  }

  get timestamp(): bigint {
    return this.delivery.timestamp
  }

  get attempts(): number {
    return this.delivery.attempts
  }

  get headers(): Readonly<Record<string, string>> {
    return this.delivery.headers
  }

  get address(): string {
    return this.delivery.address
  }

  get deadline(): number {
    return this.delivery.deadline
  }

  get body(): Buffer {
    return bufferOf(this.delivery.body)
  }

  /** Throws what `decode` threw, as an `NsqError`; the handlers of messages never receive such a message. */
  get value(): A {
    const exit = Effect.runSyncExit(this.delivery.value)
    if (Exit.isFailure(exit)) throw thrownBy(exit.cause)
    return exit.value
  }

  // The functions work without their object, and most messages use one of them at most.

  get text(): () => string {
    return () => this.body.toString()
  }

  get json(): () => unknown {
    return () => JSON.parse(this.body.toString())
  }

  get finish(): () => void {
    return () => {
      if (this.hasResponded) return
      this.hasResponded = true
      Effect.runSync(this.delivery.finish)
    }
  }

  get requeue(): (options?: RequeueOptions) => void {
    return (options = {}) => {
      if (this.hasResponded) return
      this.hasResponded = true
      // The default delay may take steps of a Schedule.
      Effect.runFork(this.delivery.requeue(options))
    }
  }

  get reject(): (reason?: string) => void {
    return (reason) => {
      if (this.hasResponded) return
      this.hasResponded = true
      this.rejection = Fiber.await(Effect.runFork(this.delivery.reject(reason)))
    }
  }

  get touch(): () => void {
    return () => Effect.runSync(this.delivery.touch)
  }
}
