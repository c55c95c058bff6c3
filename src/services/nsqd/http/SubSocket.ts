/**
 * `GET /sub` as a WebSocket (docs/protocol/http.md#websocket): JSON texts both ways, the messages of a channel to the client, and its
 * acknowledgements to nsqd. The next messages are encoded when the client has read the ones before, and its commands are read when it
 * has read their errors. Loaded with the first upgrade, because it loads `ws`, which Effect's own WebSockets use.
 */
import { WebSocket, WebSocketServer } from "@effect/platform-node/NodeWS"
import { Effect, Result, Schema } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { MessageId, messageKey } from "../../../protocol/client/Message.ts"
import { Turns } from "../../core/Turns.ts"
import { encodeJson } from "../../http/HttpResponse.ts"
import { closed, drained } from "../../http/StreamedResponse.ts"
import * as Upgrade from "../../http/Upgrade.ts"
import type { AcknowledgementResult } from "../broker/Subscription.ts"
import { messageOf, settingsOf, type SubStream } from "./SubStream.ts"

/** The largest command of a client, in bytes. */
const maxCommandBytes = 4096
/** Messages are sent while less than this waits for the client, in bytes. */
const maxBufferedBytes = 64 * 1024

const goingAway = 1001
const unsupportedData = 1003

// Not a literal in the call: the types of `ws` have no `closeTimeout` yet.
const settings = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: maxCommandBytes,
  // In ms. A client that does not close its side cannot keep the connection.
  closeTimeout: 5000
}
const server = new WebSocketServer(settings)

/** The limits of commands. */
export interface CommandLimits {
  readonly maxRdyCount: number
  /** In ms. */
  readonly maxDelay: number
}

const Command = Schema.fromJsonString(Schema.Struct({
  command: Schema.Literals(["finish", "requeue", "reject", "touch", "ready"]),
  id: Schema.optionalKey(Schema.Unknown),
  defer: Schema.optionalKey(Schema.Unknown),
  reason: Schema.optionalKey(Schema.Unknown),
  rdy: Schema.optionalKey(Schema.Unknown)
}))
const decodeCommand = Schema.decodeUnknownResult(Command)
const isMessageId = Schema.is(MessageId)

const isWhole = (value: unknown, max: number): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max

const codes = {
  "done": undefined,
  "not owner": "MESSAGE_NOT_OWNED",
  "not in flight": "MESSAGE_NOT_IN_FLIGHT"
} as const satisfies Record<AcknowledgementResult, string | undefined>

/** Executes a command; returns the event of its error. */
export const execute = (
  { subscription }: Pick<SubStream, "subscription">,
  { maxDelay, maxRdyCount }: CommandLimits,
  text: string
): string | undefined => {
  const decoded = decodeCommand(text)
  const failed = (error: string, about: object = {}): string => encodeJson({ event: "error", error, ...about })
  if (Result.isFailure(decoded)) return failed("INVALID_REQUEST")
  const { command, defer = 0, id, rdy, reason = "rejected" } = decoded.success
  if (command === "ready") {
    if (!isWhole(rdy, maxRdyCount)) return failed("INVALID_ARG_RDY", { command })
    subscription.setReady(rdy)
    return undefined
  }
  if (!isMessageId(id)) return failed("INVALID_ARG_ID", { command })
  const key = messageKey(id)
  if (command === "requeue" && !isWhole(defer, maxDelay)) return failed("INVALID_DEFER", { command, id })
  if (command === "reject" && typeof reason !== "string") return failed("INVALID_ARG_REASON", { command, id })
  const error = codes[
    command === "finish"
      ? subscription.finish(key)
      : command === "touch"
      ? subscription.touch(key)
      : command === "reject"
      ? subscription.reject(key, String(reason))
      : subscription.requeue(key, Number(defer))
  ]
  return error === undefined ? undefined : failed(error, { command, id })
}

/** Returns the connection, which reads nothing until it is resumed; `undefined` if the client has closed it meanwhile. */
const accept = (incoming: IncomingMessage): WebSocket | undefined => {
  // nsqd has no subprotocols. `ws` would confirm the first one, and refuse a malformed list in its own words.
  delete incoming.headers["sec-websocket-protocol"]
  let accepted: WebSocket | undefined
  server.handleUpgrade(incoming, incoming.socket, Buffer.alloc(0), (websocket) => {
    websocket.pause()
    // `ws` closes the connection with the code of the error.
    websocket.on("error", () => {})
    accepted = websocket
  })
  return accepted
}

