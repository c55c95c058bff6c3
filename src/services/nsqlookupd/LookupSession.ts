/**
 * A producer's connection to nsqlookupd (docs/protocol/nsqlookupd.md#connection): the magic, then commands, with responses in
 * order, until either side ends it. An error ends the connection, and with it the producer's registrations.
 */
import { Duration, Effect, type Scope } from "effect"
import { ProtocolError } from "../../protocol/client/ProtocolError.ts"
import { type LookupCommand, LookupCommandDecoder, magicV1 } from "../../protocol/lookup/LookupCommand.ts"
import { encodeLookupd } from "../../protocol/lookup/LookupIdentity.ts"
import { encodeReply } from "../../protocol/lookup/LookupReply.ts"
import { DaemonState } from "../core/DaemonState.ts"
import * as GoDuration from "../core/GoDuration.ts"
import * as NodeId from "../core/NodeId.ts"
import { version } from "../core/Version.ts"
import { LogThreshold } from "../logging/LogThreshold.ts"
import { readMagic } from "../net/Magic.ts"
import type { NetError } from "../net/NetError.ts"
import type { Connection } from "../net/Transport.ts"
import { NsqlookupdOptions } from "./NsqlookupdOptions.ts"
import type { Entry, Producer } from "./Registration.ts"
import { Registrations } from "./Registrations.ts"

/** Limit for the client to read its responses; the connection is closed after it. */
const drainDeadline = "60 seconds"

const ok = encodeReply(Buffer.from("OK"))
const badProtocol = encodeReply(Buffer.from("E_BAD_PROTOCOL"))

const entryText = ({ category, channel, topic }: Entry): string => `category:${category} key:${topic} subkey:${channel}`

