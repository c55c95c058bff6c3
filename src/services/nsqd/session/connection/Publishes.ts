/**
 * The publishes of a connection that wait to be stored. The connection reads and executes further publishes meanwhile, so that
 * those of one client share a commit of a durable topic; every other command waits for the publishes before it. The responses
 * have the order of the publishes.
 *
 * Hot path: publishes that are accepted at once are not added here.
 */
import { Effect } from "effect"
import type { ProtocolError } from "../../../../protocol/client/ProtocolError.ts"

/** No more is read from a client while its waiting publishes have this many bytes of message frames. */
const waitingBytes = 256 * 1024

/** What the publishes need from their connection. */
export interface PublishesHost {
  /** Starts work that goes on when the connection ends: a publish that was received is executed. */
  readonly start: (work: Effect.Effect<void>) => void
  /** Responses were added to the output; `isLast` if no further publish waits. */
  readonly responded: (isLast: boolean) => void
  /** A publish was refused. This ends the connection. */
  readonly refused: (error: ProtocolError) => Effect.Effect<void>
}

/** A publish without a response. */
interface Waiting {
  readonly bytes: number
  /** Adds the responses, and returns the error that ends the connection, once the publish has ended. */
  respond: (() => ProtocolError | undefined) | undefined
}

/** The waiting publishes of one connection. */
export class Publishes {
  private host: PublishesHost | undefined
  private waiting: Array<Waiting> = []
  private bytes = 0
  /** Continues the connection's fiber as soon as `isReached`. */
  private resume: (() => void) | undefined
  private isReached = (): boolean => true

  /** Sets the connection; `undefined` after its end: no publish has a response any more. */
  attach(host: PublishesHost | undefined): void {
    this.host = host
    if (host === undefined) this.clear()
  }

  private clear(): void {
    this.waiting = []
    this.bytes = 0
  }

  /** Whether no publish waits. */
  get isIdle(): boolean {
    return this.waiting.length === 0
  }

  /** Whether no more may be read from the client. */
  get isFull(): boolean {
    return this.bytes >= waitingBytes
  }

  /**
   * Starts `store`, the rest of a publish of `bytes`; `Infinity` if no other may begin before it has ended. When all publishes before have their responses, `respond` adds those of this
   * one; the error of `store`, if any, follows.
   */
  add(size: number, store: Effect.Effect<void, ProtocolError>, respond: () => void): void {
    const bytes = size === Infinity ? waitingBytes : size
    const publish: Waiting = { bytes, respond: undefined }
    this.waiting.push(publish)
    this.bytes += bytes
    const ended = (error?: ProtocolError): Effect.Effect<void> =>
      Effect.suspend(() => {
        publish.respond = () => {
          respond()
          return error
        }
        return this.respond()
      })
    this.host?.start(Effect.matchEffect(store, { onSuccess: () => ended(), onFailure: ended }))
  }

  /** Responds to the publishes that have ended, up to the first that has not. */
  private respond(): Effect.Effect<void> {
    const { host } = this
    if (host === undefined) return Effect.void
    let count = 0
    for (let next = this.waiting[0]; next?.respond !== undefined; next = this.waiting[0]) {
      this.waiting.shift()
      this.bytes -= next.bytes
      const error = next.respond()
      if (error !== undefined) {
        this.clear()
        return host.refused(error)
      }
      count++
    }
    if (count === 0) return Effect.void
    host.responded(this.isIdle)
    if (this.resume !== undefined && this.isReached()) this.resume()
    return Effect.void
  }

  /** Completes when no publish waits. Only the connection's fiber may wait. */
  readonly settled: Effect.Effect<void> = this.until(() => this.isIdle)

  /** Completes when more may be read from the client. Only the connection's fiber may wait. */
  readonly hasRoom: Effect.Effect<void> = this.until(() => !this.isFull)

  private until(isReached: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (isReached()) return resume(Effect.void)
      this.isReached = isReached
      this.resume = () => {
        this.resume = undefined
        resume(Effect.void)
      }
      return Effect.sync(() => {
        this.resume = undefined
      })
    })
  }
}