/** Executes the client's commands, and never completes. A defect of one would end the daemon in Node's callback: it ends the Effect. */
const listen = (
  stream: SubStream,
  limits: CommandLimits,
  websocket: WebSocket,
  socket: Socket
): Effect.Effect<never> =>
  Effect.callback((resume) => {
    const take = (command: string): void => {
      const error = execute(stream, limits, command)
      if (error === undefined) return
      websocket.send(error)
      if (!socket.writableNeedDrain || websocket.isPaused) return
      websocket.pause()
      socket.once("drain", () => websocket.resume())
    }
    websocket.on("message", (data, isBinary) => {
      // More may arrive while the connection closes.
      if (websocket.readyState !== WebSocket.OPEN) return
      if (isBinary || !Buffer.isBuffer(data)) return websocket.close(unsupportedData)
      try {
        take(data.toString())
      } catch (defect) {
        resume(Effect.die(defect))
      }
    })
    websocket.resume()
  })

/** Completes with whether the client has read the output in time. */
const isTaken = (socket: Socket, { heartbeat }: SubStream): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(drained(socket), 2 * heartbeat), ({ _tag }) => _tag === "Some")

const sendWaiting = Effect.fnUntraced(
  function*(stream: SubStream, turns: Turns, websocket: WebSocket, socket: Socket) {
    const { consumer } = stream
    // Many small messages are one write.
    socket.cork()
    for (const frame of consumer.take()) {
      websocket.send(`{"event":"message",${messageOf(frame).slice(1)}`)
      if (websocket.bufferedAmount < maxBufferedBytes) continue
      socket.uncork()
      if (!(yield* isTaken(socket, stream))) return false
      if (turns.isOver()) yield* turns.next
      socket.cork()
    }
    socket.uncork()
    if (!(yield* isTaken(socket, stream))) return false
    consumer.sent()
    return true
  }
)

const giveUp = ({ consumer }: SubStream, websocket: WebSocket, what: string): Effect.Effect<void> =>
  Effect.andThen(
    Effect.logWarning(`HTTP: closing consumer(${consumer.stats().remoteAddress}): it ${what}`),
    Effect.sync(() => websocket.terminate())
  )

const run = Effect.fnUntraced(function*(stream: SubStream, websocket: WebSocket, socket: Socket) {
  const { consumer, heartbeat, readyCount, subscription } = stream
  const turns = yield* Turns
  websocket.send(`{"event":"subscribed",${settingsOf(stream).slice(1)}`)
  subscription.setReady(readyCount)
  while (!consumer.isClosed && websocket.readyState === WebSocket.OPEN) {
    yield* consumer.work
    if (yield* sendWaiting(stream, turns, websocket, socket)) continue
    return yield* giveUp(stream, websocket, `has read nothing for ${2 * heartbeat}ms`)
  }
})

/**
 * Sends pings, and completes when the client has sent nothing since the last one. Messages do not replace pings: they would time out
 * and go to a client that is gone repeatedly, until the operating system notices that.
 */
const watch = Effect.fnUntraced(function*(stream: SubStream, websocket: WebSocket, socket: Socket) {
  let isHeard = true
  socket.on("data", () => {
    isHeard = true
  })
  while (true) {
    yield* Effect.sleep(stream.heartbeat)
    if (!isHeard) return yield* giveUp(stream, websocket, "has not responded to a ping")
    isHeard = false
    websocket.ping()
  }
})

/** Accepts the upgrade, and sends messages until the client disconnects, the channel is closed, or the client is silent. */
export const send = (
  stream: SubStream,
  limits: CommandLimits,
  incoming: IncomingMessage,
  outgoing: ServerResponse
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { socket } = incoming
    const websocket = accept(incoming)
    if (websocket === undefined) return Effect.void
    const goAway = (): void => websocket.close(goingAway)
    Upgrade.takeOver(socket, goAway)
    return Effect.raceAllFirst([
      run(stream, websocket, socket),
      watch(stream, websocket, socket),
      listen(stream, limits, websocket, socket),
      closed(outgoing)
    ]).pipe(
      Effect.catchDefect((defect) =>
        Effect.andThen(
          Effect.logError("HTTP: a WebSocket failed", defect),
          Effect.sync(() => websocket.terminate())
        )
      ),
      Effect.ensuring(Effect.sync(goAway))
    )
  })