/** Returns the handler of connections, on the registrations of the environment. */
export const make = Effect.gen(function*() {
  const registrations = yield* Registrations
  const state = yield* DaemonState
  const { broadcastAddress } = yield* NsqlookupdOptions
  const threshold = yield* LogThreshold
  const hostname = NodeId.hostname()

  const identity = (): Buffer =>
    Buffer.from(encodeLookupd({
      broadcast_address: broadcastAddress,
      hostname,
      http_port: state.httpPort,
      tcp_port: state.tcpPort,
      version
    }))

  class LookupSession {
    readonly decoder = new LookupCommandDecoder()
    private readonly connection: Connection
    private producer: Producer | undefined
    /** Log lines of the commands in one pass, which is synchronous. */
    private lines: Array<string> = []
    private isRefusedBefore = false

    constructor(connection: Connection) {
      this.connection = connection
    }

    private get name(): string {
      return this.connection.remoteAddress
    }

    private note(line: string): void {
      if (threshold.allows("info")) this.lines.push(line)
    }

    private noteEntries(what: "REGISTER" | "UNREGISTER", entries: ReadonlyArray<Entry>): void {
      for (const entry of entries) this.note(`DB: client(${this.name}) ${what} ${entryText(entry)}`)
    }

    /** Returns the response to a REGISTER beyond a limit. Earlier registrations and the connection stay. */
    private refuse(limit: string): Buffer {
      registrations.counts.refused++
      if (!this.isRefusedBefore) this.lines.push(`[${this.name}] - REGISTER too many registrations, ${limit}`)
      this.isRefusedBefore = true
      return encodeReply(Buffer.from(`E_INVALID REGISTER too many registrations, ${limit}`))
    }

    /** Executes a command and returns the response. */
    private execute(command: LookupCommand): Buffer | ProtocolError {
      registrations.counts.command(command._tag)
      if (command._tag === "IDENTIFY") {
        const { broadcast_address, http_port, tcp_port, version } = command.producer
        this.producer = registrations.identify(this.name, command.producer)
        this.note(
          `CLIENT(${this.name}): IDENTIFY Address:${broadcast_address} TCP:${tcp_port} HTTP:${http_port} Version:${version}`
        )
        this.note(`DB: client(${this.name}) REGISTER category:client key: subkey:`)
        return encodeReply(identity())
      }
      const { producer } = this
      if (producer === undefined) return ok
      switch (command._tag) {
        case "PING": {
          const since = GoDuration.format(Duration.millis(Math.round(registrations.ping(producer))))
          this.note(`CLIENT(${this.name}): pinged (last ping ${since})`)
          return ok
        }
        case "REGISTER": {
          const added = registrations.register(producer, command.topic, command.channel)
          if (typeof added === "string") return this.refuse(added)
          this.noteEntries("REGISTER", added)
          return ok
        }
        case "UNREGISTER":
          this.noteEntries("UNREGISTER", registrations.unregister(producer, command.topic, command.channel))
          return ok
      }
    }

    /** Executes all received commands and sends the responses together. Returns the error that ends the connection, if any. */
    private executeAll(): ProtocolError | undefined {
      const responses: Array<Buffer> = []
      let error: ProtocolError | undefined
      while (error === undefined) {
        const next = this.decoder.next(this.producer !== undefined)
        if (next === undefined) break
        const response = next instanceof ProtocolError ? next : this.execute(next)
        if (response instanceof ProtocolError) error = response
        else responses.push(response)
      }
      if (error !== undefined) {
        registrations.counts.errors++
        responses.push(encodeReply(Buffer.from(error.message, "latin1")))
      }
      if (responses.length > 0) this.connection.write(Buffer.concat(responses))
      return error
    }

    private readonly log = Effect.suspend(() => {
      const { lines } = this
      this.lines = []
      return Effect.forEach(lines, (line) => Effect.logInfo(line), { discard: true })
    })

    /** Reads and executes commands until the connection ends. */
    readonly run: Effect.Effect<void, NetError> = Effect.gen({ self: this }, function*() {
      while (true) {
        const error = this.executeAll()
        if (this.lines.length > 0) yield* this.log
        if (error !== undefined) return yield* Effect.logError(`[${this.name}] - ${error.message}`)
        if (this.connection.pendingBytes() > 0) {
          const drained = yield* Effect.timeoutOption(this.connection.drained, drainDeadline)
          if (drained._tag === "None") return yield* Effect.logError(`[${this.name}] - failed to send, i/o timeout`)
        }
        const chunk: Buffer | undefined = yield* this.connection.read
        if (chunk !== undefined) {
          this.decoder.feed(chunk)
          continue
        }
        this.decoder.finish()
        const last = this.executeAll()
        if (last !== undefined) yield* Effect.logError(`[${this.name}] - ${last.message}`)
        return
      }
    })

    /** Removes the producer's registrations. */
    readonly end: Effect.Effect<void> = Effect.suspend(() => {
      if (this.producer !== undefined) this.noteEntries("UNREGISTER", registrations.disconnect(this.producer))
      return Effect.andThen(Effect.logInfo(`PROTOCOL(V1): [${this.name}] exiting ioloop`), this.log)
    })
  }

  const serve = Effect.fnUntraced(
    function*(connection: Connection): Effect.fn.Return<void, NetError, Scope.Scope> {
      yield* Effect.logInfo(`TCP: new client(${connection.remoteAddress})`)
      const first = yield* readMagic(connection, magicV1, () => void connection.write(badProtocol))
      if (first === undefined) return
      const session = new LookupSession(connection)
      session.decoder.feed(first)
      yield* Effect.ensuring(session.run, session.end)
    }
  )

  /** Counts a connection while it is open. */
  const counted = <A, E, R>(serving: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      registrations.counts.connections++
      return Effect.ensuring(serving, Effect.sync(() => void registrations.counts.connections--))
    })

  return (connection: Connection): Effect.Effect<void, never, Scope.Scope> =>
    counted(serve(connection)).pipe(
      Effect.catch((lost) => Effect.logInfo(`client(${connection.remoteAddress}) - ${lost.message}`)),
      Effect.catchDefect((defect) =>
        Effect.logError(`client(${connection.remoteAddress}) - closed by a defect`, defect)
      )
    )
})
