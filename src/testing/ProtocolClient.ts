/**
 * A bare client of the wire protocol for tests: sends commands as values or raw bytes, and shows every frame that comes back.
 * It answers no heartbeats and does nothing by itself.
 */
import { Effect, type Scope } from "effect"
import { type Command, encodeCommand, magicV2 } from "../protocol/client/Command.ts"
import { type Frame, FrameDecoder, FrameError, FrameType } from "../protocol/client/Frame.ts"
import { decodeMessage, type Message } from "../protocol/client/Message.ts"
import type { ConnectError, Connection, ConnectionLost } from "../services/net/Transport.ts"
import { MemoryNetwork, type Peer } from "./MemoryTransport.ts"

export interface ProtocolClient {
  readonly peer: Peer
  /** Sends bytes as they are. */
  readonly raw: (bytes: Uint8Array | string) => Effect.Effect<void>
  readonly send: (...commands: ReadonlyArray<Command>) => Effect.Effect<void>
  /** The next frame; `undefined` once the server has closed the connection. */
  readonly frame: Effect.Effect<Frame | undefined, ConnectionLost | FrameError>
  /** The next frame as text: `OK`, `E_INVALID ...`; a message as its body. */
  readonly text: Effect.Effect<string | undefined, ConnectionLost | FrameError>
  /** The next frame, which has to be a message. */
  readonly message: Effect.Effect<Message, ConnectionLost | FrameError>
  /** The connection as it goes on after the last frame, to be upgraded: some of what follows may have been read already. */
  readonly rest: Connection
}

/** A client connected to `address` of the in-memory network, the magic sent. */
export const connect = Effect.fnUntraced(
  function*(address: string): Effect.fn.Return<ProtocolClient, ConnectError, MemoryNetwork | Scope.Scope> {
    const network = yield* MemoryNetwork
    const peer = yield* network.connect(address)
    peer.write(Buffer.from(magicV2))
    return { peer, ...over(peer) }
  }
)

/** A client on a connection that has been opened, and perhaps upgraded. */
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
    rest: { ...connection, read },
    raw: (bytes) => Effect.sync(() => void connection.write(Buffer.from(bytes))),
    send: (...commands) => Effect.sync(() => void connection.write(Buffer.concat(commands.map(encodeCommand)))),
    frame,
    text: Effect.map(frame, (next) => next === undefined ? undefined : textOf(next)),
    message: Effect.flatMap(frame, (next) => {
      const message = next?.type === FrameType.message ? decodeMessage(next.data) : undefined
      return message === undefined
        ? Effect.die(new Error(`expected a message, got ${next === undefined ? "the end" : textOf(next)}`))
        : Effect.succeed(message)
    })
  }
}

const textOf = (frame: Frame): string =>
  Buffer.from(frame.type === FrameType.message ? decodeMessage(frame.data)?.body ?? [] : frame.data).toString("latin1")
