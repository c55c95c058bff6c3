/**
 * A producer or a consumer of the client library that runs behind an object of this room: in a runtime of its own, until the
 * object is closed.
 */
import { Effect, Exit, Layer, Logger, ManagedRuntime, Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import type { ClientError } from "../client/ClientError.ts"
import type { ConnectionState } from "../client/Connections.ts"
import * as NodeClient from "../client/NodeClient.ts"
import type { Transport } from "../net/Transport.ts"
import { closedError, errorOf, thrownBy } from "./Conversions.ts"
import type { NsqError } from "./NsqError.ts"
import type { LogLine } from "./Options.ts"

/** What it reports to its object. */
export interface Listener {
  readonly connected: (address: string) => void
  readonly disconnected: (address: string, error: NsqError) => void
  readonly removed: (address: string) => void
}

interface Service {
  readonly connectionStates: Stream.Stream<ConnectionState>
}

const levels: Readonly<Record<string, LogLine["level"]>> = {
  Fatal: "error",
  Error: "error",
  Warn: "warn",
  Info: "info"
}

/** Passes the lines of the log to the program. Default: none. */
const logging = (log: ((line: LogLine) => void) | undefined): Layer.Layer<never> =>
  Logger.layer(
    log === undefined ? [] : [
      Logger.make(({ logLevel, message }) => {
        const texts = (Array.isArray(message) ? message : [message]).map((part) => String(part))
        log({ level: levels[logLevel] ?? "debug", message: texts.join(" ") })
      })
    ]
  )

export class RunningClient<S extends Service> {
  private readonly runtime: ManagedRuntime.ManagedRuntime<Transport | HttpClient.HttpClient, never>
  private readonly scope = Scope.makeUnsafe()
  private readonly service: Promise<S>
  private started: S | undefined
  private readonly addresses = new Set<string>()
  private closing: Promise<void> | undefined

  constructor(
    make: Effect.Effect<S, never, Transport | HttpClient.HttpClient | Scope.Scope>,
    listener: Listener,
    log: ((line: LogLine) => void) | undefined
  ) {
    this.runtime = ManagedRuntime.make(Layer.provideMerge(NodeClient.layer, logging(log)))
    const started = Effect.tap(
      make,
      ({ connectionStates }) =>
        Effect.forkScoped(Stream.runForEach(connectionStates, (state) => Effect.sync(() => this.note(state, listener))))
    )
    this.service = this.runtime.runPromise(Scope.provide(started, this.scope))
    this.service.then(
      // Operations that began before run first.
      (service) => setImmediate(() => (this.started = service)),
      // Every operation rejects with this failure.
      () => {}
    )
  }

  /** The service, for operations without a fiber; `undefined` while it starts, and after `close`. */
  get direct(): S | undefined {
    return this.closing === undefined ? this.started : undefined
  }

  /** Addresses of the nsqd that are connected. */
  get connected(): ReadonlyArray<string> {
    return [...this.addresses]
  }

  get isClosed(): boolean {
    return this.closing !== undefined
  }

  private note(state: ConnectionState, listener: Listener): void {
    const { address } = state
    if (state._tag === "Connected") this.addresses.add(address)
    else this.addresses.delete(address)
    // In a task of its own, so that an error of a listener is the program's uncaught error.
    queueMicrotask(() => {
      if (state._tag === "Connected") listener.connected(address)
      else if (state._tag === "Disconnected") listener.disconnected(address, errorOf(state.error))
      else if (state._tag === "Removed") listener.removed(address)
    })
  }

  /** Runs an operation. Rejects with an `NsqError`, or with the reason of the signal after the operation has been interrupted. */
  async run<A, E>(use: (service: S) => Effect.Effect<A, E>, signal?: AbortSignal): Promise<A> {
    signal?.throwIfAborted()
    if (this.closing !== undefined) throw closedError()
    const service = await this.service
    const exit = await this.runtime.runPromiseExit(use(service), signal === undefined ? {} : { signal })
    if (Exit.isSuccess(exit)) return exit.value
    signal?.throwIfAborted()
    throw thrownBy(exit.cause)
  }

  /** Returns an iterator over a Stream. Its `return` interrupts the Stream, also while it waits. */
  async iterate<A>(use: (service: S) => Stream.Stream<A, ClientError>): Promise<AsyncIterator<A>> {
    if (this.closing !== undefined) throw closedError()
    const stream = use(await this.service)
    return Stream.toAsyncIterableWith(stream, await this.runtime.context())[Symbol.asyncIterator]()
  }

  /** Ends it, and its connections. */
  close(): Promise<void> {
    return this.closing ??= this.end()
  }

  private async end(): Promise<void> {
    await this.service.then(() => this.runtime.runPromise(Scope.close(this.scope, Exit.void)), () => {})
    await this.runtime.dispose()
  }
}
