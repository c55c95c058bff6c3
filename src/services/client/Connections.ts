/**
 * The states of a client's connections, for its own decisions and for the program: which nsqd are connected, why the others are
 * not, and what changes. Plain state that `Links` changes; programs see it as Effects and Streams.
 */
import { type Cause, Context, Data, Effect, Queue, Stream } from "effect"
import { ClientError, ClientErrorReason, type ServerFailure } from "./ClientError.ts"

/**
 * The state of the connection to one nsqd.
 *
 * @since 0.2.0
 * @category models
 */
export type ConnectionState = Data.TaggedEnum<{
  /** The client connects, for the first time or again. */
  Connecting: { readonly address: string }
  /** The handshake is done; for a consumer, nsqd has accepted the subscription. */
  Connected: { readonly address: string }
  /** The connection was lost, or could not be made; the client connects again after a pause. */
  Disconnected: { readonly address: string; readonly error: ClientError }
  /** nsqlookupd does not name this nsqd any more, and its connection has ended. */
  Removed: { readonly address: string }
}>

/**
 * Constructors of the states, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const ConnectionState = Data.taggedEnum<ConnectionState>()

/** A server, and whether a line of the log says that it is lost or cannot be reached. */
export interface ServerReport {
  /** `host:port` of an nsqd, or the address of an nsqlookupd. */
  readonly address: string
  readonly isAway: boolean
}

/**
 * The server that a line of the client's log is about; `undefined` for a line about something else. A logger reads it from the fiber, to
 * show the state of a server once in place of every attempt. The text of the line does not contain it.
 */
export const ServerReport: Context.Reference<ServerReport | undefined> = Context.Reference(
  "effect-nsq/client/ServerReport",
  { defaultValue: (): ServerReport | undefined => undefined }
)

/** Changes that a slow reader of the Stream can be behind; it misses the oldest ones. */
const maxBehind = 1024

const closed = (): ClientError =>
  new ClientError({ reason: ClientErrorReason.Closed({ description: "the client is closed" }) })

/** The connections of one client. */
export class Connections {
  private readonly states = new Map<string, ConnectionState>()
  /** Why a server is not connected, until it is. */
  private readonly failed = new Map<string, ClientError>()
  /** Called after each change. */
  private readonly watchers = new Set<(state: ConnectionState | undefined) => void>()
  /** Whether discovery has returned its first result. */
  private found = false
  private isClosed = false

  /** Records a change. */
  set(state: ConnectionState): void {
    const { _tag, address } = state
    // Discovery names a server before a fiber begins to connect to it.
    if (_tag === "Connecting" && this.states.get(address)?._tag === _tag) return
    if (state._tag === "Removed") this.states.delete(address)
    else this.states.set(address, state)
    if (state._tag === "Disconnected") this.failed.set(address, state.error)
    else if (state._tag !== "Connecting") this.failed.delete(address)
    this.announce(state)
  }

  /** Records the nsqd that discovery returns. */
  discovered(addresses: ReadonlyArray<string>): void {
    this.found = true
    for (const address of addresses) {
      if (!this.states.has(address)) this.set(ConnectionState.Connecting({ address }))
    }
    this.announce(undefined)
  }

  /** Records the failure of an nsqlookupd, or that it responds. */
  readonly lookedUp = (address: string, error: ClientError | undefined): void => {
    if (error === undefined) this.failed.delete(address)
    else this.failed.set(address, error)
  }

  /** Ends the Streams; waits for a connection fail. */
  close(): void {
    this.isClosed = true
    this.announce(undefined)
  }

  /** Addresses of the servers that are connected. */
  get connected(): ReadonlyArray<string> {
    return Array.from(this.states.values()).flatMap(({ _tag, address }) => _tag === "Connected" ? [address] : [])
  }

  /** Why servers are not connected, without those to which no attempt has failed yet; then why an nsqlookupd has failed. */
  get failures(): ReadonlyArray<ServerFailure> {
    const addresses = new Set([...this.states.keys(), ...this.failed.keys()])
    return Array.from(addresses).flatMap((address) => {
      const error = this.failed.get(address)
      return error === undefined ? [] : [{ address, error }]
    })
  }

  /** Whether a server is connected, or may be soon: discovery has no result yet, or an address has not been tried yet. */
  get isPending(): boolean {
    if (!this.found) return true
    for (const { _tag, address } of this.states.values()) {
      if (_tag === "Connected" || (_tag === "Connecting" && !this.failed.has(address))) return true
    }
    return false
  }

  /** Whether anything sees changes. */
  get isWatched(): boolean {
    return this.watchers.size > 0
  }

  /** Calls `watcher` after each change, with the state that has changed, if one has; returns the function that ends that. */
  watch(watcher: (state: ConnectionState | undefined) => void): () => void {
    this.watchers.add(watcher)
    return () => void this.watchers.delete(watcher)
  }

  /** The states of all known servers, and then each change. */
  readonly changes: Stream.Stream<ConnectionState> = Stream.callback<ConnectionState>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => this.feed(queue)),
      (stop) => Effect.sync(stop)
    ), { bufferSize: maxBehind, strategy: "sliding" })

  /** Completes while a server is connected; fails if all known ones refuse this client permanently. */
  readonly awaitConnected: Effect.Effect<void, ClientError> = Effect.callback<void, ClientError>((resume) => {
    const look = (): boolean => {
      const outcome = this.outcome()
      if (outcome !== undefined) resume(outcome)
      return outcome !== undefined
    }
    if (look()) return
    const stop = this.watch(() => {
      if (look()) stop()
    })
    return Effect.sync(stop)
  })

  private outcome(): Effect.Effect<void, ClientError> | undefined {
    if (this.isClosed) return Effect.fail(closed())
    let refusal: ClientError | undefined
    let areRefused = this.found && this.states.size > 0
    for (const { _tag, address } of this.states.values()) {
      if (_tag === "Connected") return Effect.void
      const error = this.failed.get(address)
      refusal ??= error
      areRefused &&= error?.isPermanent === true
    }
    return areRefused && refusal !== undefined ? Effect.fail(refusal) : undefined
  }

  private feed(queue: Queue.Queue<ConnectionState, Cause.Done>): () => void {
    for (const state of this.states.values()) Queue.offerUnsafe(queue, state)
    if (this.isClosed) Queue.endUnsafe(queue)
    return this.watch((state) => {
      if (state !== undefined) Queue.offerUnsafe(queue, state)
      if (this.isClosed) Queue.endUnsafe(queue)
    })
  }

  private announce(state: ConnectionState | undefined): void {
    for (const watcher of this.watchers) watcher(state)
  }
}
