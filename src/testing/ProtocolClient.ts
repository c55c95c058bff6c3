/**
 * A bare client of the wire protocol for tests: sends commands as values or bytes, and returns every frame. `connect` does not reply
 * to heartbeats, `connectAlive` does.
 */
import { Cause, Effect, Queue, type Scope } from "effect"
import { type Command, encodeCommand, magicV2 } from "../protocol/client/Command.ts"
import { type Frame, FrameDecoder, FrameError, FrameType } from "../protocol/client/Frame.ts"
import { decodeMessage, type Message } from "../protocol/client/Message.ts"
import type { NetError } from "../services/net/NetError.ts"
import { type Connection, readingWith } from "../services/net/Transport.ts"
import { MemoryNetwork, type Peer } from "./MemoryTransport.ts"

/**
 * A bare client.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProtocolClient {
  /** The network connection. */
  readonly peer: Peer
  /** Sends bytes unchanged. */
  readonly raw: (bytes: Uint8Array | string) => Effect.Effect<void>
  /** Sends commands in one write. */
  readonly send: (...commands: ReadonlyArray<Command>) => Effect.Effect<void>
  /** The next frame; `undefined` after the server has closed the connection. */
  readonly frame: Effect.Effect<Frame | undefined, NetError | FrameError>
  /** The next frame as a string: `OK`, `E_INVALID ...`, or the body of a message. */
  readonly text: Effect.Effect<string | undefined, NetError | FrameError>
  /** The next frame, which must be a message. Dies otherwise. */
  readonly message: Effect.Effect<Message, NetError | FrameError>
  /** The connection after the last frame, with bytes that were already read put in front; for upgrades. */
  readonly rest: Connection
}

/**
 * Connects to `address` of the in-memory network and sends the magic.
 *
 * @since 0.1.0
 * @category operations
 */
export const connect = Effect.fnUntraced(
  function*(address: string): Effect.fn.Return<ProtocolClient, NetError, MemoryNetwork | Scope.Scope> {
    const network = yield* MemoryNetwork
    const peer = yield* network.connect(address)
    peer.write(Buffer.from(magicV2))
    return { peer, ...over(peer) }
  }
)

/**
 * Connects like `connect`, and replies to heartbeats until the Scope closes, whether or not the test takes frames. `frame`, `text` and
 * `message` return the other frames. The connection cannot be upgraded.
 *
 * @since 0.2.0
 * @category operations
 */
export const connectAlive = Effect.fnUntraced(
  function*(address: string): Effect.fn.Return<
    Omit<ProtocolClient, "rest">,
    NetError,
    MemoryNetwork | Scope.Scope
  > {
    const { frame, peer, raw, send } = yield* connect(address)
    const frames = yield* Queue.unbounded<Frame, NetError | FrameError | Cause.Done>()
    yield* Effect.gen(function*() {
      for (let next = yield* frame; next !== undefined; next = yield* frame) {
        if (isHeartbeat(next)) yield* send({ _tag: "NOP" })
        else Queue.offerUnsafe(frames, next)
      }
      yield* Queue.end(frames)
    }).pipe(Effect.catchCause((cause) => Queue.failCause(frames, cause)), Effect.forkScoped)
    const taken: ProtocolClient["frame"] = Effect.catchIf(Queue.take(frames), Cause.isDone, () => Effect.undefined)
    return { peer, raw, send, ...receiving(taken) }
  }
)

const heartbeat = "_heartbeat_"

const isHeartbeat = ({ data, type }: Frame): boolean =>
  type === FrameType.response && Buffer.from(data).toString("latin1") === heartbeat

/**
 * Returns a client on an open connection, for example after an upgrade.
 *
 * @since 0.1.0
 * @category operations
 */
export const over = (connection: Connection): Omit<ProtocolClient, "peer"> => {
  const decoder = new FrameDecoder()
  const frame: ProtocolClient["frame"] = Effect.gen(function*() {
    while (true) {
      const next = decoder.next()
      if (next instanceof FrameError) return yield* next
      if (next !== undefined) return next
      const chunk = yield* connection.read
      if (chunk === undefined) return undefined
      decoder.feed(chunk)
    }
  })
  const read = Effect.suspend(() => {
    const taken = decoder.takeRest()
    return taken.length > 0 ? Effect.succeed(taken) : connection.read
  })
  return {
    rest: readingWith(read, connection),
    raw: (bytes) => Effect.sync(() => void connection.write(Buffer.from(bytes))),
    send: (...commands) => Effect.sync(() => void connection.write(Buffer.concat(commands.map(encodeCommand)))),
    ...receiving(frame)
  }
}

const receiving = (frame: ProtocolClient["frame"]): Pick<ProtocolClient, "frame" | "message" | "text"> => ({
  frame,
  text: Effect.map(frame, (next) => next === undefined ? undefined : textOf(next)),
  message: Effect.flatMap(frame, (next) => {
    const message = next?.type === FrameType.message ? decodeMessage(next.data) : undefined
    return message === undefined
      ? Effect.die(new Error(`expected a message, got ${next === undefined ? "the end" : textOf(next)}`))
      : Effect.succeed(message)
  })
})

const textOf = (frame: Frame): string =>
  Buffer.from(frame.type === FrameType.message ? decodeMessage(frame.data)?.body ?? [] : frame.data).toString("latin1")
