/**
 * A connection of the network in memory as a stream of Node, for `node:http`.
 */
import { Cause, Effect, Exit, type Fiber } from "effect"
import { Duplex } from "node:stream"
import { type Connection, splitAddress } from "../services/net/Transport.ts"

/** An open connection. */
export interface Opened {
  readonly connection: Connection
  /** Ends sending. */
  readonly end: () => void
}

/** What a socket needs. */
export interface MemorySocketSettings {
  /** `host:port` of the peer. */
  readonly remoteAddress: string
  readonly open: Effect.Effect<Opened, Error>
  /** Called once, when both directions have ended or the socket is destroyed. */
  readonly closed: () => void
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

/** The socket. Limits of time and other options of real sockets have no effect. */
export class MemorySocket extends Duplex {
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  private readonly settings: MemorySocketSettings
  private opened: Opened | undefined
  private reading: Fiber.Fiber<unknown> | undefined

  constructor(settings: MemorySocketSettings) {
    super()
    this.settings = settings
    const peer = splitAddress(settings.remoteAddress)
    this.remoteAddress = peer?.host
    this.remotePort = peer?.port
    this.once("close", settings.closed)
  }

  override _construct(done: (error?: Error | null) => void): void {
    const { fork, open } = this.settings
    this.reading = fork(Effect.match(open, {
      onSuccess: (opened) => {
        this.opened = opened
        done()
      },
      onFailure: done
    }))
  }

  override _read(): void {
    const { opened } = this
    if (opened === undefined) return
    this.reading = this.settings.fork(Effect.map(Effect.exit(opened.connection.read), (exit) => {
      if (Exit.isSuccess(exit)) this.push(exit.value ?? null)
      else if (!Cause.hasInterruptsOnly(exit.cause)) this.destroy(reset())
    }))
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const connection = this.opened?.connection
    connection?.write(chunk)
    if (connection === undefined || connection.pendingBytes() === 0) done()
    else this.settings.fork(Effect.map(connection.drained, () => done()))
  }

  override _final(done: () => void): void {
    this.opened?.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.reading?.interruptUnsafe()
    this.opened?.end()
    done(error)
  }

  destroySoon(): void {
    this.end(() => this.destroy())
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

const reset = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })
