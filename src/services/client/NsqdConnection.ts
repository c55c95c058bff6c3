/**
 * A client's connection to one nsqd: the handshake in NSQ's order (docs/protocol/library.md#handshake), then frames to a
 * handler and commands to nsqd. It replies to heartbeats and detects a lost server; it does not reconnect.
 *
 * Hot path: the frames of a read are handled in one synchronous pass, and what is written meanwhile goes out in one write.
 */
import { Clock, Duration, Effect, Redacted, type Scope } from "effect"
import { encodePlain, magicV2 } from "../../protocol/client/CommandBytes.ts"
import { type Frame, FrameReader, FrameType, InvalidFrame } from "../../protocol/client/FrameReader.ts"
import * as Time from "../core/Time.ts"
import { Turns } from "../core/Turns.ts"
import { type Connection, readEach, readingWith, splitAddress, Transport } from "../net/Transport.ts"
import { ClientError, ClientErrorReason, isPermanentText } from "./ClientError.ts"
import { CommandOutput, type Encodable } from "./CommandOutput.ts"
import * as Options from "./ConnectionOptions.ts"
import { decodeFeatures, type ServerFeatures, withoutNegotiation } from "./ServerFeatures.ts"

export { ServerFeatures } from "./ServerFeatures.ts"

/**
 * Callbacks for the server's frames, except heartbeats.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameHandler {
  /** `OK`, `CLOSE_WAIT`, or a JSON reply. */
  readonly onResponse: (text: string) => void
  /** An error frame, for example `E_FIN_FAILED ...`. */
  readonly onError: (text: string) => void
  /** A message as in its frame, with headers before the body if `hasHeaders`. The bytes are a view that stays valid. */
  readonly onMessage: (data: Buffer, hasHeaders: boolean) => void
  /** All frames of one read have been handled. */
  readonly onPause?: () => void
  /** Returns the number of commands that were sent and have no reply yet. Many let the connection gather commands for a write. */
  readonly awaited?: () => number
}

/**
 * A connection after the handshake.
 *
 * @since 0.1.0
 * @category models
 */
export interface NsqdConnection {
  readonly address: string
  readonly features: ServerFeatures
  /** Queues a command, which must not change afterwards; commands of the same moment go out in one write. */
  readonly send: (bytes: Uint8Array) => void
  /** Queues a command that is encoded where it is sent from, which saves a copy. */
  readonly encode: (command: Encodable) => void
  /** Completes when all queued commands have been written to the socket. */
  readonly drained: Effect.Effect<void>
  /**
   * Handles frames until the connection is lost, and fails with the reason `ConnectionLoss`. Nothing is read unless it runs.
   */
  readonly run: (handler: FrameHandler) => Effect.Effect<never, ClientError>
}

/** Most connections are plain: what others need is loaded with the first of them. */
const deflated = Effect.promise(() => import("../net/DeflateConnection.ts"))
const snappied = Effect.fnUntraced(function*(inner: Connection) {
  const [SnappyConnection, SnappyCodecs] = yield* Effect.promise(() =>
    Promise.all([import("../net/SnappyConnection.ts"), import("../net/SnappyCodecs.ts")])
  )
  return SnappyConnection.make(inner, yield* SnappyCodecs.load, yield* Turns)
})

const nop = encodePlain({ _tag: "NOP" })
const heartbeat = "_heartbeat_"
const maxFrameSize = 64 * 1024 * 1024

/**
 * Connects and does the handshake. The connection ends when the Scope closes, after queued commands have been written.
 * `isNamed` is true for an address that nsqlookupd has named, where any client may have registered it: the secret is then sent only
 * over TLS. Default: false. Fails with the reasons `ConnectFailure` and `HandshakeFailure`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = Effect.fn("NsqdConnection.open")(function*(
  address: string,
  options: Options.ConnectionOptions,
  isNamed = false
): Effect.fn.Return<NsqdConnection, ClientError, Transport | Scope.Scope> {
  const transport = yield* Transport
  const unreachable = (description: string) =>
    new ClientError({ reason: ClientErrorReason.ConnectFailure({ address, description }) })
  const refused = (description: string, isPermanent = false) =>
    new ClientError({ reason: ClientErrorReason.HandshakeFailure({ address, description, isPermanent }) })
  const lost = (description: string) =>
    new ClientError({ reason: ClientErrorReason.ConnectionLoss({ address, description }) })

  const socket = yield* transport.connect(address).pipe(
    Effect.mapError(({ reason }) => unreachable(reason.description)),
    Effect.timeoutOrElse({
      duration: Options.dialTimeout(options),
      orElse: () =>
        Effect.fail(unreachable(`connecting timed out after ${Duration.format(Options.dialTimeout(options))}`))
    })
  )

  const decoder = new FrameReader(options.maxFrameSize ?? maxFrameSize)

  const readFrame = Effect.fnUntraced(function*(connection: Connection) {
    while (true) {
      const frame = decoder.next()
      if (frame instanceof InvalidFrame) return yield* refused(frame.message)
      if (frame !== undefined) return frame
      const chunk = yield* Effect.mapError(connection.read, ({ message }) => refused(message))
      if (chunk === undefined) return yield* refused("the server closed the connection during the handshake")
      decoder.feed(chunk)
    }
  })

  const expect = Effect.fnUntraced(function*(connection: Connection, what: string) {
    while (true) {
      const frame = yield* readFrame(connection)
      const text = textOf(frame)
      if (text === heartbeat) continue
      if (frame.type === FrameType.error) return yield* refused(`${what} - ${text}`, isPermanentText(text))
      return text
    }
  })

  const startTls = Effect.fnUntraced(function*(connection: Connection) {
    if (connection.startTls === undefined) return yield* refused("this transport does not support TLS", true)
    const wishes = typeof options.tls === "object" ? options.tls : {}
    const ClientTls = yield* Effect.promise(() => import("./ClientTls.ts"))
    const tls = yield* ClientTls.make(wishes, splitAddress(address)?.host ?? address)
    const secure = yield* Effect.mapError(
      connection.startTls(tls),
      ({ message }) => refused(message, /certificate/i.test(message))
    )
    yield* expect(secure.connection, "failed to start TLS")
    return secure.connection
  })

  const compress = Effect.fnUntraced(function*(connection: Connection, features: ServerFeatures) {
    if (!features.deflate && !features.snappy) return connection
    // The server starts compression without waiting: compressed bytes may have come with the reply to IDENTIFY.
    const inner = startingWith(decoder.takeRest(), connection)
    const compressed = features.deflate
      ? yield* (yield* deflated).make(inner, features.deflate_level)
      : yield* snappied(inner)
    yield* expect(compressed, "failed to start compression")
    return compressed
  })

  const handshake = Effect.gen(function*() {
    socket.write(Buffer.from(magicV2))
    socket.write(encodePlain({ _tag: "IDENTIFY", body: Buffer.from(Options.identify(options)) }))
    const response = yield* expect(socket, "failed to IDENTIFY")
    const features = response.startsWith("{") ? decodeFeatures(response) : withoutNegotiation
    if (features === undefined) return yield* refused("invalid IDENTIFY response")
    if (options.tls !== undefined && options.tls !== false && !features.tls_v1) {
      return yield* refused("the server does not offer TLS", true)
    }
    const secured = features.tls_v1 ? yield* startTls(socket) : socket
    const connection = yield* compress(secured, features)
    if (features.auth_required) {
      if (options.authSecret === undefined) return yield* refused("Auth Required", true)
      if (isNamed && !features.tls_v1 && options.authWithoutTls !== true) {
        return yield* refused(
          "the auth secret is not sent without TLS to an address that nsqlookupd has named; use TLS, or allow it with " +
            "authWithoutTls (--consumer-opt=auth_without_tls,true)",
          true
        )
      }
      const secret = Buffer.from(Redacted.value(options.authSecret))
      connection.write(encodePlain({ _tag: "AUTH", secret }))
      yield* expect(connection, "Error authenticating")
    }
    return { connection, features }
  })

  const { connection, features } = yield* Effect.timeoutOrElse(handshake, {
    duration: Options.handshakeTimeout(options),
    orElse: () =>
      Effect.fail(refused(`the handshake timed out after ${Duration.format(Options.handshakeTimeout(options))}`))
  })

  const clock = yield* Clock.Clock
  const now = Time.fromClock(clock).monotonicMillis
  let lastHeard = now()
  const output = new CommandOutput(connection)

  /** Handles the frames that have arrived; returns why no more can be, if so. */
  const handleFrames = (handler: FrameHandler): ClientError | undefined => {
    while (true) {
      for (let oks = decoder.takeOks(); oks > 0; oks--) handler.onResponse("OK")
      const frame = decoder.next()
      if (frame === undefined) break
      if (frame instanceof InvalidFrame) return lost(frame.message)
      if (frame.type === FrameType.message) {
        handler.onMessage(bufferOf(frame.data), false)
        continue
      }
      if (frame.type === FrameType.messageWithHeaders) {
        handler.onMessage(bufferOf(frame.data), true)
        continue
      }
      const text = textOf(frame)
      if (text === heartbeat) output.add(nop)
      else if (frame.type === FrameType.error) handler.onError(text)
      else handler.onResponse(text)
    }
    handler.onPause?.()
    return undefined
  }

  /** The handler runs inside the read of the socket, and what it sends goes out with the last frame of the read. */
  const readLoop = (handler: FrameHandler): Effect.Effect<never, ClientError> =>
    Effect.suspend(() => {
      if (handler.awaited !== undefined) output.awaitReplies(handler.awaited)
      let failure: ClientError | undefined
      const handle = (): boolean => {
        output.hold()
        failure = handleFrames(handler)
        output.release()
        return failure === undefined
      }
      const take = (chunk: Buffer): boolean => {
        lastHeard = now()
        decoder.feed(chunk)
        return handle()
      }
      if (!handle()) return Effect.fail(failure ?? lost("invalid frame"))
      return readEach(connection, take).pipe(
        Effect.mapError(({ message }) => lost(message)),
        Effect.flatMap(() => Effect.fail(failure ?? lost("the server closed the connection")))
      )
    })

  const patience = 2 * Duration.toMillis(Options.heartbeatInterval(options))
  const watch = Effect.gen(function*() {
    while (true) {
      const silent = now() - lastHeard
      if (silent >= patience) return yield* lost(`heartbeat timeout: no frame for ${patience} ms`)
      yield* Effect.sleep(patience - silent)
    }
  })

  yield* Effect.addFinalizer(() => Effect.sync(output.flush))
  return {
    address,
    features,
    send: (bytes) => output.add(bytes),
    encode: (command) => output.encode(command),
    drained: Effect.andThen(Effect.sync(output.flush), connection.drained),
    run: (handler) => Effect.raceFirst(readLoop(handler), watch)
  }
})

/** Returns the connection with bytes that were read before put in front. */
const startingWith = (bytes: Buffer, connection: Connection): Connection => {
  let first = bytes
  const read = Effect.suspend(() => {
    if (first.length === 0) return connection.read
    const chunk = first
    first = Buffer.alloc(0)
    return Effect.succeed(chunk)
  })
  return readingWith(read, connection)
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

const textOf = (frame: Frame): string => bufferOf(frame.data).toString("utf8")
